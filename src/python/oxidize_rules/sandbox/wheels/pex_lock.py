"""What a lock file of pex (the JSON that `pex3 lock create` writes) says."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Dict, FrozenSet, Iterator, List, Mapping, Tuple
from urllib.parse import urldefrag

from packaging.utils import canonicalize_name
from packaging.version import Version

from oxidize_rules.sandbox.wheels.index_page import ProjectFile, filename_of
from oxidize_rules.sandbox.wheels.wheel_choice import Release, Releases, parse_file


@dataclass(frozen=True)
class PexLock:
    """`releases` by normalized name, the newest first. `excluded` are projects that pex's
    `--exclude` left out, `overridden` those whose requirements `--override` replaced.
    """

    releases: Mapping[str, Releases]
    excluded: FrozenSet[str]
    overridden: FrozenSet[str]


def parse_pex_lock(text: str, path_mappings: Mapping[str, str]) -> PexLock:
    """`path_mappings`: folders by name, for `${NAME}` in the lock file's URLs."""
    content = json.loads(text)
    return PexLock(
        _releases(content, path_mappings),
        _names(content, "excluded"),
        _names(content, "overridden"),
    )


def _releases(content: Mapping[str, Any], path_mappings: Mapping[str, str]) -> Dict[str, Releases]:
    found: Dict[Tuple[str, Version], Release] = {}
    for resolve in content.get("locked_resolves", ()):
        for entry in resolve.get("locked_requirements", ()):
            project = canonicalize_name(str(entry["project_name"]))
            version = Version(str(entry["version"]))
            known = found.get((project, version))
            files = dict.fromkeys(known.files if known else ())
            for file in _files(entry, path_mappings):
                parsed = parse_file(file, project)
                if parsed is not None:
                    files[parsed] = None
            requires = tuple(str(text) for text in entry.get("requires_dists", ()))
            found[project, version] = Release(project, version, tuple(files), requires=requires)
    projects: Dict[str, List[Release]] = {}
    for release in found.values():
        projects.setdefault(release.project, []).append(release)
    return {
        project: tuple(sorted(releases, key=lambda one: one.version, reverse=True))
        for project, releases in projects.items()
    }


def _files(entry: Mapping[str, Any], path_mappings: Mapping[str, str]) -> Iterator[ProjectFile]:
    requires_python = str(entry.get("requires_python") or "")
    for artifact in entry.get("artifacts", ()):
        if artifact.get("algorithm", "sha256") != "sha256":
            continue
        url = str(artifact["url"])
        for name, folder in path_mappings.items():
            url = url.replace(f"${{{name}}}", folder)
        url = urldefrag(url)[0]
        yield ProjectFile(filename_of(url), url, str(artifact["hash"]).lower(), requires_python)


def _names(content: Mapping[str, Any], key: str) -> FrozenSet[str]:
    """The projects that the requirements at a key of the lock file are for."""
    names = (re.match(r"[A-Za-z0-9._-]+", str(entry)) for entry in content.get(key) or ())
    return frozenset(canonicalize_name(name[0]) for name in names if name)
