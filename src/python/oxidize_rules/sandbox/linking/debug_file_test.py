from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Dict, List, Tuple

import pytest

from oxidize_rules.sandbox.elf_reader import BadElf, ElfFile
from oxidize_rules.sandbox.linking.debug_file import (
    build_id_note,
    same_program,
    section_headers,
    symbols_only,
    write_debug_file,
)

NOTE = struct.pack("<III", 4, 20, 3) + b"GNU\0" + bytes(range(20))
TEXT = b"\x90" * 5000
ALLOCATED = 2


def elf(sections: List[Tuple[str, int, int, bytes]]) -> bytes:
    """An executable: header, one PT_LOAD with all allocated sections, the rest, the headers.

    sections: (name, type, flags, content), the allocated ones first.
    """
    names = b"\0" + b"".join(name.encode() + b"\0" for name, *_ in sections) + b".shstrtab\0"
    body, headers = bytearray(64 + 56), [bytes(64)]
    loaded = len(body)
    for name, kind, flags, content in (*sections, (".shstrtab", 3, 0, names)):
        body += bytes(-len(body) % 16)
        at = len(body)
        if kind != 8:
            body += content
        if flags & ALLOCATED:
            loaded = len(body)
        address = at if flags & ALLOCATED else 0
        name_at = names.index(b"\0" + name.encode() + b"\0") + 1
        headers.append(
            struct.pack("<IIQQQQIIQQ", name_at, kind, flags, address, at, len(content), 0, 0, 16, 0)
        )
    body += bytes(-len(body) % 8)
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    count = len(headers)
    table = len(body)
    body[:64] = struct.pack(
        "<16sHHIQQQIHHHHHH", ident, 3, 62, 1, 0, 64, table, 0, 64, 56, 1, 64, count, count - 1
    )
    body[64:120] = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, loaded, loaded, 4096)
    return bytes(body + b"".join(headers))


LOADED = [
    (".note.gnu.build-id", 7, ALLOCATED, NOTE),
    (".text", 1, ALLOCATED, TEXT),
    (".bss", 8, ALLOCATED, bytes(300)),
]
COMMENT = (".comment", 1, 0, b"a linker\0")
STRIPPED = elf([*LOADED, COMMENT])
FULL = elf([*LOADED, COMMENT, (".symtab", 2, 0, b"s" * 48), (".strtab", 3, 0, b"\0main\0")])


def contents(data: bytes) -> Dict[str, bytes]:
    """Sections that have content in the file, by name."""
    headers = section_headers(data)
    (index,) = struct.unpack_from("<H", data, 62)
    names = data[headers[index].offset :]
    return {
        names[header.name :].split(b"\0", 1)[0].decode(): data[header.offset :][: header.size]
        for header in headers
        if header.type not in (0, 8)
    }


def test_build_id() -> None:
    assert build_id_note(STRIPPED)[2] == bytes(range(20)).hex()
    with pytest.raises(BadElf, match="no build id"):
        build_id_note(elf(LOADED[1:]))
    with pytest.raises(BadElf, match="no section headers"):
        build_id_note(STRIPPED[:-1])


def test_symbols_only() -> None:
    debug = symbols_only(FULL)
    assert contents(debug) == {
        ".note.gnu.build-id": NOTE,
        ".comment": b"a linker\0",
        ".symtab": b"s" * 48,
        ".strtab": b"\0main\0",
        ".shstrtab": contents(FULL)[".shstrtab"],
    }
    assert TEXT not in debug
    before, after = section_headers(FULL), section_headers(debug)
    assert [(one.address, one.size) for one in before] == [(one.address, one.size) for one in after]
    (load,), (whole,) = ElfFile(debug).segments, ElfFile(FULL).segments
    assert (load.file_size, load.memory_size) == (build_id_note(FULL)[1], whole.memory_size)


def test_same_program() -> None:
    assert same_program(STRIPPED, FULL)
    changed = [LOADED[0], (".text", 1, ALLOCATED, TEXT[:-1] + b"\xcc"), LOADED[2]]
    assert not same_program(STRIPPED, elf([*changed, COMMENT]))
    longer = [*LOADED[:2], (".bss", 8, ALLOCATED, bytes(301))]
    assert not same_program(STRIPPED, elf([*longer, COMMENT]))


@pytest.mark.parametrize("name", ["bin.debug", "bin@target_triple=musl.debug", "abc"])
def test_the_executable_refers_to_its_symbols(tmp_path: Path, name: str) -> None:
    executable, symbols = tmp_path / "executable", tmp_path / "unstripped"
    executable.write_bytes(STRIPPED)
    executable.chmod(0o755)
    symbols.write_bytes(FULL)
    symbols.chmod(0o755)
    write_debug_file(str(executable), str(symbols), name)
    assert symbols.read_bytes() == symbols_only(FULL)
    assert (executable.stat().st_mode & 0o777, symbols.stat().st_mode & 0o777) == (0o755, 0o644)
    changed = executable.read_bytes()
    assert same_program(changed, STRIPPED)
    found = contents(changed)
    link = found.pop(".gnu_debuglink")
    assert found.pop(".shstrtab").endswith(b".gnu_debuglink\0")
    expected = contents(STRIPPED)
    del expected[".shstrtab"]
    assert found == expected
    text, checksum = link[:-4], struct.unpack("<I", link[-4:])[0]
    assert text.rstrip(b"\0").decode() == name
    assert len(link) % 4 == 0
    assert text.endswith(b"\0")
    assert checksum == zlib.crc32(symbols.read_bytes())


def test_another_program(tmp_path: Path) -> None:
    executable, symbols = tmp_path / "executable", tmp_path / "unstripped"
    executable.write_bytes(elf([LOADED[0], COMMENT]))
    symbols.write_bytes(FULL)
    with pytest.raises(RuntimeError, match="not the program"):
        write_debug_file(str(executable), str(symbols), "bin.debug")
    assert executable.read_bytes() == elf([LOADED[0], COMMENT])
