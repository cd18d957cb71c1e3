"""The third-party wheels and source archives of a binary, from the team's lock file and indexes.

One process finds which files the target takes (`sandbox/wheels/wheel_resolve.py`), then each is a
download of its own, pinned by hash, which all binaries share. Nothing is built and no package's
code is run.
"""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass
from typing import Any, Dict, FrozenSet, Iterable, List, Mapping, Optional, Tuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from pants.backend.python.subsystems.setup import PythonSetup
from pants.backend.python.target_types import (
    PythonRequirementResolveField,
    PythonRequirementsField,
)
from pants.backend.python.util_rules.pex_requirements import (
    LoadedLockfileRequest,
    Resolve,
    ResolvePexConfig,
    ResolvePexConfigRequest,
)
from pants.engine.addresses import Address
from pants.engine.fs import CreateDigest, Digest, FileContent
from pants.engine.target import TransitiveTargetsRequest
from pants.util.logging import LogLevel
from pants.util.strutil import bullet_list, pluralize

from oxidize_rules.binary_targets import BinaryResolveField
from oxidize_rules.compat import (
    collect_rules,
    concurrently,
    create_digest,
    determine_resolve_pex_config,
    execute_process,
    get_digest_contents,
    get_lockfile_for_resolve,
    implicitly,
    load_lockfile,
    rule,
    transitive_targets,
)
from oxidize_rules.util_rules.fetch import FetchRequest, fetch_file
from oxidize_rules.util_rules.sandbox_program import OxidizeError, raise_on_failure
from oxidize_rules.util_rules.tools_pex import prepare_tool_process, sandbox_tool

logger = logging.getLogger(__name__)

_REQUEST = "request.json"
_LOCK = "lock.json"
_OUTPUT = "resolution.json"


@dataclass(frozen=True)
class WheelsRequest:
    """`python_version` in full, such as "3.13.5". `glibc_floor`: None where there is no glibc.

    `native`: whether the binary can load shared libraries; if not, only wheels without native code
    fit.
    """

    address: Address
    resolve: BinaryResolveField
    python_version: str
    target_triple: str
    glibc_floor: Optional[str] = None
    native: bool = True


@dataclass(frozen=True)
class Wheel:
    """`digest` holds the one file `filename`."""

    filename: str
    digest: Digest

    @property
    def name(self) -> str:
        """ "requests-2.32.3": project and version as the file's name spells them."""
        return "-".join(self.filename.split("-")[:2])


@dataclass(frozen=True)
class Sdist:
    """A source archive, of a package without a fitting wheel. `project` is normalized.

    `ways`: what else the user can do if it cannot be built, such as another triple.
    """

    filename: str
    digest: Digest
    project: str
    version: str
    ways: Tuple[str, ...] = ()

    @property
    def package(self) -> str:
        """For messages."""
        return f"{self.project} {self.version}".strip()


@dataclass(frozen=True)
class Wheels:
    """Each sorted by file name."""

    wheels: Tuple[Wheel, ...]
    sdists: Tuple[Sdist, ...] = ()


# -----------------------------------------------------------------------------------------------
# Lock files
# -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LockedVersion:
    """One pin. `hashes`: sha256, lower case; none if the lock file has none for it."""

    version: str
    marker: Optional[str]
    hashes: FrozenSet[str]


def parse_requirements_lock(content: str) -> Dict[str, Tuple[LockedVersion, ...]]:
    """The pins of a requirements-style lock file (pip's format) by normalized project name.

    Option lines are left out, since `[python-repos]` says which indexes are used. Raises
    ValueError with the offending line if a requirement is not pinned by `==`.
    """
    pins: Dict[str, List[LockedVersion]] = {}
    for line in re.sub(r"\\\r?\n", " ", content).splitlines():
        line = re.sub(r"(^|\s)#.*$", "", line).strip()
        if not line or line.startswith("-"):
            continue
        text, *options = re.split(r"\s+--", line)
        hashes = frozenset(
            option[len("hash=sha256:") :].strip().lower()
            for option in options
            if option.startswith("hash=sha256:")
        )
        try:
            requirement = Requirement(text.strip())
        except InvalidRequirement as error:
            raise ValueError(f"`{text.strip()}` is not a requirement: {error}") from None
        specifiers = list(requirement.specifier)
        if (
            len(specifiers) != 1
            or specifiers[0].operator not in ("==", "===")
            or specifiers[0].version.endswith(".*")
        ):
            raise ValueError(f"`{text.strip()}` is not pinned to one version by `==`")
        marker = str(requirement.marker) if requirement.marker else None
        pins.setdefault(canonicalize_name(requirement.name), []).append(
            LockedVersion(specifiers[0].version, marker, hashes)
        )
    return {name: tuple(versions) for name, versions in pins.items()}


# -----------------------------------------------------------------------------------------------
# Rules
# -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Lock:
    """How the lock file is called in messages, and what it says: `pins`, or pex's own `json`."""

    name: Optional[str]
    config: ResolvePexConfig
    pins: Optional[Dict[str, Tuple[LockedVersion, ...]]] = None
    json: Optional[bytes] = None


async def _read_lock(request: WheelsRequest, python_setup: PythonSetup) -> _Lock:
    if not python_setup.enable_resolves:
        config = await determine_resolve_pex_config(ResolvePexConfigRequest(None), **implicitly())
        return _Lock(None, config)
    resolve = request.resolve.normalized_value(python_setup)
    config = await determine_resolve_pex_config(ResolvePexConfigRequest(resolve), **implicitly())
    lockfile = await get_lockfile_for_resolve(
        Resolve(resolve, use_entire_lockfile=False), **implicitly()
    )
    loaded = await load_lockfile(LoadedLockfileRequest(lockfile), **implicitly())
    name = f"the lock file `{loaded.lockfile_path}` of the resolve `{resolve}`"
    contents = await get_digest_contents(loaded.lockfile_digest)
    try:
        if loaded.is_pex_native:
            json.loads(contents[0].content)
            return _Lock(name, config, json=contents[0].content)
        return _Lock(name, config, pins=parse_requirements_lock(contents[0].content.decode()))
    except ValueError as error:
        raise OxidizeError(
            f"{request.address}: cannot use {name}: {error}. To fix, write the lock file anew, "
            "with a version for each package."
        ) from None


def _check_resolves(
    request: WheelsRequest,
    fields: Iterable[PythonRequirementResolveField],
    python_setup: PythonSetup,
) -> None:
    expected = request.resolve.normalized_value(python_setup)
    others = {
        str(field.address): resolve
        for field in fields
        if (resolve := field.normalized_value(python_setup)) != expected
    }
    if others:
        raise OxidizeError(
            f"{request.address}: its `{request.resolve.alias}` field means the resolve "
            f"`{expected}`, but it depends on requirements of other resolves:\n"
            + bullet_list(f"{address}: `{resolve}`" for address, resolve in sorted(others.items()))
            + "\nTo fix, use one resolve for the binary and all that it depends on."
        )


def resolution_request(
    request: WheelsRequest,
    requirements: Iterable[str],
    *,
    lock: Optional[str],
    pins: Optional[Mapping[str, Tuple[LockedVersion, ...]]],
    config: ResolvePexConfig,
) -> bytes:
    """The input of `sandbox/wheels/wheel_resolve.py`."""
    mappings = (mapping.split("|") for mapping in config.path_mappings)
    values: Dict[str, Any] = {
        "requirements": sorted(requirements),
        "python_version": request.python_version,
        "target_triple": request.target_triple,
        "glibc_floor": request.glibc_floor,
        "native": request.native,
        "indexes": list(config.indexes),
        "find_links": list(config.find_links),
        "lock": lock,
        "pins": None
        if pins is None
        else {
            name: [
                {"version": pin.version, "marker": pin.marker, "hashes": sorted(pin.hashes)}
                for pin in versions
            ]
            for name, versions in pins.items()
        },
        "path_mappings": {mapping[0]: mapping[1] for mapping in mappings if len(mapping) > 1},
        "only_binary": sorted(str(name) for name in config.only_binary),
        "no_binary": sorted(str(name) for name in config.no_binary),
    }
    return json.dumps(values, sort_keys=True).encode()


@dataclass(frozen=True)
class ResolutionRequest:
    """`content` is the input of `sandbox/wheels/wheel_resolve.py`; `lock` pex's lock file, if it is
    that.

    `where` is the target that the wheels are for; `description` what is done, for the user.
    """

    where: str
    content: bytes
    description: str
    lock: Optional[bytes] = None


@rule(level=LogLevel.DEBUG)
async def find_wheels(request: ResolutionRequest) -> Wheels:
    files = [FileContent(_REQUEST, request.content)]
    if request.lock is not None:
        files.append(FileContent(_LOCK, request.lock))
    process = await prepare_tool_process(
        sandbox_tool(
            "wheels.wheel_resolve",
            f"--request={_REQUEST}",
            f"--output={_OUTPUT}",
            *((f"--lock={_LOCK}",) if request.lock is not None else ()),
            description=request.description,
            input_digest=await create_digest(CreateDigest(files)),
            output_files=(_OUTPUT,),
            network=True,
        ),
        **implicitly(),
    )
    result = await execute_process(process, **implicitly())
    raise_on_failure(result, where=request.where, doing="find its third-party wheels")
    outputs = await get_digest_contents(result.output_digest)
    found = json.loads(outputs[0].content)
    wheels, sdists = found["wheels"], found["sdists"]
    fetched = await concurrently(
        fetch_file(
            FetchRequest(
                where=request.where,
                filename=one["filename"],
                urls=(one["url"],),
                debian_path=None,
                sha256=one["sha256"],
                size=None,
            ),
            **implicitly(),
        )
        for one in (*wheels, *sdists)
    )
    digests = [file.digest for file in fetched]
    return Wheels(
        tuple(Wheel(one["filename"], digest) for one, digest in zip(wheels, digests)),
        tuple(
            Sdist(one["filename"], digest, one["project"], one["version"], tuple(one["ways"]))
            for one, digest in zip(sdists, digests[len(wheels) :])
        ),
    )


@rule(desc="Find the third-party wheels of an `oxidized_binary` target", level=LogLevel.DEBUG)
async def resolve_wheels(request: WheelsRequest, python_setup: PythonSetup) -> Wheels:
    closure = await transitive_targets(TransitiveTargetsRequest([request.address]), **implicitly())
    targets = [target for target in closure.closure if target.has_field(PythonRequirementsField)]
    if not targets:
        return Wheels(())
    _check_resolves(
        request, (target[PythonRequirementResolveField] for target in targets), python_setup
    )
    requirements = {str(one) for target in targets for one in target[PythonRequirementsField].value}
    lock = await _read_lock(request, python_setup)
    content = resolution_request(
        request, requirements, lock=lock.name, pins=lock.pins, config=lock.config
    )
    wheels = await find_wheels(
        ResolutionRequest(
            str(request.address),
            content,
            f"Find wheels of {pluralize(len(requirements), 'requirement')} of "
            f"{request.address} for {request.target_triple}",
            lock.json,
        ),
        **implicitly(),
    )
    for sdist in wheels.sdists:
        ways = "".join(f"; or {way}" for way in sdist.ways)
        logger.info(
            f"{request.address}: no wheel of {sdist.project} {sdist.version} fits "
            f"`{request.target_triple}`, so its source archive is built{ways}"
        )
    return wheels


def rules() -> Iterable[object]:
    return collect_rules()
