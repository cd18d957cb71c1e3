"""What goes in: traces of runs, the filters made from them, and what is said of what is missing.

In a copy of the repository, which takes from Pants' store what the repository has built.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from oxidize_rules.goals.testing_repository import Project, copy_repository

BUILD = """\
python_sources(dependencies=[":data"])
resources(name="data", sources=["data/*.txt"])

oxidized_binary(name="bin", entry_point="main.py:main")
"""
MAIN = '''\
import json
import sys
from importlib import resources

import click

try:
    import tomllib
except ImportError:
    tomllib = None


@click.command()
@click.option("--name", default="plain")
def main(name):
    """Greets."""
    said = {"hello": name, "data": resources.files("shop.data").joinpath("said.txt").read_text()}
    if name == "deep":
        import cmath
        said["root"] = cmath.sqrt(-4).imag
    if name == "fail":
        raise KeyError(name)
    print(json.dumps(said))
'''
LEFT_OUT = """\
oxidized_binary(name="refused", entry_point="main.py:main", exclude=["click.core"])
oxidized_binary(
    name="bare", entry_point="main.py:main", include_sources=False, bytecode_optimization=2,
    exclude=["unittest", "click.testing"], extension_filter="no-copyleft",
)
oxidized_binary(
    name="least", include_stdlib=[], extension_filter="minimal", bytecode_optimization=1,
)
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = copy_repository(tmp_path_factory.mktemp("content"))
    project.write("testprojects/shop/BUILD", BUILD + LEFT_OUT)
    project.write("testprojects/shop/main.py", "from shop.command import main\n")
    project.write("testprojects/shop/shop/BUILD", BUILD.partition("\n\n")[0] + "\n")
    project.write("testprojects/shop/shop/command.py", MAIN)
    project.write("testprojects/shop/shop/data/said.txt", "from a file")
    archive = os.environ.get("OXIDIZE_TEST_ARCHIVE")
    if archive:
        # While developing: nothing is built from source.
        build = (project.root / "toolchains/BUILD").read_text()
        project.write("toolchains/BUILD", build.replace(":python3.13-musl-build", "given.tar.zst"))
        shutil.copyfile(archive, project.root / "toolchains/given.tar.zst")
    try:
        yield project
    finally:
        project.close()


def executable(copy: Project, name: str) -> Path:
    return copy.root / "dist/testprojects.shop" / name


def run(path: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(path), *arguments], env=env, capture_output=True, text=True, timeout=60
    )


@pytest.fixture(scope="module")
def filters(copy: Project) -> Dict[str, List[str]]:
    """The fields that two runs make, as the file that they were written to has them."""
    first = copy.good("oxidize-trace", "testprojects/shop:bin", "--", "--name", "first")
    assert '"hello": "first"' in first.stdout
    assert "include_stdlib=[" in first.log
    report = executable(copy, "bin.content")
    assert "#   cmath\n" not in report.read_text()
    again = copy.run(
        "oxidize-trace", "--add", "testprojects/shop:bin", "--", "--name", "deep", "--nonsense"
    )
    assert again.returncode == 2
    assert "--nonsense" in again.log
    copy.good("oxidize-trace", "--add", "testprojects/shop:bin", "--", "--name", "deep")
    text = report.read_text()
    assert "#   app/shop/data/said.txt\n" in text
    found: Dict[str, Any] = eval(f"dict(\n{text})")
    return found


def test_the_filters_that_a_trace_proposes(filters: Dict[str, List[str]]) -> None:
    assert {"tomllib._parser", "json.decoder"} <= set(filters["include_stdlib"])
    assert not {"asyncio", "unittest", "json", "os"} & set(filters["include_stdlib"])
    assert {"click.testing", "click._winconsole"} <= set(filters["exclude"])
    assert not {"click", "click.core"} & set(filters["exclude"])
    assert {"_sqlite3", "_ssl"} <= set(filters["exclude_extensions"])
    assert not {"cmath", "_json", "posix"} & set(filters["exclude_extensions"])


def test_the_pasted_filters_make_a_smaller_executable_that_runs_the_same(
    copy: Project, filters: Dict[str, List[str]]
) -> None:
    fields = ", ".join(f"{field}={values!r}" for field, values in filters.items())
    small = f'oxidized_binary(name="small", entry_point="main.py:main", {fields})\n'
    copy.write("testprojects/shop/BUILD", BUILD + small + LEFT_OUT)
    outcome = copy.good("package", "testprojects/shop:small")
    assert "warning:" not in outcome.log
    compiled = {line for line in outcome.processes if line.startswith("Compile the ")}
    assert compiled <= {"Compile the table of built-in modules of toolchains:python3.13-musl"}
    big, less = executable(copy, "bin"), executable(copy, "small")
    assert less.stat().st_size < 0.5 * big.stat().st_size
    for name in ("plain", "deep"):
        one, other = run(big, "--name", name), run(less, "--name", name)
        assert one.returncode == 0, one.stderr
        assert (other.returncode, other.stdout, other.stderr) == (0, one.stdout, "")
    # What is left out is gone: its code, and the names in the image's index.
    for gone in (b"asyncio/base_events.py", b"click/testing.py", b"SQLite format"):
        assert gone in big.read_bytes()
        assert gone not in less.read_bytes()
    tried = run(less, "-c", "import click; import email", OXIDIZED_INTERPRETER="1")
    assert "ModuleNotFoundError: No module named 'email'" in tried.stderr
    listed = "import importlib.metadata as m; print([str(f) for f in m.files('click')])"
    files = run(big, "-c", listed, OXIDIZED_INTERPRETER="1").stdout
    assert "click/testing.py" in files


def test_what_would_fail_at_start_is_refused(copy: Project) -> None:
    outcome = copy.run("package", "testprojects/shop:refused")
    assert outcome.returncode == 1
    assert "testprojects/shop:refused: the executable would fail at its start: " in outcome.log
    assert "`click.core`, which the field `exclude` left out" in outcome.log
    assert not any(line.startswith("Link ") for line in outcome.processes)


@pytest.fixture(scope="module")
def packaged(copy: Project) -> str:
    """What is said of two executables, which are there then."""
    return copy.good("package", "testprojects/shop:bare", "testprojects/shop:least").log


def test_the_least_that_starts(copy: Project, packaged: str, tmp_path: Path) -> None:
    assert "left out by extension_filter=minimal: " in packaged
    least = executable(copy, "least")
    assert least.stat().st_size < 10e6
    (tmp_path / "hello.py").write_text("import os, runpy\nprint(__name__)\n")
    inputs: Dict[str, List[str]] = {
        "in a locale": ["-c", "print(__name__)"],
        "as a script": [str(tmp_path / "hello.py")],
        "as a module": ["-m", "hello"],
        "as a prompt": ["-q", "-i", "-c", "print(__name__)"],
        "with options": ["-X", "utf8=0", "-W", "error", "-bb", "-c", "print(__name__)"],
    }
    for locale in ("C", "C.UTF-8", "de_DE.ISO-8859-15", "nonsense"):
        for how, arguments in inputs.items():
            done = subprocess.run(
                [str(least), *arguments],
                cwd=tmp_path,
                env={"LC_ALL": locale, "PYTHONPATH": str(tmp_path)},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert done.returncode == 0, (locale, how, done.stderr)
            assert done.stdout == "__main__\n", (locale, how)
            assert "Error" not in done.stderr, (locale, how, done.stderr)
    failed = run(least, "-c", "1/0")
    assert failed.returncode == 1
    assert failed.stderr.endswith("ZeroDivisionError: division by zero\n")
    assert "ModuleNotFoundError: No module named 'json'" in run(least, "-c", "import json").stderr
    assert "No module named 'math'" in run(least, "-c", "import math").stderr


def test_without_assertions(copy: Project, packaged: str) -> None:
    """Bytecode of level 1, of the same executable: as `python -O`."""
    code = """
import linecache, os, sys
assert False, "not looked at"
folder, name = os.path.split(linecache.__cached__)
endings = {name.partition(".cpython-313")[2] for name in os.listdir(folder)}
print(sys.flags.optimize, __debug__, endings, name)
print(linecache.getline.__doc__.split()[0], linecache.getline.__code__.co_filename)
"""
    done = run(executable(copy, "least"), "-c", code)
    assert done.stdout.splitlines() == [
        "1 False {'.opt-1.pyc'} linecache.cpython-313.opt-1.pyc",
        "Get /.oxidized/lib/python3.13/linecache.py",  # docstrings are there
    ], done


def test_without_sources_and_docstrings(copy: Project, packaged: str) -> None:
    assert "warning: " not in packaged
    bare = executable(copy, "bare")
    assert run(bare).stdout == '{"hello": "plain", "data": "from a file"}\n'
    failed = run(bare, "--name", "fail")
    assert failed.returncode == 1
    assert "/.oxidized/app/shop/command.pyc" in failed.stderr or "command.py" in failed.stderr
    assert "KeyError: 'fail'" in failed.stderr
    assert "raise KeyError" not in failed.stderr  # no source, no lines
    assert "Greets" not in run(bare, "--help").stdout  # no docstrings
    code = "import inspect, json; print(__debug__, json.__doc__)\ninspect.getsource(json.dumps)"
    inspected = run(bare, "-c", code, OXIDIZED_INTERPRETER="1")
    assert inspected.stdout == "False None\n"
    assert "OSError" in inspected.stderr


def test_an_unwritable_trace_is_told(copy: Project, filters: Dict[str, List[str]]) -> None:
    outcome = run(executable(copy, "bin"), OXIDIZED_TRACE="/no/such/folder/trace")
    assert outcome.returncode == 2
    assert "OXIDIZED_TRACE: cannot write to '/no/such/folder/trace'" in outcome.stderr
