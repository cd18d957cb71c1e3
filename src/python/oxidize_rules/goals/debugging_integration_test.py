"""Debuggers and profilers on packaged executables (`debug_info`): gdb and perf."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import List

import pytest

from oxidize_rules.goals.testing_binaries import Packaged, Text, output, package
from oxidize_rules.goals.testing_environments import tool
from oxidize_rules.sandbox.elf_reader import SHT_SYMTAB
from oxidize_rules.sandbox.linking.debug_file import build_id_note, section_headers

INTERPRETER = {"OXIDIZED_INTERPRETER": "1"}
UNPACK = (
    "import shutil, sys;"
    "shutil.copytree(sys.prefix, sys.argv[1] + sys.prefix, copy_function=shutil.copyfile)"
)


@pytest.fixture(scope="session")
def native() -> Packaged:
    return package(("native_small",))


@pytest.fixture
def program(native: Packaged, libc: str) -> Path:
    return native("native_small", libc)


@pytest.fixture
def symbols(program: Path) -> Path:
    return program.with_name(f"{program.name}.debug")


def gdb(file: Path, *commands: str, arguments: str = "") -> str:
    words: List[Text] = [tool("gdb"), "-nx", "-q", "-batch", "-ex", "set confirm off"]
    for command in ("set debuginfod enabled off", *commands):
        words += ["-ex", command]
    words += ["--args", file, *arguments.split()]
    done = subprocess.run(
        [str(word) for word in words],
        capture_output=True,
        text=True,
        timeout=120,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
        stdin=subprocess.DEVNULL,
    )
    said = done.stdout + done.stderr
    if "ptrace: Operation not permitted" in said:
        pytest.skip("this machine lets no program trace another one")
    assert "warning: Loadable section" not in said
    return said


def test_the_executable_has_no_symbols_and_its_file_has_them(program: Path, symbols: Path) -> None:
    executable, beside = program.read_bytes(), symbols.read_bytes()
    assert SHT_SYMTAB not in [section.type for section in section_headers(executable)]
    assert SHT_SYMTAB in [section.type for section in section_headers(beside)]
    assert build_id_note(executable)[2] == build_id_note(beside)[2]
    assert len(beside) < len(executable) / 10
    assert not os.access(symbols, os.X_OK) or os.geteuid() == 0
    assert symbols.stat().st_mode & 0o111 == 0


def test_breakpoint_and_backtrace_by_name(program: Path) -> None:
    said = gdb(
        program, "break PyImport_ImportModule", "run", "backtrace", "kill", arguments="suffix"
    )
    frames = re.findall(r"^#\d+ .*? in (\w+) \(|^#\d+ +(\w+) \(", said, re.MULTILINE)
    names = [first or second for first, second in frames]
    assert names[0] == "PyImport_ImportModule", said
    assert names[-1] == "main", said
    assert "??" not in said


def test_backtrace_of_a_process_that_waits(program: Path, libc: str) -> None:
    """The C library's functions can be unwound, too."""
    if libc == "gnu":
        pytest.skip("whether glibc's functions can be unwound is the machine's business")
    code = "import time; print('waits', flush=True); time.sleep(100)"
    with subprocess.Popen(
        [str(program), "-c", code], env=INTERPRETER, stdout=subprocess.PIPE, text=True
    ) as waiting:
        try:
            assert waiting.stdout is not None
            assert waiting.stdout.readline() == "waits\n"
            said = gdb(program, f"attach {waiting.pid}", "backtrace", "detach")
        finally:
            waiting.kill()
    for name in ("clock_nanosleep", "_PyEval_EvalFrameDefault", "main"):
        assert re.search(rf"^#\d+ .* in {name} \(", said, re.MULTILINE), said
    assert "??" not in said


def test_in_a_library_of_a_wheel(program: Path, tmp_path: Path) -> None:
    """A copy of the executable's tree gives gdb the files whose names the loader knows."""
    output([program, "-c", UNPACK, tmp_path], env=INTERPRETER)
    folders = sorted({str(file.parent) for file in tmp_path.rglob("*.so*")})
    said = gdb(
        program,
        f"set solib-search-path {':'.join(folders)}",
        "set breakpoint pending on",
        "break PyInit__yaml",
        "run",
        "backtrace",
        "break yaml_parser_parse",
        "continue",
        "backtrace 1",
        # By now glibc's loader has put the library's name where gdb first saw a file in memory.
        "info sharedlibrary",
        "sharedlibrary",
        "info symbol yaml_parser_parse",
        "kill",
        arguments="yaml",
    )
    assert re.search(r"^#0 .*PyInit__yaml", said, re.MULTILINE), said
    assert re.search(r"^#\d+ .* in main \(", said, re.MULTILINE), said
    assert re.search(r"^#0 .*yaml_parser_parse", said, re.MULTILINE), said
    found = re.search(r"^yaml_parser_parse in section .text of (.*)$", said, re.MULTILINE)
    assert found, said
    assert found.group(1).startswith(str(tmp_path)), said


WORK = """
import time
end = time.process_time() + 0.5
while time.process_time() < end:
    sorted(str(number) for number in range(1000))
"""


def test_perf(program: Path, tmp_path: Path) -> None:
    perf, data = tool("perf"), tmp_path / "perf.data"
    # perf takes the text after `=` in a name for an option.
    link = tmp_path / "program"
    link.symlink_to(program)
    done = subprocess.run(
        [perf, "record", "-q", "-F", "2000", "-o", str(data), str(link), "-c", WORK],
        env={"PATH": "/usr/bin:/bin", **INTERPRETER},
        capture_output=True,
        text=True,
        timeout=120,
    )
    if done.returncode != 0:
        pytest.skip(f"perf cannot record on this machine: {done.stderr.strip()[-200:]}")
    report = output(
        [perf, "report", "-i", data, "--stdio", "--sort", "symbol", "-w", "60"],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    )
    assert "_PyEval_EvalFrameDefault" in report
    assert "long_to_decimal_string_internal" in report  # not a name of the Python API
