"""`pants package` and `pants run` of testprojects/hello, as a person types them.

The first run on a machine builds the distributions from source, which takes many minutes.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Dict, List

import pytest

from oxidize_rules.goals.testing_pants import DIST, REPOSITORY, run_pants

PREFIX = "testprojects/hello:bin@target_triple="
TRIPLES = ("musl", "gnu")


def pants(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs `./pants`; a failure shows all that Pants said."""
    result = run_pants(*arguments)
    assert result.returncode == 0, f"{arguments}\n{result.stdout}\n{result.stderr}"
    return result


@pytest.fixture(scope="module")
def packaged() -> Dict[str, Path]:
    """The executables by triple's short name."""
    dist = DIST / "testprojects.hello"
    files = {name: dist / f"bin@target_triple={name}" for name in TRIPLES}
    for file in files.values():
        file.unlink(missing_ok=True)
    log = pants("package", "testprojects/hello:bin").stderr
    for name, file in files.items():
        assert f"Wrote {file.relative_to(REPOSITORY)}" in log
        assert f"x86_64-unknown-linux-{name}" in log
    return files


@pytest.mark.parametrize("name", TRIPLES)
def test_one_executable_file(packaged: Dict[str, Path], name: str) -> None:
    file = packaged[name]
    assert file.is_file()
    assert not file.is_symlink()
    assert os.access(file, os.X_OK)
    assert file.read_bytes()[:4] == b"\x7fELF"
    # Nothing is written beside the executables.
    assert {path.name for path in file.parent.iterdir()} == {
        path.name for path in packaged.values()
    }


@pytest.mark.parametrize("environment", [{}, {"PATH": "/nowhere", "PYTHONHOME": "/nowhere"}])
@pytest.mark.parametrize("name", TRIPLES)
def test_it_says_hello(
    packaged: Dict[str, Path], tmp_path: Path, name: str, environment: Dict[str, str]
) -> None:
    result = subprocess.run(
        [str(packaged[name])],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "Hello from Python 3.13\n", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", TRIPLES)
def test_run_is_the_packaged_executable(packaged: Dict[str, Path], name: str) -> None:
    assert pants("run", f"{PREFIX}{name}").stdout == "Hello from Python 3.13\n"
    rerun = pants("package", f"{PREFIX}{name}").stderr
    assert "Completed: Link" not in rerun


def test_dependencies_are_inferred_from_the_entry_point() -> None:
    lines: List[str] = pants("dependencies", f"{PREFIX}musl").stdout.split()
    assert lines == ["testprojects/hello/main.py"]
