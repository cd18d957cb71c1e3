"""Fixtures of the integration tests that start packaged executables."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, Iterator

import pytest

from oxidize_rules.goals.testing_binaries import LIBCS, Packaged, package
from oxidize_rules.goals.testing_https import make_authority


@pytest.fixture(scope="session")
def packages() -> Packaged:
    """All executables of testprojects/, packaged once for the session."""
    return package()


@pytest.fixture(params=LIBCS)
def libc(request: Any) -> str:
    """Each C library in turn."""
    return str(request.param)


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder that every user may enter, removed afterwards: executables are large."""
    with tempfile.TemporaryDirectory(prefix="oxidize-test-") as name:
        os.chmod(name, 0o755)
        yield Path(name)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of `make_authority`."""
    if shutil.which("openssl") is None:
        pytest.skip("the `openssl` command, which makes the certificates, is not installed")
    folder = tmp_path_factory.mktemp("authority")
    make_authority(folder)
    return folder
