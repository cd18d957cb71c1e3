"""The run-time libraries of gcc that wheels for glibc count on: libstdc++ and libgcc_s.

The manylinux policies (PEP 600) let a wheel take them from the system. Small systems have none, so
an executable carries them for where the host's are missing. They are those of Debian 11 (gcc 10),
whose demands on glibc are low, and whose versions (GLIBCXX_3.4.28) are what manylinux_2_31 may use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, Tuple

from pants.engine.fs import Digest, MergeDigests
from pants.option.option_types import BoolOption, StrListOption
from pants.option.subsystem import Subsystem
from pants.util.logging import LogLevel
from pants.util.strutil import softwrap

from oxidize_rules.compat import (
    collect_rules,
    concurrently,
    execute_process,
    implicitly,
    merge_digests,
    rule,
)
from oxidize_rules.util_rules.fetch import FetchRequest, fetch_file
from oxidize_rules.util_rules.sandbox_program import raise_on_failure
from oxidize_rules.util_rules.tools_pex import prepare_tool_process, sandbox_tool


class GccLibrariesSubsystem(Subsystem):
    options_scope = "oxidize-gcc-libraries"
    help = softwrap(
        """
        libstdc++ and libgcc_s in executables for glibc, for machines that have none.
        """
    )

    embed = BoolOption(
        default=True,
        help=softwrap(
            """
            Whether executables carry these libraries where native code inside needs them (2 MB).
            Those of the machine are used if they are there and new enough; without embedded ones
            they have to be.
            """
        ),
    )
    urls = StrListOption(
        default=[],
        advanced=True,
        help=softwrap(
            """
            Folders that have the Debian packages, in the order to ask, such as an own mirror's
            `pool/main/g/gcc-10/`. Debian's pool on the mirrors of this machine's apt comes last.
            """
        ),
    )


@dataclass(frozen=True)
class GccLibrary:
    """A library in a package of Debian's archive. `glibc`: the version that it needs itself;
    `offers`: its newest symbol versions ("GLIBCXX_3.4.28")."""

    soname: str
    target_triple: str
    glibc: Tuple[int, int]
    offers: Tuple[str, ...]
    package: str
    sha256: str
    size: int
    member: str


GCC_LIBRARIES = (
    GccLibrary(
        soname="libstdc++.so.6",
        target_triple="x86_64-unknown-linux-gnu",
        glibc=(2, 18),
        offers=("CXXABI_1.3.12", "CXXABI_FLOAT128", "CXXABI_TM_1", "GLIBCXX_3.4.28"),
        package="pool/main/g/gcc-10/libstdc++6_10.2.1-6_amd64.deb",
        sha256="5c155c58935870bf3b4bfe769116841c0d286a74f59eccfd5645693ac23f06b1",
        size=492540,
        member="usr/lib/x86_64-linux-gnu/libstdc++.so.6.0.28",
    ),
    GccLibrary(
        soname="libgcc_s.so.1",
        target_triple="x86_64-unknown-linux-gnu",
        glibc=(2, 14),
        offers=("GCC_7.0.0",),
        package="pool/main/g/gcc-10/libgcc-s1_10.2.1-6_amd64.deb",
        sha256="e478f2709d8474165bb664de42e16950c391f30eaa55bc9b3573281d83a29daf",
        size=41400,
        member="lib/x86_64-linux-gnu/libgcc_s.so.1",
    ),
)


@dataclass(frozen=True)
class GccLibrariesRequest:
    """`sonames` are what embedded libraries need; others than gcc's are left out."""

    target_triple: str
    glibc_floor: str
    sonames: Tuple[str, ...]


@dataclass(frozen=True)
class GccLibraries:
    """`digest` holds the libraries under their SONAMEs."""

    digest: Digest
    sonames: Tuple[str, ...]


def is_enough(soname: str, versions: Iterable[str]) -> bool:
    """Whether our library of that name has the symbol versions that others need of it."""
    offers = [
        _version(offered)
        for library in GCC_LIBRARIES
        if library.soname == soname
        for offered in library.offers
    ]
    return all(
        any(name == wanted and numbers >= least for name, numbers in offers)
        for wanted, least in map(_version, versions)
    )


def _version(text: str) -> Tuple[str, Tuple[int, ...]]:
    """ "GLIBCXX_3.4.28" is ("GLIBCXX", (3, 4, 28)); a name without a number stays whole."""
    name, _, number = text.rpartition("_")
    parts = number.split(".")
    if name and all(part.isdigit() for part in parts):
        return name, tuple(int(part) for part in parts)
    return text, ()


def wanted_libraries(request: GccLibrariesRequest) -> Tuple[GccLibrary, ...]:
    """What of gcc's libraries the executable can carry. libstdc++ needs libgcc_s itself.

    One that needs a newer glibc than the floor is left to the host.
    """
    major, minor = (int(part) for part in request.glibc_floor.split(".")[:2])
    names = set(request.sonames)
    if "libstdc++.so.6" in names:
        names.add("libgcc_s.so.1")
    return tuple(
        library
        for library in GCC_LIBRARIES
        if library.soname in names
        and library.target_triple == request.target_triple
        and library.glibc <= (major, minor)
    )


@dataclass(frozen=True)
class GccLibraryFile:
    """`digest` holds the library under its SONAME."""

    digest: Digest


@rule(level=LogLevel.DEBUG)
async def take_gcc_library(library: GccLibrary, options: GccLibrariesSubsystem) -> GccLibraryFile:
    where = f"[{options.options_scope}]"
    filename = library.package.rpartition("/")[2]
    fetched = await fetch_file(
        FetchRequest(
            where=where,
            filename=filename,
            urls=tuple(f"{url.rstrip('/')}/{filename}" for url in options.urls),
            debian_path=library.package,
            sha256=library.sha256,
            size=library.size,
        ),
        **implicitly(),
    )
    process = await prepare_tool_process(
        sandbox_tool(
            "toolchain.debian_package",
            fetched.path,
            f"--member={library.member}",
            f"--output={library.soname}",
            description=f"Take {library.soname} out of {fetched.path}",
            input_digest=fetched.digest,
            output_files=(library.soname,),
        ),
        **implicitly(),
    )
    result = await execute_process(process, **implicitly())
    raise_on_failure(result, where=where, doing=f"take {library.soname} out of {fetched.path}")
    return GccLibraryFile(result.output_digest)


@rule(desc="Get gcc's run-time libraries", level=LogLevel.DEBUG)
async def get_gcc_libraries(
    request: GccLibrariesRequest, options: GccLibrariesSubsystem
) -> GccLibraries:
    libraries = wanted_libraries(request) if options.embed else ()
    files = await concurrently(take_gcc_library(library, **implicitly()) for library in libraries)
    merged = await merge_digests(MergeDigests(file.digest for file in files))
    return GccLibraries(merged, tuple(library.soname for library in libraries))


def rules() -> Iterable[Any]:
    return [*collect_rules(), *GccLibrariesSubsystem.rules()]
