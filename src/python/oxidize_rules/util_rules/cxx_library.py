"""The C++ standard library for what is built from source (sandbox/toolchain/cxx_library.py)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Iterable, Optional

from pants.engine.fs import Digest, DigestSubset, PathGlobs, RemovePrefix
from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel

from oxidize_rules.compat import (
    collect_rules,
    concurrently,
    digest_subset_to_digest,
    execute_process,
    get_digest_contents,
    implicitly,
    remove_prefix,
    rule,
)
from oxidize_rules.util_rules.sandbox_program import raise_on_failure
from oxidize_rules.util_rules.sysroot import SYSROOT_DIR, SysrootRequest, prepare_sysroot
from oxidize_rules.util_rules.tools_pex import prepare_tool_process, sandbox_tool
from oxidize_rules.util_rules.zig import ZIG, ZIG_DIR, ZigToolchainRequest, prepare_zig

# As an immutable input of a process, beside the sysroot.
CXX_DIR = "__cxx"
# Below zig's tree.
_HEADER = "ziglang/lib/libcxx/include/__config"


@dataclass(frozen=True)
class CxxLibraryRequest:
    sysroot: SysrootRequest


@dataclass(frozen=True)
class CxxLibrary:
    """For `CXX_DIR`: the libraries, and what makes the sysroot's `c++` use them."""

    digest: Digest


@rule(desc="Build libc++", level=LogLevel.DEBUG)
async def build_cxx_library(request: CxxLibraryRequest) -> CxxLibrary:
    zig, sysroot = await concurrently(
        prepare_zig(ZigToolchainRequest(), **implicitly()),
        prepare_sysroot(request.sysroot, **implicitly()),
    )
    target = request.sysroot.target_triple
    process = await prepare_tool_process(
        sandbox_tool(
            "toolchain.cxx_library",
            f"--zig={ZIG}",
            f"--sysroot={SYSROOT_DIR}",
            f"--output={CXX_DIR}",
            description=f"Build libc++ for {target}",
            immutable_input_digests=FrozenDict({ZIG_DIR: zig.digest, SYSROOT_DIR: sysroot.digest}),
            output_directories=(CXX_DIR,),
        ),
        **implicitly(),
    )
    result = await execute_process(process, **implicitly())
    raise_on_failure(result, where=target, doing="build libc++")
    return CxxLibrary(await remove_prefix(RemovePrefix(result.output_digest, CXX_DIR)))


@dataclass(frozen=True)
class CxxVersionRequest:
    pass


@dataclass(frozen=True)
class CxxVersion:
    """Of the libc++ that is built; None if its header does not tell it."""

    version: Optional[str]


def version_of_header(text: str) -> Optional[str]:
    """ "22.1.8" for a header with `_LIBCPP_VERSION 220108`: two digits each (LLVM 16 and later)."""
    found = re.search(r"(?m)^ *# *define +_LIBCPP_VERSION +(\d\d)(\d\d)(\d\d) *$", text)
    return ".".join(str(int(number)) for number in found.groups()) if found else None


@rule(desc="Find the version of libc++", level=LogLevel.DEBUG)
async def find_cxx_version(request: CxxVersionRequest) -> CxxVersion:
    zig = await prepare_zig(ZigToolchainRequest(), **implicitly())
    header = await digest_subset_to_digest(DigestSubset(zig.digest, PathGlobs([_HEADER])))
    contents = await get_digest_contents(header)
    return CxxVersion(version_of_header(contents[0].content.decode()) if contents else None)


def rules() -> Iterable[Any]:
    return collect_rules()
