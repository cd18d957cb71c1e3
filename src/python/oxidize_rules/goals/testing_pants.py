"""For tests: `./pants` of this repository, which each of pytest's workers has to itself."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[4]
# Seconds: long enough for both distributions to be built from source on a slow machine.
TIMEOUT = 2 * 3600.0
# The name that pytest-xdist gives to a worker; without workers there is none.
_WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
# Where `package` writes. Two workers would replace executables under each other's tests.
DIST = REPOSITORY / "dist" / _WORKER
_DAEMON = REPOSITORY / ".pids" / _WORKER
_OWN_FOLDERS = (
    f"--pants-distdir={DIST}",
    f"--pants-subprocessdir={_DAEMON}",
    f"--pants-workdir={REPOSITORY / '.pants.d' / _WORKER}",
)


def run_pants(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What a command came to, whether it failed or not, with what it said on both streams."""
    command = [str(REPOSITORY / "pants"), "--no-dynamic-ui", *(_OWN_FOLDERS if _WORKER else ())]
    return subprocess.run(
        [*command, *arguments], cwd=REPOSITORY, capture_output=True, text=True, timeout=TIMEOUT
    )


def package_targets(*targets: str) -> subprocess.CompletedProcess[str]:
    """Runs `./pants package`; an AssertionError shows all that it said if it fails."""
    done = run_pants("package", *targets)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done


def package_distribution(libc: str) -> Path:
    """The archive of the repository's own distribution for `musl` or `gnu`, packaged."""
    package_targets(f"toolchains:python3.13-{libc}")
    return DIST / f"toolchains/python3.13-{libc}.tar.zst"


def end_daemon(daemons: Path, root: Path) -> None:
    """Ends the daemon of the build root `root`, if one runs; `daemons` is its
    `--pants-subprocessdir`. Its process id may be another process's by now."""
    for pid_file in daemons.glob("*/pantsd/pid"):
        pid = int(pid_file.read_text())
        command = Path(f"/proc/{pid}/cmdline")
        if command.exists() and str(root).encode() in command.read_bytes():
            os.kill(pid, signal.SIGTERM)


def end_worker() -> None:
    """Ends the daemon of this worker, if it is one: nobody would use it again."""
    if _WORKER:
        with contextlib.suppress(OSError, ValueError):
            end_daemon(_DAEMON, REPOSITORY)
