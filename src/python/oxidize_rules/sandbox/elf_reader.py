"""Reads what a finished ELF file says about itself: 64-bit little-endian, the only kind we make.

Source of the format: the System V ABI (gABI 4.1, chapters 4 and 5), its GNU extensions for symbol
versions and hash tables (Linux Standard Base 5.0, core, chapter 10). Only program headers and the
dynamic section are used for a linked file, as a loader does, so that a file without section
headers is read as well. All offsets and sizes are bytes.
"""

from __future__ import annotations

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself is not imported: it takes 5 ms
    from collections.abc import Iterator

ET_REL, ET_EXEC, ET_DYN = 1, 2, 3
PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
PT_GNU_STACK, PT_GNU_RELRO = 0x6474E551, 0x6474E552
PF_X, PF_W = 1, 2
DT_NEEDED, DT_HASH, DT_STRTAB, DT_SYMTAB, DT_STRSZ = 1, 4, 5, 6, 10
DT_RPATH, DT_TEXTREL, DT_BIND_NOW, DT_FLAGS, DT_RUNPATH = 15, 22, 24, 30, 29
DT_SONAME = 14
DT_GNU_HASH, DT_VERSYM, DT_FLAGS_1 = 0x6FFFFEF5, 0x6FFFFFF0, 0x6FFFFFFB
DT_VERNEED, DT_VERNEEDNUM = 0x6FFFFFFE, 0x6FFFFFFF
DF_TEXTREL, DF_BIND_NOW, DF_1_NOW, DF_1_PIE = 4, 8, 1, 0x08000000
SHT_SYMTAB, SHT_NOBITS = 2, 8
STB_LOCAL = 0
SHN_UNDEF = 0
STV_HIDDEN, STV_INTERNAL = 2, 1
MACHINES = {62: "x86_64", 183: "aarch64"}

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_DYNAMIC = struct.Struct("<qQ")
_VERNEED = struct.Struct("<HHIII")
_VERNAUX = struct.Struct("<IHHII")


# What `struct` raises for an offset beyond the file.
_BEYOND = (struct.error, OverflowError)


class BadElf(Exception):
    """The file is not an ELF file that can be read; the message says why."""


class Segment:
    __slots__ = ("address", "file_size", "flags", "memory_size", "offset", "type")

    def __init__(self, fields: tuple[int, ...]) -> None:
        self.type, self.flags, self.offset, self.address = (
            fields[0],
            fields[1],
            fields[2],
            fields[3],
        )
        self.file_size, self.memory_size = fields[5], fields[6]


class Symbol:
    """`library` and `version` are set for a symbol that a shared library of that version gives."""

    __slots__ = ("defined", "hidden", "library", "local", "name", "version")

    def __init__(self, name: str, info: int, other: int, section: int) -> None:
        self.name = name
        self.defined = section != SHN_UNDEF
        self.local = info >> 4 == STB_LOCAL
        self.hidden = other & 3 in (STV_HIDDEN, STV_INTERNAL)
        self.library = ""
        self.version = ""


class ElfFile:
    """`data` is the whole file (bytes, or a map of it). Raises BadElf."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        ident = bytes(data[:16])
        if ident[:4] != b"\x7fELF":
            raise BadElf("it is not an ELF file")
        if ident[4:6] != b"\x02\x01" or len(data) < _HEADER.size:
            raise BadElf("it is not a 64-bit little-endian ELF file")
        header = _HEADER.unpack_from(data)
        self.type: int = header[1]
        self.machine: int = header[2]
        self._segments_at, self._sections_at = header[5], header[6]
        self._segment_size, self._segment_count = header[9], header[10]
        self._section_size, self._section_count = header[11], header[12]
        try:
            self.segments = [
                Segment(_SEGMENT.unpack_from(data, self._segments_at + i * self._segment_size))
                for i in range(self._segment_count)
            ]
            if any(
                one.type == PT_LOAD and one.offset + one.file_size > len(data)
                for one in self.segments
            ):
                raise BadElf("it is cut off")
            self.dynamic = list(self._read_dynamic())
        except _BEYOND as error:
            raise BadElf(f"its headers reach beyond its end ({error})") from error

    def segment(self, segment_type: int) -> Segment | None:
        return next((one for one in self.segments if one.type == segment_type), None)

    def content(self, segment: Segment) -> bytes:
        return bytes(self.data[segment.offset : segment.offset + segment.file_size])

    @property
    def interpreter(self) -> str | None:
        segment = self.segment(PT_INTERP)
        if segment is None:
            return None
        return self.content(segment).rstrip(b"\0").decode(errors="replace")

    def values(self, tag: int) -> list[int]:
        return [value for one, value in self.dynamic if one == tag]

    def value(self, tag: int) -> int | None:
        return next(iter(self.values(tag)), None)

    def dynamic_string(self, offset: int) -> str:
        table, size = self.value(DT_STRTAB), self.value(DT_STRSZ)
        if table is None or size is None or offset >= size:
            raise BadElf("a name in its dynamic section lies outside the table of names")
        return self._string(self._file_offset(table) + offset)

    @property
    def needed(self) -> list[str]:
        return [self.dynamic_string(offset) for offset in self.values(DT_NEEDED)]

    def version_needs(self) -> Iterator[tuple[str, str, int]]:
        """(library, version, index) of each version node, whether a symbol uses it or not."""
        at = self.value(DT_VERNEED)
        if at is None:
            return
        try:
            offset = self._file_offset(at)
            for _ in range(self.value(DT_VERNEEDNUM) or 0):
                _, count, file_at, aux, following = _VERNEED.unpack_from(self.data, offset)
                library, at_aux = self.dynamic_string(file_at), offset + aux
                for _ in range(count):
                    _, _, index, name_at, next_aux = _VERNAUX.unpack_from(self.data, at_aux)
                    yield library, self.dynamic_string(name_at), index & 0x7FFF
                    at_aux += next_aux
                    if not next_aux:
                        break
                offset += following
                if not following:
                    break
        except _BEYOND as error:
            raise BadElf("its table of needed versions is broken") from error

    def dynamic_symbols(self) -> Iterator[Symbol]:
        table, versions_at = self.value(DT_SYMTAB), self.value(DT_VERSYM)
        if table is None:
            return
        versions = {index: (library, name) for library, name, index in self.version_needs()}
        try:
            start = self._file_offset(table)
            for number in range(1, self._dynamic_symbol_count()):
                entry = _SYMBOL.unpack_from(self.data, start + number * _SYMBOL.size)
                symbol = Symbol(self.dynamic_string(entry[0]), entry[1], entry[2], entry[3])
                if versions_at is not None:
                    version_offset = self._file_offset(versions_at) + 2 * number
                    (index,) = struct.unpack_from("<H", self.data, version_offset)
                    symbol.library, symbol.version = versions.get(index & 0x7FFF, ("", ""))
                yield symbol
        except _BEYOND as error:
            raise BadElf("its table of dynamic symbols is broken") from error

    def section_types(self) -> Iterator[int]:
        return (section[1] for section in self._sections())

    def symbols(self) -> Iterator[Symbol]:
        """The symbols of an object file (section .symtab)."""
        sections = list(self._sections())
        for section in sections:
            if section[1] != SHT_SYMTAB:
                continue
            try:
                names = sections[section[6]][4]
                for offset in range(
                    section[4] + _SYMBOL.size, section[4] + section[5], _SYMBOL.size
                ):
                    entry = _SYMBOL.unpack_from(self.data, offset)
                    yield Symbol(self._string(names + entry[0]), entry[1], entry[2], entry[3])
            except (*_BEYOND, IndexError) as error:
                raise BadElf("its table of symbols is broken") from error

    def _sections(self) -> Iterator[tuple[int, ...]]:
        try:
            for i in range(self._section_count):
                yield _SECTION.unpack_from(self.data, self._sections_at + i * self._section_size)
        except _BEYOND as error:
            raise BadElf("its section headers reach beyond its end") from error

    def _read_dynamic(self) -> Iterator[tuple[int, int]]:
        segment = self.segment(PT_DYNAMIC)
        if segment is None:
            return
        content = self.content(segment)
        for tag, value in _DYNAMIC.iter_unpack(content[: len(content) // 16 * 16]):
            if tag == 0:
                return
            yield tag, value

    def _dynamic_symbol_count(self) -> int:
        sysv, gnu = self.value(DT_HASH), self.value(DT_GNU_HASH)
        if sysv is not None:
            count: int = struct.unpack_from("<II", self.data, self._file_offset(sysv))[1]
            return count
        if gnu is None:
            return 0
        offset = self._file_offset(gnu)
        buckets, first, bloom, _ = struct.unpack_from("<IIII", self.data, offset)
        buckets_at = offset + 16 + 8 * bloom
        last: int = max(struct.unpack_from(f"<{buckets}I", self.data, buckets_at), default=0)
        if last < first:
            return int(first)
        # A chain ends with the first hash whose lowest bit is set.
        chain_at = buckets_at + 4 * buckets
        while not struct.unpack_from("<I", self.data, chain_at + 4 * (last - first))[0] & 1:
            last += 1
        return last + 1

    def _file_offset(self, address: int) -> int:
        for segment in self.segments:
            start = segment.address
            if segment.type == PT_LOAD and start <= address < start + segment.file_size:
                return segment.offset + address - start
        raise BadElf(f"address {address:#x} of its dynamic section lies in no part of the file")

    def _string(self, offset: int) -> str:
        end = self.data.find(b"\0", offset)
        if offset > len(self.data) or end < 0:
            raise BadElf("a name reaches beyond its end")
        return bytes(self.data[offset:end]).decode(errors="replace")


def archive_members(data: bytes) -> Iterator[tuple[str, bytes]]:
    """(name, content) of the members of a GNU or System V `ar` archive. Raises BadElf."""
    if data[:8] != b"!<arch>\n":
        raise BadElf("it is not an archive of objects")
    offset, names = 8, b""
    while offset + 60 <= len(data):
        header = data[offset : offset + 60]
        try:
            size = int(header[48:58])
        except ValueError as error:
            raise BadElf("it is a broken archive of objects") from error
        name = header[:16].decode(errors="replace").rstrip()
        content = data[offset + 60 : offset + 60 + size]
        offset += 60 + size + size % 2
        if name == "//":
            names = content
        elif name not in ("/", "/SYM64/"):
            if name[:1] == "/" and name[1:].isdigit():
                name = names[int(name[1:]) :].split(b"\n", 1)[0].decode(errors="replace")
            yield name.rstrip("/"), content
