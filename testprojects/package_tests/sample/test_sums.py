"""Some of these fail: how pytest tells of that is what is looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

from sample import helpers, sums


def test_total(numbers: list[int]) -> None:
    assert sums.total(numbers) == 6


def test_total_fails(numbers: list[int]) -> None:
    assert sums.total(numbers) == len(numbers)


def test_texts_fail() -> None:
    assert "first\nsecond\n" == "first\nsecund\n"


def test_sign() -> None:
    assert sums.sign(5) == "positive"


def test_helper_fails() -> None:
    helpers.check_even(7)


def test_plugin_fails(check_limit: Callable[[int], None]) -> None:
    check_limit(12)


def test_folder(tmp_path: Path, numbers: list[int]) -> None:
    (tmp_path / "numbers").write_text(repr(numbers))
    assert (tmp_path / "numbers").read_text() == "[1, 2, 3]"
