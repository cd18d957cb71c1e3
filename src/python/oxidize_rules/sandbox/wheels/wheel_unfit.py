"""Why no file of a release can be used, and what a user can do about it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Callable, FrozenSet, Iterable, List, Optional, Sequence, Tuple

from oxidize_rules.sandbox.wheels.index_page import ProjectFile
from oxidize_rules.sandbox.wheels.wheel_choice import (
    NO_RULES,
    Parsed,
    Release,
    Rules,
    Target,
    allows_python,
    in_order,
    native_wheel,
    rank,
)
from oxidize_rules.sandbox.wheels.wheel_tags import (
    DEFAULT_GLIBC_FLOOR,
    MANYLINUX_ALIASES,
    compatible_tags,
    is_musl,
)

_MANYLINUX = re.compile(r"manylinux_2_(\d+)_(.+)")
_FLOORS = {alias: minor for minor, alias in MANYLINUX_ALIASES.items()}
_SHOWN_WHEELS = 5


@dataclass(frozen=True)
class Unfit:
    """Told to the user: `package` as "numpy 2.1.0", what was `found`, and `ways` out."""

    package: str
    found: str
    ways: Tuple[str, ...] = ()


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
    usable = in_order(release, target, rules)
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


@cache
def _kinds(python_version: str) -> FrozenSet[str]:
    """Interpreter and ABI of fitting wheels, as "cp313-abi3"."""
    tags = compatible_tags(python_version, "x86_64-unknown-linux-musl")
    return frozenset(tag.rsplit("-", 1)[0] for tag in tags)


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
        elif name in _FLOORS and machine == target.machine:
            floors.append(_FLOORS[name])
    return f"2.{min(floors)}" if floors else None
