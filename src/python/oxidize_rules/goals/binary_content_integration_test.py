"""What packaged executables can do: a real application, `python3` itself, and their ELF facts."""

# pyelftools has no types.
# mypy: allow-untyped-calls

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import time
from pathlib import Path
from typing import Any, Iterator, List, Set, Tuple

import pytest
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection
from elftools.elf.sections import SymbolTableSection

from oxidize_rules.goals.testing_binaries import (
    PROJECTS,
    Ended,
    Packaged,
    Text,
    output,
    start,
)
from oxidize_rules.goals.testing_https import https_server
from oxidize_rules.goals.testing_pants import REPOSITORY
from oxidize_rules.util_rules.runtime import taken_over

# Run by the executable of the project that they lie in.
CHECKS = [
    check
    for project in ("interpreter", "imports")
    for check in sorted((REPOSITORY / "testprojects" / project / "checks").glob("check_*.py"))
]
GLIBC_FLOOR = (2, 17)
GLIBC_LIBRARIES = {
    "ld-linux-x86-64.so.2",
    "libc.so.6",
    "libdl.so.2",
    "libm.so.6",
    "libpthread.so.0",
    "librt.so.1",
    "libutil.so.1",
}
DF_BIND_NOW, DF_TEXTREL, DF_1_NOW = 0x8, 0x4, 0x1
EXECUTABLE = 0x1


# The smallest application.


def test_hello(packages: Packaged, libc: str) -> None:
    assert output([packages("hello", libc)]) == "Hello from Python 3.13\n"


# The real application.


def test_cli_help(packages: Packaged, libc: str) -> None:
    text = output([packages("cli", libc), "--help"])
    assert text.startswith("Usage: bin@target_triple=")
    for command in ("children", "cities", "db", "get", "info", "leave", "pool"):
        assert re.search(rf"^  {command} ", text, re.MULTILINE), text


def test_cli_reads_its_data_files(packages: Packaged, libc: str) -> None:
    text = output([packages("cli", libc), "cities"], env={"LC_ALL": "C.UTF-8"})
    for cells in (
        ("Bern", "Switzerland", "134506"),
        ("Lima", "Peru", "10092000"),
        ("Oslo", "Norway", "709037"),
    ):
        assert re.search(r"\W+".join(cells), text), text


def test_cli_knows_itself(packages: Packaged, libc: str) -> None:
    file = packages("cli", libc)
    facts = json.loads(output([file, "info"]))
    assert facts["python"].startswith("3.13.")
    assert facts["executable"] == str(file)
    assert facts["prefix"] == "/.oxidized"
    assert facts["file"] == "/.oxidized/app/cli_app/resources.py"
    lock = (REPOSITORY / "3rdparty" / "python" / "testprojects.lock").read_text()
    assert f"\nrequests=={facts['requests']} " in lock
    assert any(line.startswith("certifi") for line in facts["requires"])
    assert facts["certificates"].startswith("/.oxidized/lib/python3.13/site-packages/certifi/")
    assert facts["certificates_count"] > 50
    assert 'File "/.oxidized/app/cli_app/commands/info.py", line' in facts["traceback"]
    # The source line is found in the image.
    assert "raise LookupError" in facts["traceback"]
    assert facts["source"].startswith("def _fail() -> None:\n")


def test_cli_database_with_full_text_search(packages: Packaged, libc: str, tmp_path: Path) -> None:
    file = packages("cli", libc)
    assert output([file, "db", tmp_path / "notes.db"]) == "Harbour\nMarket\n"
    assert (tmp_path / "notes.db").read_bytes().startswith(b"SQLite format 3\0")
    assert output([file, "db", tmp_path / "others.db", "--find", "beans"]) == "Garden\n"
    missing = start([file, "db", tmp_path / "third.db", "--find", "nothing"])
    assert missing == Ended(1, "", "Error: no note has the word 'nothing'\n")


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_cli_pool(packages: Packaged, libc: str, method: str) -> None:
    assert output([packages("cli", libc), "pool", "--method", method]) == f"{method}: 285\n"


def test_cli_exit_codes(packages: Packaged, libc: str) -> None:
    file = packages("cli", libc)
    for code in (0, 1, 3, 255):
        assert start([file, "leave", str(code)]) == Ended(code, "", "")
    assert start([file, "leave", "--how", "message"]) == Ended(1, "", "left with a message\n")
    error = start([file, "leave", "--how", "error"])
    assert (error.code, error.out) == (1, "")
    assert error.err.startswith("Traceback (most recent call last):\n")
    assert 'File "/.oxidized/app/cli_app/commands/leave.py", line' in error.err
    assert error.err.endswith("RuntimeError: left with an error\n")
    wrong = start([file, "nonsense"])
    assert wrong.code == 2
    assert "No such command 'nonsense'" in wrong.err


# https, against a server with a certificate of its own authority.


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_cli_https(packages: Packaged, libc: str, authority: Path, host: str) -> None:
    file = packages("cli", libc)
    with https_server(authority) as port:
        url = f"https://{host}:{port}"
        trusted: List[Text] = ["--cacert", authority / "ca.pem"]
        assert output([file, "get", f"{url}/greeting", *trusted]) == "grüezi\n"
        absent = start([file, "get", f"{url}/absent", *trusted])
        assert absent.code == 1
        assert "404" in absent.err


def test_cli_https_trusts_only_what_it_should(
    packages: Packaged, libc: str, authority: Path
) -> None:
    file = packages("cli", libc)
    with https_server(authority) as port:
        url = f"https://127.0.0.1:{port}/greeting"
        # certifi's authorities, which are in the image; then one that has not signed.
        for options in ([], ["--cacert", str(authority / "other.pem")]):
            refused = start([file, "get", url, *options])
            assert (refused.code, refused.out) == (1, "")
            assert "CERTIFICATE_VERIFY_FAILED" in refused.err
            assert "Traceback" not in refused.err


# The interpreter.


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.stem)
def test_checks_inside(packages: Packaged, libc: str, check: Path, tmp_path: Path) -> None:
    """The scripts beside a project look from inside, with the standard library's unittest."""
    file = packages(check.parents[1].name, libc)
    ended = start([file, check], cwd=tmp_path, env={"PATH": "/usr/bin:/bin"}, timeout=300)
    assert ended.code == 0, ended.err
    ran = re.search(r"^Ran (\d+) tests? in", ended.err, re.MULTILINE)
    assert ran, ended.err
    assert int(ran[1]) > 0


def test_there_are_checks() -> None:
    assert len([check for check in CHECKS if check.parents[1].name == "interpreter"]) >= 7
    assert len([check for check in CHECKS if check.parents[1].name == "imports"]) >= 3


def test_python_ways_to_give_code(packages: Packaged, libc: str, tmp_path: Path) -> None:
    file = packages("interpreter", libc)
    code = "import sys; print(__name__, sys.argv, sys.path[0])"
    script = tmp_path / "script.py"
    script.write_text(code)
    assert output([file, "-c", code, "a", "-b"]) == "__main__ ['-c', 'a', '-b'] \n"
    assert output([file, script, "a", "-b"]) == f"__main__ ['{script}', 'a', '-b'] {tmp_path}\n"
    module = output([file, "-m", "script", "a"], cwd=tmp_path)
    assert module == f"__main__ ['{script}', 'a'] {tmp_path}\n"
    assert output([file, "-", "a"], stdin=code) == "__main__ ['-', 'a'] \n"
    # Without arguments and without a terminal, as `-`.
    assert output([file], stdin=code) == "__main__ [''] \n"
    assert output([file, "-m", "json.tool", "--compact"], stdin='{"a": 1}') == '{"a":1}\n'
    assert output([file, "-V"]).startswith("Python 3.13.")


def test_python_exit_codes(packages: Packaged, libc: str, tmp_path: Path) -> None:
    file = packages("interpreter", libc)
    assert start([file, "-c", "raise SystemExit(7)"]) == Ended(7, "", "")
    assert start([file, "-c", "import os; os._exit(9)"]) == Ended(9, "", "")
    assert start([file, "-c", "import sys; sys.exit('why')"]) == Ended(1, "", "why\n")
    assert start([file, "-c", "import os; os.kill(os.getpid(), 15)"]).code == -15
    assert start([file, "-c", "import os; os.abort()"]).code == -6
    for arguments, code, message in (
        (["-c", "1/0"], 1, "ZeroDivisionError: division by zero"),
        (["-c", "("], 1, "SyntaxError"),
        (["-m", "no_such_module"], 1, "No module named no_such_module"),
        ([str(tmp_path / "missing.py")], 2, "can't open file"),
        (["--nonsense"], 2, "unknown option --nonsense"),
    ):
        ended = start([file, *arguments])
        assert (ended.code, ended.out) == (code, "")
        assert message in ended.err


def read_until(terminal: int, wanted: bytes, timeout: float = 30.0) -> bytes:
    """What comes from a terminal until `wanted` is there or the other end is closed."""
    received = b""
    end = time.monotonic() + timeout
    while wanted not in received:
        left = end - time.monotonic()
        assert left > 0, f"{wanted!r} did not come: {received!r}"
        if not select.select([terminal], [], [], left)[0]:
            continue
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # EIO: nobody has the terminal open any more
            break
        received += chunk
    return received


@pytest.mark.parametrize("basic", ["", "1"], ids=["new", "basic"])
def test_python_repl(packages: Packaged, libc: str, basic: str, tmp_path: Path) -> None:
    """The prompt on a terminal: CPython 3.13's own and the one with readline."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [str(packages("interpreter", libc))],
        env={
            "TERM": "xterm",
            "NO_COLOR": "1",
            "HOME": str(tmp_path),
            "PYTHON_BASIC_REPL": basic,
        },
        cwd=tmp_path,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        banner = read_until(ours, b">>> ")
        assert b"Python 3.13." in banner
        assert b"warning" not in banner.lower()
        os.write(ours, b"print('six' * 2, 6 * 7)\r")
        assert b"sixsix 42" in read_until(ours, b"sixsix 42")
        os.write(ours, b"1/0\r")
        read_until(ours, b"ZeroDivisionError: division by zero")
        os.write(ours, b"raise SystemExit(5)\r")
        read_until(ours, b"no such text: until it is closed")
        assert process.wait(30) == 5
    finally:
        process.kill()
        process.wait()
        os.close(ours)


# The files themselves.


def tags(dynamic: DynamicSection, name: str) -> List[int]:
    return [tag.entry.d_val for tag in dynamic.iter_tags(name)]


def glibc_versions(file: ELFFile) -> Set[Tuple[int, ...]]:
    """The GLIBC_x.y that a file asks for, as numbers."""
    versions = set()
    for section in file.iter_sections():
        if isinstance(section, GNUVerNeedSection):
            for _, auxiliaries in section.iter_versions():
                for auxiliary in auxiliaries:
                    name = auxiliary.name
                    assert re.fullmatch(r"GLIBC_[\d.]+", name), name
                    versions.add(tuple(map(int, name[len("GLIBC_") :].split("."))))
    return versions


# cli has a wheel with native code, the other its own.
WITH_NATIVE_CODE = ("cli", "native_code")


# Each project's `bin`: its others are made of the same.
@pytest.fixture(params=[name for name in PROJECTS if ":" not in name])
def project(request: Any) -> str:
    return str(request.param)


@pytest.fixture
def elf(packages: Packaged, project: str, libc: str) -> Iterator[ELFFile]:
    with packages(project, libc).open("rb") as stream:
        yield ELFFile(stream)


def test_elf_depends_on(elf: ELFFile, libc: str) -> None:
    kinds = [segment.header.p_type for segment in elf.iter_segments()]
    dynamic = elf.get_section_by_name(".dynamic")
    needed = {tag.needed for tag in dynamic.iter_tags("DT_NEEDED")}
    assert elf.header.e_type == "ET_DYN"  # its addresses can be randomised
    assert not tags(dynamic, "DT_RPATH")
    assert not tags(dynamic, "DT_RUNPATH")
    if libc == "musl":
        assert "PT_INTERP" not in kinds
        assert needed == set()
        assert glibc_versions(elf) == set()
    else:
        assert "PT_INTERP" in kinds
        assert "libc.so.6" in needed
        assert needed <= GLIBC_LIBRARIES
        assert (2, 2, 5) <= max(glibc_versions(elf)) <= GLIBC_FLOOR


def test_elf_is_hardened_and_stripped(elf: ELFFile) -> None:
    segments = {segment.header.p_type: segment.header for segment in elf.iter_segments()}
    dynamic = elf.get_section_by_name(".dynamic")
    flags, flags_1 = sum(tags(dynamic, "DT_FLAGS")), sum(tags(dynamic, "DT_FLAGS_1"))
    assert "PT_GNU_RELRO" in segments
    assert flags & DF_BIND_NOW
    assert flags_1 & DF_1_NOW
    assert not segments["PT_GNU_STACK"].p_flags & EXECUTABLE
    assert not flags & DF_TEXTREL
    assert not tags(dynamic, "DT_TEXTREL")
    for segment in elf.iter_segments():
        if segment.header.p_type == "PT_LOAD":
            assert segment.header.p_flags & 0x3 != 0x3, "a segment to write to and to execute"
    names = [section.name for section in elf.iter_sections()]
    assert ".symtab" not in names
    assert not [name for name in names if name.startswith(".debug")]


def test_elf_exports_the_python_api_and_what_libraries_need(
    elf: ELFFile, project: str, libc: str
) -> None:
    """Beside Python's API: on glibc the functions that ours take the place of, for all libraries.

    On musl an executable with a loader, for native code inside, is the C library, too.
    """
    table = elf.get_section_by_name(".dynsym")
    assert isinstance(table, SymbolTableSection)
    exported = {
        symbol.name
        for symbol in table.iter_symbols()
        if symbol.entry.st_shndx != "SHN_UNDEF" and symbol.name
    }
    assert {"PyLong_FromLong", "PyRun_SimpleString", "Py_IncRef"} <= exported
    others = {name for name in exported if not name.startswith(("Py", "_Py"))}
    if libc == "gnu":
        _, taken_over_there = taken_over("2.17")
        assert others <= set(taken_over_there)
    elif project in WITH_NATIVE_CODE:
        assert {"malloc", "strlen", "dlopen", "__wrap_open", "pthread_create"} <= others
        # Nothing of the libraries that are linked in: wheels bring their own.
        assert not [
            name for name in others if name.startswith(("SSL_", "sqlite3_", "BZ2_", "XML_"))
        ]
        assert not {"inflate", "deflate", "zlibVersion", "ffi_call", "lzma_code"} & others
    else:
        assert others == set()


def test_no_path_of_the_build_is_inside(packages: Packaged, project: str, libc: str) -> None:
    content = packages(project, libc).read_bytes()
    assert b".oxidized" in content  # what is searched is not packed
    paths = ["pants-sandbox", "immutable_inputs", str(REPOSITORY), f"{Path.home()}/.cache"]
    assert [path for path in paths if path.encode() in content] == []
