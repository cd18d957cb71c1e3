"""For integration tests: copies of this repository that a test may change, and Pants in them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Optional, Sequence, Tuple

REPOSITORY = Path(__file__).resolve().parents[4]
# What a checkout has that is not part of the repository.
_NOT_COPIED = (".git", ".pants.d", ".pids", "dist", "__pycache__", ".*_cache")
_LOGGER = (
    '--backend-packages=+["pants.backend.experimental.tools.workunit_logger"]',
    "--workunit-logger-enabled",
)


class Checkout:
    """A copy of the repository at `root`. With `store`, Pants keeps all its caches there; without,
    it uses the caches of the user, in which earlier tests have left the built distributions."""

    def __init__(self, root: Path, store: Optional[Path] = None) -> None:
        self.root = root
        self.log = root / ".workunits"
        self._options: Tuple[str, ...] = ()
        if store is not None:
            self._options = (
                f"--local-store-dir={store}/lmdb",
                f"--named-caches-dir={store}/named",
            )
        shutil.copytree(REPOSITORY, root, ignore=shutil.ignore_patterns(*_NOT_COPIED))
        self.log.mkdir()

    def pants(self, *arguments: str) -> str:
        """Runs Pants and gives all that it says. A failure shows it."""
        result = subprocess.run(
            [
                str(self.root / "pants"),
                "--no-dynamic-ui",
                *_LOGGER,
                f"--workunit-logger-logdir={self.log}",
                *self._options,
                *arguments,
            ],
            cwd=self.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=3600,
        )
        assert result.returncode == 0, result.stdout
        return result.stdout

    def package(self, *addresses: str) -> Sequence[str]:
        """Packages the targets. Gives the descriptions of the processes that ran for it: those in
        Pants' own workunit log that were neither in a cache nor still remembered."""
        for old in self.log.iterdir():
            old.unlink()
        self.pants("package", *addresses)
        (log,) = self.log.iterdir()
        return sorted(
            workunit["description"]
            for workunit in json.loads(log.read_text())
            if workunit["name"] == "run_local_process"
        )

    def dist(self, path: str) -> Path:
        return self.root / "dist" / path

    def edit(self, path: str, old: str, new: str) -> None:
        file = self.root / path
        text = file.read_text()
        assert old in text, f"{path} has no {old!r}"
        file.write_text(text.replace(old, new))

    def stop(self) -> None:
        """Ends the daemon that Pants has started in this copy."""
        for pid in self.root.glob(".pids/**/pantsd/pid"):
            try:
                os.kill(int(pid.read_text()), signal.SIGTERM)
            except (OSError, ValueError):
                continue
