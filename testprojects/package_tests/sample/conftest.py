"""Fixtures of the folder, and which other module has assertions."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("sample.helpers")


@pytest.fixture
def numbers() -> list[int]:
    return [1, 2, 3]


def pytest_report_header() -> str:
    return f"conftest.py of {__file__}"
