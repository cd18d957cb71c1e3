from __future__ import annotations

import fnmatch
import io
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile

from oxidize_rules.sandbox.elf_reader import archive_members
from oxidize_rules.sandbox.errors import UserError
from oxidize_rules.sandbox.images.native_file import describe
from oxidize_rules.sandbox.images.shared_library import main, unhide

SOURCES = {
    "one.c": "int helper(void); int api_one(void) { return helper() + 1; }\n",
    "two.c": "#include <string.h>\nint api_two = 2; static int unused;\n"
    "int helper(void) { return (int)strlen((char *)&api_two) + unused; }\n",
}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A static library of hidden functions, as distributions have them."""
    compiler = shutil.which("cc")
    if compiler is None or shutil.which("ar") is None:
        pytest.skip("no C compiler `cc` or no `ar` on this machine to make an archive with")
    for name, text in SOURCES.items():
        (tmp_path / name).write_text(text)
    flags = ["-c", "-fPIC", "-O1", "-fvisibility=hidden"]
    subprocess.run([compiler, *flags, *SOURCES], cwd=tmp_path, check=True)
    subprocess.run(["ar", "rcD", "libx.a", "one.o", "two.o"], cwd=tmp_path, check=True)
    return tmp_path / "libx.a"


def visibilities(archive: bytes) -> dict[str, str]:
    found = {}
    for _, content in archive_members(archive):
        elf: Any = ELFFile(io.BytesIO(content))  # type: ignore[no-untyped-call]
        for symbol in elf.get_section_by_name(".symtab").iter_symbols():
            if symbol["st_shndx"] != "SHN_UNDEF" and symbol["st_info"]["bind"] == "STB_GLOBAL":
                found[symbol.name] = symbol["st_other"]["visibility"]
    return found


def test_the_interface_becomes_visible(archive: Path) -> None:
    before = archive.read_bytes()
    assert set(visibilities(before).values()) == {"STV_HIDDEN"}
    after = unhide(before, lambda name: fnmatch.fnmatch(name, "api_*"))
    assert visibilities(after) == {
        "api_one": "STV_DEFAULT",
        "api_two": "STV_DEFAULT",
        "helper": "STV_HIDDEN",
    }
    assert len(after) == len(before)
    assert unhide(before, lambda name: False) == before


@pytest.mark.parametrize(("libc", "needed"), [("musl", []), ("glibc", ["libc.so.6"])])
def test_a_library_is_linked(archive: Path, libc: str, needed: list[str]) -> None:
    output = archive.parent / "libx.so.3"
    arguments = ["--archive", str(archive), "--cc", str(shutil.which("cc")), "--libc", libc]
    main([*arguments, "--export", "api_*", "--output", str(output)])
    found = describe("lib/libx.so.3", output.read_bytes())
    assert (found["kind"], found["soname"]) == ("library", "libx.so.3")
    assert found["needed"] == needed
    elf: Any = ELFFile(io.BytesIO(output.read_bytes()))  # type: ignore[no-untyped-call]
    symbols = elf.get_section_by_name(".dynsym").iter_symbols()
    names = {one.name for one in symbols if one["st_shndx"] != "SHN_UNDEF"}
    assert {name for name in names if not name.startswith("_")} >= {"api_one", "api_two"}
    assert "helper" not in names
    assert not (archive.parent / "libx.so.3.a").exists()

    with pytest.raises(UserError, match="has none of the functions"):
        main([*arguments, "--export", "nothing*", "--output", str(output)])


@pytest.mark.parametrize("content", [b"", b"!<thin>\n", b"!<arch>\n" + b"x" * 60])
def test_what_is_no_archive(content: bytes) -> None:
    with pytest.raises(UserError, match="archive of objects"):
        unhide(content, lambda name: True)
