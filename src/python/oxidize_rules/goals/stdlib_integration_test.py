"""CPython's own tests, inside the executables of `testprojects/stdlib_tests`, as those on disk.

What the distribution's own interpreter says of each file, unpacked to a folder, is recorded in
`testprojects/stdlib_tests/disk.json`, so that it need not run every time: where the executable says
something else than the record, both run again and decide. OXIDIZE_FULL=1 runs all files instead of
a spread; OXIDIZE_WRITE_DOCS=1 with it writes the record and the table of `docs/compatibility.md`.
"""

from __future__ import annotations

import functools
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Optional, Tuple

import pytest

from oxidize_rules.goals.testing_binaries import LIBCS, package
from oxidize_rules.goals.testing_disk import unpack_distribution
from oxidize_rules.goals.testing_pants import REPOSITORY
from oxidize_rules.goals.testing_stdlib import (
    FAILED,
    FileResult,
    differences,
    list_files,
    run_file,
    run_files,
)

FULL, WRITE = "OXIDIZE_FULL", "OXIDIZE_WRITE_DOCS"
RECORD = REPOSITORY / "testprojects" / "stdlib_tests" / "disk.json"
DOCUMENT = REPOSITORY / "docs" / "compatibility.md"
BEGIN = "<!-- Written by stdlib_integration_test.py; do not edit: begin -->\n"
END = "<!-- Of stdlib_integration_test.py: end -->\n"


@dataclass(frozen=True)
class Difference:
    """Tests of some files whose outcome differs from that on disk, and why that is right.

    `tests` is a regular expression of whole ids, `what` says the same in words; `libc` is
    None where it is so on both. The tests of `only_inside` fail on disk.
    """

    files: Tuple[str, ...]
    tests: str
    what: str
    reason: str
    libc: Optional[str] = None
    only_inside: bool = False


DIFFERENCES: Tuple[Difference, ...] = (
    Difference(
        ("test_cmd_line",),
        r".*\.test_(relativedir_bug46421|pythonmalloc|xdev)",
        "3 tests",
        "One starts a process in a folder of the standard library; two ask for the name of the "
        "allocator, which is mimalloc",
    ),
    Difference(
        ("test_ctypes",),
        r".*\.test_(find|errno|dlerror|python_api|values)\..*",
        "those of `find_library`, and those that ask for libraries",
        "A static interpreter on disk loads no library, and fails in tests that pass inside; "
        "`find_library` does not ask the machine's compiler for libraries of another libc",
        "musl",
    ),
    Difference(
        ("test_embed",),
        r".*\.test_set_config",
        "1 test",
        "It changes the configuration of a running interpreter, which getpath.py would complete",
    ),
    Difference(
        ("test_site",),
        r".*\._pthFileTests\.test_underpth_(basic|file|nosite_file)",
        "3 tests",
        "A `._pth` file beside a copy of the interpreter is read by getpath.py, which does not run",
    ),
    Difference(
        ("test_subprocess",),
        r".*\.test_executable_without_cwd",
        "2 tests",
        "On disk an interpreter finds its library by its path",
        only_inside=True,
    ),
    Difference(
        ("test_sysconfig", "test_tools"),
        r".*(\.test_(get_makefile_filename|get_config_h_filename|srcdir)|test_makefile.*)",
        "3 tests and 1",
        "No Makefile and no headers are inside",
    ),
    Difference(
        ("test_bytes", "test_capi", "test_code", "test_frame", "test_stable_abi_ctypes"),
        r".*",
        "those that ask `ctypes`",
        "On disk `ctypes.pythonapi` is None in the static interpreter",
        "musl",
        only_inside=True,
    ),
    Difference(
        ("test_threading",),
        r".*\.test_(PyThreadState_SetAsyncExc|finalize_running_thread)",
        "2 tests",
        "The same",
        "musl",
        only_inside=True,
    ),
    Difference(
        ("test_unittest",),
        r".*\.(testSelectedTestNamesFunctionalTest|test_warnings)",
        "2 tests",
        "They start a process in a folder of the standard library: the kernel knows none",
    ),
    Difference(
        ("test_venv",),
        r".*\.test_(executable_symlinks|sysconfig|sysconfig_symlinks|zippath_from_non_installed_posix)"
        r".*",
        "4 tests",
        "An executable is where it is, whatever link or copy of it is in an environment",
    ),
    Difference(
        ("test_zipfile",),
        r".*\.PyZipFileTests\..*",
        "4 tests",
        "They are skipped where the standard library cannot be written to",
    ),
)

# Importing, files, processes, the interpreter's start: what an executable could do differently.
SPREAD = (
    "test_importlib",
    "test_import",
    "test_zipimport",
    "test_zipimport_support",
    "test_pkgutil",
    "test_runpy",
    "test.test_inspect.test_inspect",
    "test_traceback",
    "test_linecache",
    "test_os",
    "test_posix",
    "test_pathlib",
    "test_glob",
    "test_shutil",
    "test_fileio",
    "test_io",
    "test_mmap",
    "test_tempfile",
    "test_subprocess",
    "test_ssl",
    "test_sqlite3",
    "test_ctypes",
    "test_hashlib",
    "test_zoneinfo",
    "test_locale",
    "test_signal",
    "test_threading",
    "test_faulthandler",
    "test_site",
    "test_venv",
    "test_module",
    "test_modulefinder",
    "test_cmd_line",
    "test_cmd_line_script",
    "test_sys",
    "test_sysconfig",
    "test_warnings",
    "test_pdb",
    "test_bdb",
    "test_py_compile",
    "test_doctest",
    "test.test_pydoc.test_pydoc",
    "test_zipapp",
    "test_genericpath",
    "test_posixpath",
    "test_fnmatch",
    "test_filecmp",
    "test_dbm",
    "test_marshal",
    "test_codecs",
    "test_utf8_mode",
    "test_c_locale_coercion",
    "test_unicode_file",
    "test_unicode_file_functions",
    "test_json",
    "test_tokenize",
    "test_tomllib",
    "test_atexit",
    "test_audit",
    "test_builtin",
    "test_support",
    "test_fork1",
    "test_wait4",
    "test_selectors",
    "test_select",
    "test_curses",
    "test_readline",
    "test_getpath",
    "test_embed",
    "test_frozen",
    "test_multiprocessing_main_handling",
    "test.test_asyncio.test_base_events",
    "test.test_asyncio.test_events",
    "test.test_asyncio.test_subprocess",
    "test.test_asyncio.test_unix_events",
    "test.test_asyncio.test_streams",
    "test.test_asyncio.test_tasks",
    "test.test_concurrent_futures.test_process_pool",
    "test.test_concurrent_futures.test_thread_pool",
    "test.test_concurrent_futures.test_init",
    "test.test_concurrent_futures.test_future",
    "test.test_multiprocessing_fork.test_misc",
    "test.test_multiprocessing_fork.test_manager",
    "test.test_multiprocessing_forkserver.test_misc",
    "test.test_multiprocessing_forkserver.test_manager",
    "test.test_multiprocessing_spawn.test_misc",
    "test.test_multiprocessing_spawn.test_manager",
)


@dataclass(frozen=True)
class Pythons:
    """Commands: the executable, and the interpreter of its distribution on disk."""

    inside: Path
    disk: Path


@functools.cache
def executables() -> Dict[str, Path]:
    packaged = package(["stdlib_tests"])
    return {libc: packaged("stdlib_tests", libc) for libc in LIBCS}


@pytest.fixture(scope="session")
def pythons(tmp_path_factory: pytest.TempPathFactory) -> Dict[str, Pythons]:
    """Of each C library."""
    return {
        libc: Pythons(inside, unpack_distribution(tmp_path_factory.mktemp(libc), libc))
        for libc, inside in executables().items()
    }


def expected(name: str, libc: str, test: str, inside: str) -> bool:
    return any(
        name in one.files
        and one.libc in (None, libc)
        and re.fullmatch(one.tests, test)
        and (inside != FAILED or not one.only_inside)
        for one in DIFFERENCES
    )


def unexpected(
    name: str, libc: str, inside: FileResult, disk: FileResult
) -> Dict[str, Tuple[str, str]]:
    """What differs and is not in DIFFERENCES. If all failures are, so is the exit code."""
    found = {
        test: outcomes
        for test, outcomes in differences(inside, disk).items()
        if test == "exit code" or not expected(name, libc, test, outcomes[0])
    }
    if list(found) == ["exit code"] and any(name in one.files for one in DIFFERENCES):
        return {}
    return found


def compare(name: str, libc: str, pythons: Pythons, first: FileResult) -> Dict[str, object]:
    """The differences of one file, with some of what the executable printed; {} if none stays
    when both run again: some of CPython's tests depend on a calm machine."""
    disk = run_file([str(pythons.disk)], name)
    found = unexpected(name, libc, first, disk)
    if found:
        inside = run_file([str(pythons.inside)], name)
        found = unexpected(name, libc, inside, run_file([str(pythons.disk)], name))
        if found:
            return {**found, "printed inside": inside.output[-3000:]}
    return {}


@pytest.fixture(scope="session")
def record() -> Dict[str, Dict[str, str]]:
    """Of each C library and file: what the interpreter on disk says, as `FileResult.brief`."""
    found: Dict[str, Dict[str, str]] = json.loads(RECORD.read_text(encoding="utf-8"))
    return found


def test_spread(pythons: Dict[str, Pythons], record: Dict[str, Dict[str, str]], libc: str) -> None:
    both = pythons[libc]
    results = run_files([str(both.inside)], SPREAD)
    suspects = [name for name in SPREAD if results[name].brief() != record[libc].get(name)]
    wrong = {name: compare(name, libc, both, results[name]) for name in suspects}
    assert {name: found for name, found in wrong.items() if found} == {}


def test_every_file(pythons: Dict[str, Pythons], libc: str) -> None:
    if os.environ.get(FULL) != "1":
        pytest.skip(f"takes more than an hour: {FULL}=1 runs it")
    both = pythons[libc]
    names = list_files([str(both.inside)])
    disk = run_files([str(both.disk)], names)
    inside = run_files([str(both.inside)], names)
    found = {name: unexpected(name, libc, inside[name], disk[name]) for name in names}
    wrong = {name: compare(name, libc, both, inside[name]) for name in names if found[name]}
    if os.environ.get(WRITE) == "1":
        write_record(libc, disk)
    assert {name: one for name, one in wrong.items() if one} == {}


def write_record(libc: str, results: Dict[str, FileResult]) -> None:
    every = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    every[libc] = {name: result.brief() for name, result in sorted(results.items())}
    RECORD.write_text(json.dumps(every, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def table() -> str:
    lines = ["| files | tests | where | why |", "|---|---|---|---|"]
    for one in sorted(DIFFERENCES, key=lambda one: one.only_inside):
        names = ", ".join(f"`{name.rpartition('.')[2]}`" for name in one.files)
        what = f"{one.what}, which pass inside only" if one.only_inside else one.what
        lines.append(f"| {names} | {what} | {one.libc or 'both'} | {one.reason} |")
    return "\n".join(lines) + "\n"


def test_table_of_the_documentation() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    written, _, after = rest.partition(END)
    if os.environ.get(WRITE) == "1":
        DOCUMENT.write_text(before + BEGIN + table() + END + after, encoding="utf-8")
        return
    assert written == table()
