"""The interpreter that runs the sandbox programs of a distribution's steps.

A distribution is its own build tool. For one whose interpreter does not run on this machine, a
default distribution that does, with the same minor version of Python, serves: bytecode is the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, Sequence, Tuple

from pants.engine.addresses import Address, UnparsedAddressInputs
from pants.engine.fs import Digest, MergeDigests
from pants.engine.platform import Platform
from pants.engine.process import Process
from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel
from pants.util.strutil import softwrap

from oxidize_rules.compat import (
    collect_rules,
    execute_process_or_raise,
    implicitly,
    merge_digests,
    resolve_unparsed_address_inputs,
    rule,
)
from oxidize_rules.subsystem import OxidizeSubsystem
from oxidize_rules.util_rules.distribution import (
    PythonDistribution,
    PythonDistributionRequest,
    load_python_distribution,
)
from oxidize_rules.util_rules.sandbox_program import PROGRAMS_DIR, OxidizeError

PYTHON_DIR = "__python"

_MACHINES = {Platform.linux_x86_64: "x86_64", Platform.linux_arm64: "aarch64"}

_ENV = FrozenDict(
    {
        "LC_ALL": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": PROGRAMS_DIR,
        "PYTHONSAFEPATH": "1",
    }
)


@dataclass(frozen=True)
class HostPythonRequest:
    """`distribution` is the address of the one whose steps are run."""

    distribution: Address


@dataclass(frozen=True)
class HostPython:
    """Runs `oxidize_rules.sandbox.<program>`; the programs are to be put at `PROGRAMS_DIR`.

    `target_machine` is that of the distribution whose steps are run ("x86_64", "aarch64").
    """

    executable: str
    immutable_input_digests: FrozenDict[str, Digest]
    target_machine: str

    @property
    def env(self) -> FrozenDict[str, str]:
        return _ENV

    def argv(self, program: str) -> Tuple[str, ...]:
        return (self.executable, "-s", "-S", "-m", f"oxidize_rules.sandbox.{program}")


@dataclass(frozen=True)
class RunnableDistributionRequest:
    distribution: Address


@dataclass(frozen=True)
class RunnableDistribution:
    address: Address


def _runs_on(machine: str, distribution: PythonDistribution) -> bool:
    return distribution.machine == machine and not distribution.needs_musl


def _same_bytecode(one: PythonDistribution, other: PythonDistribution) -> bool:
    """Previews of one minor version may differ; an archive need not say what its bytecode is."""
    magic = {one.bytecode_magic, other.bytecode_magic} - {""}
    return one.minor_version == other.minor_version and len(magic) < 2


def _nothing_runs(
    wanted: PythonDistribution, machine: str, found: Sequence[PythonDistribution]
) -> OxidizeError:
    needs = ", needs musl's dynamic loader" if wanted.needs_musl else ""
    listed = ", ".join(f"{one.address} (Python {one.python_version})" for one in found)
    return OxidizeError(
        softwrap(
            f"""
            {wanted.address}: its interpreter (Python {wanted.python_version},
            {wanted.target_triple}{needs}) does not run here, on {machine}, and building with it
            takes a distribution of Python {wanted.minor_version} that does. Found
            {listed or "none for this machine"} in `[oxidize].default_distributions`.

            To fix, let `{machine}-unknown-linux-musl` there name a static distribution of Python
            {wanted.minor_version}.
            """
        )
    )


@rule
async def find_runnable_distribution(
    request: RunnableDistributionRequest, platform: Platform, oxidize: OxidizeSubsystem
) -> RunnableDistribution:
    wanted = await load_python_distribution(
        PythonDistributionRequest(request.distribution), **implicitly()
    )
    machine = _MACHINES.get(platform)
    if machine is None:
        raise OxidizeError(
            f"{request.distribution}: found a build on {platform.value}, expected Linux on x86_64 "
            "or aarch64. To fix, use an environment (local, docker or remote) of such a platform."
        )
    if _runs_on(machine, wanted):
        return RunnableDistribution(request.distribution)
    found = []
    # One after the other, static musl first: each that is looked at may have to be built.
    for triple, spec in sorted(oxidize.default_distributions.items(), reverse=True):
        if not triple.startswith(f"{machine}-"):
            continue
        addresses = await resolve_unparsed_address_inputs(
            UnparsedAddressInputs(
                [spec],
                owning_address=None,
                description_of_origin="the option `[oxidize].default_distributions`",
            ),
            **implicitly(),
        )
        candidate = await load_python_distribution(
            PythonDistributionRequest(addresses[0]), **implicitly()
        )
        if _runs_on(machine, candidate) and _same_bytecode(candidate, wanted):
            return RunnableDistribution(addresses[0])
        found.append(candidate)
    raise _nothing_runs(wanted, machine, found)


@dataclass(frozen=True)
class CompiledInterpreterRequest:
    """The address of a distribution that runs on the machine that builds."""

    distribution: Address


@dataclass(frozen=True)
class CompiledInterpreter:
    """`digest` holds the interpreter and its standard library with bytecode.

    An archive has no bytecode, and a sandbox keeps none: without this step every program would
    compile the modules that it imports anew.
    """

    executable: str
    digest: Digest


def _compile(distribution: PythonDistribution) -> Process:
    return Process(
        argv=(
            distribution.python_exe,
            *("-s", "-S", "-m", "compileall", "-q", "-j", "2"),
            *("--invalidation-mode", "unchecked-hash"),
            distribution.stdlib_path,
        ),
        env=FrozenDict({"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}),
        input_digest=distribution.interpreter,
        output_directories=(distribution.stdlib_path,),
        description=f"Compile the bytecode of {distribution.address} for the build's own programs",
        level=LogLevel.DEBUG,
    )


@rule(desc="Compile the interpreter's own bytecode", level=LogLevel.DEBUG)
async def compile_interpreter(request: CompiledInterpreterRequest) -> CompiledInterpreter:
    distribution = await load_python_distribution(
        PythonDistributionRequest(request.distribution), **implicitly()
    )
    result = await execute_process_or_raise(**implicitly({_compile(distribution): Process}))
    digest = await merge_digests(MergeDigests([distribution.interpreter, result.output_digest]))
    return CompiledInterpreter(f"{PYTHON_DIR}/{distribution.python_exe}", digest)


@rule(desc="Find the interpreter for sandbox programs", level=LogLevel.DEBUG)
async def find_host_python(request: HostPythonRequest) -> HostPython:
    target = await load_python_distribution(
        PythonDistributionRequest(request.distribution), **implicitly()
    )
    runnable = await find_runnable_distribution(
        RunnableDistributionRequest(request.distribution), **implicitly()
    )
    interpreter = await compile_interpreter(
        CompiledInterpreterRequest(runnable.address), **implicitly()
    )
    return HostPython(
        executable=interpreter.executable,
        immutable_input_digests=FrozenDict({PYTHON_DIR: interpreter.digest}),
        target_machine=target.machine,
    )


def rules() -> Iterable[object]:
    return collect_rules()
