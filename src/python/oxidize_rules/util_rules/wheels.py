"""The third-party wheels of a binary, as the team's lock file and indexes have them.

One process runs pex for the target's platform, which may be foreign to this machine, and downloads
the wheels that the binary's requirements need. Nothing is built and no package's code is run.
"""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass
from typing import Dict, FrozenSet, Iterable, List, Mapping, Optional, Tuple

from packaging.markers import default_environment
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name, canonicalize_version, parse_wheel_filename
from pants.backend.python.subsystems.setup import PythonSetup
from pants.backend.python.target_types import (
    PythonRequirementResolveField,
    PythonRequirementsField,
)
from pants.backend.python.util_rules.pex_cli import PexCliProcess
from pants.backend.python.util_rules.pex_requirements import (
    LoadedLockfileRequest,
    Resolve,
    ResolvePexConfigRequest,
)
from pants.engine.addresses import Address
from pants.engine.fs import (
    EMPTY_DIGEST,
    CreateDigest,
    Digest,
    DigestSubset,
    FileContent,
    FileEntry,
    MergeDigests,
    PathGlobs,
    RemovePrefix,
)
from pants.engine.target import TransitiveTargetsRequest
from pants.util.logging import LogLevel
from pants.util.strutil import bullet_list

from oxidize_rules.binary_targets import BinaryResolveField
from oxidize_rules.compat import (
    collect_rules,
    concurrently,
    create_digest,
    determine_resolve_pex_config,
    digest_subset_to_digest,
    execute_process,
    get_digest_contents,
    get_digest_entries,
    get_lockfile_for_resolve,
    implicitly,
    load_lockfile,
    merge_digests,
    remove_prefix,
    rule,
    setup_pex_cli_process,
    transitive_targets,
)
from oxidize_rules.sandbox.wheel_tags import compatible_tags, complete_platform, marker_environment
from oxidize_rules.util_rules.sandbox_program import OxidizeError

_PLATFORM = "__platform.json"
_CONSTRAINTS = "__constraints.txt"
_OUTPUT = "__wheels"
_DEPS = f"{_OUTPUT}/.deps"


@dataclass(frozen=True)
class WheelsRequest:
    """`python_version` in full, such as "3.13.5"."""

    address: Address
    resolve: BinaryResolveField
    python_version: str
    target_triple: str


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
class Wheels:
    """Sorted by file name."""

    wheels: Tuple[Wheel, ...]


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


def constraints_of(pins: Mapping[str, Tuple[LockedVersion, ...]]) -> str:
    """The pins as pip's constraints. Hashes are checked by us, once the wheels are there."""
    return "".join(
        f"{name}=={pin.version}" + (f" ; {pin.marker}" if pin.marker else "") + "\n"
        for name, versions in sorted(pins.items())
        for pin in versions
    )


@dataclass(frozen=True)
class LockedArtifact:
    """What a lock file in pex's format has for one project and version."""

    project: str
    version: str
    filenames: Tuple[str, ...]
    requires: Tuple[str, ...]


def parse_pex_lock(content: bytes) -> Dict[str, Tuple[LockedArtifact, ...]]:
    """The artifacts of a lock file in pex's JSON format by normalized project name."""
    locked: Dict[str, List[LockedArtifact]] = {}
    for resolve in json.loads(content).get("locked_resolves", ()):
        for requirement in resolve.get("locked_requirements", ()):
            artifact = LockedArtifact(
                project=str(requirement["project_name"]),
                version=str(requirement["version"]),
                filenames=tuple(
                    sorted(
                        str(artifact["url"]).split("#")[0].split("?")[0].rsplit("/", 1)[-1]
                        for artifact in requirement.get("artifacts", ())
                    )
                ),
                requires=tuple(str(text) for text in requirement.get("requires_dists", ())),
            )
            locked.setdefault(canonicalize_name(artifact.project), []).append(artifact)
    return {name: tuple(artifacts) for name, artifacts in locked.items()}


def _fits(filename: str, tags: FrozenSet[str]) -> bool:
    try:
        return any(str(tag) in tags for tag in parse_wheel_filename(filename)[3])
    except ValueError:  # a source archive, or a file of some other name
        return False


def unfit_artifacts(
    locked: Mapping[str, Tuple[LockedArtifact, ...]],
    requirements: Iterable[str],
    *,
    python_version: str,
    target_triple: str,
) -> Tuple[LockedArtifact, ...]:
    """What `requirements` pull in, as the lock file has it, without a wheel for the target."""
    tags = frozenset(compatible_tags(python_version, target_triple))
    environment = {**default_environment(), **marker_environment(python_version, target_triple)}
    unfit: Dict[str, LockedArtifact] = {}
    seen = set()
    waiting = [(text, "") for text in requirements]
    while waiting:
        text, extra = waiting.pop()
        try:
            requirement = Requirement(text)
        except InvalidRequirement:  # a URL or a path: left to pex
            continue
        if requirement.marker and not requirement.marker.evaluate({**environment, "extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        for wanted in ("", *sorted(requirement.extras)):
            if (name, wanted) in seen:
                continue
            seen.add((name, wanted))
            candidates = locked.get(name, ())
            waiting.extend((text, wanted) for artifact in candidates for text in artifact.requires)
            if candidates and not any(
                _fits(file, tags) for artifact in candidates for file in artifact.filenames
            ):
                unfit[name] = candidates[0]
    return tuple(artifact for _, artifact in sorted(unfit.items()))


# -----------------------------------------------------------------------------------------------
# Errors
# -----------------------------------------------------------------------------------------------


def _expected(request: WheelsRequest) -> str:
    best, *_, last = compatible_tags(request.python_version, request.target_triple)
    return (
        f"a wheel for Python {request.python_version} without native code (tags `{best}` to "
        f"`{last}`, most often `py3-none-any`)"
    )


def no_fitting_wheel(request: WheelsRequest, missing: Mapping[str, Iterable[str]]) -> OxidizeError:
    """`missing`: file names that exist by "project version"; none if that is not known."""
    return OxidizeError(
        f"{request.address}: some requirements have no wheel that fits "
        f"`{request.target_triple}`:\n"
        + bullet_list(
            f"{package}: found "
            + (", ".join(sorted(files)) or "no fitting file in the indexes and find-links")
            for package, files in sorted(missing.items())
        )
        + f"\nExpected for each: {_expected(request)}. Native extension modules cannot be put into "
        "an executable yet, and source archives are not built.\nTo fix, lock another version that "
        "has such a wheel, build one yourself and name its folder in `[python-repos].find_links`, "
        "or do without the package (`!!` before its address in the `dependencies` field)."
    )


_PIP_NO_VERSION = re.compile(
    r"(?:Could not find a version that satisfies the requirement"
    r"|No matching distribution found for)"
    r" ([A-Za-z0-9][A-Za-z0-9._-]*(?:\[[^\]]*\])?\s*[^\s(;]*)"
)

# Pip's report of a conflict. It also says so of a version that has no fitting file.
_PIP_PINNED = re.compile(r"The user requested \(constraint\) (\S.*)")
_PIP_WANTED = re.compile(r"(?:The user requested|depends on) (?!\(constraint\))(\S.*)")


def _requirements(texts: Iterable[str]) -> List[Requirement]:
    found = []
    for text in sorted({text.strip() for text in texts}):
        with contextlib.suppress(InvalidRequirement):
            found.append(Requirement(text))
    return found


def pinned_without_file(output: str) -> List[str]:
    """The pins that pip calls conflicting although all that is wanted of them allows them."""
    wanted = _requirements(_PIP_WANTED.findall(output))
    return [
        str(pin)
        for pin in _requirements(_PIP_PINNED.findall(output))
        if all(
            one.specifier.contains(specifier.version, prereleases=True)
            for one in wanted
            for specifier in pin.specifier
            if canonicalize_name(one.name) == canonicalize_name(pin.name)
        )
    ]


def pex_failure(request: WheelsRequest, output: str, lock: str) -> OxidizeError:
    """The user's error for a failed run of pex, whose standard error is `output`."""
    missing = sorted({*_PIP_NO_VERSION.findall(output), *pinned_without_file(output)})
    # Pex first gets the pip that `[python].pip_version` wants: that is no requirement of ours.
    if missing and not any(package.startswith("pip==") for package in missing):
        return no_fitting_wheel(request, {package.strip(): () for package in missing})
    lines = [line for line in output.splitlines() if line.strip()]
    return OxidizeError(
        f"{request.address}: could not get its third-party wheels for `{request.target_triple}` "
        f"(Python {request.python_version}) from {lock}. Pex says:\n"
        + "\n".join(lines[-30:])
        + "\nTo fix, mend what pex names; if versions conflict, write the lock file anew."
    )


def check_against_lock(
    request: WheelsRequest,
    lock: str,
    pins: Mapping[str, Tuple[LockedVersion, ...]],
    fingerprints: Mapping[str, str],
) -> None:
    """`fingerprints`: sha256 by wheel file name. Raises if one is not what the lock file says."""
    for filename, fingerprint in sorted(fingerprints.items()):
        project, version = filename.split("-")[:2]
        versions = tuple(
            pin
            for pin in pins.get(canonicalize_name(project), ())
            if canonicalize_version(pin.version) == canonicalize_version(version)
        )
        if not versions:
            raise OxidizeError(
                f"{request.address}: it needs the package `{project}`, found `{filename}`, but "
                f"{lock} does not have it. To fix, write the lock file anew, with this package."
            )
        hashes = frozenset().union(*(pin.hashes for pin in versions))
        if hashes and fingerprint not in hashes:
            raise OxidizeError(
                f"{request.address}: wrong hash of `{filename}`: found sha256 {fingerprint}, but "
                f"{lock} has {', '.join(sorted(hashes))}. Either the index has another file than "
                "when the lock file was written, or the lock file was written without this wheel. "
                "To fix, find out which, then write the lock file anew."
            )


# -----------------------------------------------------------------------------------------------
# Rules
# -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Lock:
    """How the lock file is named to the user, pex's arguments, its files, and its pins."""

    name: str
    args: Tuple[str, ...]
    digest: Digest
    pins: Optional[Dict[str, Tuple[LockedVersion, ...]]]


async def _prepare_lock(
    request: WheelsRequest, requirements: Tuple[str, ...], python_setup: PythonSetup
) -> _Lock:
    resolver = ("--resolver-version", "pip-2020-resolver")
    if not python_setup.enable_resolves:
        config = await determine_resolve_pex_config(ResolvePexConfigRequest(None), **implicitly())
        return _Lock(
            "the indexes (no lock file: `[python].enable_resolves` is off)",
            (*requirements, *config.pex_args(), *resolver),
            EMPTY_DIGEST,
            None,
        )
    resolve = request.resolve.normalized_value(python_setup)
    config = await determine_resolve_pex_config(ResolvePexConfigRequest(resolve), **implicitly())
    lockfile = await get_lockfile_for_resolve(
        Resolve(resolve, use_entire_lockfile=False), **implicitly()
    )
    loaded = await load_lockfile(LoadedLockfileRequest(lockfile), **implicitly())
    name = f"the lock file `{loaded.lockfile_path}` of the resolve `{resolve}`"
    contents = await get_digest_contents(loaded.lockfile_digest)
    if loaded.is_pex_native:
        unfit = unfit_artifacts(
            parse_pex_lock(contents[0].content),
            requirements,
            python_version=request.python_version,
            target_triple=request.target_triple,
        )
        if unfit:
            raise no_fitting_wheel(
                request, {f"{one.project} {one.version}": one.filenames for one in unfit}
            )
        return _Lock(
            name,
            (*requirements, "--lock", loaded.lockfile_path, *config.pex_args()),
            loaded.lockfile_digest,
            None,  # pex itself checks hashes of its own format
        )
    try:
        pins = parse_requirements_lock(contents[0].content.decode())
    except ValueError as error:
        raise OxidizeError(
            f"{request.address}: cannot use {name}: {error}. To fix, write the lock file anew, "
            "with a version for each package."
        ) from None
    constraints = await create_digest(
        CreateDigest([FileContent(_CONSTRAINTS, constraints_of(pins).encode())])
    )
    return _Lock(
        name,
        (*requirements, "--constraints", _CONSTRAINTS, *config.pex_args(), *resolver),
        constraints,
        pins,
    )


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


@rule(desc="Find the third-party wheels of an `oxidized_binary` target", level=LogLevel.DEBUG)
async def resolve_wheels(request: WheelsRequest, python_setup: PythonSetup) -> Wheels:
    closure = await transitive_targets(TransitiveTargetsRequest([request.address]), **implicitly())
    targets = [target for target in closure.closure if target.has_field(PythonRequirementsField)]
    if not targets:
        return Wheels(())
    _check_resolves(
        request, (target[PythonRequirementResolveField] for target in targets), python_setup
    )
    requirements = tuple(
        sorted({str(one) for target in targets for one in target[PythonRequirementsField].value})
    )
    lock = await _prepare_lock(request, requirements, python_setup)
    platform = complete_platform(request.python_version, request.target_triple)
    inputs = await create_digest(
        CreateDigest([FileContent(_PLATFORM, json.dumps(platform, sort_keys=True).encode())])
    )
    process = await setup_pex_cli_process(
        PexCliProcess(
            subcommand=(),
            extra_args=(
                *("--output-file", _OUTPUT),
                *("--layout", "packed"),
                *("--complete-platform", _PLATFORM),
                "--no-pre-install-wheels",
                "--no-compile",
                "--no-build",
                "--no-emit-warnings",
                *lock.args,
            ),
            additional_input_digest=await merge_digests(MergeDigests([inputs, lock.digest])),
            description=(
                f"Get {len(requirements)} requirements of {request.address} as wheels for "
                f"{request.target_triple}"
            ),
            output_directories=(_DEPS,),
            concurrency_available=len(requirements),
        ),
        **implicitly(),
    )
    result = await execute_process(process, **implicitly())
    if result.exit_code != 0:
        raise pex_failure(request, result.stderr.decode(errors="replace"), lock.name)
    directory = await remove_prefix(RemovePrefix(result.output_digest, _DEPS))
    entries = await get_digest_entries(directory)
    fingerprints = {
        entry.path: entry.file_digest.fingerprint
        for entry in entries
        if isinstance(entry, FileEntry)
    }
    unexpected = sorted(path for path in fingerprints if "/" in path or path[-4:] != ".whl")
    if unexpected:
        raise OxidizeError(
            f"{request.address}: expected wheels from pex, found {', '.join(unexpected[:5])}. "
            "To fix, use pex 2.33 or newer (`[pex-cli].version`)."
        )
    if lock.pins is not None:
        check_against_lock(request, lock.name, lock.pins, fingerprints)
    filenames = sorted(fingerprints)
    digests = await concurrently(
        digest_subset_to_digest(DigestSubset(directory, PathGlobs([filename])))
        for filename in filenames
    )
    return Wheels(tuple(Wheel(filename, digest) for filename, digest in zip(filenames, digests)))


def rules() -> Iterable[object]:
    return collect_rules()
