"""The facts of what every executable contains beside Python (sandbox/parts/runtime_facts.py)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable

from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel

from oxidize_rules.compat import (
    collect_rules,
    implicitly,
    rule,
)
from oxidize_rules.util_rules import facts, musl
from oxidize_rules.util_rules.facts import Facts, FactsRequest, find_facts
from oxidize_rules.util_rules.musl import MUSL_DIR, MuslRequest, build_musl
from oxidize_rules.util_rules.zig import ZIG_DIR, ZigToolchainRequest, prepare_zig


@dataclass(frozen=True)
class RuntimeFactsRequest:
    target_triple: str


@rule(desc="Find out what every executable contains", level=LogLevel.DEBUG)
async def find_runtime_facts(request: RuntimeFactsRequest) -> Facts:
    target = request.target_triple
    zig = await prepare_zig(ZigToolchainRequest(), **implicitly())
    inputs = {ZIG_DIR: zig.digest}
    libc = ["--libc=glibc"]
    if target.endswith("-musl"):
        built = await build_musl(MuslRequest(target), **implicitly())
        inputs[MUSL_DIR] = built.digest
        libc = [
            "--libc=musl",
            f"--musl-license={MUSL_DIR}/licenses/LICENSE.musl.txt",
            f"--musl-version={musl.VERSION}",
        ]
    return await find_facts(
        FactsRequest(
            "parts.runtime_facts",
            "",
            (*libc, f"--zig={ZIG_DIR}/ziglang", f"--zig-version={zig.version}"),
            FrozenDict(inputs),
            where=target,
            finding=f"what every executable for {target} contains",
        ),
        **implicitly(),
    )


def rules() -> Iterable[Any]:
    return [*collect_rules(), *facts.rules()]
