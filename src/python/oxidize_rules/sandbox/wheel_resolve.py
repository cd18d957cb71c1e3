"""Finds which wheels and source archives a binary takes.

    wheel_resolve.py --request request.json --output resolution.json [--lock pex-lock.json]

The request is a JSON object; see `Request`. Which versions there are comes from the lock file (all
of it in pex's format, the pins in requirements style), else from the indexes and find-links. No
package's code is run: wheels tell their requirements by their metadata, source archives as
`sdist_metadata.py` says. The output is a JSON object with `wheels` and `sdists`, lists of objects
with `project`, `version`, `filename`, `url` and `sha256`, sorted by file name; `ways` of a source
archive are what else could be done. If packages cannot be had, the message names all of them, not
the first alone.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    FrozenSet,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
)
from urllib.parse import urldefrag

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version
from resolvelib import AbstractProvider, BaseReporter, ResolutionImpossible, Resolver

from oxidize_rules.sandbox.errors import UserError, run
from oxidize_rules.sandbox.sdist_metadata import SdistFacts, read_sdist
from oxidize_rules.sandbox.wheel_choice import (
    NO_RULES,
    Parsed,
    Release,
    Rules,
    Target,
    Unfit,
    choose,
    explain,
    may_be,
    native_wheel,
    parse_file,
)
from oxidize_rules.sandbox.wheel_index import Places, ProjectFile, filename_of, shown
from oxidize_rules.sandbox.wheel_tags import marker_environment, platform_tags

if TYPE_CHECKING:
    from resolvelib.structs import RequirementInformation

WORKERS = 8
MAX_ROUNDS = 20_000


@dataclass(frozen=True)
class Pin:
    """A version in a requirements-style lock file."""

    version: str
    marker: Optional[str]
    hashes: FrozenSet[str]


@dataclass(frozen=True)
class Request:
    """`lock` is how the lock file is called in messages, None without one. `pins` by normalized
    name, None if the lock file is pex's. `path_mappings`: folders by name, for pex's `${NAME}`.
    """

    requirements: Tuple[str, ...]
    target: Target
    indexes: Tuple[str, ...] = ()
    find_links: Tuple[str, ...] = ()
    lock: Optional[str] = None
    pins: Optional[Mapping[str, Tuple[Pin, ...]]] = None
    path_mappings: Mapping[str, str] = field(default_factory=dict)
    rules: Rules = NO_RULES


def parse_request(text: str) -> Request:
    values = json.loads(text)
    pins = values["pins"]
    return Request(
        requirements=tuple(values["requirements"]),
        target=Target(
            values["python_version"],
            values["target_triple"],
            values["glibc_floor"],
            values["native"],
        ),
        indexes=tuple(values["indexes"]),
        find_links=tuple(values["find_links"]),
        lock=values["lock"],
        pins=None
        if pins is None
        else {
            name: tuple(
                Pin(pin["version"], pin["marker"], frozenset(pin["hashes"])) for pin in versions
            )
            for name, versions in pins.items()
        },
        path_mappings=values["path_mappings"],
        rules=Rules(
            frozenset(_name(name) for name in values["only_binary"]),
            frozenset(_name(name) for name in values["no_binary"]),
        ),
    )


def _name(name: str) -> str:
    return name if name == ":all:" else canonicalize_name(name)


# -----------------------------------------------------------------------------------------------
# Where releases come from
# -----------------------------------------------------------------------------------------------


Releases = Tuple[Release, ...]


def by_version(
    files: Iterable[ProjectFile], project: str, *, yanked: bool = False
) -> Dict[Version, List[Parsed]]:
    """Files of `project` (normalized), without withdrawn ones unless `yanked`."""
    versions: Dict[Version, List[Parsed]] = {}
    for file in files:
        parsed = parse_file(file, project)
        if parsed is not None and (yanked or not file.yanked):
            versions.setdefault(parsed.version, []).append(parsed)
    return versions


def pinned_releases(
    project: str,
    pins: Sequence[Pin],
    files: Sequence[ProjectFile],
    environment: Mapping[str, str],
) -> Releases:
    """What a requirements-style lock file allows, with the files that there are of it."""
    valid: Dict[Version, FrozenSet[str]] = {}
    for pin in pins:
        if not pin.marker or _holds(Requirement(f"x ; {pin.marker}"), environment):
            version = Version(pin.version)
            valid[version] = valid.get(version, frozenset()) | pin.hashes
    wanted = (file for file in files if may_be(file.filename, valid))
    versions = by_version(wanted, project, yanked=True)
    return tuple(
        Release(project, version, tuple(versions.get(version, ())), hashes=hashes)
        for version, hashes in valid.items()
    )


def free_releases(project: str, files: Sequence[ProjectFile]) -> Releases:
    """All releases, the newest first."""
    versions = by_version(files, project)
    return tuple(
        Release(project, version, tuple(versions[version]))
        for version in sorted(versions, reverse=True)
    )


def parse_pex_lock(text: str, path_mappings: Mapping[str, str]) -> Dict[str, Releases]:
    """The releases in a lock file of pex (the JSON that `pex3 lock create` writes), by name."""
    found: Dict[Tuple[str, Version], Release] = {}
    for resolve in json.loads(text).get("locked_resolves", ()):
        for entry in resolve.get("locked_requirements", ()):
            project = canonicalize_name(str(entry["project_name"]))
            version = Version(str(entry["version"]))
            requires_python = str(entry.get("requires_python") or "")
            parsed = []
            for artifact in entry.get("artifacts", ()):
                if artifact.get("algorithm", "sha256") != "sha256":
                    continue
                url = str(artifact["url"])
                for name, folder in path_mappings.items():
                    url = url.replace(f"${{{name}}}", folder)
                url = urldefrag(url)[0]
                sha256 = str(artifact["hash"]).lower()
                file = ProjectFile(filename_of(url), url, sha256, requires_python)
                parsed.append(parse_file(file, project))
            known = found.get((project, version))
            files = dict.fromkeys(known.files if known else ())
            files.update(dict.fromkeys(one for one in parsed if one is not None))
            requires = tuple(str(text) for text in entry.get("requires_dists", ()))
            found[project, version] = Release(project, version, tuple(files), requires=requires)
    projects: Dict[str, List[Release]] = {}
    for release in found.values():
        projects.setdefault(release.project, []).append(release)
    return {
        project: tuple(sorted(releases, key=lambda one: one.version, reverse=True))
        for project, releases in projects.items()
    }


def _names_in_lock(text: Optional[str], key: str) -> FrozenSet[str]:
    """Projects that pex's `--exclude` left out, or whose requirements `--override` replaced."""
    entries = json.loads(text).get(key) or () if text is not None else ()
    names = (re.match(r"[A-Za-z0-9._-]+", str(entry)) for entry in entries)
    return frozenset(canonicalize_name(name[0]) for name in names if name)


# -----------------------------------------------------------------------------------------------
# Resolution
# -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Candidate:
    """A release, with the file that the binary takes. Without one it stands for what is missing,
    so that the rest can be looked at too. `version` is None where not even a version is known.
    """

    project: str
    extras: FrozenSet[str]
    version: Optional[Version]
    release: Optional[Release]
    chosen: Optional[Parsed]


def _holds(requirement: Requirement, environment: Mapping[str, str], extra: str = "") -> bool:
    marker = requirement.marker
    return marker is None or bool(marker.evaluate({**environment, "extra": extra}))


def _key(project: str, extras: Iterable[str]) -> str:
    listed = ",".join(sorted(extras))
    return f"{project}[{listed}]" if listed else project


class Catalogue:
    """Releases, their files and what these require. Looks ahead in threads of its own."""

    def __init__(self, request: Request, places: Places, lock: Optional[str]) -> None:
        self.request = request
        self.target = request.target
        self.places = places
        self.environment = marker_environment(self.target.python_version, self.target.triple)
        self._locked = parse_pex_lock(lock, request.path_mappings) if lock is not None else None
        self.excluded = _names_in_lock(lock, "excluded")
        self.overridden = _names_in_lock(lock, "overridden")
        self._pool = ThreadPoolExecutor(WORKERS)
        self._releases: Dict[str, Future[Releases]] = {}
        self._files: Dict[str, List[ProjectFile]] = {}
        self._hashes: Dict[ProjectFile, Future[str]] = {}
        self._facts: Dict[ProjectFile, Future[SdistFacts]] = {}

    def __enter__(self) -> Catalogue:
        return self

    def __exit__(self, *error: object) -> None:
        for futures in (self._releases, self._hashes, self._facts):
            for future in futures.values():  # type: ignore[attr-defined]
                future.cancel()
        self._pool.shutdown()

    # Releases.

    @property
    def fixed(self) -> bool:
        """Whether versions are given by a lock file."""
        return self.request.lock is not None

    def releases(self, project: str) -> Releases:
        self.look_ahead(project)
        return self._releases[project].result()

    def look_ahead(self, project: str) -> None:
        if project not in self._releases:
            self._releases[project] = self._pool.submit(self._find, project)

    def _find(self, project: str) -> Releases:
        if self._locked is not None:
            return self._locked.get(project, ())
        pins = self.request.pins
        if pins is None:
            return free_releases(project, self._files_of(project))
        if project not in pins:
            return ()
        files = self._files_of(project)
        releases = pinned_releases(project, pins[project], files, self.environment)
        for release in releases:
            chosen = self.choose(release)
            if chosen is not None:
                self.facts_ahead(chosen.file)
        return releases

    def _files_of(self, project: str) -> List[ProjectFile]:
        if project not in self._files:
            self._files[project] = self.places.files(project)
        return self._files[project]

    def other_fitting_versions(self, release: Release) -> Tuple[str, ...]:
        """Of what was read of the indexes anyway."""
        if self._locked is not None or not self.target.native:
            return ()
        others = free_releases(release.project, self._files_of(release.project))
        rules = replace(self.request.rules, only_binary=frozenset({":all:"}))
        return tuple(
            str(other.version)
            for other in others
            if other.version != release.version
            and (release.version.is_prerelease or not other.version.is_prerelease)
            and choose(other, self.target, rules) is not None
        )

    def choose(self, release: Release) -> Optional[Parsed]:
        return choose(release, self.target, self.request.rules, self.hash_of)

    # Files.

    def hash_of(self, file: ProjectFile) -> str:
        if file.sha256 is not None:
            return file.sha256
        if file not in self._hashes:
            self._hashes[file] = _done(lambda: self._hash(file))
        return self._hashes[file].result()

    def _hash(self, file: ProjectFile) -> str:
        with tempfile.TemporaryFile(dir=".") as target:
            return self.places.download(file, target)

    def facts_ahead(self, file: ProjectFile) -> Future[SdistFacts]:
        if file not in self._facts:
            self._facts[file] = self._pool.submit(self._read, file)
        return self._facts[file]

    def _read(self, file: ProjectFile) -> SdistFacts:
        if file.filename.endswith(".whl"):
            metadata = self.places.metadata(file)
            requires = metadata.get_all("Requires-Dist") or ()
            return SdistFacts(tuple(str(text) for text in requires), None)
        with tempfile.NamedTemporaryFile(dir=".") as target:
            found = self.places.download(file, target)  # type: ignore[arg-type]
            target.flush()
            if file.sha256 is not None and file.sha256 != found:
                raise UserError(
                    f"wrong hash of `{file.filename}` at {shown(file.url)}: found sha256 {found}, "
                    f"expected {file.sha256}. To fix, find out which is right; if the index is, "
                    "write the lock file anew."
                )
            try:
                return read_sdist(target.name)
            except ValueError as error:
                raise UserError(
                    f"`{file.filename}` at {shown(file.url)} is no usable source archive: {error}. "
                    "To fix, lock another version."
                ) from None

    def requires(self, candidate: Candidate) -> Tuple[str, ...]:
        if candidate.release is not None and candidate.release.requires is not None:
            if candidate.chosen is not None and not candidate.chosen.is_wheel:
                self.facts_ahead(candidate.chosen.file)
            return candidate.release.requires
        if candidate.chosen is None:
            return ()
        return self.facts_ahead(candidate.chosen.file).result().requires

    def rust(self, chosen: Parsed) -> Optional[str]:
        return None if chosen.is_wheel else self.facts_ahead(chosen.file).result().rust


def _done(work: Callable[[], str]) -> Future[str]:
    """A future that is worked out here: threads of the pool may not wait for each other."""
    future: Future[str] = Future()
    try:
        future.set_result(work())
    except UserError as error:
        future.set_exception(error)
    return future


class Provider(AbstractProvider[Requirement, Candidate, str]):
    """What resolvelib asks. Requirements here have no marker any more."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue

    def identify(self, requirement_or_candidate: object) -> str:
        if isinstance(requirement_or_candidate, Candidate):
            return _key(requirement_or_candidate.project, requirement_or_candidate.extras)
        assert isinstance(requirement_or_candidate, Requirement)
        return _key(
            canonicalize_name(requirement_or_candidate.name), _extras_of(requirement_or_candidate)
        )

    def get_preference(
        self,
        identifier: str,
        resolutions: Mapping[str, Candidate],
        candidates: Mapping[str, Iterator[Candidate]],
        information: Mapping[str, Iterator[RequirementInformation[Requirement, Candidate]]],
        backtrack_causes: Sequence[RequirementInformation[Requirement, Candidate]],
    ) -> Any:
        """What was in a conflict first, then the most constrained, always in the same order."""
        causes = {self.identify(cause.requirement) for cause in backtrack_causes}
        exact = any(
            specifier.operator in ("==", "===")
            for one in information[identifier]
            for specifier in one.requirement.specifier
        )
        return (identifier not in causes, not exact, identifier)

    def find_matches(
        self,
        identifier: str,
        requirements: Mapping[str, Iterator[Requirement]],
        incompatibilities: Mapping[str, Iterator[Candidate]],
    ) -> List[Candidate]:
        wanted = list(requirements[identifier])
        refused = {candidate.version for candidate in incompatibilities[identifier]}
        project, extras = canonicalize_name(wanted[0].name), _extras_of(wanted[0])
        releases = self._releases(project, wanted)
        if not releases:
            return [] if None in refused else [Candidate(project, extras, None, None, None)]
        matching = [one for one in releases if self._allowed(one.version, wanted, releases)]
        candidates = [
            Candidate(project, extras, release.version, release, self.catalogue.choose(release))
            for release in matching
        ]
        if not self.catalogue.target.native and any(
            native_wheel(release, self.catalogue.target) for release in releases
        ):
            # It has native code, which building an older version would only show in the end.
            candidates = [
                replace(one, chosen=None) if one.chosen and not one.chosen.is_wheel else one
                for one in candidates
            ]
        # Any wheel before any source archive, and the newest of each kind first.
        candidates.sort(
            key=lambda one: (one.chosen is None, one.chosen is not None and not one.chosen.is_wheel)
        )
        if candidates and candidates[0].chosen is not None:
            candidates = [one for one in candidates if one.chosen is not None]
            if candidates[0].release and candidates[0].release.requires is None:
                self.catalogue.facts_ahead(candidates[0].chosen.file)  # type: ignore[union-attr]
        else:
            candidates = candidates[:1]  # the newest, to be told as missing
        return [candidate for candidate in candidates if candidate.version not in refused]

    def _releases(self, project: str, wanted: Sequence[Requirement]) -> Releases:
        urls = [requirement.url for requirement in wanted if requirement.url]
        if not urls or self.catalogue.fixed:
            return self.catalogue.releases(project)
        url, fragment = urldefrag(urls[0])
        sha256 = fragment[len("sha256=") :] if fragment.startswith("sha256=") else None
        parsed = parse_file(ProjectFile(filename_of(url), url, sha256), project)
        if parsed is None:
            raise UserError(
                f"the requirement `{wanted[0]}` names {shown(url)}, expected the URL of a wheel or "
                f"of a source archive of `{project}`. To fix, name such a file, or an ordinary "
                "version."
            )
        return (Release(project, parsed.version, (parsed,)),)

    def _allowed(self, version: Version, wanted: Sequence[Requirement], releases: Releases) -> bool:
        if self.catalogue.fixed:
            return all(one.specifier.contains(version, prereleases=True) for one in wanted)
        allowed = any(one.specifier.prereleases for one in wanted) or all(
            release.version.is_prerelease for release in releases
        )
        return all(one.specifier.contains(version, prereleases=allowed) for one in wanted)

    def is_satisfied_by(self, requirement: Requirement, candidate: Candidate) -> bool:
        return candidate.version is None or requirement.specifier.contains(
            candidate.version, prereleases=True
        )

    def get_dependencies(self, candidate: Candidate) -> List[Requirement]:
        found = []
        if candidate.extras and candidate.version is not None:
            found.append(Requirement(f"{candidate.project}=={candidate.version}"))
        if candidate.version is None:
            return found
        origin = f"{candidate.project} {candidate.version}"
        found += self.applicable(self.catalogue.requires(candidate), candidate.extras, origin)
        return found

    def applicable(
        self, texts: Iterable[str], extras: Iterable[str], origin: str
    ) -> List[Requirement]:
        """The requirements whose markers hold in the binary, without their markers."""
        found = []
        for text in texts:
            try:
                requirement = Requirement(_EXTRA.sub(_normal_extra, text))
            except InvalidRequirement as error:
                raise UserError(
                    f"{origin} requires `{text}`, which is no requirement: {error}. To fix, "
                    "correct it, or use another version."
                ) from None
            environment = self.catalogue.environment
            name = canonicalize_name(requirement.name)
            if name in self.catalogue.excluded:
                continue
            if name in self.catalogue.overridden:
                requirement.specifier = SpecifierSet()
            if any(_holds(requirement, environment, extra) for extra in ("", *sorted(extras))):
                requirement.marker = None
                found.append(requirement)
                self.catalogue.look_ahead(name)
        return found


# Names of extras are compared in their normal form (PEP 685), which old metadata do not have.
_EXTRA = re.compile(r"""(\bextra\s*==\s*)(["'])([^"']*)\2""")


def _normal_extra(match: re.Match[str]) -> str:
    return f"{match[1]}{match[2]}{canonicalize_name(match[3])}{match[2]}"


def _extras_of(requirement: Requirement) -> FrozenSet[str]:
    return frozenset(canonicalize_name(extra) for extra in requirement.extras)


# -----------------------------------------------------------------------------------------------
# The outcome
# -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Found:
    """A file of the binary, with its sha256. `ways`: what else could be done than build it."""

    parsed: Parsed
    ways: Tuple[str, ...]


def resolve(request: Request, places: Places, lock: Optional[str] = None) -> List[Found]:
    """The files of the binary, sorted by name. Raises UserError."""
    with Catalogue(request, places, lock) as catalogue:
        provider = Provider(catalogue)
        wanted = provider.applicable(request.requirements, (), "the binary")
        resolver: Resolver[Requirement, Candidate, str] = Resolver(provider, BaseReporter())
        try:
            mapping = resolver.resolve(wanted, max_rounds=MAX_ROUNDS).mapping
        except ResolutionImpossible as error:
            raise UserError(_conflict(catalogue, error.causes)) from None
        candidates = {candidate.project: candidate for candidate in mapping.values()}
        unfit = [
            complaint
            for _, candidate in sorted(candidates.items())
            if (complaint := _complaint(catalogue, candidate)) is not None
        ]
        if unfit:
            raise UserError(no_fitting_file(request, unfit))
        found = [
            _found(catalogue, candidate.release, candidate.chosen)
            for candidate in candidates.values()
            if candidate.release is not None and candidate.chosen is not None
        ]
        return sorted(found, key=lambda one: one.parsed.file.filename)


def _found(catalogue: Catalogue, release: Release, chosen: Parsed) -> Found:
    sha256 = catalogue.hash_of(chosen.file)
    ways = () if chosen.is_wheel else _explain(catalogue, release).ways
    return Found(replace(chosen, file=replace(chosen.file, sha256=sha256)), ways)


def _complaint(catalogue: Catalogue, candidate: Candidate) -> Optional[Unfit]:
    release, request = candidate.release, catalogue.request
    if release is None:
        if request.lock is not None:
            return Unfit(
                candidate.project,
                f"{request.lock} does not have it for this target",
                ("write the lock file anew, with this package",),
            )
        return Unfit(candidate.project, "no file of it in the indexes and find-links")
    rust = catalogue.rust(candidate.chosen) if candidate.chosen is not None else None
    if candidate.chosen is not None and rust is None:
        return None
    return _explain(catalogue, release, rust)


def _explain(catalogue: Catalogue, release: Release, rust: Optional[str] = None) -> Unfit:
    return explain(
        release,
        catalogue.target,
        lock=catalogue.request.lock,
        rules=catalogue.request.rules,
        rust=rust,
        fitting_versions=catalogue.other_fitting_versions(release),
        hash_of=catalogue.hash_of,
    )


def no_fitting_file(request: Request, unfit: Sequence[Unfit]) -> str:
    target = request.target
    lines = []
    for one in unfit:
        lines.append(f"  * {one.package}: {one.found}.")
        lines += [f"      - {way}" for way in one.ways]
    minor = ".".join(target.python_version.split(".")[:2])
    platforms = platform_tags(target.triple, target.glibc_floor) if target.native else []
    best_and_last = f"`{platforms[0]}` to `{platforms[-2]}`, or `any`" if platforms else "`any`"
    return (
        f"some requirements have no wheel that fits `{target.triple}`"
        + (f" with glibc {target.glibc_floor}" if target.glibc_floor else "")
        + f" and Python {minor}, and no source archive that can be built:\n"
        + "\n".join(lines)
        + f"\nExpected for each: a wheel for Python {minor} and the platform {best_and_last}; or a "
        "source archive, of which Rust is not compiled.\nTo fix, lock another version, or do what "
        "is said after the package, or build a wheel elsewhere and name its folder in "
        "`[python-repos].find_links`, or do without the package (`!!` before its address in the "
        "`dependencies` field)."
    )


def _conflict(
    catalogue: Catalogue,
    causes: Iterable[RequirementInformation[Requirement, Candidate]],
) -> str:
    lines, names = set(), set()
    for cause in causes:
        names.add(canonicalize_name(cause.requirement.name))
        by = cause.parent
        lines.add(
            f"  * `{cause.requirement}`, wanted by "
            + (f"{by.project} {by.version}" if by is not None else "the binary")
        )
    there = [
        f"{project}: {', '.join(str(one.version) for one in catalogue.releases(project)[:5])}"
        for project in sorted(names)
    ]
    lock = catalogue.request.lock
    return (
        "no versions fit together:\n"
        + "\n".join(sorted(lines))
        + f"\n{lock or 'The indexes and find-links'} has "
        + "; ".join(there)
        + ".\n"
        + (
            "To fix, write the lock file anew."
            if lock
            else "To fix, change the requirements so that one version fits all."
        )
    )


def _described(found: Found) -> Dict[str, Any]:
    parsed = found.parsed
    described: Dict[str, Any] = {
        "project": parsed.project,
        "version": str(parsed.version),
        "filename": parsed.file.filename,
        "url": parsed.file.url,
        "sha256": parsed.file.sha256,
    }
    return described if parsed.is_wheel else {**described, "ways": found.ways}


def main(argv: List[str]) -> None:
    parser = argparse.ArgumentParser(prog="wheel_resolve.py")
    parser.add_argument("--request", type=Path, required=True)
    parser.add_argument("--lock", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args(argv)
    request = parse_request(options.request.read_text())
    lock = options.lock.read_text() if options.lock else None
    try:
        found = resolve(request, Places(request.indexes, request.find_links), lock)
    except InvalidVersion as error:
        raise UserError(
            f"{request.lock} has a version that is none: {error}. To fix, write it anew."
        ) from None
    output: Dict[str, List[Dict[str, Any]]] = {"wheels": [], "sdists": []}
    for one in found:
        output["wheels" if one.parsed.is_wheel else "sdists"].append(_described(one))
    options.output.write_text(json.dumps(output, indent=1, sort_keys=True))


if __name__ == "__main__":
    run(main)
