"""The C runtime of the executables, compiled against one distribution's headers.

The result depends on the distribution, the C library and our sources only, so one process serves
every application.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import contents, read_binary
from typing import Optional, Tuple

from pants.engine.addresses import Address
from pants.engine.fs import AddPrefix, CreateDigest, Digest, FileContent
from pants.engine.process import Process

from oxidize_rules import runtime
from oxidize_rules.compat import (
    add_prefix,
    collect_rules,
    concurrently,
    create_digest,
    execute_process_or_raise,
    implicitly,
    rule,
)
from oxidize_rules.sandbox.toolchain.hardening import STACK_CHECKS
from oxidize_rules.util_rules.distribution import (
    PythonDistributionRequest,
    load_python_distribution,
)
from oxidize_rules.util_rules.sysroot import SYSROOT_DIR, SysrootRequest, prepare_sysroot
from oxidize_rules.util_rules.zig import ZIG_DIR, ZigToolchainRequest, prepare_zig

RUNTIME_DIR = "runtime"
HEADERS_DIR = "__headers"
# Sources that are for tests of the runtime, not for executables.
TEST_MARKS = ("fuzz", "test")
COMPILE_ARGUMENTS = (
    "-std=c11",
    "-O2",
    "-fPIC",
    "-ffunction-sections",
    "-fdata-sections",
    *STACK_CHECKS,
    "-Wall",
    "-Wextra",
    "-Werror",
)


@dataclass(frozen=True)
class RuntimeObjectsRequest:
    """`distribution` is an address; `glibc_floor` is the executable's, None on musl."""

    distribution: Address
    glibc_floor: Optional[str]


@dataclass(frozen=True)
class RuntimeObjects:
    """`paths` are the objects in `digest`. `wrapped` are the functions whose calls go to
    `__wrap_<name>` in the runtime, `exports` those of it that loaded libraries may see."""

    digest: Digest
    paths: Tuple[str, ...]
    wrapped: Tuple[str, ...]
    exports: Tuple[str, ...]


def runtime_files(ending: str) -> Tuple[str, ...]:
    """The files with that ending that belong into an executable, sorted."""
    return tuple(
        sorted(
            name
            for name in contents(runtime)
            if name.endswith(ending) and not any(mark in name for mark in TEST_MARKS)
        )
    )


def symbol_list(name: str) -> Tuple[str, ...]:
    """The symbols named by a list of the runtime: one a line, `#` begins a comment."""
    if name not in contents(runtime):
        return ()
    lines = read_binary(runtime, name).decode().splitlines()
    stripped = (line.partition("#")[0].strip() for line in lines)
    return tuple(line for line in stripped if line)


def taken_over(glibc_floor: Optional[str]) -> Tuple[Tuple[str, ...], Tuple[str, ...]]:
    """The functions that the linker sends to `__wrap_<name>`, and those that the runtime exports
    under libc's own names (why so, tells runtime/wrap.h)."""
    python, libc = symbol_list("wrap.txt"), symbol_list("libc.txt")
    if glibc_floor is None:
        return (*python, *libc), ()
    return python, (*libc, *symbol_list("libc_gnu.txt"))


@rule
async def compile_runtime(request: RuntimeObjectsRequest) -> RuntimeObjects:
    distribution = await load_python_distribution(
        PythonDistributionRequest(request.distribution), **implicitly()
    )
    sources, headers = runtime_files(".c"), runtime_files(".h")
    zig, sysroot, source_digest = await concurrently(
        prepare_zig(ZigToolchainRequest(), **implicitly()),
        prepare_sysroot(
            SysrootRequest(distribution.target_triple, request.glibc_floor), **implicitly()
        ),
        create_digest(
            CreateDigest(
                FileContent(f"{RUNTIME_DIR}/{name}", read_binary(runtime, name))
                for name in (*sources, *headers)
            )
        ),
    )
    names = tuple(f"{name[:-2]}.o" for name in sources)
    process = Process(
        argv=(
            f"{SYSROOT_DIR}/bin/cc",
            "-c",
            *COMPILE_ARGUMENTS,
            f"-I{HEADERS_DIR}/{distribution.include_path}",
            *(f"{RUNTIME_DIR}/{name}" for name in sources),
        ),
        input_digest=source_digest,
        immutable_input_digests={
            ZIG_DIR: zig.digest,
            SYSROOT_DIR: sysroot.digest,
            HEADERS_DIR: distribution.headers,
        },
        output_files=names,
        description=f"Compile the runtime for {distribution.address}",
    )
    result = await execute_process_or_raise(**implicitly({process: Process}))
    digest = await add_prefix(AddPrefix(result.output_digest, RUNTIME_DIR))
    wrapped, exports = taken_over(request.glibc_floor)
    return RuntimeObjects(
        digest, tuple(f"{RUNTIME_DIR}/{name}" for name in names), wrapped, exports
    )


def rules():  # type: ignore[no-untyped-def]
    return collect_rules()
