"""pytest and coverage inside an executable, with the tests of `testprojects/package_tests/sample`.

The tests are in the image, or copied to a folder on disk.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any, Dict, Tuple

import pytest

from oxidize_rules.goals.testing_binaries import Ended, start
from oxidize_rules.goals.testing_suites import PROJECT, package_executables

SAMPLE = PROJECT / "sample"
IMAGE = "/.oxidized/app/sample"
FAILED = {"test_total_fails", "test_texts_fail", "test_helper_fails", "test_plugin_fails"}
PASSED = {"test_total", "test_sign", "test_folder"}
# What rewritten assertions say, in the test module, in a module named by conftest.py, in a plugin.
EXPLAINED = (
    "assert 6 == 3",
    "+  and   3 = len([1, 2, 3])",
    "- secund",
    "assert (7 % 2) == 0",
    "assert 12 < 10",
)
# The plugins of the other packages would only take time; one test below asks for them.
NO_PLUGINS = "PYTEST_DISABLE_PLUGIN_AUTOLOAD"
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", NO_PLUGINS: "1"}


@pytest.fixture(scope="session")
def executables() -> Dict[str, Path]:
    return package_executables()


@pytest.fixture
def python(executables: Dict[str, Path], libc: str) -> Path:
    return executables[libc]


@pytest.fixture(params=["image", "disk"])
def place(request: Any, tmp_path: Path) -> Tuple[str, Path]:
    """What pytest is to collect, and the working folder."""
    if request.param == "image":
        return IMAGE, tmp_path
    shutil.copytree(SAMPLE, tmp_path / "sample")
    return "sample", tmp_path


def run(python: Path, folder: Path, *arguments: str, **environment: str) -> Ended:
    return start(
        [python, "-m", *arguments],
        cwd=folder,
        env={**ENVIRONMENT, "HOME": str(folder), **environment},
        timeout=300,
    )


def outcomes(ended: Ended) -> Tuple[set[str], set[str]]:
    """The names of the tests that passed and that failed, of `pytest -rA`."""
    found: Dict[str, set[str]] = {"PASSED": set(), "FAILED": set()}
    for word, name in re.findall(r"^(PASSED|FAILED) \S+::(\w+)", ended.out, re.MULTILINE):
        found[word].add(name)
    return found["PASSED"], found["FAILED"]


def test_assertions_are_rewritten(python: Path, place: Tuple[str, Path], libc: str) -> None:
    what, folder = place
    ended = run(python, folder, "pytest", "-rA", "-p", "sample.plugin", what)
    assert ended.code == 1, ended
    assert outcomes(ended) == (PASSED, FAILED), ended
    for text in EXPLAINED:
        assert re.search(rf"^E .*{re.escape(text)}", ended.out, re.MULTILINE), (text, ended)
    # The source line of a test, above what became of it.
    assert "\n>       assert sums.total(numbers) == len(numbers)\n" in ended.out, ended
    where = "/.oxidized/app/" if what == IMAGE else ""
    assert f"\n{where}sample/test_sums.py:16: AssertionError" in ended.out, ended
    # On disk pytest keeps what it has rewritten, in the image it cannot.
    kept = [path.name for path in folder.glob("sample/__pycache__/*pytest*.pyc")]
    assert bool(kept) == (what != IMAGE)


def test_plain_assertions(python: Path, tmp_path: Path) -> None:
    """Without rewriting, the same tests say nothing of values: the test above can fail."""
    ended = run(python, tmp_path, "pytest", "--assert=plain", "-p", "sample.plugin", IMAGE)
    assert ended.code == 1
    assert "assert (7 % 2) == 0" not in ended.out
    assert "4 failed, 3 passed" in ended.out


def test_names_options_and_doctests(python: Path, tmp_path: Path) -> None:
    """A package by name, a plugin's option, and the examples in docstrings."""
    arguments = ["-rA", "-p", "sample.plugin", "--limit=13", "--doctest-modules"]
    ended = run(python, tmp_path, "pytest", *arguments, "--pyargs", "sample")
    passed, failed = outcomes(ended)
    assert failed == FAILED - {"test_plugin_fails"}, ended
    assert passed >= {*PASSED, "test_plugin_fails"}
    assert "PASSED sums.py::sample.sums.total" in ended.out


def test_plugins_of_installed_packages(python: Path, tmp_path: Path) -> None:
    """Those that entry points in dist-info folders of the image name."""
    arguments = ["--collect-only", "--pyargs", "sample"]
    ended = run(python, tmp_path, "pytest", *arguments, **{NO_PLUGINS: ""})
    plugins = re.search(r"^plugins: (.*)$", ended.out, re.MULTILINE)
    assert plugins, ended
    names = {name.rpartition("-")[0] for name in plugins[1].split(", ")}
    assert {"anyio", "asyncio", "cov", "hypothesis", "mock", "timeout"} <= names


def measure(python: Path, folder: Path, *arguments: str, **environment: str) -> str:
    """What `coverage report` says of `sample/sums.py` after it was run as a program."""
    program = [
        "coverage",
        "run",
        "--debug=core",
        *arguments,
        "--source=sample",
        "-m",
        "sample.sums",
    ]
    ended = run(python, folder, *program, **environment)
    assert (ended.code, ended.out) == (0, "6 positive\n"), ended
    core = environment.get("COVERAGE_CORE", "ctrace")
    assert f"core.py: Using core={core}\n" in ended.err, ended
    report = run(python, folder, "coverage", "report", "--show-missing", "--include=*/sums.py")
    line = re.search(r"^(\S+/sums\.py) +(.*)$", report.out, re.MULTILINE)
    assert line, report
    assert line[1] == f"{IMAGE}/sums.py"
    return re.sub(" +", " ", line[2])


@pytest.mark.parametrize("core", ["ctrace", "sysmon", "pytrace"])
def test_coverage_of_the_image(python: Path, core: str, tmp_path: Path) -> None:
    """Lines of modules in the image, by each way that coverage has to see them."""
    assert measure(python, tmp_path, COVERAGE_CORE=core) == "12 1 92% 20"


def test_coverage_reports_with_sources(python: Path, tmp_path: Path) -> None:
    """Branches, too, and the reports that show source lines: these come from the image."""
    assert measure(python, tmp_path, "--branch") == "12 1 6 2 83% 20, 24->exit"
    assert run(python, tmp_path, "coverage", "html", "-q", "--include=*/sums.py").code == 0
    (page,) = (tmp_path / "htmlcov").glob("*sums_py.html")
    assert "no test comes here" in page.read_text(encoding="utf-8")
    known = run(python, tmp_path, "coverage", "json", "-q", "-o", "-", "--include=*/sums.py")
    (file,) = json.loads(known.out)["files"].values()
    assert file["missing_lines"] == [20]


def test_coverage_by_pytest(python: Path, place: Tuple[str, Path]) -> None:
    """pytest-cov: rewriting and measuring at once."""
    what, folder = place
    arguments = ["-p", "sample.plugin", "-p", "pytest_cov", "--cov=sample.sums"]
    ended = run(python, folder, "pytest", *arguments, "--cov-report=term-missing", what)
    assert "4 failed, 3 passed" in ended.out, ended
    assert re.search(r"sample/sums\.py +12 +2 +83% +20, 25$", ended.out, re.MULTILINE), ended
