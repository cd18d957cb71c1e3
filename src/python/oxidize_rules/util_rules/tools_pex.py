"""The interpreters and the packages for steps that run under no distribution's interpreter.

There are two environments, so that a change to one reruns none of the other's steps: `TOOLS` for
what comes before any distribution (downloading, unpacking, the sysroot), `REPORTS` for what tells
about files (licences, analysis). Their packages are locked by hash (`tools.lock`, `reports.lock`)
and found on the indexes of `[python-repos]`. Every other step runs under a distribution's own
interpreter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Iterable, Mapping, Optional, Tuple

from pants.backend.python.util_rules import pex
from pants.backend.python.util_rules.interpreter_constraints import InterpreterConstraints
from pants.backend.python.util_rules.pex import PexRequest, VenvPex, VenvPexProcess
from pants.backend.python.util_rules.pex_requirements import EntireLockfile, Lockfile
from pants.engine.env_vars import EnvironmentVarsRequest
from pants.engine.fs import Digest
from pants.engine.process import Process, ProcessCacheScope
from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel

from oxidize_rules import util_rules
from oxidize_rules.compat import (
    collect_rules,
    create_venv_pex,
    environment_vars_subset,
    implicitly,
    rule,
    setup_venv_pex_process,
)
from oxidize_rules.util_rules.sandbox_program import (
    PROGRAMS_DIR,
    SandboxProgramRequest,
    prepare_sandbox_program,
)

PYTHON_CONSTRAINT = "CPython>=3.9,<4"

# How a program finds its way to the network.
NETWORK_VARIABLES = (
    "ALL_PROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "all_proxy",
    "https_proxy",
    "http_proxy",
    "no_proxy",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)

NOTHING: FrozenDict[str, Any] = FrozenDict()


@dataclass(frozen=True)
class ToolEnvironment:
    """A Pex and the lock file, beside this module, of what is in it. `packages` is for people."""

    pex: str
    lock_file: str
    resolve: str
    packages: str


TOOLS = ToolEnvironment(
    "oxidize_tools.pex",
    "tools.lock",
    "oxidize-tools",
    "the tools of oxidize_rules (pip, requests, zstandard, ...)",
)
REPORTS = ToolEnvironment(
    "oxidize_reports.pex",
    "reports.lock",
    "oxidize-reports",
    "the report tools of oxidize_rules (license-expression, pyelftools, ...)",
)


@dataclass(frozen=True)
class ToolsPexRequest:
    environment: ToolEnvironment = TOOLS


@dataclass(frozen=True)
class ToolsPex:
    """What the environment's lock file has."""

    venv_pex: VenvPex


@dataclass(frozen=True)
class NetworkEnvironmentRequest:
    pass


@dataclass(frozen=True)
class NetworkEnvironment:
    variables: FrozenDict[str, str]


@dataclass(frozen=True)
class ToolProcessRequest:
    """Runs `python -m <module>` under the interpreter of `environment`, with its packages.

    `program`: the name of the module within `oxidize_rules.sandbox`, if it is one. `description`
    names the target. With `network`, the process gets the user's proxies and certificates.
    """

    module: str
    args: Tuple[str, ...]
    description: str
    program: Optional[str] = None
    input_digest: Optional[Digest] = None
    immutable_input_digests: FrozenDict[str, Digest] = NOTHING
    env: FrozenDict[str, str] = NOTHING
    output_files: Tuple[str, ...] = ()
    output_directories: Tuple[str, ...] = ()
    network: bool = False
    level: LogLevel = LogLevel.INFO
    cache_scope: ProcessCacheScope = ProcessCacheScope.SUCCESSFUL
    environment: ToolEnvironment = TOOLS


def sandbox_tool(name: str, *args: str, **options: Any) -> ToolProcessRequest:
    """A request for a program of `oxidize_rules.sandbox`, with the other options as they are."""
    return ToolProcessRequest(f"oxidize_rules.sandbox.{name}", args, program=name, **options)


@rule(desc="Prepare the tools of oxidize_rules", level=LogLevel.DEBUG)
async def prepare_tools_pex(request: ToolsPexRequest) -> ToolsPex:
    environment = request.environment
    venv_pex = await create_venv_pex(
        **implicitly(
            PexRequest(
                output_filename=environment.pex,
                internal_only=True,
                requirements=EntireLockfile(
                    Lockfile(
                        url=f"resource://{util_rules.__name__}/{environment.lock_file}",
                        url_description_of_origin="the lock file of oxidize_rules' own tools",
                        resolve_name=environment.resolve,
                    )
                ),
                interpreter_constraints=InterpreterConstraints([PYTHON_CONSTRAINT]),
                description=f"Install {environment.packages}",
            )
        )
    )
    return ToolsPex(venv_pex)


@rule(level=LogLevel.DEBUG)
async def network_environment(request: NetworkEnvironmentRequest) -> NetworkEnvironment:
    variables = await environment_vars_subset(
        EnvironmentVarsRequest(NETWORK_VARIABLES), **implicitly()
    )
    return NetworkEnvironment(FrozenDict(variables))


@rule(level=LogLevel.DEBUG)
async def prepare_tool_process(request: ToolProcessRequest) -> Process:
    tools = await prepare_tools_pex(ToolsPexRequest(request.environment), **implicitly())
    inputs = dict(request.immutable_input_digests)
    if request.program is not None:
        program = await prepare_sandbox_program(
            SandboxProgramRequest(request.program), **implicitly()
        )
        inputs[PROGRAMS_DIR] = program.digest
    # A venv of Pex ignores PYTHONPATH, but not this variable.
    env: dict[str, str] = {
        "PEX_EXTRA_SYS_PATH": PROGRAMS_DIR,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "LC_ALL": "C.UTF-8",
    }
    if request.network:
        network = await network_environment(NetworkEnvironmentRequest(), **implicitly())
        env.update(network.variables)
    env.update(request.env)
    process = await setup_venv_pex_process(
        VenvPexProcess(
            tools.venv_pex,
            argv=("-m", request.module, *request.args),
            description=request.description,
            level=request.level,
            input_digest=request.input_digest,
            extra_env=env,
            output_files=request.output_files,
            output_directories=request.output_directories,
            cache_scope=request.cache_scope,
        ),
        **implicitly(),
    )
    return with_inputs(process, inputs)


def with_inputs(process: Process, inputs: Mapping[str, Digest]) -> Process:
    """The process with further immutable inputs, which `VenvPexProcess` has no field for."""
    merged = FrozenDict({**process.immutable_input_digests, **inputs})
    return replace(process, immutable_input_digests=merged)


def rules() -> Iterable[Any]:
    return [*collect_rules(), *pex.rules()]
