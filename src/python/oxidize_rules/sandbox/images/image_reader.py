"""Reads image objects back: what the C runtime does, for tests.

Lookups go through the hash tables and node order as `runtime/image.c` uses them, and every
structural promise of `runtime/image.h` is asserted.
"""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

from elftools.elf.elffile import ELFFile

NONE = 0xFFFFFFFF


def oxidize_hash(text: bytes) -> int:
    """`oxidize_hash` of `runtime/image.h`, written down a second time."""
    value = 2166136261
    for byte in text:
        value = ((value ^ byte) * 16777619) % 2**32
    value ^= value >> 16
    value = (value * 0x7FEB352D) % 2**32
    return value ^ (value >> 15)


class ObjectReader:
    """An object's data section, symbols and relocations, by pyelftools."""

    def __init__(self, content: bytes) -> None:
        self.elf: Any = ELFFile(io.BytesIO(content))  # type: ignore[no-untyped-call]
        assert self.elf["e_type"] == "ET_REL"
        table: Any = self.elf.get_section_by_name(".symtab")
        self.symbols = {symbol.name: symbol for symbol in table.iter_symbols() if symbol.name}
        self.relocations = {
            relocation["r_offset"]: (
                table.get_symbol(relocation["r_info_sym"]).name,
                relocation["r_info_type"],
                relocation["r_addend"],
            )
            for section in self.elf.iter_sections()
            if section["sh_type"] == "SHT_RELA"
            for relocation in section.iter_relocations()
        }

    def data(self, section: str) -> bytes:
        content: bytes = self.elf.get_section_by_name(section).data()
        return content


class ImageReader:
    """An image, with the payload objects its files stand in."""

    def __init__(self, image: Path, payloads: dict[str, bytes]) -> None:
        """`payloads`: contents of the payload sections by symbol."""
        self.object = ObjectReader(image.read_bytes())
        self.data = self.object.data(".rodata.oxidize.image")
        words = struct.unpack_from("<16I", self.data)
        assert words[0] == 0x3149584F
        assert words[1] == len(self.data)
        (self.strings_at, self.strings_size) = words[2:4]
        self.nodes = self._table("<IHHIHHIIIIQQ", *words[4:6])
        self.path_slots = [slot for (slot,) in self._table("<I", *words[6:8])]
        self.modules = self._table("<IHHIIII", *words[8:10])
        self.module_slots = [slot for (slot,) in self._table("<I", *words[10:12])]
        payloads_at, count = words[12:14]
        assert payloads_at % 8 == 0
        self.payloads = [
            payloads[self.object.relocations[payloads_at + 8 * number][0]]
            for number in range(count)
        ]
        assert len(self.object.relocations) == count
        self.settings = [
            (self.string(key).decode(), self.string(value).decode())
            for key, value in self._table("<II", *words[14:16])
        ]
        self._check_slots(self.path_slots, len(self.nodes))
        self._check_slots(self.module_slots, len(self.modules))
        self._check_nodes()

    def _table(self, layout: str, at: int, count: int) -> list[tuple[int, ...]]:
        entry = struct.Struct(layout)
        assert at % 4 == 0
        assert at + count * entry.size <= len(self.data)
        return [entry.unpack_from(self.data, at + n * entry.size) for n in range(count)]

    def string(self, at: int) -> bytes:
        assert at < self.strings_size
        start = self.strings_at + at
        return self.data[start : self.data.index(b"\0", start)]

    @staticmethod
    def _check_slots(slots: list[int], count: int) -> None:
        assert len(slots) & (len(slots) - 1) == 0
        assert len(slots) >= 2 * count
        assert sorted(slot for slot in slots if slot) == list(range(1, count + 1))

    def _check_nodes(self) -> None:
        """Every node is the child of its parent, and siblings are in order."""
        seen = {0}
        assert self.path(0) == b""
        assert self.nodes[0][3] == 0
        for index, node in enumerate(self.nodes):
            path, name_start = self.path(index), node[2]
            assert path[:name_start].rstrip(b"/") == (self.path(node[3]) if index else b"")
            assert name_start == path.rfind(b"/") + 1
            if node[4] == 1:
                assert node[9] == 0
                children = range(node[6], node[6] + node[7])
                names = [self.path(child)[self.nodes[child][2] :] for child in children]
                assert names == sorted(set(names))
                assert all(self.nodes[child][3] == index for child in children)
                assert seen.isdisjoint(children)
                seen.update(children)
            else:
                assert node[4] == 2
        assert seen == set(range(len(self.nodes)))

    def path(self, index: int) -> bytes:
        node = self.nodes[index]
        path = self.string(node[0])
        assert len(path) == node[1]
        return path

    def _find(self, slots: list[int], names: object, text: bytes) -> int | None:
        at = oxidize_hash(text) & (len(slots) - 1)
        while slots[at]:
            index = slots[at] - 1
            if names(index) == text:  # type: ignore[operator]
                return index
            at = (at + 1) & (len(slots) - 1)
        return None

    def find_path(self, path: bytes) -> int | None:
        return self._find(self.path_slots, self.path, path)

    def content(self, path: bytes) -> bytes:
        """A file's content, by its path."""
        index = self.find_path(path)
        assert index is not None
        *_, payload, stored, offset, size = self.nodes[index]
        content = self.payloads[payload][offset : offset + (stored or size)]
        if stored:
            content = zlib.decompress(content)
        assert len(content) == size
        return content

    def module(self, name: str) -> dict[str, str | bool | None] | None:
        """A module by its dotted name: paths of its nodes."""

        def module_name(index: int) -> bytes:
            text = self.string(self.modules[index][0])
            assert len(text) == self.modules[index][1]
            return text

        index = self._find(self.module_slots, module_name, name.encode())
        if index is None:
            return None
        _, _, flags, source, code, folder, reserved = self.modules[index]
        assert reserved == 0
        return {
            "package": bool(flags & 1),
            "source": None if source == NONE else self.path(source).decode(),
            "code": self.path(code).decode(),
            "folder": self.path(folder).decode(),
        }

    def extension_names(self) -> list[str]:
        return [self.string(module[0]).decode() for module in self.modules if module[2] & 2]

    def module_names(self) -> list[str]:
        return [self.string(module[0]).decode() for module in self.modules]
