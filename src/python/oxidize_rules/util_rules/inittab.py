"""Which extension modules of a distribution are built in, and what they bring into the link."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Iterable, Optional, Tuple

from pants.engine.addresses import Address
from pants.engine.fs import CreateDigest, Digest, FileContent
from pants.engine.process import Process

from oxidize_rules.compat import (
    collect_rules,
    concurrently,
    create_digest,
    execute_process_or_raise,
    implicitly,
    rule,
)
from oxidize_rules.sandbox.errors import UserError
from oxidize_rules.sandbox.linking.inittab import inittab_source
from oxidize_rules.util_rules import extension_filter
from oxidize_rules.util_rules.distribution import (
    Extension,
    PythonDistribution,
    PythonDistributionRequest,
    load_python_distribution,
)
from oxidize_rules.util_rules.runtime import HEADERS_DIR
from oxidize_rules.util_rules.sandbox_program import OxidizeError
from oxidize_rules.util_rules.sysroot import SYSROOT_DIR, SysrootRequest, prepare_sysroot
from oxidize_rules.util_rules.zig import ZIG_DIR, ZigToolchainRequest, prepare_zig

INITTAB_OBJECT = "inittab.o"
CORE = "the interpreter"

# What a distribution may have built in, but an executable has only if it asks for it. By name, as
# in `fnmatch`. Static release archives have all of them.
DEFAULT_EXCLUDED = (
    "_dbm",  # Berkeley DB: its licence (Sleepycat) asks for the source of whatever it is linked to
    "_tkinter",  # needs Tcl's and Tk's own files beside it, and X11
    # CPython's own tests and examples.
    "_ctypes_test",
    "_test*",
    "_xxtestfuzz",
    "xxlimited*",
    "xxsubtype",
)


@dataclass(frozen=True)
class InittabRequest:
    """`excluded` are names of extension modules to leave out, `included` those to keep of
    `DEFAULT_EXCLUDED` and of what the `filter` leaves out; `where` is the address that asks, for
    messages. `glibc_floor` is the executable's; None on musl."""

    distribution: Address
    glibc_floor: Optional[str]
    excluded: Tuple[str, ...] = ()
    where: str = ""
    included: Tuple[str, ...] = ()
    filter: str = extension_filter.ALL


@dataclass(frozen=True)
class LeftOutExtension:
    """An extension module that is not built in: by which field ("": by default), and why."""

    name: str
    field: str
    why: str


@dataclass(frozen=True)
class OwnedFile:
    """A file or a library for the linker, and what it belongs to, in words for a message."""

    name: str
    owner: str


@dataclass(frozen=True)
class LinkParts:
    """What core and chosen extensions need, each once. Objects and static libraries are paths
    in the distribution's objects; system libraries are names as for `-l`."""

    extensions: Tuple[str, ...]
    objects: Tuple[OwnedFile, ...]
    static_libraries: Tuple[OwnedFile, ...]
    system_libraries: Tuple[OwnedFile, ...]


@dataclass(frozen=True)
class Inittab:
    """`digest` holds `path`, the object with the table of built-in modules."""

    digest: Digest
    path: str
    parts: LinkParts
    left_out: Tuple[LeftOutExtension, ...] = ()


def chosen_extensions(
    request: InittabRequest, distribution: PythonDistribution
) -> Tuple[Extension, ...]:
    """The extensions without the excluded ones, in CPython's order: those of the core last.

    Raises OxidizeError for a name that the distribution does not have, or cannot do without, and
    for one that is both included and excluded.
    """
    by_name = {extension.name: extension for extension in distribution.extensions}
    for field, names in (
        ("exclude_extensions", request.excluded),
        ("include_extensions", request.included),
    ):
        for name in names:
            if name not in by_name:
                raise OxidizeError(
                    f"{request.where}: `{field}` names `{name}`, which is not an extension module "
                    f"built into {distribution.address}.{_similar(name, by_name)}"
                )
    for name in request.excluded:
        if name in request.included:
            raise OxidizeError(
                f"{request.where}: both `exclude_extensions` and `include_extensions` name "
                f"`{name}`. Remove it from one of them."
            )
        if extension_filter.is_needed(by_name[name]):
            raise OxidizeError(
                f"{request.where}: `exclude_extensions` names `{name}`, but the interpreter cannot "
                "start without it. Remove it from the field."
            )
    left_out = {one.name for one in left_out_extensions(request, distribution)}
    chosen = (one for name, one in by_name.items() if name not in left_out)
    return tuple(sorted(chosen, key=lambda one: (one.in_core, one.name)))


def left_out_extensions(
    request: InittabRequest, distribution: PythonDistribution
) -> Tuple[LeftOutExtension, ...]:
    """What is not built in, sorted by name. What the user names wins over rules."""
    found = []
    for extension in sorted(distribution.extensions, key=lambda one: one.name):
        name = extension.name
        if name in request.excluded:
            found.append(LeftOutExtension(name, "exclude_extensions", "the field names it"))
        elif name in request.included:
            continue
        elif excluded_by_default(extension):
            found.append(LeftOutExtension(name, "", "it is left out by default"))
        else:
            why = extension_filter.reason_to_drop(extension, request.filter)
            if why is not None:
                found.append(LeftOutExtension(name, "extension_filter", why))
    return tuple(found)


def excluded_by_default(extension: Extension) -> bool:
    if extension.required or extension.in_core:
        return False
    return any(fnmatchcase(extension.name, pattern) for pattern in DEFAULT_EXCLUDED)


def _similar(name: str, names: Iterable[str]) -> str:
    similar = get_close_matches(name, list(names))
    return f" Did you mean {' or '.join(f'`{one}`' for one in similar)}?" if similar else ""


def link_parts(distribution: PythonDistribution, extensions: Iterable[Extension]) -> LinkParts:
    """Everything that goes into a link. Where two need one file, the first one owns it."""
    extensions = tuple(extensions)
    objects = dict.fromkeys(distribution.core_objects, CORE)
    static_libraries: dict[str, str] = {}
    system_libraries = dict.fromkeys(distribution.core_system_libraries, CORE)
    for extension in extensions:
        owner = f"the extension module `{extension.name}`"
        for found, names in (
            (objects, extension.objects),
            (static_libraries, extension.static_libraries),
            (system_libraries, extension.system_libraries),
        ):
            for name in names:
                found.setdefault(name, owner)

    def owned(found: dict[str, str]) -> Tuple[OwnedFile, ...]:
        return tuple(OwnedFile(name, owner) for name, owner in sorted(found.items()))

    return LinkParts(
        tuple(one.name for one in extensions),
        owned(objects),
        owned(static_libraries),
        owned(system_libraries),
    )


@rule
async def compile_inittab(request: InittabRequest) -> Inittab:
    distribution = await load_python_distribution(
        PythonDistributionRequest(request.distribution), **implicitly()
    )
    extensions = chosen_extensions(request, distribution)
    try:
        source = inittab_source((one.name, one.init_function) for one in extensions)
    except UserError as error:
        raise OxidizeError(f"{distribution.address}: {error}") from error
    zig, sysroot, source_digest = await concurrently(
        prepare_zig(ZigToolchainRequest(), **implicitly()),
        prepare_sysroot(
            SysrootRequest(distribution.target_triple, request.glibc_floor), **implicitly()
        ),
        create_digest(CreateDigest([FileContent("inittab.c", source.encode())])),
    )
    process = Process(
        argv=(
            f"{SYSROOT_DIR}/bin/cc",
            "-c",
            "-std=c11",
            "-O2",
            "-fPIC",
            "-DPy_BUILD_CORE",
            f"-I{HEADERS_DIR}/{distribution.include_path}",
            "inittab.c",
        ),
        input_digest=source_digest,
        immutable_input_digests={
            ZIG_DIR: zig.digest,
            SYSROOT_DIR: sysroot.digest,
            HEADERS_DIR: distribution.headers,
        },
        output_files=(INITTAB_OBJECT,),
        description=f"Compile the table of built-in modules of {distribution.address}",
    )
    result = await execute_process_or_raise(**implicitly({process: Process}))
    return Inittab(
        result.output_digest,
        INITTAB_OBJECT,
        link_parts(distribution, extensions),
        left_out_extensions(request, distribution),
    )


def rules():  # type: ignore[no-untyped-def]
    return collect_rules()
