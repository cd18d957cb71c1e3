"""Fixtures of the integration tests that start packaged executables."""

from __future__ import annotations

from typing import Any

import pytest

from oxidize_rules.goals.testing_binaries import LIBCS, Packaged, package


@pytest.fixture(scope="session")
def packages() -> Packaged:
    """All executables of testprojects/, packaged once for the session."""
    return package()


@pytest.fixture(params=LIBCS)
def libc(request: Any) -> str:
    """Each C library in turn."""
    return str(request.param)
