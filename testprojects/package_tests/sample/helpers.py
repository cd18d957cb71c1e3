"""Assertions outside of test modules: conftest.py asks pytest to rewrite them."""

from __future__ import annotations


def check_even(number: int) -> None:
    assert number % 2 == 0
