"""For tests: third-party packages' own tests, inside an executable and on disk.

A suite's tests are those of its release: the wheel's, where they are part of it, else the sdist's.
`testprojects/package_tests` is the executable; on disk there is a virtual environment of the same
distribution's interpreter with the same wheels.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from packaging.utils import canonicalize_name
from pants.backend.python.subsystems.repos import PythonRepos

from oxidize_rules.goals.testing_binaries import (
    package_for_each_libc,
)
from oxidize_rules.goals.testing_pants import REPOSITORY
from oxidize_rules.sandbox.distribution.unpack import unpack
from oxidize_rules.sandbox.wheels.wheel_index import Places

LOCK = REPOSITORY / "3rdparty/python/package_tests.lock"
PROJECT = REPOSITORY / "testprojects/package_tests"
# Seconds for one suite.
TIMEOUT = 1800.0
INSIDE, ON_DISK = "inside", "on disk"


@dataclass(frozen=True)
class Suite:
    """The tests of one project.

    `modules`: what must come from the image. `tests`: paths in the sdist, or with `in_wheel` names
    of packages. `move`: tests out of the package, which `remove` takes away from the sdist.
    `native`: the package or its tests have native modules. `plugins`: those of pytest, by entry
    point. `arguments`: further ones for pytest, such as tests that are left out, on both sides.
    `differences`: for `musl`, `gnu` or `both`, patterns of test ids whose outcome is another one
    inside, with the reason.
    """

    project: str
    modules: Tuple[str, ...]
    tests: Tuple[str, ...] = ("tests",)
    in_wheel: bool = False
    native: bool = False
    move: Mapping[str, str] = field(default_factory=dict)
    remove: Tuple[str, ...] = ("src",)
    plugins: Tuple[str, ...] = ()
    arguments: Tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    differences: Mapping[Tuple[str, str], str] = field(default_factory=dict)

    def reason(self, libc: str, test: str) -> Optional[str]:
        for (where, pattern), reason in self.differences.items():
            if where in (libc, "both") and fnmatchcase(test, pattern.replace("[", "[[]")):
                return reason
        return None


@dataclass(frozen=True)
class Result:
    """What one run of a suite gave, by test id. `modules`: the files of the modules it imported."""

    tests: Dict[str, str]
    notes: Dict[str, str]
    modules: Dict[str, str]

    def count(self, *outcomes: str) -> int:
        return sum(outcome in outcomes for outcome in self.tests.values())


# -----------------------------------------------------------------------------------------------
# Preparations
# -----------------------------------------------------------------------------------------------


def package_executables() -> Dict[str, Path]:
    """The executable with all the packages for each C library."""
    return package_for_each_libc(PROJECT.name)


def locked() -> Dict[str, Tuple[str, List[str]]]:
    """Version and sha256 of all files, by project."""
    text = LOCK.read_text(encoding="utf-8").replace("\\\n", " ")
    found: Dict[str, Tuple[str, List[str]]] = {}
    for line in text.splitlines():
        match = re.match(r"(?P<name>[\w.-]+)==(?P<version>\S+) (?P<rest>.*)", line)
        if match:
            hashes = re.findall(r"--hash=sha256:([0-9a-f]{64})", match["rest"])
            found[canonicalize_name(match["name"])] = match["version"], hashes
    return found


def fetch_sdist(project: str, folder: Path) -> Path:
    """The project's sdist with a hash that the lock file has, downloaded once for each folder."""
    version, hashes = locked()[canonicalize_name(project)]
    places = Places([os.environ.get("PIP_INDEX_URL", PythonRepos.pypi_index)], [])
    for file in places.files(canonicalize_name(project)):
        if file.filename.endswith(".tar.gz") and file.sha256 in hashes:
            path = folder / file.filename
            if not path.exists():
                with path.with_suffix(".part").open("wb") as stream:
                    digest = places.download(file, stream)
                assert digest == file.sha256, f"{file.filename} has the sha256 {digest}"
                path.with_suffix(".part").rename(path)
            return path
    raise AssertionError(f"the index has no sdist of {project} {version} that the lock file allows")


def unpack_sdist(archive: Path, folder: Path) -> None:
    """What is below the sdist's one folder becomes `folder`, which is emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            _, _, member.name = member.name.partition("/")
            if member.name and not member.name.startswith("/") and ".." not in member.name:
                tar.extract(member, folder)


def platforms(libc: str) -> List[str]:
    """pip's names of what `testprojects/package_tests` takes for that C library."""
    if libc == "musl":
        return [f"musllinux_1_{minor}_x86_64" for minor in (2, 1, 0)]
    names = [f"manylinux_2_{minor}_x86_64" for minor in range(28, 4, -1)]
    return [*names, *(f"manylinux{old}_x86_64" for old in (2014, 2010, 1))]


def make_environment(libc: str, archive: Path, folder: Path) -> Path:
    """The interpreter of a virtual environment with the locked wheels, of the distribution.

    Installed by pip of the interpreter that runs this, since pip offers no wheels for musl to an
    interpreter that is linked statically: that one can load none of their native modules.
    """
    folder.mkdir(parents=True)
    unpack(str(archive), str(folder / "distribution"))
    (base,) = (folder / "distribution").glob("**/install/bin/python3.13")
    environment = folder / "venv"
    subprocess.run([str(base), "-m", "venv", "--without-pip", str(environment)], check=True)
    chosen = [word for name in platforms(libc) for word in ("--platform", name)]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--require-hashes", "--only-binary", ":all:", "--no-compile"),
            "--ignore-requires-python",  # it would look at the interpreter that runs pip
            *("--implementation", "cp", "--python-version", "3.13", *chosen),
            *("--target", str(environment / "lib/python3.13/site-packages"), "-r", str(LOCK)),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return environment / "bin/python"


# -----------------------------------------------------------------------------------------------
# A run
# -----------------------------------------------------------------------------------------------


def run_suite(python: Path, suite: Suite, sdists: Path, work: Path, side: str) -> Result:
    """Runs a suite's tests by `python`, in a fresh folder below `work`."""
    root = work / side.replace(" ", "-")
    place, home, file = root / suite.project, root / "home", root / f"{suite.project}.json"
    unpack_sdist(fetch_sdist(suite.project, sdists), place)
    for name, moved in suite.move.items():
        (place / name).rename(place / moved)
    for name in suite.remove:
        if (place / name).is_dir():
            shutil.rmtree(place / name)
        else:
            (place / name).unlink()
    plugins = [word for name in suite.plugins for word in ("-p", name)]
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    file.unlink(missing_ok=True)
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PYTHONHASHSEED": "0",
        # One package's tests stumble over another's plugin.
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        **suite.env,
    }
    if side == ON_DISK:
        environment["PYTHONPATH"] = str(PROJECT)
    with (root / f"{suite.project}.log").open("w+", errors="backslashreplace") as log:
        done = subprocess.run(
            [
                *(str(python), "-m", "pytest", "-p", "outcomes", "--outcomes", str(file)),
                *(f"--outcomes-module={name}" for name in suite.modules),
                *("-q", "-p", "no:cacheprovider", "-p", "no:randomly"),
                *plugins,
                *suite.arguments,
                *(["--pyargs"] if suite.in_wheel else []),
                *suite.tests,
            ],
            cwd=place,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT,
        )
        log.seek(0)
        said = log.read()
    assert file.exists(), f"{suite.project} {side} ended with {done.returncode}:\n{said[-8000:]}"
    content = json.loads(file.read_text(encoding="utf-8"))
    return Result(
        tests=_without_places(content["tests"], root),
        notes=_without_places(content["notes"], root),
        modules=content["modules"],
    )


def _without_places(texts: Mapping[str, str], root: Path) -> Dict[str, str]:
    """Test ids as they are on both sides: without the folder of the run or of the installation."""
    return {
        re.sub(r"^\S*?/site-packages/", "", name.replace(str(root), "")): text
        for name, text in texts.items()
    }


def compared_with(suite: Suite, libc: str) -> str:
    """Whose environment on disk shows what is to come out inside.

    The musl distribution's interpreter loads no native modules, which executables for musl do.
    """
    return "gnu" if suite.native else libc


def compare(inside: Result, on_disk: Result) -> Dict[str, Tuple[str, str]]:
    """Outcomes inside and on disk, `absent` for none, of the tests where they are not the same."""
    names: Sequence[str] = sorted({*inside.tests, *on_disk.tests})
    pairs = {
        name: (inside.tests.get(name, "absent"), on_disk.tests.get(name, "absent"))
        for name in names
    }
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
