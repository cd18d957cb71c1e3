"""A plugin for `-p sample.plugin`: an option, a fixture, and an assertion that pytest rewrites."""

from __future__ import annotations

from typing import Any, Callable

import pytest


def pytest_addoption(parser: Any) -> None:
    parser.addoption("--limit", type=int, default=10)


@pytest.fixture
def check_limit(request: Any) -> Callable[[int], None]:
    limit = request.config.getoption("--limit")

    def check(number: int) -> None:
        assert number < limit

    return check
