"""The facts of what every executable contains beside Python (sandbox/runtime_facts.py)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable

from pants.engine.fs import RemovePrefix
from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel

from oxidize_rules.compat import (
    collect_rules,
    concurrently,
    execute_process,
    implicitly,
    remove_prefix,
    rule,
)
from oxidize_rules.util_rules import facts, musl
from oxidize_rules.util_rules.facts import (
    OUR_TEXTS_DIR,
    Facts,
    OurTextsRequest,
    prepare_our_texts,
)
from oxidize_rules.util_rules.musl import MUSL_DIR, MuslRequest, build_musl
from oxidize_rules.util_rules.sandbox_program import raise_on_failure
from oxidize_rules.util_rules.tools_pex import REPORTS, prepare_tool_process, sandbox_tool
from oxidize_rules.util_rules.zig import ZIG_DIR, ZigToolchainRequest, prepare_zig

_OUTPUT = "facts"


@dataclass(frozen=True)
class RuntimeFactsRequest:
    target_triple: str


@rule(desc="Find out what every executable contains", level=LogLevel.DEBUG)
async def find_runtime_facts(request: RuntimeFactsRequest) -> Facts:
    target = request.target_triple
    zig, texts = await concurrently(
        prepare_zig(ZigToolchainRequest(), **implicitly()),
        prepare_our_texts(OurTextsRequest(), **implicitly()),
    )
    inputs = {ZIG_DIR: zig.digest, OUR_TEXTS_DIR: texts.digest}
    libc = ["--libc=glibc"]
    if target.endswith("-musl"):
        built = await build_musl(MuslRequest(target), **implicitly())
        inputs[MUSL_DIR] = built.digest
        libc = [
            "--libc=musl",
            f"--musl-license={MUSL_DIR}/licenses/LICENSE.musl.txt",
            f"--musl-version={musl.VERSION}",
        ]
    process = await prepare_tool_process(
        sandbox_tool(
            "runtime_facts",
            _OUTPUT,
            *libc,
            f"--texts={OUR_TEXTS_DIR}",
            f"--zig={ZIG_DIR}/ziglang",
            f"--zig-version={zig.version}",
            programs=("facts",),
            environment=REPORTS,
            description=f"Find out what every executable for {target} contains",
            immutable_input_digests=FrozenDict(inputs),
            output_directories=(_OUTPUT,),
            level=LogLevel.DEBUG,
        ),
        **implicitly(),
    )
    result = await execute_process(process, **implicitly())
    raise_on_failure(result, where=target, doing="find out what its executables contain")
    return Facts(await remove_prefix(RemovePrefix(result.output_digest, _OUTPUT)))


def rules() -> Iterable[Any]:
    return [*collect_rules(), *facts.rules()]
