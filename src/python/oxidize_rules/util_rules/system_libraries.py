"""Shared libraries that Linux distributions have, made from what the Python distribution links.

A few libraries are so common that wheels expect them of the machine. An executable brings its own:
linked from the archive that is in the Python distribution anyway, for the same C library and floor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Iterable, Optional, Tuple

from pants.engine.addresses import Address
from pants.engine.fs import DigestSubset, PathGlobs
from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel

from oxidize_rules.compat import (
    collect_rules,
    concurrently,
    digest_subset_to_digest,
    execute_process,
    get_digest_entries,
    implicitly,
    rule,
)
from oxidize_rules.util_rules.component import (
    Component,
    compile_component,
    library_component,
)
from oxidize_rules.util_rules.distribution import (
    PythonDistributionRequest,
    load_python_distribution,
)
from oxidize_rules.util_rules.host_program import HostProgramRequest, prepare_host_process
from oxidize_rules.util_rules.sandbox_program import raise_on_failure
from oxidize_rules.util_rules.sysroot import SYSROOT_DIR, SysrootRequest, prepare_sysroot
from oxidize_rules.util_rules.zig import ZIG_DIR, ZigToolchainRequest, prepare_zig


@dataclass(frozen=True)
class SystemArchive:
    """Where an archive stands in distributions, and its interface, as patterns of names."""

    path: str
    exports: Tuple[str, ...]


_BZIP2 = SystemArchive("build/lib/libbz2.a", ("BZ2_*",))
# By the name of the shared library. Only libraries whose soname has stood for one interface in all
# their versions, and which need nothing but the C library.
ARCHIVES: Dict[str, SystemArchive] = {
    "libbz2.so.1": _BZIP2,  # the name in Fedora and its kin
    "libbz2.so.1.0": _BZIP2,
    "liblzma.so.5": SystemArchive("build/lib/liblzma.a", ("lzma_*",)),
    "libuuid.so.1": SystemArchive("build/lib/libuuid.a", ("uuid_*",)),
    "libz.so.1": SystemArchive(
        "build/lib/libz.a",
        (
            *("adler32*", "compress*", "crc32*", "deflate*", "get_crc_table", "gz*", "inflate*"),
            *("uncompress*", "zError", "zlibCompileFlags", "zlibVersion"),
        ),
    ),
}
_DISTRIBUTION_DIR = "__distribution"


@dataclass(frozen=True)
class AvailableSystemLibrariesRequest:
    distribution: Address


@dataclass(frozen=True)
class AvailableSystemLibraries:
    """Names of those that can be made from the distribution, sorted."""

    sonames: Tuple[str, ...]


@dataclass(frozen=True)
class SystemLibraryRequest:
    """`soname` is one of the available; `where` (an address) it is needed, for messages."""

    soname: str
    distribution: Address
    glibc_floor: Optional[str]
    where: str


@dataclass(frozen=True)
class SystemLibrary:
    """A component with the library in the loader's default folder."""

    component: Component


def made_from(component: str) -> Tuple[str, ...]:
    """The archives of the distribution that a component of this name is made from."""
    kind, _, soname = component.partition(":")
    archive = ARCHIVES.get(soname) if kind == "library" else None
    return (archive.path,) if archive else ()


@rule
async def find_system_libraries(
    request: AvailableSystemLibrariesRequest,
) -> AvailableSystemLibraries:
    distribution = await load_python_distribution(
        PythonDistributionRequest(request.distribution), **implicitly()
    )
    archives = await digest_subset_to_digest(
        DigestSubset(
            distribution.objects, PathGlobs(sorted({one.path for one in ARCHIVES.values()}))
        )
    )
    there = {entry.path for entry in await get_digest_entries(archives)}
    return AvailableSystemLibraries(
        tuple(sorted(soname for soname, one in ARCHIVES.items() if one.path in there))
    )


@rule(desc="Make a shared library for native wheels", level=LogLevel.DEBUG)
async def make_system_library(request: SystemLibraryRequest) -> SystemLibrary:
    distribution = await load_python_distribution(
        PythonDistributionRequest(request.distribution), **implicitly()
    )
    archive = ARCHIVES[request.soname]
    zig, sysroot, content = await concurrently(
        prepare_zig(ZigToolchainRequest(), **implicitly()),
        prepare_sysroot(
            SysrootRequest(distribution.target_triple, request.glibc_floor), **implicitly()
        ),
        digest_subset_to_digest(DigestSubset(distribution.objects, PathGlobs([archive.path]))),
    )
    process = await prepare_host_process(
        HostProgramRequest(
            request.distribution,
            "images.shared_library",
            (
                *("--archive", f"{_DISTRIBUTION_DIR}/{archive.path}"),
                *("--cc", f"{SYSROOT_DIR}/bin/cc"),
                *("--libc", "musl" if request.glibc_floor is None else "glibc"),
                *("--export", *archive.exports),
                *("--output", request.soname),
            ),
            f"Link {request.soname} for {distribution.target_triple}",
            inputs=FrozenDict(
                {
                    ZIG_DIR: zig.digest,
                    SYSROOT_DIR: sysroot.digest,
                    _DISTRIBUTION_DIR: content,
                }
            ),
            output_files=(request.soname,),
        ),
        **implicitly(),
    )
    result = await execute_process(process, **implicitly())
    raise_on_failure(result, where=request.where, doing=f"link {request.soname}")
    component = await compile_component(
        library_component(
            f"library:{request.soname}",
            result.output_digest,
            request.distribution,
            what=f"the library `{request.soname}`",
            where=request.where,
        ),
        **implicitly(),
    )
    return SystemLibrary(component)


def rules() -> Iterable[object]:
    return collect_rules()
