"""Which file of a release a binary takes. Asks no network.

A release's files are told apart by name alone (PEP 427 for wheels, PEP 625 and its elders for
source archives). A wheel that fits comes first, in the order of the target's tags; a source archive
is only taken where no wheel fits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Callable, Container, Dict, FrozenSet, List, Optional, Tuple

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from oxidize_rules.sandbox.wheels.index_page import ProjectFile
from oxidize_rules.sandbox.wheels.wheel_tags import compatible_tags, is_musl

_SDIST = re.compile(r"(.+)\.(?:tar\.(?:gz|bz2|xz)|tgz|zip)")


@dataclass(frozen=True)
class Target:
    """What a wheel has to fit; see `wheel_tags.compatible_tags`."""

    python_version: str
    triple: str
    glibc_floor: Optional[str]
    native: bool = True

    @property
    def machine(self) -> str:
        return self.triple.split("-")[0]

    def other_triple(self) -> str:
        return f"{self.machine}-unknown-linux-{'gnu' if is_musl(self.triple) else 'musl'}"


@cache
def _ranks(target: Target) -> Dict[str, int]:
    tags = compatible_tags(
        target.python_version, target.triple, target.glibc_floor, native=target.native
    )
    return {tag: position for position, tag in enumerate(tags)}


# -----------------------------------------------------------------------------------------------
# File names
# -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Parsed:
    """`project` is normalized. `tags` are none for a source archive."""

    project: str
    file: ProjectFile
    version: Version
    tags: FrozenSet[Tag]
    build: Tuple[object, ...]

    @property
    def is_wheel(self) -> bool:
        return bool(self.tags)


@cache
def parse_file(file: ProjectFile, project: str) -> Optional[Parsed]:
    """None if it is no file of `project` (normalized), or its name is not valid."""
    if file.filename.endswith(".whl"):
        try:
            if canonicalize_name(file.filename.split("-", 1)[0]) != project:
                return None
            name, version, build, tags = parse_wheel_filename(file.filename)
        except ValueError:
            return None
        if name != project:
            return None
        return Parsed(project, file, Version(str(version)), frozenset(tags), tuple(build))
    match = _SDIST.fullmatch(file.filename)
    if match is None:
        return None
    stem = match[1]
    for dash in (at for at, character in enumerate(stem) if character == "-"):
        if canonicalize_name(stem[:dash]) == project:
            try:
                return Parsed(project, file, Version(stem[dash + 1 :]), frozenset(), ())
            except InvalidVersion:
                continue
    return None


@cache
def version_of(text: str) -> Optional[Version]:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def may_be(filename: str, versions: Container[Version]) -> bool:
    """False for a wheel of another version. Much faster than to parse the whole name."""
    parts = filename.split("-", 2)
    return not filename.endswith(".whl") or (len(parts) > 2 and version_of(parts[1]) in versions)


def rank(parsed: Parsed, target: Target) -> Optional[int]:
    """How well a wheel fits: 0 is best, None is not at all."""
    ranks = _ranks(target)
    return min((ranks[str(tag)] for tag in parsed.tags if str(tag) in ranks), default=None)


def allows_python(file: ProjectFile, python_version: str) -> bool:
    try:
        return SpecifierSet(file.requires_python).contains(python_version, prereleases=True)
    except InvalidSpecifier:
        return True


# -----------------------------------------------------------------------------------------------
# Choosing
# -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Release:
    """One version of a project and its files.

    `hashes`: what the lock file allows (sha256); none if it does not say. `requires`: what the
    lock file says that the version requires; None if the file itself has to be asked.
    """

    project: str
    version: Version
    files: Tuple[Parsed, ...]
    hashes: FrozenSet[str] = frozenset()
    requires: Optional[Tuple[str, ...]] = None


Releases = Tuple[Release, ...]


@dataclass(frozen=True)
class Rules:
    """`only_binary`, `no_binary`: normalized names that have no source archives, or no wheels."""

    only_binary: FrozenSet[str] = frozenset()
    no_binary: FrozenSet[str] = frozenset()


NO_RULES = Rules()


def in_order(release: Release, target: Target, rules: Rules) -> List[Parsed]:
    """The files that fit the target, best first, whatever their hashes are."""
    usable = [
        parsed for parsed in release.files if allows_python(parsed.file, target.python_version)
    ]
    wheels = []
    if not {release.project, ":all:"} & rules.no_binary:
        for parsed in usable:
            position = rank(parsed, target)
            if position is not None:
                wheels.append((position, parsed))
    # Of wheels with one tag, that of the highest build number.
    wheels.sort(key=lambda one: _build_key(one[1]), reverse=True)
    wheels.sort(key=lambda one: one[0])
    sources = sorted(
        (parsed for parsed in usable if not parsed.is_wheel),
        key=lambda parsed: (not parsed.file.filename.endswith(".tar.gz"), parsed.file.filename),
    )
    if {release.project, ":all:"} & rules.only_binary:
        sources = []
    if not target.native and native_wheel(release, target):
        sources = []  # It has native code, which a build would only find out in the end.
    return [*(parsed for _, parsed in wheels), *sources]


def _build_key(parsed: Parsed) -> Tuple[int, str]:
    number = parsed.build[0] if parsed.build else -1
    return (int(str(number)), str(parsed.build[1]) if len(parsed.build) > 1 else "")


def native_wheel(release: Release, target: Target) -> Optional[Parsed]:
    """A wheel that would fit if the binary could load native code."""
    loading = Target(target.python_version, target.triple, target.glibc_floor)
    return next((one for one in release.files if rank(one, loading) is not None), None)


def choose(
    release: Release,
    target: Target,
    rules: Rules = NO_RULES,
    hash_of: Callable[[ProjectFile], Optional[str]] = lambda file: file.sha256,
) -> Optional[Parsed]:
    """The file that the binary takes: a wheel, else a source archive, else None.

    `hash_of` is asked for files of the fitting kind only, since it may have to download them.
    """
    for parsed in in_order(release, target, rules):
        if not release.hashes or hash_of(parsed.file) in release.hashes:
            return parsed
    return None
