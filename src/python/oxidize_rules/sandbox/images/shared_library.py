"""Links a shared library from a static one.

    python -m oxidize_rules.sandbox.images.shared_library --archive libz.a --cc __sysroot/bin/cc
        --libc musl|glibc --export PATTERN... --output libz.so.1

The output's file name becomes its SONAME. PATTERNs (as for file names) tell its interface.

The archives of Python distributions are made for executables: their symbols are often hidden, so
that they stay inside. Here those of the interface are made visible again, in a copy.
"""

from __future__ import annotations

import fnmatch
import os
import re
import struct
import subprocess

from oxidize_rules.sandbox.elf_reader import SHT_SYMTAB, STB_LOCAL, STV_HIDDEN, BadElf, ElfFile
from oxidize_rules.sandbox.errors import UserError, run
from oxidize_rules.sandbox.options import parse_options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_MAGIC = b"!<arch>\n"
_MEMBER_HEADER = 60
_SYMBOL_SIZE = 24  # of an Elf64_Sym; st_info stands at 4, st_other at 5
_SECTION = struct.Struct("<IIQQQQIIQQ")
_ARGUMENTS = (
    # References within the library stay within it, as its objects were compiled for.
    *("-shared", "-Wl,-Bsymbolic", "-Wl,-z,now", "-Wl,-z,relro", "-Wl,-z,noexecstack"),
    *("-Wl,--build-id=none", "-Wl,--hash-style=gnu", "-Wl,-s"),
)


def member_places(archive: bytes | bytearray) -> Iterator[tuple[int, int]]:
    """Offset and size of each member of an `ar` archive."""
    if archive[: len(_MAGIC)] != _MAGIC:
        raise UserError("it is not an archive of objects.")
    at = len(_MAGIC)
    while at + _MEMBER_HEADER <= len(archive):
        try:
            size = int(archive[at + 48 : at + 58])
        except ValueError:
            raise UserError("it is a broken archive of objects.") from None
        yield at + _MEMBER_HEADER, size
        at += _MEMBER_HEADER + size + size % 2


def unhide(archive: bytes, wanted: Callable[[str], bool]) -> bytes:
    """The archive with the hidden symbols that are `wanted` made visible."""
    changed = bytearray(archive)
    for start, size in member_places(archive):
        content = archive[start : start + size]
        if content[:6] == b"\x7fELF\x02\x01":
            for place in _hidden_symbols(content, wanted):
                changed[start + place] &= ~3
    return bytes(changed)


def _hidden_symbols(content: bytes, wanted: Callable[[str], bool]) -> Iterator[int]:
    """Offsets of st_other of the symbols to change."""
    (sections_at,) = struct.unpack_from("<Q", content, 40)
    (count,) = struct.unpack_from("<H", content, 60)
    sections = [_SECTION.unpack_from(content, sections_at + 64 * n) for n in range(count)]
    for section in sections:
        if section[1] != SHT_SYMTAB:
            continue
        names_at = sections[section[6]][4]
        for at in range(section[4], section[4] + section[5], _SYMBOL_SIZE):
            info, other = content[at + 4], content[at + 5]
            if info >> 4 == STB_LOCAL or other & 3 != STV_HIDDEN:
                continue
            name_at = names_at + int.from_bytes(content[at : at + 4], "little")
            if wanted(content[name_at : content.index(b"\0", name_at)].decode()):
                yield at + 5


def main(argv: Sequence[str]) -> None:
    options = parse_options(argv, required=("archive", "cc", "libc", "output"), lists=("export",))
    source, output = options.one["archive"], options.one["output"]
    libc = options.choice("libc", ("musl", "glibc"))
    pattern = re.compile("|".join(map(fnmatch.translate, options.many["export"])))
    with open(source, "rb") as stream:
        archive = unhide(stream.read(), lambda name: pattern.match(name) is not None)
    copy = f"{output}.a"
    with open(copy, "wb") as stream:
        stream.write(archive)
    command = [
        options.one["cc"],
        *_ARGUMENTS,
        # On musl the executable is the C library: nothing of it may be linked in.
        *(("-nostdlib",) if libc == "musl" else ()),
        *(f"-Wl,-soname,{os.path.basename(output)}", "-o", output),
        *("-Wl,--whole-archive", copy, "-Wl,--no-whole-archive"),
    ]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    os.unlink(copy)
    if result.returncode != 0:
        told = result.stdout.decode(errors="replace")
        raise UserError(f"`{output}` cannot be linked from `{source}`:\n{told}")
    _check(output, source, pattern)


def _check(output: str, source: str, pattern: re.Pattern[str]) -> None:
    with open(output, "rb") as stream:
        content = stream.read()
    try:
        exported = [one.name for one in ElfFile(content).dynamic_symbols() if one.defined]
    except BadElf as error:
        raise UserError(f"`{output}`, linked from `{source}`, cannot be read: {error}.") from error
    if not any(map(pattern.match, exported)):
        raise UserError(f"`{source}` has none of the functions that `{output}` is to have.")


if __name__ == "__main__":
    run(main)
