"""Writes relocatable ELF objects that carry data: no compiler, no assembler, the same everywhere.

The format is the System V ABI's (gABI 4, "Object Files") for little-endian ELF64, with the
relocations of the x86-64 psABI (R_X86_64_PC64) and of the ELF ABI for the Arm 64-bit architecture
(R_AARCH64_PREL64): both store `symbol + addend - place` in 64 bits.
"""

from __future__ import annotations

import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import BinaryIO, Union

    Buffer = Union[bytes, bytearray, memoryview]

# machine: (e_machine, relocation type for a 64-bit distance, largest page size in use)
MACHINES = {"x86_64": (62, 24, 4096), "aarch64": (183, 260, 65536)}

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELOCATION = struct.Struct("<QQq")

_ET_REL = 1
_SHT_PROGBITS, _SHT_SYMTAB, _SHT_STRTAB, _SHT_RELA = 1, 2, 3, 4
_SHF_ALLOC, _SHF_INFO_LINK = 2, 0x40
_GLOBAL_OBJECT, _GLOBAL_NOTYPE = 0x11, 0x10
_STV_HIDDEN = 2


class Section:
    """A read-only data section.

    chunks:      its content, in pieces that are written one after the other (never joined)
    alignment:   of its first byte, a power of two
    symbols:     (name, offset, size) of global hidden symbols in it
    relocations: (offset, symbol): a 64-bit distance from there to a symbol, here or elsewhere
    """

    def __init__(
        self,
        name: str,
        chunks: Sequence[Buffer],
        *,
        alignment: int = 16,
        symbols: Sequence[tuple[str, int, int]] = (),
        relocations: Sequence[tuple[int, str]] = (),
    ) -> None:
        if alignment <= 0 or alignment & (alignment - 1):
            raise ValueError(f"alignment {alignment} of {name} is no power of two")
        self.name = name
        self.chunks = chunks
        self.size = sum(map(len, chunks))
        self.alignment = alignment
        self.symbols = symbols
        self.relocations = relocations


class _Strings:
    """An ELF string table under construction."""

    def __init__(self) -> None:
        self.data = bytearray(1)

    def add(self, text: str) -> int:
        at = len(self.data)
        self.data += text.encode() + b"\0"
        return at


def page_size(machine: str) -> int:
    """The largest page size in use on `machine`: what a mapped file content is to be aligned to."""
    return MACHINES[machine][2]


def write_object(path: str, machine: str, sections: Sequence[Section]) -> None:
    """Writes `path`; on failure nothing stays there.

    machine: a key of `MACHINES`. Raises OSError, ValueError for a symbol defined twice.
    """
    partial = f"{path}.partial"
    try:
        with open(partial, "wb") as file:
            _write(file, machine, sections)
        os.replace(partial, path)
    except BaseException:
        if os.path.exists(partial):
            os.unlink(partial)
        raise


def _write(file: BinaryIO, machine: str, sections: Sequence[Section]) -> None:
    elf_machine, distance_type, _ = MACHINES[machine]
    names, strings = _Strings(), _Strings()
    symbols, symbol_index = _symbol_table(sections, strings)

    # Header entries: null, the data sections, stack note, a .rela for each section that has
    # relocations, symbols, strings, section names.
    headers = [_SECTION.pack(*[0] * 10)]
    related = [(i, s) for i, s in enumerate(sections, 1) if s.relocations]
    symbols_index = len(sections) + 2 + len(related)
    position = _HEADER.size
    file.write(bytes(position))

    def add(
        name: str,
        kind: int,
        chunks: Sequence[Buffer],
        alignment: int,
        flags: int = 0,
        link: int = 0,
        info: int = 0,
        entry_size: int = 0,
    ) -> None:
        nonlocal position
        padding = -position % alignment
        file.write(bytes(padding))
        position += padding
        size = sum(map(len, chunks))
        headers.append(
            _SECTION.pack(
                names.add(name), kind, flags, 0, position, size, link, info, alignment, entry_size
            )
        )
        file.writelines(chunks)
        position += size

    for section in sections:
        add(section.name, _SHT_PROGBITS, section.chunks, section.alignment, _SHF_ALLOC)
    add(".note.GNU-stack", _SHT_PROGBITS, [], 1)
    for index, section in related:
        entries = [
            _RELOCATION.pack(offset, symbol_index[symbol] << 32 | distance_type, 0)
            for offset, symbol in section.relocations
        ]
        add(
            f".rela{section.name}",
            _SHT_RELA,
            entries,
            8,
            _SHF_INFO_LINK,
            link=symbols_index,
            info=index,
            entry_size=_RELOCATION.size,
        )
    add(
        ".symtab",
        _SHT_SYMTAB,
        symbols,
        8,
        link=symbols_index + 1,
        info=1,  # the first global symbol: there are no local ones but the null symbol
        entry_size=_SYMBOL.size,
    )
    add(".strtab", _SHT_STRTAB, [strings.data], 1)
    own_name = names.add(".shstrtab")
    headers.append(
        _SECTION.pack(own_name, _SHT_STRTAB, 0, 0, position, len(names.data), 0, 0, 1, 0)
    )
    file.write(names.data)
    position += len(names.data)
    padding = -position % 8
    file.write(bytes(padding))
    file.writelines(headers)

    file.seek(0)
    identification = b"\x7fELF\x02\x01\x01" + bytes(9)
    file.write(
        _HEADER.pack(
            identification,
            _ET_REL,
            elf_machine,
            1,
            0,
            0,
            position + padding,
            0,
            _HEADER.size,
            0,
            0,
            _SECTION.size,
            len(headers),
            len(headers) - 1,
        )
    )


def _symbol_table(
    sections: Sequence[Section], strings: _Strings
) -> tuple[list[bytes], dict[str, int]]:
    table = [_SYMBOL.pack(0, 0, 0, 0, 0, 0)]
    index: dict[str, int] = {}
    for number, section in enumerate(sections, 1):
        for name, offset, size in section.symbols:
            if name in index:
                raise ValueError(f"symbol {name} is defined twice")
            index[name] = len(table)
            at = strings.add(name)
            table.append(_SYMBOL.pack(at, _GLOBAL_OBJECT, _STV_HIDDEN, number, offset, size))
    for section in sections:
        for _, name in section.relocations:
            if name not in index:
                index[name] = len(table)
                at = strings.add(name)
                table.append(_SYMBOL.pack(at, _GLOBAL_NOTYPE, _STV_HIDDEN, 0, 0, 0))
    return table, index
