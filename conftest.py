"""Fast tests first: a mistake shows before the long builds begin, and one session counts all."""

from __future__ import annotations

import pytest

from oxidize_rules.goals.testing_pants import end_worker


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Moves the tests of `*_integration_test.py` behind all others, each group in its own order."""
    items.sort(key=lambda item: item.path.name.endswith("_integration_test.py"))


def pytest_sessionfinish() -> None:
    """One for each of pytest's workers, and one for them all."""
    end_worker()
