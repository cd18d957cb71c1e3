"""What an ELF file needs of the machine it runs on: libraries, symbol versions, a C library.

The glibc floor is the highest numbered version that it asks glibc for. The loader asks for every
version node, whether a symbol uses it or not, so nodes without a symbol count.
"""

from __future__ import annotations

import re
from typing import Any, Iterable, Mapping

from oxidize_rules.sandbox.analysis.analyze_file import ElfInput, clean
from oxidize_rules.sandbox.analysis.glibc_hosts import (
    GLIBC_HOSTS,
    GLIBC_LIBRARIES,
    GLIBC_RELEASED,
    LOADERS,
    LSB_CORE,
    SPECIAL_VERSIONS,
)

SYMBOLS_SHOWN = 12
PRIVATE = "GLIBC_PRIVATE"
RELR = "GLIBC_ABI_DT_RELR"
_NUMBERED = re.compile(r"GLIBC_(\d{1,4}(?:\.\d{1,4}){1,3})")


def number(version: str) -> tuple[int, ...]:
    """`2.3.4` as a tuple, for comparing."""
    return tuple(int(part) for part in version.split("."))


def libc_of(file: ElfInput, interpreter: str | None, needed: Iterable[str]) -> str | None:
    """The C library that it is for; None where it asks for none."""
    name = (interpreter or "").rpartition("/")[2]
    for start, libc in LOADERS:
        if name.startswith(start):
            return libc
    for library in needed:
        if library.startswith(("libc.musl-", "ld-musl-")) or library == "libc.so":
            return "musl"
        if library in GLIBC_LIBRARIES:
            return "glibc"
    return None


def describe(file: ElfInput, identity: Mapping[str, Any]) -> dict[str, Any]:
    names: list[str] = []
    with file.guard("list of needed libraries"):
        names += [clean(file.dynamic_text(one)) for one in file.values("DT_NEEDED")[:2000]]
    paths: dict[str, list[str]] = {"DT_RPATH": [], "DT_RUNPATH": []}
    for tag, found in paths.items():
        with file.guard("run path"):
            found += [clean(file.dynamic_text(one)) for one in file.values(tag)[:20]]
    versions, by_symbol = _versions(file)
    libc = libc_of(file, identity["interpreter"], names)
    floor, because = _floor(file, versions, by_symbol, libc)
    return {
        "libc": libc,
        "needed": [
            {"name": name, "glibc": name in GLIBC_LIBRARIES, "lsb_core": name in LSB_CORE}
            for name in names
        ],
        "rpath": paths["DT_RPATH"],
        "runpath": paths["DT_RUNPATH"],
        "versions": {
            library: {
                version: {
                    "symbols": by_symbol.get((library, version), [])[:SYMBOLS_SHOWN],
                    "count": len(by_symbol.get((library, version), [])),
                }
                for version in sorted(found, key=_order)
            }
            for library, found in sorted(versions.items())
        },
        "glibc_floor": floor,
        "floor_because": because,
        "special_versions": _special(versions, by_symbol),
        "hosts": hosts(identity, libc, floor, names),
    }


def _versions(
    file: ElfInput,
) -> tuple[dict[str, set[str]], dict[tuple[str, str], list[str]]]:
    """Versions by library, and the symbols of each."""
    versions: dict[str, set[str]] = {}
    by_symbol: dict[tuple[str, str], list[str]] = {}
    with file.guard("table of needed versions"):
        for library, version, _ in file.version_needs():
            versions.setdefault(library, set()).add(version)
    with file.guard("table of dynamic symbols"):
        for symbol in file.dynamic_symbols():
            if symbol.version and not symbol.defined:
                by_symbol.setdefault((symbol.library, symbol.version), []).append(symbol.name)
    for names in by_symbol.values():
        names.sort()
    return versions, by_symbol


def _order(version: str) -> tuple[str, tuple[int, ...], str]:
    """Versions of one name by their numbers."""
    match = re.fullmatch(r"(\w+?)_(\d{1,6}(?:\.\d{1,6})*)", version)
    if match is None:
        return version, (), ""
    return match.group(1), number(match.group(2)), ""


def _floor(
    file: ElfInput,
    versions: Mapping[str, set[str]],
    by_symbol: Mapping[tuple[str, str], list[str]],
    libc: str | None,
) -> tuple[str | None, list[str]]:
    """The oldest glibc that has all it asks for, and why it is not older."""
    best: tuple[int, ...] = ()
    floor: str | None = None
    because: list[str] = []

    def consider(wanted: str, reasons: list[str]) -> None:
        nonlocal best, floor, because
        if number(wanted) > best:
            best, floor, because = number(wanted), wanted, list(reasons)
        elif number(wanted) == best:
            because += [one for one in reasons if one not in because]

    for library, found in sorted(versions.items()):
        for version in sorted(found):
            match = _NUMBERED.fullmatch(version)
            if match:
                names = by_symbol.get((library, version), [])
                consider(
                    match.group(1),
                    [f"{name} ({library})" for name in names]
                    or [f"version {version} of {library}, which no symbol uses"],
                )
            elif version in SPECIAL_VERSIONS:
                consider(SPECIAL_VERSIONS[version][0], [f"{version} ({library})"])
    relr = file.value("DT_RELR") is not None
    if relr and libc == "glibc" and not any(RELR in found for found in versions.values()):
        consider(
            SPECIAL_VERSIONS[RELR][0],
            [f"packed relocations (DT_RELR), although no {RELR} is asked"],
        )
    return floor, because


def _special(
    versions: Mapping[str, set[str]], by_symbol: Mapping[tuple[str, str], list[str]]
) -> list[dict[str, Any]]:
    """Versions of glibc that are no numbers."""
    found = []
    for library, names in sorted(versions.items()):
        for name in sorted(names):
            if not name.startswith("GLIBC_") or _NUMBERED.fullmatch(name):
                continue
            glibc, meaning, source = SPECIAL_VERSIONS.get(name, (None, "", ""))
            if name == PRIVATE:
                meaning = "glibc's inner interface: it may work with one build of glibc alone"
            found.append(
                {
                    "library": library,
                    "version": name,
                    "glibc": glibc,
                    "meaning": meaning or "not known to this tool",
                    "source": source,
                    "symbols": by_symbol.get((library, name), [])[:SYMBOLS_SHOWN],
                }
            )
    return found


def hosts(
    identity: Mapping[str, Any], libc: str | None, floor: str | None, needed: Iterable[str]
) -> dict[str, Any]:
    """Which distributions can run it: `runs` and `not` name releases by family.

    `extra` are the libraries that a distribution need not have installed.
    """
    extra = sorted(
        {
            name
            for name in needed
            if name not in GLIBC_LIBRARIES and not name.startswith(("libc.musl-", "ld-musl-"))
        }
    )
    found: dict[str, Any] = {"runs": {}, "not": {}, "extra": extra, "words": ""}
    kind = identity["kind"]
    if "executable" not in kind and kind != "shared library":
        found["words"] = f"nowhere: it is a {kind}"
    elif libc is None and not extra:
        found["words"] = f"every Linux for {identity['machine']}: it needs no library"
    elif libc == "musl":
        found["words"] = "distributions with musl: Alpine Linux, and others that have it installed"
    elif libc != "glibc":
        found["words"] = f"systems with {libc}" if libc else "systems with the libraries it needs"
    else:
        _glibc_hosts(found, floor)
    return found


def _glibc_hosts(found: dict[str, Any], floor: str | None) -> None:
    least = number(floor) if floor else ()
    for family, release, glibc in GLIBC_HOSTS:
        key = "runs" if number(glibc) >= least else "not"
        found[key].setdefault(family, []).append(release)
    released = GLIBC_RELEASED.get(".".join(floor.split(".")[:2])) if floor else None
    if released:
        found["runs"]["Arch Linux"] = [f"upgraded two months after {released} or later"]
    elif floor and least > number(max(GLIBC_RELEASED, key=number)):
        found["not"]["Arch Linux"] = ["every state that this tool knows"]
    found["not"]["Alpine Linux"] = ["every release (musl)"]
    found["words"] = f"distributions with glibc {floor} or newer" if floor else "those with glibc"
