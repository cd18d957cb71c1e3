"""Makes the environments that this repository's commands run in. Called by environment.sh.

    boot.py environment FOLDER LOCK...   FOLDER/venv: the packages of hash-locked requirement files
    boot.py pex FOLDER LOCK PANTS_TOML   FOLDER/pex: the `pex` that Pants runs as a tool
    boot.py pex-line LOCK                prints the [pex-cli].known_versions entry of that `pex`

Runs under the CPython 3.9 that was found, with its standard library alone. Packages come through
pip, from wherever the machine's own configuration says.

A folder is made at its final path, because a virtual environment holds absolute paths. What makes
this safe: it is made under a lock, an unfinished one is removed first, and the file `ready` is
renamed into it at the end. The programs that write to it inherit the lock, so that it stays held
as long as one of them lives, even after this one was killed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable, Sequence

EXIT_SETUP_FAILED = 4
REPORT_EVERY_SECONDS = 15
LAST_LINES_SHOWN = 15
# Settings that would send pip's work elsewhere than into the environment it is run from.
MISLEADING = {
    "PIP_PREFIX",
    "PIP_REQUIRE_VIRTUALENV",
    "PIP_ROOT",
    "PIP_TARGET",
    "PIP_USER",
    "PYTHONHOME",
    "PYTHONPATH",
    "__PYVENV_LAUNCHER__",
}


class SetupError(Exception):
    """The set-up cannot go on; the message is for the person who started it."""


def say(message: str) -> None:
    """Tells on standard error what takes time, so that standard output stays the command's own."""
    print(f"oxidize_rules: {message}", file=sys.stderr, flush=True)


class Workshop:
    """Runs programs for one folder that is being made: they log to `log` and hold `lock` open."""

    def __init__(self, log: Path, lock: int | None = None) -> None:
        self.log = log
        self.lock = () if lock is None else (lock,)

    def run(self, doing: str, argv: Sequence[str | Path], **extra_env: str) -> None:
        """Runs `argv` to its end and says every few seconds that it still does.

        Raises SetupError with the last lines of its output when it fails.
        """
        env = {k: v for k, v in os.environ.items() if k not in MISLEADING and k[:4] != "PEX_"}
        env.update(extra_env)
        say(doing)
        started = time.monotonic()
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [str(arg) for arg in argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=env,
                pass_fds=self.lock,
            )
        while True:
            try:
                code = process.wait(timeout=REPORT_EVERY_SECONDS)
                break
            except subprocess.TimeoutExpired:
                say(f"still {doing} ({time.monotonic() - started:.0f} s)")
        if code != 0:
            lines = self.log.read_text(errors="replace").splitlines()[-LAST_LINES_SHOWN:]
            raise SetupError(
                "\n  ".join([f"{doing} failed (exit code {code}); the log ends so:", *lines])
                + "\nStart the same command again to try once more."
            )

    def make_venv(self, folder: Path) -> Path:
        """Makes an empty virtual environment in `folder` and returns its interpreter."""
        self.run("making a virtual environment", [sys.executable, "-E", "-s", "-m", "venv", folder])
        return folder / "bin" / "python"


def take_lock(path: Path) -> int:
    """Opens the lock file `path` and waits until it is ours; says so when that takes waiting."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say(f"waiting for another set-up of {path.stem}")
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def make_once(folder: Path, build: Callable[[Workshop], str]) -> None:
    """Makes `folder` by `build`, unless it is ready. What `build` returns goes into `ready`."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = take_lock(folder.with_name(folder.name + ".lock"))
    try:
        ready = folder / "ready"
        if ready.exists():
            return
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir()
        note = build(Workshop(folder / "setup.log", lock))
        unfinished = folder / "ready.unfinished"
        unfinished.write_text(note + "\n")
        unfinished.rename(ready)
    finally:
        os.close(lock)


def make_environment(folder: Path, locks: Sequence[Path]) -> None:
    """Makes FOLDER/venv with exactly the packages that `locks` name, each file checked by hash."""

    def build(workshop: Workshop) -> str:
        python = workshop.make_venv(folder / "venv")
        names = " and ".join(lock.name for lock in locks)
        pip = [
            str(python),
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "--progress-bar=off",
        ]
        requirements = [f"--requirement={lock}" for lock in locks]
        workshop.run(
            f"installing the packages of {names} (about half a minute, once)",
            [*pip, "--only-binary=:all:", "--require-hashes", *requirements],
        )
        return names

    make_once(folder, build)


def build_pex(workshop: Workshop, folder: Path, lock: Path) -> Path:
    """Builds FOLDER/pex from the one wheel that `lock` pins; the same bytes by any CPython 3.9.

    The file is stored, not deflated, since zlib's output depends on whose zlib it is.
    `--no-strip-pex-env` lets Pants' PEX_ROOT reach the inner pex, which would use ~/.pex otherwise.
    """
    wheels, output = folder / "wheels", folder / "pex"
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        python = workshop.make_venv(Path(scratch) / "venv")
        pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
        pinned = ["--only-binary=:all:", "--require-hashes", f"--requirement={lock}"]
        workshop.run("fetching pex", [*pip, "download", "--no-deps", f"--dest={wheels}", *pinned])
        local = ["--no-index", f"--find-links={wheels}"]
        workshop.run("installing pex", [*pip, "install", "--no-deps", *local, *pinned])
        options = [
            f"pex=={pinned_version(lock)}",
            "--console-script=pex",
            f"--output-file={output}",
        ]
        options += ["--no-pypi", f"--find-links={wheels}", "--disable-cache"]
        options += ["--python-shebang=/usr/bin/env python", "--no-strip-pex-env"]
        options += ["--no-compile", "--no-compress", "--no-use-system-time"]
        workshop.run(
            "building the pex that Pants runs as a tool (about ten seconds, once)",
            [python, "-m", "pex", *options],
            # The file holds its default cache folder, written relative to the home folder.
            HOME=scratch,
            XDG_CACHE_HOME=os.path.join(scratch, ".cache"),
            PEX_IGNORE_RCFILES="1",
        )
    shutil.rmtree(wheels)
    return output


def pinned_version(lock: Path) -> str:
    """The version of pex in the lock file."""
    match = re.search(r"^pex==(\S+)", lock.read_text(), re.MULTILINE)
    if match is None:
        raise SetupError(f"{lock} pins no pex: run build-support/lock.")
    return match.group(1)


def known_version(pex: Path, version: str) -> str:
    """`v<version>|linux_x86_64|<sha256>|<size>`, as [pex-cli].known_versions wants it."""
    data = pex.read_bytes()
    return f"v{version}|linux_x86_64|{hashlib.sha256(data).hexdigest()}|{len(data)}"


def make_pex(folder: Path, lock: Path, pants_toml: Path) -> None:
    """Makes FOLDER/pex and refuses it unless `pants_toml` pins exactly it."""

    def build(workshop: Workshop) -> str:
        pex = build_pex(workshop, folder, lock)
        line = known_version(pex, pinned_version(lock))
        if f'"{line}"' not in pants_toml.read_text():
            raise SetupError(
                f"the pex built by {sys.executable} is not the pinned one. Found: {line}\n"
                f"Expected: an entry of [pex-cli].known_versions in {pants_toml}.\n"
                "After a change to pex.lock, replace that entry by the one found. Otherwise please "
                "report it with the Python's version."
            )
        return f"file://{pex}"

    make_once(folder, build)


def print_pex_line(lock: Path) -> None:
    """Builds the pex in a temporary folder and prints its [pex-cli].known_versions entry."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        pex = build_pex(Workshop(folder / "setup.log"), folder, lock)
        print(known_version(pex, pinned_version(lock)))


def main(argv: Sequence[str]) -> None:
    """Carries out one of the commands above; 4 is the exit code of a set-up that failed."""
    command, *paths = argv
    absolute = [Path(path).absolute() for path in paths]
    os.umask(0o022)  # A zip holds its files' permissions: the pex must not depend on the caller's.
    try:
        if command == "environment":
            make_environment(absolute[0], absolute[1:])
        elif command == "pex":
            make_pex(*absolute)
        elif command == "pex-line":
            print_pex_line(*absolute)
        else:
            raise SetupError(f"no command {command!r}: see the head of {__file__}")
    except SetupError as error:
        say(str(error))
        sys.exit(EXIT_SETUP_FAILED)
    except OSError as error:
        say(f"{command}: {error}. Free the space or the permission it needs, then start again.")
        sys.exit(EXIT_SETUP_FAILED)
    except KeyboardInterrupt:
        say("set-up interrupted; the next start begins it anew")
        sys.exit(130)


if __name__ == "__main__":
    main(sys.argv[1:])
