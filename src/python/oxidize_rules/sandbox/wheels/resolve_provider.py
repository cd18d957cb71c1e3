"""The rules of a resolution, as resolvelib asks for them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import (
    TYPE_CHECKING,
    Any,
    FrozenSet,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
    Sequence,
)
from urllib.parse import urldefrag

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version
from resolvelib import AbstractProvider

from oxidize_rules.sandbox.errors import UserError
from oxidize_rules.sandbox.fetch import without_password as shown
from oxidize_rules.sandbox.wheels.index_page import ProjectFile, filename_of
from oxidize_rules.sandbox.wheels.requirement import extras_of, holds, parse_requirement
from oxidize_rules.sandbox.wheels.wheel_choice import (
    Parsed,
    Release,
    Releases,
    native_wheel,
    parse_file,
)
from oxidize_rules.sandbox.wheels.wheel_finder import Finder

if TYPE_CHECKING:
    from resolvelib.structs import RequirementInformation


@dataclass(frozen=True)
class Candidate:
    """A release, with the file that the binary takes. Without one it stands for what is missing,
    so that the rest can be looked at too. `release` is None where not even a version is known.
    """

    project: str
    extras: FrozenSet[str]
    release: Optional[Release]
    chosen: Optional[Parsed]

    @property
    def version(self) -> Optional[Version]:
        return self.release.version if self.release is not None else None

    @property
    def is_wheel(self) -> bool:
        return self.chosen is not None and self.chosen.is_wheel


def _key(project: str, extras: Iterable[str]) -> str:
    listed = ",".join(sorted(extras))
    return f"{project}[{listed}]" if listed else project


class Provider(AbstractProvider[Requirement, Candidate, str]):
    """What resolvelib asks. Requirements here have no marker any more."""

    def __init__(self, finder: Finder) -> None:
        self.finder = finder

    def identify(self, requirement_or_candidate: object) -> str:
        if isinstance(requirement_or_candidate, Candidate):
            return _key(requirement_or_candidate.project, requirement_or_candidate.extras)
        assert isinstance(requirement_or_candidate, Requirement)
        return _key(
            canonicalize_name(requirement_or_candidate.name), extras_of(requirement_or_candidate)
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
        project, extras = canonicalize_name(wanted[0].name), extras_of(wanted[0])
        releases = self._releases(project, wanted)
        if not releases:
            return [] if None in refused else [Candidate(project, extras, None, None)]
        candidates = [
            Candidate(project, extras, release, self.finder.choose(release))
            for release in releases
            if self._allowed(release.version, wanted, releases)
        ]
        best = self._best(candidates, releases)
        return [candidate for candidate in best if candidate.version not in refused]

    def _best(self, candidates: List[Candidate], releases: Releases) -> List[Candidate]:
        """Those with a file, in the order of preference; or one to be told as missing."""
        if not self.finder.target.native and any(
            native_wheel(release, self.finder.target) for release in releases
        ):
            # It has native code, which building an older version would only show in the end.
            candidates = [one if one.is_wheel else replace(one, chosen=None) for one in candidates]
        usable = [one for one in candidates if one.chosen is not None]
        if not usable:
            return candidates[:1]  # the newest
        # Any wheel before any source archive, and the newest of each kind first.
        usable.sort(key=lambda one: not one.is_wheel)
        first = usable[0]
        if first.chosen is not None and first.release and first.release.requires is None:
            self.finder.metadata.look_ahead(first.chosen.file)
        return usable

    def _releases(self, project: str, wanted: Sequence[Requirement]) -> Releases:
        urls = [requirement.url for requirement in wanted if requirement.url]
        if not urls or self.finder.fixed:
            return self.finder.releases(project)
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
        if self.finder.fixed:
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
        if candidate.release is None:
            return found
        origin = f"{candidate.project} {candidate.version}"
        requires = self.finder.requires(candidate.release, candidate.chosen)
        found += self.applicable(requires, candidate.extras, origin)
        return found

    def applicable(
        self, texts: Iterable[str], extras: Iterable[str], origin: str
    ) -> List[Requirement]:
        """The requirements whose markers hold in the binary, without their markers."""
        lock, environment = self.finder.lock, self.finder.environment
        found = []
        for text in texts:
            requirement = parse_requirement(text, origin)
            name = canonicalize_name(requirement.name)
            if lock is not None and name in lock.excluded:
                continue
            if lock is not None and name in lock.overridden:
                requirement.specifier = SpecifierSet()
            if any(holds(requirement, environment, extra) for extra in ("", *sorted(extras))):
                requirement.marker = None
                found.append(requirement)
                self.finder.look_ahead(name)
        return found
