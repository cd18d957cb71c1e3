"""Finds the releases of a project that a resolution may take, and the file of each.

They come from the lock file (all of it in pex's format, the pins in requirements style), else from
the indexes and find-links. Projects are looked up ahead, in threads.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Dict, List, Optional, Tuple

from oxidize_rules.sandbox.wheels.index_page import ProjectFile
from oxidize_rules.sandbox.wheels.pex_lock import PexLock
from oxidize_rules.sandbox.wheels.resolve_request import Request
from oxidize_rules.sandbox.wheels.wheel_choice import Parsed, Release, Releases, choose
from oxidize_rules.sandbox.wheels.wheel_index import Places
from oxidize_rules.sandbox.wheels.wheel_metadata import MetadataReader
from oxidize_rules.sandbox.wheels.wheel_releases import free_releases, pinned_releases
from oxidize_rules.sandbox.wheels.wheel_tags import marker_environment

WORKERS = 8


class Finder:
    """A context: its threads end with it. `metadata` are those of the files that it finds."""

    def __init__(self, request: Request, places: Places, lock: Optional[PexLock]) -> None:
        self.request = request
        self.lock = lock
        self.target = request.target
        self.environment = marker_environment(self.target.python_version, self.target.triple)
        self._places = places
        self._pool = ThreadPoolExecutor(WORKERS)
        self._releases: Dict[str, Future[Releases]] = {}
        self._files: Dict[str, List[ProjectFile]] = {}
        self.metadata = MetadataReader(places, self._pool)

    def __enter__(self) -> Finder:
        return self

    def __exit__(self, *error: object) -> None:
        for future in self._releases.values():
            future.cancel()
        self.metadata.cancel()
        self._pool.shutdown()

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
        if self.lock is not None:
            return self.lock.releases.get(project, ())
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
                self.metadata.look_ahead(chosen.file)
        return releases

    def _files_of(self, project: str) -> List[ProjectFile]:
        if project not in self._files:
            self._files[project] = self._places.files(project)
        return self._files[project]

    def choose(self, release: Release) -> Optional[Parsed]:
        return choose(release, self.target, self.request.rules, self.metadata.hash_of)

    def requires(self, release: Release, chosen: Optional[Parsed]) -> Tuple[str, ...]:
        """What the release requires, if `chosen` is the file of it."""
        if release.requires is not None:
            if chosen is not None and not chosen.is_wheel:
                self.metadata.look_ahead(chosen.file)  # whether it is Rust is asked in the end
            return release.requires
        return self.metadata.requires(chosen.file) if chosen is not None else ()

    def other_fitting_versions(self, release: Release) -> Tuple[str, ...]:
        """Of what was read of the indexes anyway."""
        if self.lock is not None or not self.target.native:
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
