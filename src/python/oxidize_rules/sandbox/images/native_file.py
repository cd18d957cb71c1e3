"""What a manifest tells about an ELF file: what it is, what it needs, and where it looks for that.

The files come from other people's wheels, so nothing about them is taken for granted: of a file
that is damaged, or made for another machine, the description has what can be read.

A description has these keys; `docs/design.md` tells the manifest as a whole:

    path      of the file, relative to the image's root
    kind      "library" (a shared library or extension module), "executable", "object" (for a
              linker, or a core dump), "other" (debug information, or it cannot be read)
    extension whether it has the function that CPython calls to import it: an extension module
    machine   "x86_64", "aarch64", or `machine <e_machine>`
    soname    the name that a library gives itself, or null
    needed    names of the libraries that it needs, in its order
    rpath     folders, relative to the image's root, where it looks for them first; those that lie
              outside of the image are left out
    libc      "musl" or "glibc"; null if the file does not show it
    glibc     the newest version of glibc's interface that it needs, such as "2.17", or null
    versions  the symbol versions it needs, by library; oldest first
    broken    only there if something could not be read: why
"""

from __future__ import annotations

import posixpath
import re
import struct

from oxidize_rules.sandbox import elf_reader as elf
from oxidize_rules.sandbox.elf_reader import BadElf, ElfFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

LIBRARY, EXECUTABLE, OBJECT, OTHER = "library", "executable", "object", "other"
MUSL, GLIBC = "musl", "glibc"

# The C libraries' own names, as libraries ask for them.
_MUSL_LIBC = re.compile(r"libc\.musl-.*|libc\.so|ld-musl-.*")
_GLIBC_LIBC = re.compile(r"libc\.so\.6|ld-linux.*")
# Nodes that stand for a version without naming it. glibc 2.36 reads packed relative relocations
# (its NEWS); a library that has them asks for this node.
_VERSIONS_MEANT = {"GLIBC_ABI_DT_RELR": "2.36"}
_GLIBC_VERSION = re.compile(r"GLIBC_(\d+(?:\.\d+)*)")
_ORIGIN = re.compile(r"\$(?:ORIGIN\b|\{ORIGIN\})")


def describe(path: str, content: bytes) -> dict[str, Any]:
    """The description of a file that begins as ELF files do. Never raises for bad content."""
    found: dict[str, Any] = {
        **{"path": path, "kind": OTHER, "extension": False},
        **{"machine": _machine(content), "soname": None},
        **{"needed": [], "rpath": [], "libc": None, "glibc": None, "versions": {}},
    }
    try:
        _read(found, content)
    except BadElf as error:
        found["broken"] = str(error)
    return found


def is_loadable(native: dict[str, Any], machine: str) -> bool:
    """Whether a described file is a library that a loader on `machine` would take."""
    return native["kind"] == LIBRARY and native["machine"] == machine and "broken" not in native


def _read(found: dict[str, Any], content: bytes) -> None:
    file = ElfFile(content)
    names = file.values(elf.DT_SONAME)
    found["kind"] = _kind(file, has_name=bool(names))
    found["extension"] = found["kind"] == LIBRARY and is_extension(found["path"], content)
    found["needed"] = file.needed
    found["libc"] = _libc(file.needed, file.interpreter)
    found["soname"] = file.dynamic_string(names[0]) if names else None
    found["rpath"] = _run_path(file, posixpath.dirname(found["path"]))
    versions: dict[str, set[str]] = {}
    for library, version, _ in file.version_needs():
        versions.setdefault(library, set()).add(version)
    found["versions"] = {
        library: sorted(versions[library], key=version_order) for library in sorted(versions)
    }
    found["glibc"] = highest_glibc(version for names in versions.values() for version in names)
    found["libc"] = found["libc"] or (GLIBC if found["glibc"] else None)


def _machine(content: bytes) -> str:
    # e_machine has the same place in all ELF files; byte 5 tells the byte order.
    order = ">" if content[5:6] == b"\x02" else "<"
    if len(content) < 20:
        return "machine 0"
    (number,) = struct.unpack_from(f"{order}H", content, 18)
    name = elf.MACHINES.get(number) if content[4:6] == b"\x02\x01" else None
    return name or f"machine {number}"


def _kind(file: ElfFile, *, has_name: bool) -> str:
    if file.type == elf.ET_EXEC:
        return EXECUTABLE
    if file.type != elf.ET_DYN:
        return OBJECT
    if not file.dynamic:
        return OTHER  # a file with debug information alone
    if (file.value(elf.DT_FLAGS_1) or 0) & elf.DF_1_PIE:
        return EXECUTABLE
    # Older linkers do not tell; libraries that can also be run have a name of their own.
    return EXECUTABLE if file.interpreter and not has_name else LIBRARY


def _libc(needed: Iterable[str], interpreter: str | None) -> str | None:
    names = [*needed, *([posixpath.basename(interpreter)] if interpreter else [])]
    # A library for glibc may well be called libc.so somewhere; one for musl never needs libc.so.6.
    if any(_GLIBC_LIBC.fullmatch(name) for name in names):
        return GLIBC
    return MUSL if any(_MUSL_LIBC.fullmatch(name) for name in names) else None


def is_extension(path: str, content: bytes) -> bool:
    """Whether a library's name and table of names are those of an extension module (PEP 489)."""
    stem, dot, suffix = posixpath.basename(path).partition(".")
    if not dot or f".{suffix}"[-3:] != ".so":
        return False
    if stem.isascii():
        return f"PyInit_{stem}\0".encode() in content
    encoded = stem.encode("punycode").decode().replace("-", "_")
    return f"PyInitU_{encoded}\0".encode() in content


def _run_path(file: ElfFile, folder: str) -> list[str]:
    """DT_RUNPATH, or else DT_RPATH: the newer one makes loaders ignore the older."""
    values = file.values(elf.DT_RUNPATH) or file.values(elf.DT_RPATH)
    found: list[str] = []
    for entry in (part for value in values for part in file.dynamic_string(value).split(":")):
        match = _ORIGIN.match(entry)
        if match is None:
            continue  # a folder of a machine, of which the image knows nothing
        inside = posixpath.normpath(f"{folder or '.'}/{entry[match.end() :]}")
        if inside != ".." and not inside.startswith("../") and inside not in found:
            found.append(inside)
    return found


def version_order(version: str) -> tuple[str, tuple[int, ...], str]:
    """Sorts `GLIBC_2.4` before `GLIBC_2.17`, by name first."""
    match = re.fullmatch(r"(\D*?)_?(\d+(?:\.\d+)*)", version)
    if match is None:
        return version, (), version
    return match.group(1), tuple(map(int, match.group(2).split("."))), version


def glibc_version(version: str) -> str | None:
    """The version of glibc behind a symbol version: "2.17"; None for what names none."""
    match = _GLIBC_VERSION.fullmatch(version)
    return match.group(1) if match else _VERSIONS_MEANT.get(version)


def highest_glibc(versions: Iterable[str]) -> str | None:
    found: list[str] = []
    for version in versions:
        number = glibc_version(version)
        if number:
            found.append(number)
    return max(found, key=version_order) if found else None
