"""Third-party packages' own tests inside an executable: the same result as on disk.

A spread of them runs always. All of them, for the tables in docs/compatibility.md, by

    OXIDIZE_FULL=1 OXIDIZE_WRITE_DOCS=1 build-support/test \\
        src/python/oxidize_rules/goals/package_tests_integration_test.py

With `-k` for some of them, which leaves the lines of the others as they are.
"""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Dict, List, Tuple

import pytest

from oxidize_rules.goals.testing_binaries import LIBCS, start
from oxidize_rules.goals.testing_package_suites import SUITES
from oxidize_rules.goals.testing_pants import REPOSITORY, package_distribution
from oxidize_rules.goals.testing_suites import (
    INSIDE,
    ON_DISK,
    PROJECT,
    Result,
    Suite,
    compare,
    compared_with,
    locked,
    make_environment,
    package_executables,
    run_suite,
)

DOCUMENT = REPOSITORY / "docs/compatibility.md"
BEGIN = "<!-- Written by package_tests_integration_test.py; do not edit: begin -->\n"
END = "<!-- end of the packages' own tests -->\n"
ALL = os.environ.get("OXIDIZE_FULL") == "1"
WRITE = os.environ.get("OXIDIZE_WRITE_DOCS") == "1"
# Quick ones of each kind: native code, data files, zip files, tests in the image and on disk.
SPREAD = (
    "certifi",
    "docutils",
    "jinja2",
    "markupsafe",
    "pytz",
    "setuptools",
    "simplejson",
    "tzdata",
)
CHOSEN = tuple(suite for suite in SUITES if ALL or suite.project in SPREAD)
PREFIX = "/.oxidized/"
HOW = "run this file with OXIDIZE_FULL=1 OXIDIZE_WRITE_DOCS=1"
# By project and C library: inside and on disk.
Results = Dict[Tuple[str, str], Tuple[Result, Result]]


@pytest.fixture(scope="session")
def executables() -> Dict[str, Path]:
    return package_executables()


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("suites")


@pytest.fixture(scope="session")
def environments(work: Path) -> Dict[str, Path]:
    """The interpreter on disk for each C library: that of a virtual environment."""
    return {
        libc: make_environment(libc, package_distribution(libc), work / libc / "environment")
        for libc in LIBCS
    }


@pytest.fixture(scope="session")
def results() -> Results:
    """What ran."""
    return {}


@pytest.mark.parametrize("suite", CHOSEN, ids=lambda suite: suite.project)
def test_same_as_on_disk(
    suite: Suite,
    libc: str,
    executables: Dict[str, Path],
    environments: Dict[str, Path],
    work: Path,
    results: Results,
) -> None:
    sdists = work / "sdists"
    sdists.mkdir(exist_ok=True)
    inside = run_suite(executables[libc], suite, sdists, work / libc, INSIDE)
    python = environments[compared_with(suite, libc)]
    on_disk = run_suite(python, suite, sdists, work / libc, ON_DISK)
    shutil.rmtree(work / libc / INSIDE.replace(" ", "-"))
    shutil.rmtree(work / libc / ON_DISK.replace(" ", "-"))
    results[suite.project, libc] = inside, on_disk
    assert inside.count("passed") > 0
    # What is tested is in the image, and what it is compared with is not.
    places = {name: file for name, file in inside.modules.items() if file != "None"}
    assert places
    assert not {name: file for name, file in places.items() if not file.startswith(PREFIX)}
    assert not [file for file in on_disk.modules.values() if file.startswith(PREFIX)]
    different = {
        name: (*pair, inside.notes.get(name, ""), on_disk.notes.get(name, ""))
        for name, pair in compare(inside, on_disk).items()
        if suite.reason(libc, name) is None
    }
    assert not different, different


def test_pkg_resources(executables: Dict[str, Path], libc: str, tmp_path: Path) -> None:
    """Of setuptools, which its own suite above tests with folders and zip files on disk."""
    check = PROJECT / "checks/check_pkg_resources.py"
    ended = start([executables[libc], check], cwd=tmp_path, env={"PATH": "/usr/bin:/bin"})
    assert ended.code == 0, ended.err
    assert re.search(r"^Ran \d\d tests in", ended.err, re.MULTILINE), ended.err


def counts(result: Result) -> str:
    """`12 passed, 3 skipped`: xfailed tests are skipped ones here, xpassed ones are passed."""
    numbers = (
        (result.count("passed", "xpassed"), "passed"),
        (result.count("failed", "error"), "failed"),
        (result.count("skipped", "xfailed"), "skipped"),
    )
    return ", ".join(f"{number} {word}" for number, word in numbers if number)


def kept(written: str, results: Results) -> Dict[str, List[str]]:
    """The lines of the tables in the documentation, by project, of what did not run this time."""
    ran = {project for project, _ in results}
    lines: Dict[str, List[str]] = {}
    for line in written.splitlines():
        match = re.match(r"\| (\S+) \| \S+ \| \S", line)
        if match and match[1] not in {*ran, "package"}:
            lines.setdefault(match[1], []).append(line)
    return lines


def table(results: Results, known: Dict[str, List[str]]) -> str:
    versions = locked()
    lines = ["| package | version | tests of the | musl | glibc |", "|---|---|---|---|---|"]
    for suite in SUITES:
        if all((suite.project, libc) in results for libc in LIBCS):
            origin = "wheel, in the image" if suite.in_wheel else "sdist"
            cells = [counts(results[suite.project, libc][0]) for libc in LIBCS]
            version = versions[suite.project][0]
            lines.append(f"| {suite.project} | {version} | {origin} | {' | '.join(cells)} |")
        else:
            lines += known.get(suite.project, [])[:1]
    return "\n".join(lines) + "\n"


def differences(results: Results, known: Dict[str, List[str]]) -> str:
    """One line for each outcome inside and on disk that a reason explains, with how many tests."""
    found: Counter[Tuple[str, str, str, str, str]] = Counter()
    for (project, libc), pair in results.items():
        (suite,) = (suite for suite in SUITES if suite.project == project)
        for name, (inside, on_disk) in compare(*pair).items():
            reason = suite.reason(libc, name) or f"not explained: `{name}`"
            found[project, libc, reason, inside, on_disk] += 1
    lines = [line for one in known.values() for line in one[1:]]
    for (project, libc, reason, inside, on_disk), number in found.items():
        name = {"musl": "musl", "gnu": "glibc"}[libc]
        lines.append(f"| {project} | {name} | {number} | {inside} | {on_disk} | {reason} |")
    if not lines:
        return "\nNo test has another outcome inside than on disk.\n"
    head = [
        "| package | C library | tests | inside | on disk | reason |",
        "|---|---|---|---|---|---|",
    ]
    return "\nDifferent inside than on disk:\n\n" + "\n".join([*head, *sorted(lines)]) + "\n"


def test_tables_of_the_documentation(results: Results) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    written, end, after = rest.partition(END)
    assert begin
    assert end
    if ALL:
        known = kept(written, results)
        found = table(results, known) + differences(results, known)
        assert WRITE or written == found, f"{HOW} to write what was found into {DOCUMENT.name}"
    if ALL and WRITE:
        written = found
        DOCUMENT.write_text(before + BEGIN + written + END + after, encoding="utf-8")
    versions = locked()
    rows = re.findall(r"^\| (\S+) \| (\d\S*) \|.*passed.*passed", written, re.MULTILINE)
    expected = [(suite.project, versions[suite.project][0]) for suite in SUITES]
    assert rows == expected, f"{DOCUMENT.name} is of other packages or versions: {HOW}"
    assert "not explained" not in written
