"""Releases of a project: of its files in indexes and find-links those that may be taken."""

from __future__ import annotations

from typing import Dict, FrozenSet, Iterable, List, Mapping, Sequence

from packaging.requirements import Requirement
from packaging.version import Version

from oxidize_rules.sandbox.wheels.index_page import ProjectFile
from oxidize_rules.sandbox.wheels.requirement import holds
from oxidize_rules.sandbox.wheels.resolve_request import Pin
from oxidize_rules.sandbox.wheels.wheel_choice import Parsed, Release, Releases, may_be, parse_file


def _by_version(
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
        if not pin.marker or holds(Requirement(f"x ; {pin.marker}"), environment):
            version = Version(pin.version)
            valid[version] = valid.get(version, frozenset()) | pin.hashes
    wanted = (file for file in files if may_be(file.filename, valid))
    versions = _by_version(wanted, project, yanked=True)
    return tuple(
        Release(project, version, tuple(versions.get(version, ())), hashes=hashes)
        for version, hashes in valid.items()
    )


def free_releases(project: str, files: Sequence[ProjectFile]) -> Releases:
    """All releases, the newest first."""
    versions = _by_version(files, project)
    return tuple(
        Release(project, version, tuple(versions[version]))
        for version in sorted(versions, reverse=True)
    )
