"""For tests: the distributions that executables are made from, as ordinary installations."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path

import zstandard

from oxidize_rules.goals.testing_binaries import REPOSITORY

# A folder with `musl/python` and `gnu/python`, taken instead: for work on the tests themselves.
DISK_VARIABLE = "OXIDIZE_TEST_DISK"
PYTHON = "python/install/bin/python3.13"


def unpack_distribution(folder: Path, libc: str) -> Path:
    """The `python3` of the repository's own distribution, unpacked in `folder`.

    Raises AssertionError with all that Pants said.
    """
    given = os.environ.get(DISK_VARIABLE)
    if given:
        return Path(given) / libc / PYTHON
    name = f"python3.13-{libc}"
    done = subprocess.run(
        [str(REPOSITORY / "pants"), "--no-dynamic-ui", "package", f"toolchains:{name}"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=2 * 3600,
    )
    assert done.returncode == 0, done.stderr
    with (REPOSITORY / f"dist/toolchains/{name}.tar.zst").open("rb") as stream:
        content = zstandard.ZstdDecompressor().stream_reader(stream).read()
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        members = [
            member for member in archive.getmembers() if member.name.startswith("python/install/")
        ]
        archive.extractall(folder, members)
    return folder / PYTHON
