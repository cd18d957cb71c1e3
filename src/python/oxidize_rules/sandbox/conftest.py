"""Fixtures of tests that look at an HTML page; each says in a fixture `html` which file it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from oxidize_rules.sandbox.testing_browser import Browser, browser


@pytest.fixture(scope="module")
def javascript() -> bool:
    """Whether pages may run scripts. Modules may say otherwise."""
    return True


@pytest.fixture(scope="module")
def window(javascript: bool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all tests of a module: it takes a second to start."""
    with browser(tmp_path_factory.mktemp("browser"), javascript) as started:
        yield started


@pytest.fixture
def opened(window: Browser, html: Path) -> Browser:
    """The browser with the page as it first is."""
    window.open(html)
    return window
