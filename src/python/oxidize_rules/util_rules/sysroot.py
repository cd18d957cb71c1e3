"""The sysroot of a target: its C library, the start objects, and the compiler's wrappers.

This step is the one place that knows where the C library comes from (see
`sandbox/toolchain/sysroot.py`). Every later compilation and link takes the sysroot as an input.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import read_binary
from typing import Any, Iterable, Optional

from pants.engine.fs import CreateDigest, Digest, FileContent, RemovePrefix
from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel

from oxidize_rules.compat import (
    collect_rules,
    create_digest,
    execute_process,
    implicitly,
    remove_prefix,
    rule,
)
from oxidize_rules.sandbox import toolchain
from oxidize_rules.util_rules import musl
from oxidize_rules.util_rules.musl import MUSL_DIR, MuslRequest, build_musl
from oxidize_rules.util_rules.sandbox_program import raise_on_failure
from oxidize_rules.util_rules.tools_pex import prepare_tool_process, sandbox_tool
from oxidize_rules.util_rules.zig import ZIG, ZIG_DIR, ZigToolchainRequest, prepare_zig

# The sysroot as an immutable input of a process.
SYSROOT_DIR = "__sysroot"


@dataclass(frozen=True)
class SysrootRequest:
    """`glibc_floor` ("2.17") is the oldest glibc that the result runs on; None for musl."""

    target_triple: str
    glibc_floor: Optional[str]


@dataclass(frozen=True)
class Sysroot:
    """For `SYSROOT_DIR`: lib/ (start objects, libc, compiler-rt), bin/ (cc, c++, host-cc, ar,
    ranlib, ld) and sysroot.json.
    """

    digest: Digest


@rule(desc="Prepare the sysroot", level=LogLevel.DEBUG)
async def prepare_sysroot(request: SysrootRequest) -> Sysroot:
    zig = await prepare_zig(ZigToolchainRequest(), **implicitly())
    wrapper = await create_digest(
        CreateDigest([FileContent("cc.sh", read_binary(toolchain, "cc.sh"))])
    )
    target = request.target_triple
    inputs = {ZIG_DIR: zig.digest}
    if target.endswith("-musl"):
        built = await build_musl(MuslRequest(target), **implicitly())
        inputs[MUSL_DIR] = built.digest
    floor = (f"--glibc-floor={request.glibc_floor}",) if request.glibc_floor else ()
    libc = f"glibc {request.glibc_floor}" if request.glibc_floor else "libc"
    process = await prepare_tool_process(
        sandbox_tool(
            "toolchain.sysroot",
            f"--zig={ZIG}",
            f"--target-triple={target}",
            *floor,
            *((f"--musl={MUSL_DIR}",) if MUSL_DIR in inputs else ()),
            "--wrapper=cc.sh",
            f"--output={SYSROOT_DIR}",
            description=f"Prepare {libc} for {target}",
            input_digest=wrapper,
            immutable_input_digests=FrozenDict(inputs),
            output_directories=(SYSROOT_DIR,),
        ),
        **implicitly(),
    )
    result = await execute_process(process, **implicitly())
    raise_on_failure(result, where=target, doing="prepare the sysroot")
    return Sysroot(await remove_prefix(RemovePrefix(result.output_digest, SYSROOT_DIR)))


def rules() -> Iterable[Any]:
    return [*collect_rules(), *musl.rules()]
