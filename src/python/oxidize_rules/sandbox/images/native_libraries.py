"""Checks, before anything is linked, that the native files of an executable can be loaded in it.

    python -m oxidize_rules.sandbox.images.native_libraries --native A.json B.json ... --triple
        TRIPLE [--glibc-floor 2.17] --loader yes|no [--system SONAME...] --output report.json

A.json, ... are the components' `native.json` (see component.py). Lists may be given as `@file`.
SONAMEs are the libraries that the build can make itself; `--loader no` is for an executable that
loads nothing.

Everything that an extension module needs, and what that needs in turn, must be found as the
executable's loader will find it: in the folders of the libraries' own run paths, then in `lib` of
the image, then in what every machine of the triple has. An extension module, or a library that one
needs, which is made for another machine or C library is an error, and so is a library for a newer
glibc than the floor. The rest of a wheel may be anything, and is told in warnings at most.

The report: `system` are those of the SONAMEs that are needed; `glibc` the newest version of glibc
that a library needs, or null; `host` the libraries that the machine has to have beside glibc's
own, with the highest version of each of their interfaces; `extensions` and `libraries` count.
"""

from __future__ import annotations

import json
import posixpath
import re

from oxidize_rules.sandbox.errors import UserError, run
from oxidize_rules.sandbox.images.native_file import (
    GLIBC,
    MUSL,
    glibc_version,
    is_loadable,
    version_order,
)
from oxidize_rules.sandbox.options import parse_options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

FORMAT = 1
# Where libraries stand that belong to no package; the loader's default folder.
LIBRARY_FOLDER = "lib"

# What musl's loader takes for itself, whatever follows the first dot (its ldso/dynlink.c).
_OF_MUSL = re.compile(r"lib(?:c|pthread|rt|m|dl|util|xnet)\..*")
# glibc's own parts; libcrypt has left it, but every distribution has it.
_OF_GLIBC = re.compile(
    r"lib(?:c|m)\.so\.6|lib(?:dl|resolv|nss_files|nss_dns)\.so\.2|libpthread\.so\.0"
    r"|lib(?:rt|util|anl|mvec|thread_db|BrokenLocale|crypt|nsl)\.so\.1|ld-linux.*"
)
# Other libraries that PEP 513, 571, 599 and 600 (as auditwheel reads them) let wheels expect.
_MANYLINUX = {
    *("libstdc++.so.6", "libgcc_s.so.1", "libatomic.so.1", "libz.so.1", "libexpat.so.1"),
    *("libX11.so.6", "libXext.so.6", "libXrender.so.1", "libICE.so.6", "libSM.so.6"),
    *("libGL.so.1", "libgobject-2.0.so.0", "libgthread-2.0.so.0", "libglib-2.0.so.0"),
}
_SHOWN = 12


class Native:
    """A native file, and the component that brings it."""

    def __init__(self, component: str, told: dict[str, Any], machine: str) -> None:
        self.component = component
        self.path: str = told["path"]
        self.extension: bool = told["extension"]
        self.machine: str = told["machine"]
        self.soname: str | None = told["soname"]
        self.needed: list[str] = told["needed"]
        self.rpath: list[str] = told["rpath"]
        self.libc: str | None = told["libc"]
        self.glibc: str | None = told["glibc"]
        self.versions: dict[str, list[str]] = told["versions"]
        self.broken: str = told.get("broken", "")
        self.loadable = is_loadable(told, machine)

    @property
    def name(self) -> str:
        return posixpath.basename(self.path)

    def __str__(self) -> str:
        return f"{package(self.component)}: {self.path}"


def package(component: str) -> str:
    """A component's name, for people."""
    kind, _, name = component.partition(":")
    return f"the {kind} `{name}`" if name else f"`{component}`"


class Target:
    """What the executable is for. `system`: libraries that the build can make."""

    def __init__(
        self, triple: str, glibc_floor: str, system: Iterable[str] = (), *, loader: bool = True
    ) -> None:
        self.triple = triple
        self.machine = triple.split("-")[0]
        self.libc = MUSL if triple.endswith("-musl") else GLIBC
        self.glibc_floor = glibc_floor
        self.system = frozenset(system)
        self.loader = loader

    def has(self, library: str) -> bool:
        """Whether every machine has it (for musl: whether the executable itself is it)."""
        pattern = _OF_MUSL if self.libc == MUSL else _OF_GLIBC
        return pattern.fullmatch(library) is not None

    def may_have(self, library: str) -> bool:
        return self.libc == GLIBC and library in _MANYLINUX

    def fits(self, native: Native) -> bool:
        return native.loadable and native.libc in (None, self.libc)


class Libraries:
    """The native files of an executable, and how they find each other."""

    def __init__(self, natives: Sequence[Native], target: Target) -> None:
        self.natives = natives
        self.target = target
        self.by_path = {native.path: native for native in natives}
        self.names = {native.name for native in natives if target.fits(native)}
        self.names |= {native.soname for native in natives if native.soname and target.fits(native)}
        self.reached: set[str] = set()
        self.system: set[str] = set()
        self.host: set[str] = set()
        self.missing: dict[str, list[Native]] = {}
        self.unfit: dict[str, list[Native]] = {}
        self.elsewhere: dict[str, list[Native]] = {}

    def follow(self, native: Native, run_path: tuple[str, ...] = ()) -> None:
        """Looks for all that a library needs. `run_path`: that of those that need it."""
        if native.path in self.reached:
            return
        self.reached.add(native.path)
        folders = (*native.rpath, *run_path)
        for name in native.needed:
            found = self._find(name, folders)
            if found is None:
                self._find_outside(name, native)
            elif not self.target.fits(found):
                self.unfit.setdefault(found.path, []).append(native)
            else:
                self.follow(found, folders)

    def _find(self, name: str, folders: Sequence[str]) -> Native | None:
        if self.target.has(name):
            return None  # the loader does not look for its own
        for folder in (*folders, LIBRARY_FOLDER):
            found = self.by_path.get(posixpath.normpath(f"{folder}/{name}"))
            if found is not None:
                return found
        return None

    def _find_outside(self, name: str, native: Native) -> None:
        if self.target.has(name):
            return
        if name in self.target.system:
            self.system.add(name)
        elif name in self.names:
            self.elsewhere.setdefault(name, []).append(native)
        elif self.target.may_have(name):
            self.host.add(name)
        else:
            self.missing.setdefault(name, []).append(native)


def read_natives(paths: Iterable[str], machine: str) -> list[Native]:
    """The native files of all components, sorted; of two at one path, the image's order decides,
    so both are looked at."""
    found = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
        found += [Native(content["component"], one, machine) for one in content["native"]]
    return sorted(found, key=lambda native: (native.path, native.component))


def check(natives: Sequence[Native], target: Target) -> dict[str, object]:
    """The report. Raises UserError for what cannot work."""
    extensions = [native for native in natives if native.extension]
    if not target.loader:
        _refuse_all(extensions)
        return make_report(Libraries(natives, target), [])
    libraries = Libraries(natives, target)
    _refuse_foreign(extensions, target)
    for native in extensions:
        libraries.follow(native)
    _refuse_unfit(libraries)
    _refuse_missing(libraries)
    needed_names = set(libraries.elsewhere)
    # What is left is loaded by its path, if at all: nobody can say whether it has to work.
    rest = Libraries(natives, target)
    rest.reached = set(libraries.reached)
    for native in natives:
        if target.fits(native):
            rest.follow(native)
    libraries.system |= rest.system
    libraries.host |= rest.host
    _refuse_new(natives, target)
    warnings = [
        f"{needed_by[0]} needs the library {name}, which is not in the binary: it cannot be loaded."
        for name, needed_by in sorted(rest.missing.items())
    ]
    warnings += [
        f"{libraries.elsewhere[name][0]} needs {name}, which is in the binary, but not in a folder "
        "where the loader looks: its package has to load it first."
        for name in sorted(needed_names)
    ]
    warnings += [
        f"{native} needs {version} of {library}, which no version of glibc promises."
        for native in natives
        if target.libc == GLIBC and target.fits(native)
        for library, versions in sorted(native.versions.items())
        for version in versions
        if version.startswith("GLIBC_") and glibc_version(version) is None
    ]
    return make_report(libraries, warnings)


def make_report(libraries: Libraries, warnings: list[str]) -> dict[str, object]:
    target = libraries.target
    fitting = [native for native in libraries.natives if target.fits(native)]
    floors = [f"GLIBC_{native.glibc}" for native in fitting if native.glibc]
    highest = max(floors, key=version_order, default=None)
    return {
        "format": FORMAT,
        "extensions": sum(native.extension for native in fitting),
        "libraries": len(fitting),
        "glibc": highest and highest[len("GLIBC_") :],
        "system": sorted(libraries.system),
        "host": {
            library: highest_versions(
                version for native in fitting for version in native.versions.get(library, ())
            )
            for library in sorted(libraries.host)
        },
        "warnings": warnings,
    }


def highest_versions(versions: Iterable[str]) -> list[str]:
    """The newest of each interface: `GLIBCXX_3.4.21` and `CXXABI_1.3.8`."""
    newest: dict[str, str] = {}
    for version in sorted(versions, key=version_order):
        newest[version_order(version)[0]] = version
    return sorted(newest.values())


# Refusals


def _listed(lines: Sequence[str]) -> str:
    shown = [f"\n  {line}" for line in lines[:_SHOWN]]
    more = f"\n  and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
    return "".join(shown) + more


def _refuse_all(extensions: Sequence[Native]) -> None:
    if extensions:
        raise UserError(
            "dynamic_loading is `never`, but these extension modules are in the binary, and could "
            f"not be loaded:{_listed([str(native) for native in extensions])}\n"
            "Remove the field, or take their packages out of the dependencies."
        )


def _why_unfit(native: Native, target: Target) -> str:
    if native.machine != target.machine:
        return f"is made for {native.machine}"
    if native.broken:
        return f"cannot be read ({native.broken})"
    if not native.loadable:
        return "is no shared library"
    return f"is made for {native.libc}"


def _refuse_foreign(extensions: Sequence[Native], target: Target) -> None:
    bad = [native for native in extensions if not target.fits(native)]
    if bad:
        raise UserError(
            f"extension modules that an executable for `{target.triple}` cannot load:"
            f"{_listed([f'{native} {_why_unfit(native, target)}' for native in bad])}\n"
            f"Use wheels for `{target.triple}`: lock another version, or build the package from "
            "its source."
        )


def _refuse_unfit(libraries: Libraries) -> None:
    target = libraries.target
    if libraries.unfit:
        lines = [
            f"{needed_by[0]} needs {path}, which {_why_unfit(libraries.by_path[path], target)}"
            for path, needed_by in sorted(libraries.unfit.items())
        ]
        raise UserError(
            f"libraries that an executable for `{target.triple}` cannot load:{_listed(lines)}\n"
            f"Use other versions of these packages, with libraries for `{target.triple}`."
        )


def _refuse_missing(libraries: Libraries) -> None:
    if not libraries.missing:
        return
    triple = libraries.target.triple
    lines = []
    for name, needed_by in sorted(libraries.missing.items()):
        more = f" (and {len(needed_by) - 1} more)" if len(needed_by) > 1 else ""
        lines.append(f"{needed_by[0]}{more} needs {name}")
    other = triple.replace("musl", "gnu") if "musl" in triple else triple.replace("gnu", "musl")
    raise UserError(
        f"libraries are missing that native modules need:{_listed(lines)}\n"
        f"Put each into the binary: build it for `{triple}`, and name the `file` target of the "
        f".so in the `native_libraries` field. Or lock another version of the package, which has "
        f"its libraries inside; or make the binary for `{other}`."
    )


def _refuse_new(natives: Sequence[Native], target: Target) -> None:
    """Refuses libraries for a newer glibc than the floor."""
    if target.libc != GLIBC:
        return
    floor = version_order(f"GLIBC_{target.glibc_floor}")
    bad = []
    for native in natives:
        if native.glibc is None or not target.fits(native):
            continue
        if version_order(f"GLIBC_{native.glibc}") > floor:
            bad.append(native)
    if not bad:
        return
    bad.sort(key=lambda native: version_order(f"GLIBC_{native.glibc}"), reverse=True)
    lines = [f"{native} needs glibc {native.glibc} ({_newer(native, floor)})" for native in bad]
    raise UserError(
        f"glibc_floor is `{target.glibc_floor}`, but native libraries in the binary need a newer "
        f"glibc:{_listed(lines)}\n"
        f"Raise glibc_floor to `{bad[0].glibc}`; or lock versions of these packages that have "
        "wheels for an older glibc; or make the binary for the musl triple, which needs none."
    )


def _newer(native: Native, floor: tuple[str, tuple[int, ...], str]) -> str:
    found = [
        f"{version} of {library}"
        for library, versions in sorted(native.versions.items())
        for version in versions
        for number in [glibc_version(version)]
        if number and version_order(f"GLIBC_{number}") > floor
    ]
    return ", ".join(found)


# The program


def main(argv: Sequence[str]) -> None:
    options = parse_options(
        argv,
        required=("triple", "loader", "output"),
        defaults={"glibc-floor": ""},
        lists=("native", "system"),
    )
    target = Target(
        options.one["triple"],
        options.one["glibc-floor"],
        options.many["system"],
        loader=options.choice("loader", ("yes", "no")) == "yes",
    )
    report = check(read_natives(options.many["native"], target.machine), target)
    text = json.dumps(report, sort_keys=True, indent=1) + "\n"
    with open(options.one["output"], "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    run(main)
