"""Fast tests first: a mistake shows before the long builds begin, and one session counts all."""

from __future__ import annotations

import pytest

from oxidize_rules.goals.testing_pants import end_worker

# It takes the longest: begun last, it would keep one worker busy while the others have nothing.
LONGEST = "stdlib_integration_test.py"


def _turn(item: pytest.Item) -> int:
    name = item.path.name
    return 2 - (name == LONGEST) if name.endswith("_integration_test.py") else 0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Moves the tests of `*_integration_test.py` behind all others, each group in its own order."""
    items.sort(key=_turn)


def pytest_sessionfinish() -> None:
    """One for each of pytest's workers, and one for them all."""
    end_worker()
