from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile

from oxidize_rules.sandbox.elf_object import Section, page_size, write_object
from oxidize_rules.sandbox.images.image_reader import ObjectReader


def test_sections_symbols_and_relocations_are_as_pyelftools_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "x.o"
    one = Section(
        ".rodata.one",
        [b"abc", bytearray(5), memoryview(b"x" * 8)],
        alignment=64,
        symbols=[("one", 0, 16), ("part", 8, 8)],
        relocations=[(0, "two"), (8, "elsewhere")],
    )
    two = Section(".rodata.two", [b"z" * 5], alignment=4096, symbols=[("two", 1, 4)])
    write_object(str(path), "x86_64", [one, two])

    read = ObjectReader(path.read_bytes())
    assert read.elf["e_machine"] == "EM_X86_64"
    assert read.data(".rodata.one") == b"abc" + bytes(5) + b"x" * 8
    assert read.data(".rodata.two") == b"zzzzz"
    for name, alignment in ((".rodata.one", 64), (".rodata.two", 4096)):
        header = read.elf.get_section_by_name(name)
        assert header["sh_addralign"] == alignment
        assert header["sh_offset"] % alignment == 0
        assert header["sh_flags"] == 2  # SHF_ALLOC: neither writable nor executable
    note = read.elf.get_section_by_name(".note.GNU-stack")
    assert (note["sh_size"], note["sh_flags"]) == (0, 0)

    defined = {
        name: (symbol["st_shndx"], symbol["st_value"], symbol["st_size"])
        for name, symbol in read.symbols.items()
    }
    assert defined == {
        "one": (1, 0, 16),
        "part": (1, 8, 8),
        "two": (2, 1, 4),
        "elsewhere": ("SHN_UNDEF", 0, 0),
    }
    for symbol in read.symbols.values():
        assert symbol["st_info"]["bind"] == "STB_GLOBAL"
        assert symbol["st_other"]["visibility"] == "STV_HIDDEN"
    assert read.relocations == {0: ("two", 24, 0), 8: ("elsewhere", 24, 0)}


def test_aarch64_has_its_own_relocation_and_page_size(tmp_path: Path) -> None:
    path = tmp_path / "x.o"
    write_object(
        str(path), "aarch64", [Section(".rodata.x", [bytes(8)], relocations=[(0, "other")])]
    )
    read = ObjectReader(path.read_bytes())
    assert read.elf["e_machine"] == "EM_AARCH64"
    assert read.relocations == {0: ("other", 260, 0)}
    assert (page_size("x86_64"), page_size("aarch64")) == (4096, 65536)


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.o"
    twice = [Section(name, [b"x"], symbols=[("same", 0, 1)]) for name in (".a", ".b")]
    with pytest.raises(ValueError, match="same is defined twice"):
        write_object(str(path), "x86_64", twice)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="no power of two"):
        Section(".a", [], alignment=24)


@pytest.mark.skipif(shutil.which("ld") is None, reason="GNU ld is not installed")
def test_a_second_linker_agrees(tmp_path: Path) -> None:
    """GNU ld reads the objects too (lld does in image_integration_test.py)."""
    data = Section(".rodata.data", [b"payload!"], alignment=4096, symbols=[("data", 0, 8)])
    table = Section(
        ".rodata.table", [bytes(8)], symbols=[("_start", 0, 8)], relocations=[(0, "data")]
    )
    write_object(str(tmp_path / "data.o"), "x86_64", [data])
    write_object(str(tmp_path / "table.o"), "x86_64", [table])
    output = subprocess.run(
        ["ld", "--fatal-warnings", "-pie", "-o", "out", "table.o", "data.o"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert output.returncode == 0, output.stderr
    with open(tmp_path / "out", "rb") as file:
        elf: Any = ELFFile(file)  # type: ignore[no-untyped-call]
        symbols = {s.name: s for s in elf.get_section_by_name(".symtab").iter_symbols()}
        rodata = elf.get_section_by_name(".rodata")
        base, content = rodata["sh_addr"], rodata.data()
        place = symbols["_start"]["st_value"]
        distance = int.from_bytes(content[place - base :][:8], "little", signed=True)
        assert content[place + distance - base :][:8] == b"payload!"
        assert symbols["data"]["st_value"] % 4096 == 0
        dynamic = elf.get_section_by_name(".rela.dyn")
        assert dynamic is None or dynamic.num_relocations() == 0
