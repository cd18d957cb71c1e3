from __future__ import annotations

import io
import struct
import subprocess
from pathlib import Path
from typing import Tuple

import pytest

from oxidize_rules.sandbox.elf_object import Section, write_object
from oxidize_rules.sandbox.elf_reader import BadElf
from oxidize_rules.sandbox.elf_section import append_section, read_section


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "one.o"
    write_object(str(path), "x86_64", [Section(".rodata.x", [b"content"], symbols=[("x", 0, 7)])])
    return path


def add(path: Path, name: str, content: bytes, alignment: int = 1) -> None:
    with open(path, "r+b") as stream:
        append_section(stream, name, content, alignment=alignment)


def sections(path: Path) -> Tuple[str, ...]:
    shown = subprocess.run(
        ["readelf", "-SW", str(path)], capture_output=True, text=True, check=True
    )
    assert shown.stderr == ""
    lines = (line.partition("]")[2].split() for line in shown.stdout.splitlines())
    return tuple(words[0] for words in lines if words and words[0].startswith("."))


def test_what_is_put_in_is_found_and_all_else_stays(file: Path) -> None:
    before, names = file.read_bytes(), sections(file)
    add(file, ".first", b"one")
    add(file, ".second", b"two", alignment=64)
    after = file.read_bytes()
    assert sections(file) == (*names, ".first", ".second")
    with open(file, "rb") as stream:
        assert read_section(stream, ".first") == b"one"
        assert read_section(stream, ".second") == b"two"
        assert read_section(stream, ".rodata.x") == b"content"
        assert read_section(stream, ".third") is None
    assert after.index(b"two") % 64 == 0
    # Of the header, only where the table of sections is and how many there are.
    assert before[:40] == after[:40]
    assert before[48:60] == after[48:60]
    assert before[62 : len(before)] == after[62 : len(before)]


def test_other_tools_copy_and_strip_it(file: Path, tmp_path: Path) -> None:
    add(file, ".kept", b"for long")
    for command in (["strip", "-g"], ["objcopy"]):
        copy = tmp_path / command[0]
        subprocess.run(
            [
                *command,
                *(["-o"] if "-g" in command else []),
                *([str(copy), str(file)] if "-g" in command else [str(file), str(copy)]),
            ],
            check=True,
        )
        with open(copy, "rb") as stream:
            assert read_section(stream, ".kept") == b"for long"


@pytest.mark.parametrize(
    ("at", "value"),
    [(0, b"MZ"), (40, struct.pack("<Q", 1 << 40)), (40, bytes(8)), (60, b"\0\0"), (62, b"\xff\xff"),
     (4, b"\x01"), (60, b"\xff\xfe")],
)  # fmt: skip
def test_broken_files_are_told(file: Path, at: int, value: bytes) -> None:
    data = bytearray(file.read_bytes())
    data[at : at + len(value)] = value
    before = bytes(data)
    stream = io.BytesIO(before)
    with pytest.raises(BadElf):
        append_section(stream, ".x", b"x")
    with pytest.raises(BadElf):
        read_section(stream, ".x")
    assert stream.getvalue() == before


def test_a_section_beyond_the_end(file: Path) -> None:
    with open(file, "r+b") as stream:
        append_section(stream, ".x", b"x" * 100)
        stream.seek(0)
        (table,) = struct.unpack_from("<Q", stream.read(64), 40)
        stream.seek(-64 + 32, 2)
        stream.write(struct.pack("<Q", 1 << 30))
        with pytest.raises(BadElf, match="beyond its end"):
            read_section(stream, ".x")
        assert table
