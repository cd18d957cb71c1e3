"""Which file of a release a binary takes, and what can be done where none fits. Asks no network.

A release's files are told apart by name alone (PEP 427 for wheels, PEP 625 and its elders for
source archives). A wheel that fits comes first, in the order of the target's tags; a source archive
is only taken where no wheel fits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Callable, Container, Dict, FrozenSet, Iterable, List, Optional, Sequence, Tuple

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from oxidize_rules.sandbox.wheel_index import ProjectFile
from oxidize_rules.sandbox.wheel_tags import (
    DEFAULT_GLIBC_FLOOR,
    compatible_tags,
    is_musl,
)

_SDIST = re.compile(r"(.+)\.(?:tar\.(?:gz|bz2|xz)|tgz|zip)")
_MANYLINUX = re.compile(r"manylinux_2_(\d+)_(.+)")
_MANYLINUX_YEARS = {"manylinux1": 5, "manylinux2010": 12, "manylinux2014": 17}
_SHOWN_WHEELS = 5


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


@cache
def _kinds(python_version: str) -> FrozenSet[str]:
    """Interpreter and ABI of fitting wheels, as "cp313-abi3"."""
    tags = compatible_tags(python_version, "x86_64-unknown-linux-musl")
    return frozenset(tag.rsplit("-", 1)[0] for tag in tags)


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


def lowest_floor(parsed: Parsed, target: Target) -> Optional[str]:
    """The oldest glibc that the wheel is said to run with, if it fits Python and machine."""
    floors = []
    for tag in parsed.tags:
        name, _, machine = tag.platform.partition("_")
        match = _MANYLINUX.fullmatch(tag.platform)
        if f"{tag.interpreter}-{tag.abi}" not in _kinds(target.python_version):
            continue
        if match and match[2] == target.machine:
            floors.append(int(match[1]))
        elif name in _MANYLINUX_YEARS and machine == target.machine:
            floors.append(_MANYLINUX_YEARS[name])
    return f"2.{min(floors)}" if floors else None


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


@dataclass(frozen=True)
class Rules:
    """`only_binary`, `no_binary`: normalized names that have no source archives, or no wheels."""

    only_binary: FrozenSet[str] = frozenset()
    no_binary: FrozenSet[str] = frozenset()


NO_RULES = Rules()


def _in_order(release: Release, target: Target, rules: Rules) -> List[Parsed]:
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
    for parsed in _in_order(release, target, rules):
        if not release.hashes or hash_of(parsed.file) in release.hashes:
            return parsed
    return None


# -----------------------------------------------------------------------------------------------
# Where none fits
# -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Unfit:
    """Told to the user: `package` as "numpy 2.1.0", what was `found`, and `ways` out."""

    package: str
    found: str
    ways: Tuple[str, ...] = ()


def _listed(parts: Sequence[str]) -> str:
    more = len(parts) - _SHOWN_WHEELS
    return ", ".join(parts[:_SHOWN_WHEELS]) + (f" and {more} more" if more > 0 else "")


def _tags_of(parsed: Parsed) -> str:
    return "`" + "-".join(parsed.file.filename[: -len(".whl")].split("-")[-3:]) + "`"


def _nearly(parsed: Parsed, target: Target) -> bool:
    """Whether it is at least for Linux on this machine, and for this Python."""
    return any(
        f"{tag.interpreter}-{tag.abi}" in _kinds(target.python_version)
        and "linux" in tag.platform
        and tag.platform.endswith(target.machine)
        for tag in parsed.tags
    )


def _found(release: Release, target: Target) -> str:
    wheels = sorted(
        (one for one in release.files if one.is_wheel), key=lambda one: one.file.filename
    )
    if not release.files:
        return "no file of this version"
    near = [one for one in wheels if _nearly(one, target)]
    text = (
        f"wheels for {_listed([_tags_of(one) for one in near or wheels])}"
        if wheels
        else ("no wheel")
    )
    others = len(wheels) - len(near)
    if near and others:
        text += f", and {others} for other systems or versions of Python"
    return text if len(wheels) < len(release.files) else f"{text}; no source archive"


def _python_of(wheels: Iterable[Parsed]) -> List[str]:
    minors = {
        int(tag.interpreter[3:])
        for parsed in wheels
        for tag in parsed.tags
        if re.fullmatch(r"cp3\d+", tag.interpreter)
    }
    return [f"3.{minor}" for minor in sorted(minors)]


def _triple_way(release: Release, target: Target) -> Optional[str]:
    """Another triple, or another floor, that one of the wheels fits."""
    floors = sorted(
        (floor for one in release.files if (floor := lowest_floor(one, target))),
        key=lambda floor: int(floor.split(".")[1]),
    )
    other = Target(target.python_version, target.other_triple(), None)
    if is_musl(target.triple):
        if not floors:
            return None
        way = f'it has a wheel for glibc: set `target_triple="{other.triple}"`'
        if int(floors[0][2:]) > int(DEFAULT_GLIBC_FLOOR[2:]):
            way += f' and `glibc_floor="{floors[0]}"`'
        return way
    floor = target.glibc_floor or DEFAULT_GLIBC_FLOOR
    if floors and int(floors[0][2:]) > int(floor[2:]):
        return (
            f'set `glibc_floor="{floors[0]}"` or higher: its wheels need glibc {floors[0]}, and '
            f"the binary is to run with {floor}"
        )
    if any(rank(one, other) is not None for one in release.files):
        return f'it has a wheel for musl: set `target_triple="{other.triple}"`'
    return None


def explain(
    release: Release,
    target: Target,
    *,
    lock: Optional[str] = None,
    rules: Rules = NO_RULES,
    rust: Optional[str] = None,
    fitting_versions: Sequence[str] = (),
    hash_of: Callable[[ProjectFile], Optional[str]] = lambda file: file.sha256,
) -> Unfit:
    """Why no file of a release can be used, and what to do.

    `lock` names the lock file. `rust` says how its source archive shows that it is Rust.
    `fitting_versions` are other versions with a fitting wheel, newest first.
    """
    package = f"{release.project} {release.version}"
    found, ways = _found(release, target), []
    sources = [one for one in release.files if not one.is_wheel]
    usable = _in_order(release, target, rules)
    wrong = [one for one in usable if release.hashes and hash_of(one.file) not in release.hashes]
    if wrong and rust is None:
        first = wrong[0].file
        return Unfit(
            package,
            f"wrong hash of `{first.filename}`: found sha256 {hash_of(first)}, but {lock} has "
            f"{_listed(sorted(release.hashes))}",
            (
                "either the index has another file than when the lock file was written, or the "
                "lock file was written without this file: find out which, then write it anew",
            ),
        )
    if rust is not None:
        found += f"; and a source archive that needs Rust ({rust})"
        ways.append("it needs a wheel, since Rust is not compiled here")
    elif sources and not usable:
        found += "; and a source archive"
    native = native_wheel(release, target)
    if not target.native and native is not None:
        ways.append(
            'remove `dynamic_loading="never"`: its wheel has native code, which an executable '
            "without a dynamic loader cannot load"
        )
    else:
        way = _triple_way(release, target)
        if way:
            ways.append(way)
    excluded = [one for one in release.files if not allows_python(one.file, target.python_version)]
    minor = ".".join(target.python_version.split(".")[:2])
    if excluded and len(excluded) == len(release.files):
        ways.append(
            f"it needs Python {excluded[0].file.requires_python}, and the distribution is "
            f"{target.python_version}: lock another version, or use another distribution"
        )
    pythons = _python_of(release.files)
    if pythons and minor not in pythons and native is None and not excluded:
        ways.append(f"its wheels are for Python {', '.join(pythons)}, and the binary has {minor}")
    if {release.project, ":all:"} & rules.only_binary and sources:
        ways.append("remove it from `[python].resolves_to_only_binary`: it has a source archive")
    if {release.project, ":all:"} & rules.no_binary and not sources:
        ways.append("remove it from `[python].resolves_to_no_binary`: it has no source archive")
    if fitting_versions:
        ways.append(f"lock version {_listed(fitting_versions[:3])}, which has a fitting wheel")
    return Unfit(package, found, tuple(ways))
