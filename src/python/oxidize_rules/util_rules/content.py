"""What of the compiled components goes in: the fields `include_stdlib` and `exclude`.

Components are compiled whole and shared by all binaries; what a filter takes out of one is taken
out of its object, by a small process, and only where the filter means something in it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Set, Tuple

from pants.engine.addresses import Address
from pants.engine.fs import MergeDigests
from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel

from oxidize_rules.compat import (
    collect_rules,
    concurrently,
    execute_process,
    get_digest_contents,
    implicitly,
    merge_digests,
    rule,
)
from oxidize_rules.content_fields import ExcludeField, IncludeStdlibField
from oxidize_rules.sandbox.images import content
from oxidize_rules.sandbox.images.interpreter_config import close_names
from oxidize_rules.util_rules.component import (
    MANIFEST,
    NATIVE_FILE,
    PAYLOAD_OBJECT,
    STDLIB,
    STDLIB_EXTRA,
    Component,
    ComponentFiles,
    load_component,
)
from oxidize_rules.util_rules.host_program import HostProgramRequest, prepare_host_process
from oxidize_rules.util_rules.host_python import HostPythonRequest, find_host_python
from oxidize_rules.util_rules.sandbox_program import OxidizeError, raise_on_failure

_COMPILED = "__compiled"


@dataclass(frozen=True)
class PruneRequest:
    """A component, and the module globs of what it keeps (None: all) and drops."""

    component: Component
    distribution: Address
    keep: Optional[Tuple[str, ...]]
    drop: Tuple[str, ...]
    where: str


@rule(desc="Take files out of a component", level=LogLevel.DEBUG)
async def prune_component(request: PruneRequest) -> Component:
    component = request.component
    python, compiled = await concurrently(
        find_host_python(HostPythonRequest(request.distribution), **implicitly()),
        merge_digests(MergeDigests((component.payload, component.manifest))),
    )
    process = await prepare_host_process(
        HostProgramRequest(
            request.distribution,
            "images.prune",
            (
                *("--payload", f"{_COMPILED}/{PAYLOAD_OBJECT}"),
                *("--manifest", f"{_COMPILED}/{MANIFEST}"),
                *("--machine", python.target_machine),
                *(("--keep", *request.keep) if request.keep else ()),
                *(("--drop", *request.drop) if request.drop else ()),
                *("--output", PAYLOAD_OBJECT),
                *("--manifest-output", MANIFEST),
                *("--native-output", NATIVE_FILE),
            ),
            f"Take what {request.where} leaves out from {component.name}",
            inputs=FrozenDict({_COMPILED: compiled}),
            output_files=(PAYLOAD_OBJECT, MANIFEST, NATIVE_FILE),
        ),
        **implicitly(),
    )
    result = await execute_process(process, **implicitly())
    raise_on_failure(result, where=request.where, doing=f"take files out of {component.name}")
    return await load_component(
        ComponentFiles(component.name, result.output_digest, component.imports), **implicitly()
    )


@dataclass(frozen=True)
class ContentRequest:
    """The components of a binary, and its fields. `extensions`: names of all extension modules of
    the distribution; `left_out`: globs of what of the standard library has to be named."""

    address: Address
    distribution: Address
    components: Tuple[Component, ...]
    include_stdlib: Optional[Tuple[str, ...]]
    exclude: Tuple[str, ...]
    extensions: Tuple[str, ...]
    left_out: Tuple[str, ...]


@dataclass(frozen=True)
class Dropped:
    """Modules of a component that a field left out."""

    component: str
    field: str
    modules: Tuple[str, ...]


@dataclass(frozen=True)
class Content:
    """`components` without what is left out, and without those that nothing is left of."""

    components: Tuple[Component, ...]
    dropped: Tuple[Dropped, ...]
    warnings: Tuple[str, ...]


class Listing:
    """What a component's manifest tells of its files."""

    def __init__(self, manifest: Mapping[str, Any]) -> None:
        self.name: str = manifest["component"]
        self.path_entry: str = manifest["path_entry"]
        self.paths: List[str] = [row[0] for row in manifest["files"]]
        start = f"{self.path_entry}/" if self.path_entry else ""
        self.places = {
            content.place(path[len(start) :]) for path in self.paths if path.startswith(start)
        }
        names = (content.module_name(path, self.path_entry) for path in self.paths)
        self.modules = {name for name in names if name is not None}

    def modules_of(self, paths: Iterable[str]) -> Set[str]:
        names = (content.module_name(path, self.path_entry) for path in paths)
        return {name for name in names if name is not None}


def keeps(component: str, include_stdlib: Optional[Sequence[str]]) -> Optional[Tuple[str, ...]]:
    """The globs of what stays of a component; None: all."""
    if component != STDLIB or not content.is_restricted(include_stdlib):
        return None
    return (*content.naming(include_stdlib), *content.start_globs())


def check_globs(request: ContentRequest, listings: Sequence[Listing]) -> Tuple[str, ...]:
    """Warnings for globs that mean nothing. Raises OxidizeError for such names, and for what the
    interpreter cannot do without."""
    for glob in request.exclude:
        needed = content.needed_at_start(glob)
        if needed:
            raise OxidizeError(
                f"{request.address}: `{ExcludeField.alias}` has `{glob}`, but the interpreter "
                f"starts with `{needed}` ({content.STDLIB_START[needed]}). Remove it from the "
                "field."
            )
    stdlib = [one for one in listings if one.name in (STDLIB, STDLIB_EXTRA)]
    warnings = []
    for alias, globs, searched in (
        (IncludeStdlibField.alias, content.naming(request.include_stdlib), stdlib),
        (ExcludeField.alias, request.exclude, listings),
    ):
        known = {name for one in searched for name in (*one.modules, *_dotted(one.places))}
        if alias == IncludeStdlibField.alias:
            known.update(request.extensions)
        else:
            known.update(request.left_out)
        for glob in globs:
            matches = content.module_matcher([glob])
            if any(matches(name.replace(".", "/")) for name in known):
                continue
            message = _unknown(request, alias, glob, known)
            if "*" not in glob and "?" not in glob:
                raise OxidizeError(message)
            warnings.append(message)
    return tuple(warnings)


def _dotted(places: Iterable[str]) -> Iterable[str]:
    return (where.replace("/", ".") for where in places if where)


def _unknown(request: ContentRequest, alias: str, glob: str, known: Set[str]) -> str:
    if alias == IncludeStdlibField.alias:
        where = f"the standard library of {request.distribution} has no such module"
        remedy = "Correct the name or remove it."
    elif glob in request.extensions:
        where = "that is an extension module built into the interpreter"
        remedy = "Name it in the `exclude_extensions` field."
    else:
        where = "nothing in the executable has that name"
        remedy = (
            "Correct the name or remove it; names are those that are imported (`yaml`), not those "
            "of distributions (`PyYAML`)."
        )
    close = close_names(glob, sorted(known))
    return f"{request.address}: `{alias}` has `{glob}`, but {where}.{close} {remedy}"


@rule(desc="Leave out what a binary does not want", level=LogLevel.DEBUG)
async def filter_content(request: ContentRequest) -> Content:
    if request.include_stdlib is None and not request.exclude:
        return Content(request.components, (), ())
    contents = await concurrently(
        get_digest_contents(component.manifest) for component in request.components
    )
    listings = [Listing(json.loads(files[0].content)) for files in contents]
    warnings = check_globs(request, listings)
    whole: Dict[str, Component] = {one.name: one for one in request.components}
    dropped = []
    wanted = []
    for listing in listings:
        keep = keeps(listing.name, request.include_stdlib)
        gone = content.filter_files(
            listing.paths, listing.path_entry, keep=keep, drop=request.exclude
        )
        if not gone:
            continue
        for field in sorted(set(gone.values())):
            modules = listing.modules_of(path for path in gone if gone[path] == field)
            dropped.append(Dropped(listing.name, field, tuple(sorted(modules))))
        component = whole[listing.name]
        if listing.modules and not listing.modules_of(set(listing.paths).difference(gone)):
            del whole[listing.name]  # nor its metadata: it is not installed
            continue
        wanted.append(
            PruneRequest(
                component, request.distribution, keep, request.exclude, str(request.address)
            )
        )
    pruned = await concurrently(prune_component(one, **implicitly()) for one in wanted)
    whole.update((one.name, one) for one in pruned)
    components = tuple(whole[one.name] for one in request.components if one.name in whole)
    return Content(components, tuple(dropped), warnings)


def rules() -> Iterable[object]:
    return collect_rules()
