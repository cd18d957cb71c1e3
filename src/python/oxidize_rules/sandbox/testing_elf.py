"""Writes small ELF files, for tests of what reads them."""

from __future__ import annotations

import struct
from typing import Mapping, Sequence

PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
ET_DYN = 3
_HEADER, _SEGMENT = struct.Struct("<16sHHIQQQIHHHHHH"), struct.Struct("<IIQQQQQQ")


def library(
    *,
    machine: int = 62,
    elf_type: int = ET_DYN,
    soname: str = "",
    needed: Sequence[str] = (),
    rpath: str = "",
    runpath: str = "",
    versions: Mapping[str, Sequence[str]] = {},
    interpreter: str = "",
    flags_1: int = 0,
    dynamic: bool = True,
) -> bytes:
    """A shared library without code. `versions`: symbol versions it needs, by library."""
    strings = bytearray(1)

    def string(text: str) -> int:
        at = len(strings)
        strings.extend(text.encode() + b"\0")
        return at

    entries = [(1, string(name)) for name in needed]
    entries += [(14, string(soname))] if soname else []
    entries += [(15, string(rpath))] if rpath else []
    entries += [(29, string(runpath))] if runpath else []
    entries += [(0x6FFFFFFB, flags_1)] if flags_1 else []
    table = b""
    for number, (file, names) in enumerate(versions.items(), 1):
        last = number == len(versions)
        following = 0 if last else 16 + 16 * len(names)
        table += struct.pack("<HHIII", 1, len(names), string(file), 16, following)
        for index, name in enumerate(names, 1):
            next_aux = 0 if index == len(names) else 16
            table += struct.pack("<IHHII", 0, 0, index + 1, string(name), next_aux)
    interpreter_bytes = interpreter.encode() + b"\0" if interpreter else b""
    count = 1 + bool(dynamic) + bool(interpreter)
    interpreter_at = _HEADER.size + count * _SEGMENT.size
    strings_at = interpreter_at + len(interpreter_bytes)
    versions_at = strings_at + len(strings)
    entries += [(5, strings_at), (10, len(strings))]
    entries += [(0x6FFFFFFE, versions_at), (0x6FFFFFFF, len(versions))] if versions else []
    dynamic_at = versions_at + len(table)
    content = b"".join(struct.pack("<qQ", *entry) for entry in [*entries, (0, 0)])
    size = dynamic_at + len(content)
    segments = [(PT_LOAD, 0, size)]
    segments += [(PT_DYNAMIC, dynamic_at, len(content))] if dynamic else []
    segments += [(PT_INTERP, interpreter_at, len(interpreter_bytes))] if interpreter else []
    header = _HEADER.pack(
        *(b"\x7fELF\x02\x01\x01".ljust(16, b"\0"), elf_type, machine, 1, 0),
        *(_HEADER.size, 0, 0, _HEADER.size, _SEGMENT.size, count, 64, 0, 0),
    )
    rows = b"".join(_SEGMENT.pack(one, 4, at, at, at, n, n, 4096) for one, at, n in segments)
    return header + rows + interpreter_bytes + bytes(strings) + table + content
