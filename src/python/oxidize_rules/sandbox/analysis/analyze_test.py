"""The whole way of a file: bad input, a comparison with readelf, damaged files."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from oxidize_rules.sandbox.analysis.analyze import EXIT_BROKEN_RULE, analyze, analyze_file, main
from oxidize_rules.sandbox.analysis.analyze_file import ElfInput, NotElf
from oxidize_rules.sandbox.analysis.analyze_fuzz import fuzz
from oxidize_rules.sandbox.analysis.analyze_html import page
from oxidize_rules.sandbox.analysis.analyze_text import as_text
from oxidize_rules.sandbox.analysis.testing_analyze import (
    CODE,
    I386,
    PPC64,
    elf,
    note,
    seeds,
    x86_property,
)
from oxidize_rules.sandbox.errors import UserError

needs_readelf = pytest.mark.skipif(
    shutil.which("readelf") is None, reason="`readelf`, of binutils, is not installed"
)


def run_main(*arguments: str) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as output:
        main(list(arguments))
    return output.getvalue()


# What is no ELF file, or is damaged


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is empty, not an ELF file"),
        (b"MZ\x90\0" + bytes(60), "a program or library for Windows (PE), not an ELF file"),
        (b"\xcf\xfa\xed\xfe" + bytes(60), "a program or library for macOS (Mach-O)"),
        (b"\xca\xfe\xba\xbe" + bytes(60), "a universal program for macOS"),
        (b"!<arch>\n" + bytes(60), "an archive of object files (ar)"),
        (b"#!/bin/sh\necho\n", "a script"),
        (b"PK\x03\x04" + bytes(60), "a zip file"),
        (b"nothing at all", "of no known format"),
        (b"\x7fELF", "its header is damaged or cut off"),
        (b"\x7fELF\x02\x01\x01" + bytes(20), "its header is damaged or cut off"),
        (b"\x7fELF\x09\x09\x01" + bytes(200), "its header is damaged or cut off"),
    ],
)
def test_what_is_no_elf_file_is_told_in_one_line(
    content: bytes, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(NotElf) as refused:
        analyze_file(str(path), "file")
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    with pytest.raises(UserError, match=re.escape(str(path))):
        run_main(str(path))


def test_what_is_no_file_at_all(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read: No such file"):
        run_main(str(tmp_path / "missing"))
    with pytest.raises(UserError, match="file"):
        run_main(str(tmp_path))
    with pytest.raises(UserError, match="found no file"):
        run_main()


def test_a_file_that_is_cut_off_is_read_as_far_as_it_goes() -> None:
    content = elf(versions={"libc.so.6": {"GLIBC_2.34": ["stat"]}})
    for size in range(64, len(content), 7):
        report = analyze("x", content[:size])
        assert report["problems"], size
        assert "What could not be read" in as_text(report)


@pytest.mark.parametrize("field", [(">Q", 40), ("<H", 56), ("<H", 60), ("<Q", 32)])
def test_headers_that_claim_much(field: tuple[str, int]) -> None:
    layout, at = field
    content = bytearray(elf())
    struct.pack_into(layout, content, at, (1 << 8 * struct.calcsize(layout)) - 1)
    report = analyze("x", bytes(content))
    assert report["problems"]


def test_a_count_beyond_all_bounds() -> None:
    """With e_shnum 0, the number of sections is a 64-bit number of the first one."""
    content = bytearray(elf())
    (sections_at,) = struct.unpack_from("<Q", content, 40)
    struct.pack_into("<H", content, 60, 0)
    struct.pack_into("<Q", content, sections_at + 32, 2**64 - 1)
    report = analyze("x", bytes(content))
    assert any("claims 18446744073709551615 section headers" in one for one in report["problems"])


def test_names_cannot_control_a_terminal_or_a_page() -> None:
    report = analyze("x", elf(needed=("lib\x1b[31m<b>.so", "a" * 9000)))
    assert "\x1b" not in as_text(report)
    assert "\x1b" not in json.dumps(report, ensure_ascii=False)
    assert "<b>.so" not in page([report])
    assert max(map(len, as_text(report).splitlines())) < 1000


def test_damaged_files() -> None:
    """A short run of the program that was run for more than 100,000 inputs."""
    assert fuzz(160, 1, seeds(), keep=False) == []


# What a report says


def test_what_a_file_is() -> None:
    def kind(**options: Any) -> str:
        return str(analyze("x", elf(**options))["identity"]["kind"])

    assert kind() == "position-independent executable"
    assert kind(elf_type=2) == "executable"
    assert kind(needed=(), interpreter="") == "static position-independent executable"
    assert kind(soname="libx.so.1", interpreter="", flags_1=0) == "shared library"
    # glibc's own libc.so.6 may be started.
    assert kind(soname="libc.so.6", flags_1=0) == "shared library"
    assert kind(interpreter="", flags_1=0) == "shared library"
    assert kind(elf_type=1) == "object file"
    assert kind(elf_type=4) == "core dump"


def test_notes() -> None:
    notes = note("GNU", 3, b"\x12\x34") + note("GNU", 1, struct.pack("<IIII", 0, 3, 2, 0))
    notes += note("FDO", 0xCAFE1A7E, b'{"type":"deb","name":"shop"}\0')
    identity = analyze("x", elf(notes=notes))["identity"]
    assert identity["build_id"] == "1234"
    assert identity["oldest_kernel"] == "Linux 3.2.0"
    assert identity["package"] == {"name": "shop", "type": "deb"}
    assert analyze("x", elf(notes=note("FDO", 0xCAFE1A7E, b"{")))["problems"] == [
        "its package note is no JSON"
    ]


def test_a_secret_in_a_compressed_source_of_the_image_is_found() -> None:
    source = b"TOKEN = 'ghp_" + b"a1B2" * 9 + b"'\n"
    content = elf(with_image={"app/main.py": source}, compressed=("app/main.py",))
    assert b"ghp_" not in content
    found = analyze("x", content)["secrets"]["GitHub token"]["examples"]
    assert found == [{"where": "app/main.py", "begins": "ghp_a1..."}]


def test_native_files_of_the_image() -> None:
    library = elf(
        versions={"libc.so.6": {"GLIBC_2.29": ["pow"]}}, functions=CODE, interpreter="", flags_1=0
    )
    report = analyze("x", elf(with_image={"lib/python3.13/x.so": library}))
    (native,) = report["image"]["native"]
    assert (native["path"], native["glibc_floor"]) == ("lib/python3.13/x.so", "2.29")
    assert (native["isa"], native["problems"]) == ("x86-64-v4", [])
    assert report["image"]["python"] == "3.13"
    assert "lib/python3.13/x.so" in as_text(report)


def test_all_formats_have_the_facts_and_the_rules_have_exit_codes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, output = tmp_path / "bin", tmp_path / "reports.json"
    path.write_bytes(elf(versions={"libc.so.6": {"GLIBC_2.34": ["stat"]}}))
    assert "2.34 or newer, because of stat (libc.so.6)" in run_main(str(path))
    other = tmp_path / "notes.txt"
    other.write_text("no program")
    run_main(str(path), str(other), "--output", str(output))
    first, second = json.loads(output.read_text())["files"]
    assert first["needs"]["glibc_floor"] == "2.34"
    assert second == {
        "file": str(other),
        "size": 10,
        "not_elf": "it is of no known format, not an ELF file",
    }
    assert "stat (libc.so.6)" in page([first, second])
    with pytest.raises(SystemExit) as ended:
        run_main(str(path), "--max-glibc", "2.17", "--require", "nx,canary")
    assert ended.value.code == EXIT_BROKEN_RULE
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith(f"{path}: ") for line in lines)


def test_the_same_file_gives_the_same_bytes(tmp_path: Path) -> None:
    path = tmp_path / "bin"
    path.write_bytes(seeds()[1])
    texts = set()
    for hash_seed in ("1", "2"):
        output = tmp_path / hash_seed
        subprocess.run(
            [
                sys.executable,
                "-m",
                "oxidize_rules.sandbox.analysis.analyze",
                path,
                "--output",
                output,
            ],
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": ":".join(sys.path)},
            check=True,
        )
        texts.add(output.read_text())
    assert len(texts) == 1


# Against readelf


def readelf(path: Path, *options: str) -> str:
    done = subprocess.run(
        ["readelf", "-W", *options, str(path)],
        capture_output=True,
        text=True,
        check=True,
        env={"LC_ALL": "C"},
    )
    return done.stdout


def samples(tmp_path: Path) -> list[Path]:
    """Files of this machine, and of ours in other widths and byte orders."""
    found = [Path(str(shutil.which("readelf"))).resolve(), Path(sys.executable).resolve()]
    versions = {"libc.so.6": {"GLIBC_2.2.5": ["puts"], "GLIBC_2.34": ["stat"], "GLIBC_2.9": []}}
    notes = note("GNU", 5, x86_property(0xC0000002, 3))
    for name, options in {
        "x86_64": {"notes": notes, "runpath": "$ORIGIN"},
        "i386": {"bits": 32, "machine": I386},
        "big": {"order": ">", "machine": PPC64, "symbol_table": True},
        "sectionless": {"sections": False, "stack_flags": 7, "flags": 0, "flags_1": 0},
    }.items():
        path = tmp_path / name
        path.write_bytes(elf(versions=versions, **options))  # type: ignore[arg-type]
        found.append(path)
    return found


@needs_readelf
def test_readelf_says_the_same(tmp_path: Path) -> None:
    for path in samples(tmp_path):
        report = analyze_file(str(path), path.name)
        assert report["problems"] == [], path
        dynamic, segments = readelf(path, "-d"), readelf(path, "-l")
        assert [one["name"] for one in report["needs"]["needed"]] == re.findall(
            r"\(NEEDED\).*\[(.*)\]", dynamic
        )
        assert report["needs"]["runpath"] == re.findall(r"\(RUNPATH\).*\[(.*)\]", dynamic)
        interpreter = re.search(r"program interpreter: (.*)\]", segments)
        assert report["identity"]["interpreter"] == (interpreter and interpreter.group(1))
        hardening = report["hardening"]
        stack = re.search(r"GNU_STACK .* (RWE|RW ) ", segments)
        assert hardening["nx"] == (stack is not None and "E" not in stack.group(1))
        assert hardening["relro"] == ("GNU_RELRO" in segments)
        bound = re.search(r"BIND_NOW|Flags:.* NOW", dynamic) or "(JMPREL)" not in dynamic
        assert hardening["bind_now"] == bool(bound)
        versions = set(re.findall(r"Name: (\S+) +Flags: ", readelf(path, "-V")))
        ours = {one for of in report["needs"]["versions"].values() for one in of}
        # readelf lists the versions that the file defines, too: only programs' are compared.
        defined = set(re.findall(r"Rev: .*Name: (\S+)", readelf(path, "-V")))
        assert ours == versions - defined or path.name == "sectionless", path
        build_id = re.search(r"Build ID: (\w+)", readelf(path, "-n"))
        assert report["identity"]["build_id"] == (build_id and build_id.group(1))


@needs_readelf
def test_readelf_has_the_same_symbols(tmp_path: Path) -> None:
    for path in samples(tmp_path):
        if path.name == "sectionless":
            continue  # without section headers it shows them in another form
        listed = readelf(path, "--dyn-syms")
        theirs = re.findall(r"^ +\d+: [0-9a-f]+ +\S+ \w+ +\w+ +\w+ +UND (\S+)", listed, re.M)
        wanted = sorted(re.sub(r"@+.*", "", one) for one in theirs)
        file = ElfInput(path.read_bytes())
        found = [one for one in file.dynamic_symbols() if not one.defined]
        assert sorted(one.name for one in found) == wanted, path
        by_version = {f"{one.name}@{one.version}" for one in found if one.version}
        assert by_version == {one.replace("@@", "@") for one in theirs if "@" in one}
