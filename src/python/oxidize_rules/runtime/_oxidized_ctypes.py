"""`ctypes.util.find_library` in an executable.

CPython's asks gcc, ld, objdump and ldconfig of the machine. They know nothing of the libraries in
the executable, and on musl what they find belongs to another C library. The importer calls `amend`
once `ctypes.util` has run; in the executable this module lies beside the standard library's.
"""

from __future__ import annotations

import os
import re
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import ModuleType

EMBEDDED = f"{sys.prefix}/lib"
# What musl's loader takes for itself, whatever follows the first dot (its ldso/dynlink.c).
MUSL_PARTS = frozenset({"c", "pthread", "rt", "m", "dl", "util", "xnet"})
MUSL_FOLDERS = "/lib:/usr/local/lib:/usr/lib"
# Parts of every glibc, by the names that they have had since its beginning.
GLIBC_PARTS = {
    "c": "libc.so.6",
    "dl": "libdl.so.2",
    "m": "libm.so.6",
    "pthread": "libpthread.so.0",
    "rt": "librt.so.1",
    "util": "libutil.so.1",
}
# Beginning of a 64-bit little-endian ELF file; e_machine stands at 18 (<elf.h>).
ELF_64 = b"\x7fELF\x02\x01"
ELF_MACHINES = {"x86_64": 62, "aarch64": 183}


def amend(util: ModuleType) -> None:
    """Replaces `find_library` of the module `ctypes.util`."""
    if is_musl():
        find = find_on_musl
    else:
        inherited: Callable[[str], str | None] = util.find_library

        def find(name: str) -> str | None:
            return GLIBC_PARTS.get(name) or find_in([EMBEDDED], name) or inherited(name)

    def find_library(name: str) -> str | None:
        """The path or name that `ctypes.CDLL` opens the library with, or None."""
        return find(name)

    util.find_library = find_library  # type: ignore[attr-defined]


def is_musl() -> bool:
    try:
        return not os.confstr("CS_GNU_LIBC_VERSION")
    except (OSError, ValueError):
        return True


def find_on_musl(name: str) -> str | None:
    """None in any case where the executable has no loader."""
    from _ctypes import dlopen  # type: ignore[attr-defined]

    try:
        dlopen("libc.so", 0)
    except OSError:
        return None
    if name in MUSL_PARTS:
        return f"lib{name}.so"
    return find_in([EMBEDDED], name) or find_in(musl_folders(), name, fits=is_for_musl)


def musl_folders() -> list[str]:
    """Where musl's loader looks for libraries of the machine."""
    try:
        with open(f"/etc/ld-musl-{os.uname().machine}.path", encoding="utf-8") as stream:
            text = stream.read()
    except OSError:
        text = MUSL_FOLDERS
    return [folder for folder in re.split("[:\n]", text) if folder]


def is_for_musl(path: str) -> bool:
    """Whether the file is a shared library for this machine that was not made for glibc."""
    try:
        with open(path, "rb") as stream:
            content = stream.read()
    except OSError:
        return False
    machine = int.from_bytes(content[18:20], "little")
    return (
        content.startswith(ELF_64)
        and machine == ELF_MACHINES.get(os.uname().machine)
        and b"\0libc.so.6\0" not in content
    )


def find_in(
    folders: Iterable[str], name: str, fits: Callable[[str], bool] = os.path.isfile
) -> str | None:
    """The path of `lib<name>.so`, or of the one with the highest version behind that."""
    pattern = re.compile(rf"lib{re.escape(name)}\.so((?:\.\d+)*)")
    for folder in folders:
        try:
            matches = [pattern.fullmatch(file) for file in os.listdir(folder)]
        except OSError:
            continue
        for match in sorted(filter(None, matches), key=_preference):
            path = f"{folder}/{match.group()}"
            if fits(path):
                return path
    return None


def _preference(match: re.Match[str]) -> tuple[bool, list[int]]:
    version = [-int(part) for part in match.group(1).split(".")[1:]]
    return bool(version), version
