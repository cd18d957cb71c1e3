"""Widely used packages with native code, all in one executable: each is used in earnest.

`testprojects/packages` has the checks. What they find is the table in docs/compatibility.md, which
`OXIDIZE_WRITE_DOCS=1 build-support/test packages_integration` writes and this test compares.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterator, List, Sequence

import pytest

from oxidize_rules.goals.testing_binaries import (
    LIBCS,
    Text,
    package_for_each_libc,
    start,
)
from oxidize_rules.goals.testing_pants import REPOSITORY

DOCUMENT = REPOSITORY / "docs/compatibility.md"
WRITE_VARIABLE = "OXIDIZE_WRITE_DOCS"
BEGIN = "<!-- Written by packages_integration_test.py; do not edit: begin -->\n"
END = "<!-- end -->\n"
# All checks take half a minute on one idle core.
TIMEOUT = 1200.0
# What the packages are, whatever the checks say: a check that is lost is to be missed.
PACKAGES = [
    "aiohttp",
    "bcrypt",
    "cffi",
    "cryptography",
    "frozenlist",
    "greenlet",
    "grpcio",
    "h5py",
    "lxml",
    "matplotlib",
    "msgpack",
    "multidict",
    "numpy",
    "orjson",
    "pandas",
    "pillow",
    "polars",
    "propcache",
    "protobuf",
    "psutil",
    "psycopg",
    "pyarrow",
    "pydantic",
    "pydantic-core",
    "pynacl",
    "pyyaml",
    "regex",
    "scipy",
    "shapely",
    "sqlalchemy",
    "tiktoken",
    "tokenizers",
    "uvloop",
    "yarl",
    "zstandard",
]


@dataclass(frozen=True)
class Found:
    """One package's result; `wheel` is the oldest C library that its wheel is for."""

    package: str
    version: str
    wheel: str
    ok: bool
    seconds: float
    note: str
    error: str


@pytest.fixture(scope="session")
def executables() -> Dict[str, Path]:
    """The executable for each C library."""
    return package_for_each_libc("packages")


def run(command: Sequence[Text]) -> List[Found]:
    """The results of all checks; an AssertionError shows what failed."""
    ended = start([*command, "--json"], timeout=TIMEOUT)
    lines = [line for line in ended.out.splitlines() if line.startswith("{")]
    found = [Found(**json.loads(line)) for line in lines]
    failed = "\n".join(f"{one.package} {one.version}: {one.error}" for one in found if not one.ok)
    assert not failed, failed
    assert ended.code == 0, ended
    assert [one.package for one in found] == PACKAGES
    return found


@pytest.fixture(scope="session")
def found(executables: Dict[str, Path]) -> Dict[str, List[Found]]:
    """What each executable says, every package in a process of its own."""
    return {libc: run([executable]) for libc, executable in executables.items()}


def test_each_in_its_own_process(found: Dict[str, List[Found]]) -> None:
    musl, gnu = ([(one.package, one.version) for one in found[libc]] for libc in LIBCS)
    assert musl == gnu


def test_all_in_one_process(executables: Dict[str, Path], libc: str) -> None:
    run([executables[libc], "--one-process"])


def test_a_failure_is_told(executables: Dict[str, Path], libc: str) -> None:
    """The checks can fail: without a network device none of those that talk can pass."""
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-rn", "true"]).returncode != 0:
        pytest.skip("needs `unshare -n`: this machine does not allow it")
    ended = start(
        [unshare, "-rn", executables[libc], "--json", "uvloop", "pyyaml"], timeout=TIMEOUT
    )
    results = [Found(**json.loads(line)) for line in ended.out.splitlines()]
    assert [(one.package, one.ok) for one in results] == [("uvloop", False), ("pyyaml", True)]
    assert ended.code == 1
    assert "unreachable" in results[0].error


EMPTY_ROOT = """
set -eu
root=$1
mkdir "$root/proc" "$root/dev"
mount -t proc proc "$root/proc"
: > "$root/dev/urandom"
mount --bind /dev/urandom "$root/dev/urandom"
shift
exec chroot "$root" /packages "$@"
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder on the executables' file system where that is possible."""
    with tempfile.TemporaryDirectory(prefix="oxidize-test-") as name:
        yield Path(name)


@pytest.mark.parametrize("mode", ["--one-process", None])
def test_empty_root(executables: Dict[str, Path], folder: Path, mode: str) -> None:
    """musl: nothing but the executable, /proc (psutil) and /dev/urandom (gRPC's abseil)."""
    unshare = shutil.which("unshare")
    if os.geteuid() != 0 or unshare is None:
        pytest.skip("only root may change the root folder")
    if subprocess.run([unshare, "-m", "mount", "-t", "proc", "proc", folder]).returncode != 0:
        pytest.skip("this machine allows root no mounts of its own")
    try:
        os.link(executables["musl"], folder / "packages")
    except OSError:
        shutil.copy(executables["musl"], folder / "packages")
    path = ["env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]
    script: List[Text] = [unshare, "-m", *path, "sh", "-c", EMPTY_ROOT, "sh", folder]
    run([*script, *([mode] if mode else [])])
    # A program may leave what it likes in the folders it makes; libraries are never unpacked.
    assert not [path for path in folder.rglob("*") if re.search(r"\.so\b", path.name)]


TIME_ZONE = """
import datetime, zoneinfo
zone = zoneinfo.ZoneInfo("Europe/Zurich")
print(datetime.datetime(2026, 7, 1, tzinfo=zone).utcoffset(), len(zoneinfo.available_timezones()))
"""


def test_time_zones_of_the_package(executables: Dict[str, Path], folder: Path) -> None:
    """Those of `tzdata`, which is inside, where the machine has none."""
    if os.geteuid() != 0:
        pytest.skip("only root may change the root folder")
    try:
        os.link(executables["musl"], folder / "packages")
    except OSError:
        shutil.copy(executables["musl"], folder / "packages")
    done = subprocess.run(
        ["chroot", str(folder), "/packages", "-c", TIME_ZONE],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "OXIDIZED_INTERPRETER": "1"},
        capture_output=True,
        text=True,
    )
    offset, count = done.stdout.split()
    assert (offset, done.stderr) == ("2:00:00", "")
    assert int(count) > 400


def cell(one: Found) -> str:
    """The verdict, and the oldest C library that the wheel is for."""
    needs = re.sub(r"^(many|musl)linux_", "", one.wheel).replace("_", ".")
    return "yes" if needs in ("any", "?") else f"yes, from {needs} on"


def table(found: Dict[str, List[Found]]) -> str:
    lines = ["| package | version | musl | glibc | note |", "|---|---|---|---|---|"]
    for musl, gnu in zip(found["musl"], found["gnu"]):
        note = musl.note
        if musl.note != gnu.note:
            note = "; ".join(
                f"{libc}: {text}"
                for libc, text in (("musl", musl.note), ("glibc", gnu.note))
                if text
            )
        lines.append(f"| {gnu.package} | {gnu.version} | {cell(musl)} | {cell(gnu)} | {note} |")
    return "\n".join(lines) + "\n"


def test_table_of_the_documentation(found: Dict[str, List[Found]]) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    written, _, after = rest.partition(END)
    expected = table(found)
    if os.environ.get(WRITE_VARIABLE) == "1":
        DOCUMENT.write_text(before + BEGIN + expected + END + after, encoding="utf-8")
        return
    assert written == expected, (
        f"{DOCUMENT.relative_to(REPOSITORY)} says something else: if the new result is right, run "
        f"{WRITE_VARIABLE}=1 build-support/test packages_integration_test.py"
    )
