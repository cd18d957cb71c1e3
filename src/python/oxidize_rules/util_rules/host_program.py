"""Sandbox programs that run under the Python of a distribution's steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, Tuple

from pants.engine.addresses import Address
from pants.engine.fs import EMPTY_DIGEST, Digest
from pants.engine.process import Process
from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel

from oxidize_rules.compat import collect_rules, concurrently, implicitly, rule
from oxidize_rules.util_rules.host_python import HostPythonRequest, find_host_python
from oxidize_rules.util_rules.sandbox_program import (
    PROGRAMS_DIR,
    SandboxProgramRequest,
    prepare_sandbox_program,
)

_NOTHING: FrozenDict[str, Any] = FrozenDict()


@dataclass(frozen=True)
class HostProgramRequest:
    """Runs `oxidize_rules.sandbox.<program>` for a step of the distribution at that address.

    `inputs`: immutable ones, each at the folder of its name.
    """

    distribution: Address
    program: str
    arguments: Tuple[str, ...]
    description: str
    input_digest: Digest = EMPTY_DIGEST
    inputs: FrozenDict[str, Digest] = _NOTHING
    output_files: Tuple[str, ...] = ()
    output_directories: Tuple[str, ...] = ()
    level: LogLevel = LogLevel.DEBUG


@rule(level=LogLevel.DEBUG)
async def prepare_host_process(request: HostProgramRequest) -> Process:
    program, python = await concurrently(
        prepare_sandbox_program(SandboxProgramRequest(request.program), **implicitly()),
        find_host_python(HostPythonRequest(request.distribution), **implicitly()),
    )
    inputs = {
        **python.immutable_input_digests,
        PROGRAMS_DIR: program.digest,
        **request.inputs,
    }
    return Process(
        argv=(*python.argv(request.program), *request.arguments),
        env=python.env,
        input_digest=request.input_digest,
        immutable_input_digests=FrozenDict(inputs),
        output_files=request.output_files,
        output_directories=request.output_directories,
        description=request.description,
        level=request.level,
    )


def rules() -> Iterable[object]:
    return collect_rules()
