"""`oxidize-analyze` by the real `pants`, in this repository, on executables of testprojects/ and on
files of the machine."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any, Dict, Tuple

import pytest

from oxidize_rules.goals.testing_pants import run_pants

TARGET = "testprojects/cli:bin"
# What every executable of ours promises.
REQUIRED = "pie,nx,relro,full-relro,bindnow,no-rwx,no-textrel,no-rpath,stripped,no-secrets"


def analyze(*arguments: str) -> Tuple[int, str, str]:
    done = run_pants("oxidize-analyze", *arguments)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def reports() -> Dict[str, Any]:
    """Of both triples, which keep all the rules."""
    rules = ("--max-glibc=2.17", f"--require={REQUIRED}", "--max-isa=x86-64-v2")
    code, out, err = analyze("--format=json", "--deny-needed=libssl*", *rules, TARGET)
    assert code == 0, err
    content = json.loads(out)
    assert content["broken_rules"] == []
    found = {one["file"].rpartition("=")[2]: one for one in content["files"]}
    assert sorted(found) == ["gnu", "musl"]
    return found


def test_what_the_executables_are(reports: Dict[str, Any]) -> None:
    musl, gnu = reports["musl"], reports["gnu"]
    assert musl["problems"] == gnu["problems"] == []
    assert musl["identity"]["kind"] == "static position-independent executable"
    assert musl["needs"]["needed"] == []
    assert musl["needs"]["hosts"]["words"] == "every Linux for x86_64: it needs no library"
    assert gnu["needs"]["glibc_floor"] == "2.17"
    assert "secure_getenv (libc.so.6)" in gnu["needs"]["floor_because"]
    assert gnu["needs"]["hosts"]["runs"]["RHEL, CentOS, Alma, Rocky, Oracle"][0] == "7"
    for report in (musl, gnu):
        # OpenSSL has code for newer CPUs and asks before it takes it.
        assert report["isa"]["highest"] == "x86-64-v4"
        assert report["isa"]["chosen_at_run_time"] is True
        assert report["isa"]["vector_functions"]["baseline"] > 1000
        assert report["identity"]["package"]["type"] == "oxidized_binary"


def test_what_is_inside(reports: Dict[str, Any]) -> None:
    for report in reports.values():
        names = {one["name"].split()[0] for one in report["image"]["components"]}
        assert {"standard", "rich", "requests", "pygments"} <= names
        parts = {one["id"]: one for one in report["components"]}
        assert parts["interpreter:cpython"]["version"].startswith("3.13.")
        assert parts["library:openssl"]["license"] == "Apache-2.0"
        for tree in (report["sizes"], report["sizes_by_component"]):
            assert tree["size"] == report["size"]
            assert sum(one["size"] for one in tree["children"]) == tree["size"]
        natives = {Path(one["path"]).name.split(".")[0] for one in report["image"]["native"]}
        assert {"md", "cd"} <= natives


def test_a_page_is_written(tmp_path: Path, reports: Dict[str, Any]) -> None:
    path = tmp_path / "sizes.html"
    code, out, err = analyze("--format=html", f"--output={path}", f"{TARGET}@target_triple=musl")
    assert (code, out) == (0, ""), err
    page = path.read_text()
    assert re.search(r'class="box"[^>]*title="standard library: [\d.]+ MB', page)
    assert "OpenSSL" in page


def test_files_of_the_machine_and_rules_that_are_broken(tmp_path: Path) -> None:
    readelf = shutil.which("readelf")
    if readelf is None:
        pytest.skip("`readelf`, of binutils, which is the file here, is not installed")
    copy = tmp_path / "a copy"
    shutil.copyfile(readelf, copy)
    code, out, err = analyze(f"--file={copy}", "--max-glibc=2.3", "--deny-needed=libc.so.*")
    assert code == 1
    assert out.startswith(f"{copy}\n\nWhat it is\n")
    lines = [line for line in err.splitlines() if line.startswith("oxidize-analyze: ")]
    assert len(lines) == 2, err
    assert re.search(r": it needs glibc 2\.\d+ because of \S+ \(libc\.so\.6\)", lines[0])
    assert lines[1].endswith(": it needs libc.so.6, which --deny-needed=libc.so.* forbids")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is empty, not an ELF file."),
        (b"MZ" + bytes(100), "it is a program or library for Windows (PE), not an ELF file."),
        (b"\x7fELF\x02\x01\x01", "its header is damaged or cut off"),
        (None, "cannot be read: No such file or directory."),
    ],
)
def test_bad_input_is_told_in_one_line(tmp_path: Path, content: Any, words: str) -> None:
    path = tmp_path / "file"
    if content is not None:
        path.write_bytes(content)
    code, out, err = analyze(f"--file={path}")
    assert (code, out) == (2, "")
    (line,) = [line for line in err.splitlines() if line.startswith("oxidize-analyze: ")]
    assert line.startswith(f"oxidize-analyze: {path}: ")
    assert words in line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--require=luck", TARGET), "--require: found `luck`"),
        (("--max-isa=avx2", TARGET), "--max-isa: found `avx2`"),
        ((), "found nothing, expected targets that can be packaged"),
    ],
)
def test_mistakes(arguments: Tuple[str, ...], words: str) -> None:
    code, out, err = analyze(*arguments)
    assert (code, out) == (2, "")
    assert words in err
