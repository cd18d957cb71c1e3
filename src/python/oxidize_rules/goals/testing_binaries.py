"""The executables of testprojects/, packaged once for all tests that start them."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Mapping, Optional, Sequence, Tuple, Union

from oxidize_rules.goals.testing_pants import DIST, REPOSITORY, package_targets

PROJECTS = (
    "hello",
    "cli",
    "interpreter",
    "processes",
    "processes:arguments",
    "native_code",
    "imports",
    "bytecode",
)
LIBCS = ("musl", "gnu")
# A folder as Pants' `dist`, taken instead of packaging: for work on the tests themselves.
DIST_VARIABLE = "OXIDIZE_TEST_DIST"
WROTE = re.compile(
    r"Wrote (?P<path>\S*testprojects\.(?P<project>\w+)/(?P<name>\w+)@\S*=(?P<libc>\w+))$"
)

Text = Union[str, Path]


@dataclass(frozen=True)
class Packaged:
    """Where the executables are, by project and C library: `cli`, or `startup:open` where the
    target's name is not `bin`."""

    files: Mapping[Tuple[str, str], Path]

    def __call__(self, project: str, libc: str) -> Path:
        return self.files[project, libc]


def _key(project: str, name: str) -> str:
    return project if name == "bin" else f"{project}:{name}"


def package_for_each_libc(project: str) -> Dict[str, Path]:
    """The executables of `testprojects/<project>:musl` and `:gnu`, or those of DIST_VARIABLE."""
    dist = os.environ.get(DIST_VARIABLE)
    if not dist:
        package_targets(*(f"testprojects/{project}:{libc}" for libc in LIBCS))
        dist = str(DIST)
    files = {libc: Path(dist).resolve() / f"testprojects.{project}/{libc}" for libc in LIBCS}
    for path in files.values():
        assert path.is_file(), path
    return files


def package(projects: Sequence[str] = PROJECTS) -> Packaged:
    """Runs `./pants package` for the projects, or takes the files that DIST_VARIABLE names.

    An AssertionError shows all that Pants said, or which executable is not there.
    """
    files: Dict[Tuple[str, str], Path] = {}
    dist = os.environ.get(DIST_VARIABLE)
    if dist:
        for path in Path(dist).resolve().glob("testprojects.*/*@target_triple=*"):
            project = path.parent.name.partition(".")[2]
            name, _, libc = path.name.partition("@target_triple=")
            files[_key(project, name), libc] = path
        source = f"{DIST_VARIABLE}={dist}"
    else:
        targets = [
            f"testprojects/{project}" + ("" if ":" in project else ":bin") for project in projects
        ]
        done = package_targets(*targets)
        source = f"{done.stdout}\n{done.stderr}"
        for line in done.stderr.splitlines():
            match = WROTE.search(line)
            if match:
                files[_key(match["project"], match["name"]), match["libc"]] = (
                    REPOSITORY / match["path"]
                )
    for project in projects:
        for libc in LIBCS:
            path = files.get((project, libc), Path())
            assert path.is_file(), f"no executable of {project} for {libc}:\n{source}"
    return Packaged(files)


@dataclass(frozen=True)
class Ended:
    """What a program gave back: all as text, so that a failed comparison shows everything."""

    code: int
    out: str
    err: str


def start(
    command: Sequence[Text],
    *,
    cwd: Text = "/",
    env: Optional[Mapping[str, str]] = None,
    stdin: str = "",
    timeout: float = 120.0,
) -> Ended:
    """Runs a program with exactly the environment `env` (empty unless given) to its end."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=str(cwd),
        env=dict(env or {}),
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        errors="backslashreplace",
        timeout=timeout,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def output(command: Sequence[Text], **options: object) -> str:
    """Standard output of a program that has to end with 0 and say nothing on standard error."""
    ended = start(command, **options)  # type: ignore[arg-type]
    assert (ended.code, ended.err) == (0, ""), ended
    return ended.out
