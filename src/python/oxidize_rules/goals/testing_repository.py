"""For tests: copies of this repository and small projects, in which `./pants` really runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import List, Mapping, Set

REPOSITORY = Path(__file__).resolve().parents[4]

_RAN = re.compile(r"Running (.+?) under semaphore with concurrency id")


@dataclass(frozen=True)
class Outcome:
    """What one Pants command did. `log` is its stderr."""

    returncode: int
    stdout: str
    log: str

    @property
    def processes(self) -> List[str]:
        """The descriptions of the processes that really ran. Pants logs this line when a process
        gets its core, thus neither for one in the store nor for one remembered by the daemon."""
        return sorted(set(_RAN.findall(self.log)))


@dataclass
class Project:
    """A folder with `pants` and a `pants.toml`. Give it back by `close`, which ends its daemon."""

    root: Path
    options: List[str] = field(default_factory=list)
    env: Mapping[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, timeout: float = 1800) -> Outcome:
        result = subprocess.run(
            [str(self.root / "pants"), "--no-dynamic-ui", *self.options, *arguments],
            cwd=self.root,
            env={**os.environ, **self.env},
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        return Outcome(result.returncode, result.stdout, result.stderr)

    def good(self, *arguments: str, timeout: float = 1800) -> Outcome:
        """As `run`; a failure shows all that Pants said."""
        outcome = self.run(*arguments, timeout=timeout)
        assert outcome.returncode == 0, f"{arguments}\n{outcome.stdout}\n{outcome.log}"
        return outcome

    def write(self, path: str, content: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)

    def written(self) -> Set[str]:
        """The files in `dist/`."""
        dist = self.root / "dist"
        return {str(file.relative_to(dist)) for file in dist.rglob("*") if file.is_file()}

    def close(self) -> None:
        pid_file = next(self.root.glob(".pids/*/pantsd/pid"), None)
        if pid_file is None:
            return
        pid = int(pid_file.read_text())
        command = Path(f"/proc/{pid}/cmdline")
        if command.exists() and str(self.root).encode() in command.read_bytes():
            os.kill(pid, 15)


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
