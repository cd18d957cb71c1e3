"""For tests: the distributions that executables are made from, as ordinary installations."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import zstandard

from oxidize_rules.goals.testing_pants import package_distribution

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
    with package_distribution(libc).open("rb") as stream:
        content = zstandard.ZstdDecompressor().stream_reader(stream).read()
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        members = [
            member for member in archive.getmembers() if member.name.startswith("python/install/")
        ]
        archive.extractall(folder, members)
    return folder / PYTHON
