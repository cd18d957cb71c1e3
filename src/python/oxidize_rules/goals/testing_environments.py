"""For tests of the places where executables start: roots, users, and ways to be started."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Iterable, List

import pytest

from oxidize_rules.goals.testing_binaries import Text

NOBODY = "65534"
# Imports much, and reads a data file of the standard library.
IMPORTS = (
    "import asyncio, ctypes, decimal, email.message, hashlib, json, lzma, sqlite3, ssl;"
    "import pydoc_data.topics, linecache;"
    "assert linecache.getlines(json.__file__);"
    "print(hashlib.sha256(lzma.decompress(lzma.compress(b'x'))).hexdigest()[:8])"
)
IMPORTS_OUTPUT = "2d711642\n"
# Parts of glibc itself: every system with glibc has them.
GLIBC_PARTS = ("libc", "libdl", "libm", "libpthread", "libresolv", "librt", "libutil")

# sh -c READ_ONLY sh MOUNT-POINT FILES PROGRAM ARGUMENT...: in a read-only root with these files,
# and with /proc if they have a folder for it.
READ_ONLY = """
set -eu
mount -t tmpfs tmpfs "$1"
cp -a "$2"/. "$1"/
if [ -d "$1/proc" ]; then mount --rbind /proc "$1/proc"; fi
mount -o remount,ro "$1"
root=$1
shift 2
exec chroot "$root" "$@"
"""

# sh -c WITH_MOUNTS sh ROOT FOLDERS PROGRAM ARGUMENT...: in a root that has these folders of ours.
WITH_MOUNTS = """
set -eu
root=$1
for folder in $2; do
    mkdir -p "$root/$folder"
    mount --rbind "/$folder" "$root/$folder"
done
shift 2
exec chroot "$root" "$@"
"""

# python -c EXECVEAT deleted|memory FILE ARGUMENT...
EXECVEAT = """
import os, sys
kind, path, *arguments = sys.argv[1:]
if kind == "deleted":
    fd = os.open(path, os.O_RDONLY)
    os.unlink(path)
else:
    fd = os.memfd_create("program", os.MFD_CLOEXEC)
    with open(path, "rb") as source:
        while os.sendfile(fd, source.fileno(), None, 1 << 30):
            pass
os.execve(fd, ["program", *arguments], {})
"""


def tool(name: str) -> str:
    """Its path; the test is skipped when the machine has none."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        pytest.skip(f"the command `{name}` is not installed")
    return path


def need_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may change the root folder or the user")


def unshare(*options: str) -> List[Text]:
    """A command that starts another one in new namespaces; skipped where that is not allowed."""
    command: List[Text] = [tool("unshare"), *options]
    done = subprocess.run([*command, "true"], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"this machine does not allow it: {done.stderr.strip()}")
    return command


def mounting(script: str, *arguments: Text) -> List[Text]:
    """READ_ONLY or WITH_MOUNTS, in a namespace of its own; the program's words follow."""
    path = f"PATH={os.environ.get('PATH', '')}:/usr/sbin:/usr/bin:/sbin:/bin"
    command = unshare("--mount")
    return [tool("env"), path, *command, "sh", "-c", script, "sh", *arguments]


def as_nobody() -> List[Text]:
    return [tool("setpriv"), "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]


def execveat(kind: str) -> List[Text]:
    """Starts a file `deleted` before, or a copy of it in `memory`; its path and words follow."""
    return [sys.executable, "-I", "-c", EXECVEAT, kind]


def glibc_files(file: Path) -> List[Path]:
    """The dynamic linker and the libraries that an executable is started with."""
    listed = subprocess.run(
        [tool("ldd"), str(file)], capture_output=True, text=True, check=True
    ).stdout
    return [Path(path) for path in re.findall(r"(/\S+) \(0x", listed)]


def fill_root(root: Path, files: Iterable[Path], names: Iterable[str], libc: str) -> None:
    """A root with the executables under these names, for glibc its own parts, and nothing else."""
    root.mkdir(exist_ok=True)
    wanted = list(names)
    for file, name in zip(files, wanted):
        shutil.copy(file, root / name)
    if libc == "gnu":
        for library in _glibc_parts(root / wanted[0]):
            copy = root / library.relative_to("/")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, copy)
    else:
        assert sorted(path.name for path in root.iterdir()) == sorted(wanted)


def _glibc_parts(file: Path) -> List[Path]:
    """What `file` is started with, and the rest of glibc beside it."""
    started_with = glibc_files(file)
    folder = next(path.parent for path in started_with if path.name == "libc.so.6")
    beside = (path for name in GLIBC_PARTS for path in folder.glob(f"{name}.so.*"))
    return sorted({*started_with, *beside})
