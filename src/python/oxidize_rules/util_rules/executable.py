"""From a binary's fields to its executable: every step of the build, put together."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Iterable, Optional, Tuple

from pants.engine.addresses import Address, UnparsedAddressInputs
from pants.engine.fs import Digest, FileEntry
from pants.util.logging import LogLevel

from oxidize_rules.binary_targets import OxidizedBinaryFieldSet
from oxidize_rules.compat import (
    collect_rules,
    concurrently,
    get_digest_entries,
    implicitly,
    resolve_unparsed_address_inputs,
    rule,
)
from oxidize_rules.executable_fields import MUSL_X86_64, BinaryDistributionField, TargetTripleField
from oxidize_rules.field_errors import invalid_field
from oxidize_rules.sandbox.images import content
from oxidize_rules.subsystem import OxidizeSubsystem
from oxidize_rules.target_type_rules import ResolveEntryPointRequest, resolve_entry_point
from oxidize_rules.util_rules import content as content_rules
from oxidize_rules.util_rules import import_check, native_libraries
from oxidize_rules.util_rules.binary_settings import (
    binary_glibc_floor,
    binary_settings,
    check_distribution,
    what_runs,
)
from oxidize_rules.util_rules.component import (
    APP_DIR,
    PAYLOAD_OBJECT,
    Component,
    ComponentRequest,
    StdlibRequest,
    compile_component,
    compile_stdlib,
    site_packages_dir,
)
from oxidize_rules.util_rules.compression import archive_to_decompress
from oxidize_rules.util_rules.content import ContentRequest, filter_content
from oxidize_rules.util_rules.distribution import (
    PythonDistributionRequest,
    load_python_distribution,
)
from oxidize_rules.util_rules.executable_summary import summarize
from oxidize_rules.util_rules.extension_filter import ALL, is_needed
from oxidize_rules.util_rules.first_party import (
    FirstPartyFolder,
    FirstPartyRequest,
    find_first_party_sources,
)
from oxidize_rules.util_rules.first_party_wheels import (
    FirstPartyDistributionsRequest,
    find_first_party_distributions,
)
from oxidize_rules.util_rules.image import IMAGE_OBJECT, ImageRequest, merge_image
from oxidize_rules.util_rules.import_check import CheckImportsRequest, check_imports
from oxidize_rules.util_rules.inittab import (
    InittabRequest,
    compile_inittab,
)
from oxidize_rules.util_rules.link import LinkObject, LinkRequest, link_executable
from oxidize_rules.util_rules.native_libraries import (
    ExtraLibrariesRequest,
    NativeLibrariesRequest,
    check_native_libraries,
    embed_extra_libraries,
)
from oxidize_rules.util_rules.package_facts import PackageFactsRequest, find_package_facts
from oxidize_rules.util_rules.sandbox_program import OxidizeError
from oxidize_rules.util_rules.sdist import BuildWheelRequest, build_wheel
from oxidize_rules.util_rules.wheels import Wheel, WheelsRequest, resolve_wheels


@dataclass(frozen=True)
class BinaryDistributionRequest:
    """Which distribution a binary is made from."""

    field: BinaryDistributionField
    target_triple: TargetTripleField


@dataclass(frozen=True)
class BinaryDistribution:
    address: Address


@rule(desc="Choose the distribution of an `oxidized_binary` target", level=LogLevel.DEBUG)
async def choose_distribution(
    request: BinaryDistributionRequest, oxidize: OxidizeSubsystem
) -> BinaryDistribution:
    field, triple = request.field, request.target_triple.value
    assert triple is not None
    defaults = oxidize.default_distributions
    spec = field.value or defaults.get(triple)
    if spec is None:
        known = ", ".join(f"`{name}`" for name in sorted(defaults)) or "no triple"
        raise invalid_field(
            field.address,
            field.alias,
            found="not set",
            expected=(
                f"the option `[oxidize].default_distributions` has {known}, "
                f"and the target is for `{triple}`"
            ),
            remedy=(
                f"set the field to the address of a `python_distribution_archive` for `{triple}`, "
                "or name one in the option"
            ),
        )
    addresses = await resolve_unparsed_address_inputs(
        UnparsedAddressInputs(
            [spec],
            owning_address=field.address if field.value else None,
            description_of_origin=(
                f"the `{field.alias}` field of the target {field.address}"
                if field.value
                else f"the option `[oxidize].default_distributions` (for {field.address})"
            ),
        ),
        **implicitly(),
    )
    return BinaryDistribution(addresses[0])


def folder_component(
    fields: OxidizedBinaryFieldSet,
    distribution: Address,
    folder: FirstPartyFolder,
    *,
    compress: bool,
) -> ComponentRequest:
    root = f"{APP_DIR}/{folder.path}".rstrip("/")
    shown = f"{folder.root}/{folder.path}".strip("/")
    return ComponentRequest(
        distribution=distribution,
        name=f"folder:{root}",
        kind="folder",
        input=folder.digest,
        path=folder.path,
        root=root,
        path_entry=APP_DIR,
        optimization=_optimization(fields),
        sources=_sources(fields),
        compress=compress,
        what=f"the folder `{shown}`" if shown else "the source root's own files",
        where=str(fields.address),
        shown_as=f"{folder.root}/" if folder.root else "",
        strict=True,
    )


def wheel_component(
    fields: OxidizedBinaryFieldSet,
    distribution: Address,
    python_version: str,
    wheel: Wheel,
    *,
    compress: bool,
) -> ComponentRequest:
    root = site_packages_dir(python_version)
    return ComponentRequest(
        distribution=distribution,
        name=f"wheel:{wheel.name}",
        kind="wheel",
        input=wheel.digest,
        path=wheel.filename,
        root=root,
        path_entry=root,
        optimization=_optimization(fields),
        sources=_sources(fields),
        compress=compress,
        what=f"the wheel `{wheel.filename}`",
        where=str(fields.address),
    )


def _optimization(fields: OxidizedBinaryFieldSet) -> int:
    return int(fields.bytecode_optimization.value or 0)


def _sources(fields: OxidizedBinaryFieldSet) -> bool:
    return bool(fields.include_sources.value)


@dataclass(frozen=True)
class ExecutableRequest:
    """`filename` is the executable's own name."""

    fields: OxidizedBinaryFieldSet
    filename: str


@dataclass(frozen=True)
class Executable:
    """`digest` holds one file, `path`; `debug` its symbols (`debug_info`), as `<path>.debug`.
    `inventory` holds `inventory.json` and `texts/`: what is in it (docs/licensing.md).
    `summary`: what it is, in lines for a person. `components` are those inside, and
    `droppable_extensions` the names of the extension modules that it could be without."""

    digest: Digest
    path: str
    debug: Optional[Digest]
    inventory: Digest
    summary: Tuple[str, ...]
    components: Tuple[Component, ...]
    droppable_extensions: Tuple[str, ...]


def wants_loader(fields: OxidizedBinaryFieldSet, components: Iterable[Component]) -> bool:
    """Whether the executable contains a loader of its own; with glibc it never needs one."""
    if fields.target_triple.value != MUSL_X86_64:
        return False
    choice = fields.dynamic_loading.value
    return choice == "always" or (
        choice == "auto" and any(component.loadable for component in components)
    )


def _check_names(where: Address, components: Iterable[Component]) -> None:
    seen = set()
    for component in components:
        if component.name in seen:
            raise OxidizeError(
                f"{where}: found the component `{component.name}` twice, expected once. To fix, "
                "make sure that the lock file has one version of each package."
            )
        seen.add(component.name)


@rule(desc="Build the executable of an `oxidized_binary` target", level=LogLevel.DEBUG)
async def build_executable(request: ExecutableRequest) -> Executable:
    fields = request.fields
    own = await find_first_party_distributions(
        FirstPartyDistributionsRequest(fields.address), **implicitly()
    )
    chosen, entry_point, sources = await concurrently(
        choose_distribution(
            BinaryDistributionRequest(fields.distribution, fields.target_triple), **implicitly()
        ),
        resolve_entry_point(ResolveEntryPointRequest(fields.entry_point), **implicitly()),
        find_first_party_sources(
            FirstPartyRequest(fields.address, own.files, own.places), **implicitly()
        ),
    )
    distribution = await load_python_distribution(
        PythonDistributionRequest(chosen.address), **implicitly()
    )
    check_distribution(fields, distribution)
    settings = binary_settings(
        fields,
        what_runs(fields, entry_point.value),
        distribution.python_version,
        has_app=bool(sources.folders),
    )
    floor = binary_glibc_floor(fields, distribution)
    zlib = archive_to_decompress(fields, distribution)
    compress = zlib is not None
    wheels, inittab = await concurrently(
        resolve_wheels(
            WheelsRequest(
                fields.address,
                fields.resolve,
                distribution.python_version,
                distribution.target_triple,
                floor,
                native=fields.dynamic_loading.value != "never",
            ),
            **implicitly(),
        ),
        compile_inittab(
            InittabRequest(
                chosen.address,
                floor,
                tuple(fields.exclude_extensions.value or ()),
                str(fields.address),
                tuple(fields.include_extensions.value or ()),
                fields.extension_filter.value or ALL,
            ),
            **implicitly(),
        ),
    )
    built = await concurrently(
        build_wheel(BuildWheelRequest(fields.address, chosen.address, floor, sdist), **implicitly())
        for sdist in (*wheels.sdists, *own.sdists)
    )
    sources_of = dict(zip(built, (*wheels.sdists, *own.sdists)))
    third_party = tuple(sorted((*wheels.wheels, *built), key=lambda wheel: wheel.filename))
    parts = await concurrently(
        compile_component(component, **implicitly())
        for component in (
            *(
                folder_component(fields, chosen.address, folder, compress=compress)
                for folder in sources.folders
            ),
            *(
                wheel_component(
                    fields, chosen.address, distribution.python_version, wheel, compress=compress
                )
                for wheel in third_party
            ),
        )
    )
    stdlib = await compile_stdlib(
        StdlibRequest(chosen.address, _optimization(fields), _sources(fields), compress),
        **implicitly(),
    )
    asked = content.naming(fields.include_stdlib.value)
    more_stdlib: Tuple[Component, ...] = ()
    if content.wants_any(asked, content.left_out(distribution.test_packages)):
        more = await compile_stdlib(
            StdlibRequest(
                chosen.address, _optimization(fields), _sources(fields), compress, only=asked
            ),
            **implicitly(),
        )
        more_stdlib = (more,)
    extra = await embed_extra_libraries(
        ExtraLibrariesRequest(fields.native_libraries, chosen.address), **implicitly()
    )
    filtered = await filter_content(
        ContentRequest(
            fields.address,
            chosen.address,
            (*parts, *((extra.component,) if extra.component else ()), stdlib, *more_stdlib),
            None if (include := fields.include_stdlib.value) is None else tuple(include),
            tuple(fields.exclude.value or ()),
            tuple(extension.name for extension in distribution.extensions),
            content.left_out(distribution.test_packages),
        ),
        **implicitly(),
    )
    found = filtered.components
    native = await check_native_libraries(
        NativeLibrariesRequest(
            fields.address,
            chosen.address,
            distribution.target_triple,
            floor,
            fields.dynamic_loading.value != "never",
            found,
        ),
        **implicitly(),
    )
    components = (*found, *native.added)
    _check_names(fields.address, components)
    inside = tuple(
        wheel
        for wheel in third_party
        if any(component.name == f"wheel:{wheel.name}" for component in found)
    )
    image, checked, packages = await concurrently(
        merge_image(
            ImageRequest(
                fields.address,
                chosen.address,
                components,
                settings,
                inittab.parts.extensions,
                distribution.target_triple,
            ),
            **implicitly(),
        ),
        check_imports(
            CheckImportsRequest(
                fields.address,
                chosen.address,
                filtered.components,
                entry_point.value.module if entry_point.value else None,
                filtered.dropped,
                inittab.left_out,
                inittab.parts.extensions,
                content.left_out(distribution.test_packages),
                content.is_restricted(fields.include_stdlib.value),
            ),
            **implicitly(),
        ),
        find_package_facts(
            PackageFactsRequest(
                str(fields.address),
                chosen.address,
                tuple((wheel, sources_of.get(wheel)) for wheel in inside),
                tuple(own.sdists),
                found,
                asked,
            ),
            **implicitly(),
        ),
    )
    linked = await link_executable(
        LinkRequest(
            where=str(fields.address),
            distribution=chosen.address,
            glibc_floor=floor,
            output_filename=request.filename,
            objects=(
                LinkObject(image.digest, IMAGE_OBJECT, "the image's index"),
                *(
                    LinkObject(
                        component.payload,
                        PAYLOAD_OBJECT,
                        f"the component `{component.name}`",
                        stable=not component.name.startswith("folder:"),
                        component=component.name,
                        native=component.native if component.has_native else None,
                    )
                    for component in components
                ),
            ),
            excluded_extensions=tuple(fields.exclude_extensions.value or ()),
            included_extensions=tuple(fields.include_extensions.value or ()),
            extension_filter=fields.extension_filter.value or ALL,
            strip=bool(fields.strip.value),
            debug=bool(fields.debug_info.value),
            link_args=tuple(fields.link_args.value or ()),
            dynamic_loading=wants_loader(fields, components),
            zlib=zlib,
            facts=packages.facts,
            name=fields.address.target_name,
        ),
        **implicitly(),
    )
    entries = await get_digest_entries(linked.digest)
    (size,) = (
        entry.file_digest.serialized_bytes_length
        for entry in entries
        if isinstance(entry, FileEntry)
    )
    return Executable(
        linked.digest,
        linked.path,
        linked.debug,
        linked.inventory,
        summarize(
            fields,
            distribution,
            json.loads(image.report),
            {**json.loads(native.report), "carried": native.carried},
            inside,
            sources,
            inittab.parts.extensions,
            size,
            (*filtered.warnings, *checked.warnings),
            inittab.left_out,
        ),
        components,
        tuple(
            one.name
            for one in distribution.extensions
            if one.name in inittab.parts.extensions and not is_needed(one)
        ),
    )


def rules() -> Iterable[object]:
    return [
        *collect_rules(),
        *content_rules.rules(),
        *import_check.rules(),
        *native_libraries.rules(),
    ]
