"""Puts a section that is not loaded into a finished ELF file, and finds one again.

The program itself stays as it is, byte for byte: the content, a longer table of section names and a
new table of sections go behind it, and the file's header points there.

Format: gABI 4.1, chapter 4, for little-endian ELF64. All offsets and sizes are bytes.
"""

from __future__ import annotations

import struct

from oxidize_rules.sandbox.elf_reader import BadElf

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself is not imported: it takes 5 ms
    from typing import BinaryIO

# The executable's own bill of materials: CycloneDX JSON, compressed in zlib's format (RFC 1950).
SBOM_SECTION = ".oxidize.sbom"

_SHT_PROGBITS = 1
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SECTIONS_AT, _SECTION_COUNT = 40, 60  # places in the file's header: e_shoff, e_shnum
_LAST_COUNT = 0xFEFF  # the last count that e_shnum can tell (SHN_LORESERVE - 1)


def _headers(stream: BinaryIO) -> tuple[list[tuple[int, ...]], int]:
    """The section headers and the index of the section with their names. Raises BadElf."""
    stream.seek(0)
    header = stream.read(64)
    if header[:6] != b"\x7fELF\x02\x01" or len(header) < 64:
        raise BadElf("it is not a 64-bit little-endian ELF file")
    (at,) = struct.unpack_from("<Q", header, _SECTIONS_AT)
    size, count, names = struct.unpack_from("<HHH", header, _SECTION_COUNT - 2)
    if not at or size != _SECTION.size or names >= count:
        raise BadElf("it has no section headers")
    try:
        stream.seek(at)
        table = stream.read(count * size)
    except (OverflowError, ValueError, OSError) as error:
        raise BadElf(f"its section headers reach beyond its end ({error})") from error
    if len(table) != count * size:
        raise BadElf("its section headers reach beyond its end")
    return list(_SECTION.iter_unpack(table)), names


def _content(stream: BinaryIO, fields: tuple[int, ...]) -> bytes:
    offset, size = fields[4:6]
    stream.seek(0, 2)
    if offset + size > stream.tell():
        raise BadElf("a section reaches beyond its end")
    stream.seek(offset)
    return stream.read(size)


def read_section(stream: BinaryIO, name: str) -> bytes | None:
    """The content of the first section of this name; None where there is none. Raises BadElf."""
    headers, names_index = _headers(stream)
    names = _content(stream, headers[names_index])
    for fields in headers[1:]:
        end = names.find(b"\0", fields[0])
        if names[fields[0] : end] == name.encode():
            return _content(stream, fields)
    return None


def append_section(stream: BinaryIO, name: str, content: bytes, *, alignment: int = 1) -> None:
    """Puts a section behind all that the file has. `stream` is open for reading and writing.

    alignment: of the content's first byte, a power of two. Raises BadElf.
    """
    headers, names_index = _headers(stream)
    if len(headers) >= _LAST_COUNT:
        raise BadElf("it has as many sections as its header can tell")
    names = _content(stream, headers[names_index])
    stream.seek(0, 2)
    end = stream.tell()
    content_at = end + -end % alignment
    names_at = content_at + len(content)
    longer = names + name.encode() + b"\0"
    table_at = names_at + len(longer)
    table_at += -table_at % 8
    renamed = list(headers[names_index])
    renamed[4], renamed[5] = names_at, len(longer)
    packed = [_SECTION.pack(*fields) for fields in headers]
    packed[names_index] = _SECTION.pack(*renamed)
    packed.append(
        _SECTION.pack(len(names), _SHT_PROGBITS, 0, 0, content_at, len(content), 0, 0, alignment, 0)
    )
    stream.write(bytes(content_at - end) + content + longer)
    stream.write(bytes(table_at - names_at - len(longer)) + b"".join(packed))
    stream.seek(_SECTIONS_AT)
    stream.write(struct.pack("<Q", table_at))
    stream.seek(_SECTION_COUNT)
    stream.write(struct.pack("<H", len(packed)))
