"""A file of symbols beside an executable, as debuggers and profilers look for it.

The program is linked twice: stripped, and with symbols under the same build id. Of the second file
stays what the first one lacks: its sections that are not loaded. The others keep their headers, for
the addresses, without content (SHT_NOBITS), as after `objcopy --only-keep-debug`. The executable
gets a section `.gnu_debuglink` with the other file's name and checksum.

Sources of the formats: gABI 4.1, chapter 4; "Debugging Information in Separate Files" in GDB's
manual. All offsets and sizes are bytes.
"""

from __future__ import annotations

import os
import struct
import zlib

from oxidize_rules.sandbox.elf_reader import SHT_NOBITS, BadElf, ElfFile
from oxidize_rules.sandbox.elf_section import append_section

LINK_SECTION = ".gnu_debuglink"
_SHT_NOTE, _SHF_ALLOC = 7, 2
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SECTIONS_AT, _SECTION_COUNT = 40, 60  # places in the file's header: e_shoff, e_shnum
_SEGMENTS_AT, _SEGMENT_SIZE = 32, 56  # e_phoff; size of a program header
_FILE_SIZE = 32  # place in a program header: p_filesz
_NOTE = struct.Struct("<III")
_NT_GNU_BUILD_ID = 3


class SectionHeader:
    __slots__ = ("address", "alignment", "fields", "flags", "name", "offset", "size", "type")

    def __init__(self, fields: tuple[int, ...]) -> None:
        self.fields = fields
        self.name, self.type, self.flags, self.address, self.offset, self.size = fields[:6]
        self.alignment = max(fields[8], 1)

    @property
    def loaded(self) -> bool:
        return bool(self.flags & _SHF_ALLOC)

    def packed(self, *, kind: int | None = None, offset: int | None = None) -> bytes:
        fields = list(self.fields)
        fields[1] = self.type if kind is None else kind
        fields[4] = self.offset if offset is None else offset
        return _SECTION.pack(*fields)


def section_headers(data: bytes) -> list[SectionHeader]:
    (at,) = struct.unpack_from("<Q", data, _SECTIONS_AT)
    (count,) = struct.unpack_from("<H", data, _SECTION_COUNT)
    table = data[at : at + count * _SECTION.size]
    if not at or len(table) != count * _SECTION.size:
        raise BadElf("it has no section headers")
    return [SectionHeader(fields) for fields in _SECTION.iter_unpack(table)]


def build_id_note(data: bytes) -> tuple[int, int, str]:
    """Where the note with the build id begins and ends, and the id in hexadecimal digits."""
    for section in section_headers(data):
        if section.type != _SHT_NOTE or not section.loaded or section.size < _NOTE.size:
            continue
        name_size, size, kind = _NOTE.unpack_from(data, section.offset)
        content = section.offset + _NOTE.size + (name_size + 3) // 4 * 4
        if kind == _NT_GNU_BUILD_ID and data[section.offset + _NOTE.size :][:4] == b"GNU\0":
            return section.offset, section.offset + section.size, data[content:][:size].hex()
    raise BadElf("it has no build id")


def same_program(first: bytes, second: bytes) -> bool:
    """Whether what is loaded of both files is the same, byte for byte."""

    def loaded(data: bytes) -> list[tuple[int, int, memoryview]]:
        view = memoryview(data)
        return [
            (
                section.address,
                section.size,
                view[section.offset :][: 0 if section.type == SHT_NOBITS else section.size],
            )
            for section in section_headers(data)
            if section.loaded
        ]

    return loaded(first) == loaded(second)


def symbols_only(data: bytes) -> bytes:
    """The part of an unstripped file that a debugger needs beside the stripped one."""
    _, end, _ = build_id_note(data)
    result = bytearray(data[:end])
    (segments,) = struct.unpack_from("<Q", data, _SEGMENTS_AT)
    for number, segment in enumerate(ElfFile(data).segments):
        kept = min(segment.file_size, max(0, end - segment.offset))
        struct.pack_into("<Q", result, segments + number * _SEGMENT_SIZE + _FILE_SIZE, kept)
    headers = []
    for section in section_headers(data):
        if section.loaded and section.offset + section.size > end:
            headers.append(section.packed(kind=SHT_NOBITS))
        elif section.loaded or section.type in (0, SHT_NOBITS):
            headers.append(section.packed())
        else:
            result += bytes(-len(result) % section.alignment)
            headers.append(section.packed(offset=len(result)))
            result += data[section.offset :][: section.size]
    result += bytes(-len(result) % 8)
    struct.pack_into("<Q", result, _SECTIONS_AT, len(result))
    return bytes(result + b"".join(headers))


def link_content(name: str, debug: bytes) -> bytes:
    """The content of `.gnu_debuglink` for a file beside the executable."""
    text = os.fsencode(name) + b"\0"
    return text + bytes(-len(text) % 4) + struct.pack("<I", zlib.crc32(debug))


def write_debug_file(executable: str, unstripped: str, name: str) -> None:
    """Makes of `unstripped`, in its place, the file of symbols that will have this `name`.

    `executable` is changed to refer to it. Raises BadElf; RuntimeError if the two are not the same
    program.
    """
    with open(executable, "rb") as stream:
        program = stream.read()
    with open(unstripped, "rb") as stream:
        full = stream.read()
    if not same_program(program, full):
        raise RuntimeError("the program with symbols is not the program without them")
    debug = symbols_only(full)
    with open(unstripped, "wb") as stream:
        stream.write(debug)
    os.chmod(unstripped, 0o644)
    with open(executable, "r+b") as stream:
        append_section(stream, LINK_SECTION, link_content(name, debug), alignment=4)
