"""For tests: copies of this repository and small projects, in which `./pants` really runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import List, Mapping, Set

from oxidize_rules.goals.testing_pants import REPOSITORY, end_daemon

# Pants' own log of what it did, one file for each run.
_WORKUNITS = ".workunits"
_LOGGER = (
    '--backend-packages=+["pants.backend.experimental.tools.workunit_logger"]',
    "--workunit-logger-enabled",
    f"--workunit-logger-logdir={_WORKUNITS}",
)


@dataclass(frozen=True)
class Outcome:
    """What one Pants command did. `log` is its stderr.

    `processes`: the descriptions of the processes that really ran for it, sorted, from Pants' own
    workunit log: neither those in the store nor those remembered by the daemon.
    """

    returncode: int
    stdout: str
    log: str
    processes: List[str]


@dataclass
class Project:
    """A folder with `pants` and a `pants.toml`. Give it back by `close`, which ends its daemon."""

    root: Path
    options: List[str] = field(default_factory=list)
    env: Mapping[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, timeout: float = 3600) -> Outcome:
        workunits = self.root / _WORKUNITS
        shutil.rmtree(workunits, ignore_errors=True)
        workunits.mkdir()
        result = subprocess.run(
            [str(self.root / "pants"), "--no-dynamic-ui", *_LOGGER, *self.options, *arguments],
            cwd=self.root,
            env={**os.environ, **self.env},
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        processes = sorted(
            workunit["description"]
            for log in workunits.iterdir()
            for workunit in json.loads(log.read_text())
            if workunit["name"] == "run_local_process"
        )
        return Outcome(result.returncode, result.stdout, result.stderr, processes)

    def good(self, *arguments: str, timeout: float = 3600) -> Outcome:
        """As `run`; a failure shows all that Pants said."""
        outcome = self.run(*arguments, timeout=timeout)
        assert outcome.returncode == 0, f"{arguments}\n{outcome.stdout}\n{outcome.log}"
        return outcome

    def write(self, path: str, content: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)

    def edit(self, path: str, old: str, new: str) -> None:
        file = self.root / path
        text = file.read_text()
        assert old in text, f"{path} has no {old!r}"
        file.write_text(text.replace(old, new))

    def written(self) -> Set[str]:
        """The files in `dist/`."""
        dist = self.root / "dist"
        return {str(file.relative_to(dist)) for file in dist.rglob("*") if file.is_file()}

    def close(self) -> None:
        end_daemon(self.root / ".pids", self.root)


def take_pants(project: Project) -> None:
    """Puts `./pants` into a project: it runs in the folder that it is in, whoever calls it."""
    shutil.copy2(REPOSITORY / "pants", project.root / "pants")
    shutil.copytree(REPOSITORY / "build-support", project.root / "build-support")


def copy_repository(destination: Path) -> Project:
    """A copy of the working tree without ignored files, with a first commit of its own."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if not (REPOSITORY / name).is_file():
            continue
        (destination / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / name, destination / name)
    identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    for command in (
        ["init", "-q", "-b", "main"],
        ["add", "-A"],
        [*identity, "commit", "-q", "-m", "Copy"],
    ):
        subprocess.run(["git", *command], cwd=destination, check=True)
    return Project(destination)
