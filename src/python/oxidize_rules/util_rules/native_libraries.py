"""The native files of a binary: what the team adds, what the build adds, and whether all fits.

Runs before anything is linked, and looks only at what components tell of native files, so that
edits to Python code never rerun it.
"""

from __future__ import annotations

import json
import os.path
from dataclasses import dataclass
from typing import Dict, Iterable, Optional, Tuple

from pants.engine.addresses import Address, UnparsedAddressInputs
from pants.engine.fs import EMPTY_DIGEST, CreateDigest, FileEntry
from pants.engine.target import HydrateSourcesRequest, SourcesField, WrappedTargetRequest
from pants.util.logging import LogLevel

from oxidize_rules.compat import (
    collect_rules,
    concurrently,
    create_digest,
    get_digest_contents,
    get_digest_entries,
    hydrate_sources,
    implicitly,
    resolve_target,
    resolve_unparsed_address_inputs,
    rule,
)
from oxidize_rules.content_fields import NativeLibrariesField
from oxidize_rules.field_errors import invalid_field
from oxidize_rules.util_rules import component_program, system_libraries
from oxidize_rules.util_rules.component import (
    NATIVE_FILE,
    Component,
    compile_component,
    library_component,
)
from oxidize_rules.util_rules.component_program import (
    ComponentProgramRequest,
    ToldFiles,
    run_component_program,
)
from oxidize_rules.util_rules.gcc_libraries import (
    GccLibraries,
    GccLibrariesRequest,
    get_gcc_libraries,
    is_enough,
)
from oxidize_rules.util_rules.system_libraries import (
    AvailableSystemLibrariesRequest,
    SystemLibraryRequest,
    find_system_libraries,
    make_system_library,
)

_REPORT = "native-report.json"
_EMPTY_REPORT = json.dumps(
    {
        **{"extensions": 0, "libraries": 0, "glibc": None},
        **{"system": [], "host": {}, "warnings": []},
    }
)


@dataclass(frozen=True)
class ExtraLibrariesRequest:
    """The libraries of the `native_libraries` field, for the Python of `distribution`."""

    field: NativeLibrariesField
    distribution: Address


@dataclass(frozen=True)
class ExtraLibraries:
    component: Optional[Component]


@dataclass(frozen=True)
class NativeLibrariesRequest:
    """`loader`: whether the executable can load libraries. `glibc_floor` is None on musl."""

    address: Address
    distribution: Address
    target_triple: str
    glibc_floor: Optional[str]
    loader: bool
    components: Tuple[Component, ...]


@dataclass(frozen=True)
class NativeLibraries:
    """`added` are components with libraries that the others need. `report`: see
    sandbox/images/native_libraries.py."""

    added: Tuple[Component, ...]
    report: str
    carried: Tuple[str, ...] = ()  # of the machine's, those that our own can stand for


@rule
async def embed_extra_libraries(request: ExtraLibrariesRequest) -> ExtraLibraries:
    field = request.field
    if not field.value:
        return ExtraLibraries(None)
    origin = f"the `{field.alias}` field of {field.address}"
    addresses = await resolve_unparsed_address_inputs(
        UnparsedAddressInputs(
            field.value, owning_address=field.address, description_of_origin=origin
        ),
        **implicitly(),
    )
    wrapped = await concurrently(
        resolve_target(WrappedTargetRequest(address, description_of_origin=origin), **implicitly())
        for address in addresses
    )
    for one in wrapped:
        if not one.target.has_field(SourcesField):
            raise invalid_field(
                field.address,
                field.alias,
                found=f"a list with {one.target.address}, a `{one.target.alias}` target",
                expected="only targets with files of their own can be put in",
                remedy="name a `file` or `resource` target with a shared library",
            )
    hydrated = await concurrently(
        hydrate_sources(HydrateSourcesRequest(one.target[SourcesField]), **implicitly())
        for one in wrapped
    )
    entries = await concurrently(get_digest_entries(one.snapshot.digest) for one in hydrated)
    files: Dict[str, FileEntry] = {}
    for entry in (entry for digest in entries for entry in digest if isinstance(entry, FileEntry)):
        name = os.path.basename(entry.path)
        same = files.setdefault(name, entry)
        if same.file_digest != entry.file_digest:
            raise invalid_field(
                field.address,
                field.alias,
                found=f"a list with `{same.path}` and `{entry.path}`",
                expected="libraries stand in one folder, so each needs a name of its own",
                remedy="rename one of them, or take it out",
            )
    digest = await create_digest(
        CreateDigest(
            FileEntry(name, entry.file_digest, entry.is_executable)
            for name, entry in sorted(files.items())
        )
    )
    component = await compile_component(
        library_component(
            f"field:{field.alias}",
            digest,
            request.distribution,
            what=f"the files of the `{field.alias}` field",
            where=str(field.address),
        ),
        **implicitly(),
    )
    return ExtraLibraries(component)


@rule(desc="Check the native libraries of a binary", level=LogLevel.DEBUG)
async def check_native_libraries(request: NativeLibrariesRequest) -> NativeLibraries:
    native = [component for component in request.components if component.has_native]
    if not native:
        return NativeLibraries((), _EMPTY_REPORT)
    available = await find_system_libraries(
        AvailableSystemLibrariesRequest(request.distribution), **implicitly()
    )
    result = await run_component_program(
        ComponentProgramRequest(
            address=request.address,
            distribution=request.distribution,
            program="images.native_libraries",
            told=ToldFiles(
                "--native",
                "native",
                NATIVE_FILE,
                tuple((one.symbol_id, one.native) for one in native),
            ),
            files=(),
            arguments=(
                *("--triple", request.target_triple),
                *(("--glibc-floor", request.glibc_floor) if request.glibc_floor else ()),
                *("--loader", "yes" if request.loader else "no"),
                *("--system", *available.sonames),
                *("--output", _REPORT),
            ),
            outputs=(_REPORT,),
            description=f"Check the native libraries of {request.address}",
            doing="check its native libraries",
        ),
        **implicitly(),
    )
    (report,) = await get_digest_contents(result.digest)
    told = json.loads(report.content)
    made = await concurrently(
        make_system_library(
            SystemLibraryRequest(
                soname, request.distribution, request.glibc_floor, str(request.address)
            ),
            **implicitly(),
        )
        for soname in told["system"]
    )
    added = [one.component for one in made]
    gcc = GccLibraries(EMPTY_DIGEST, ())
    if told["host"] and request.glibc_floor:
        gcc = await get_gcc_libraries(
            GccLibrariesRequest(
                request.target_triple, request.glibc_floor, tuple(sorted(told["host"]))
            ),
            **implicitly(),
        )
    if gcc.sonames:
        added.append(
            await compile_component(
                library_component(
                    "library:gcc",
                    gcc.digest,
                    request.distribution,
                    what="gcc's run-time libraries",
                    where=str(request.address),
                ),
                **implicitly(),
            )
        )
    carried = tuple(name for name in gcc.sonames if is_enough(name, told["host"].get(name, ())))
    return NativeLibraries(tuple(added), report.content.decode(), carried)


def rules() -> Iterable[object]:
    return [*collect_rules(), *component_program.rules(), *system_libraries.rules()]
