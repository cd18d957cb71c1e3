"""docs/importer.md names each of PyOxidizer's 141 tests once, and tests of ours that exist."""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import cache
from typing import FrozenSet, List, Tuple

import pytest

from oxidize_rules.goals.testing_pants import REPOSITORY

TEXT = (REPOSITORY / "docs/importer.md").read_text(encoding="utf-8")
GROUPS = re.findall(r"^## (test_\w+) \((\d+)\)\n(.*?)(?=^## )", TEXT, re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"`(\w+\.py)::([\w.]+)`")


def rows(text: str) -> List[List[str]]:
    """The cells of the tables' lines, without those of the heads."""
    lines = [line[1:-1].split("|") for line in text.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line] for line in lines]
    return [row for row in cells if row[-1] != "shown by"]


@cache
def names_in(file: str) -> FrozenSet[str]:
    """`test_x` or `Class.test_x`, all that a file of that name has."""
    places = ("testprojects/*/checks", "src/python/**")
    found = [path for place in places for path in REPOSITORY.glob(f"{place}/{file}")]
    assert len(found) == 1, f"{file}: {found}"
    names = set()
    for node in ast.parse(found[0].read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ClassDef):
            functions = [one for one in node.body if isinstance(one, ast.FunctionDef)]
            names.update(f"{node.name}.{one.name}" for one in functions)
    return frozenset(names)


@pytest.mark.parametrize(("group", "number", "text"), GROUPS, ids=[group[0] for group in GROUPS])
def test_each_test_of_a_file_is_in_one_row(group: str, number: str, text: str) -> None:
    names: List[str] = []
    for first, point, here, _ in rows(text):
        found = re.findall(r"`(test_\w+)`", first)
        assert first == ", ".join(f"`{name}`" for name in found)
        assert found or names, "a row that goes on has one before it"
        names += found
        assert point
        kind = re.match(r"(kept|inverted)\b|none: ", here)
        assert kind, here
    assert [name for name, times in Counter(names).items() if times > 1] == []
    assert len(names) == int(number), group


def test_there_are_141() -> None:
    assert len(GROUPS) == 15
    assert sum(int(number) for _, number, _ in GROUPS) == 141


def test_what_shows_a_point_exists() -> None:
    everything: List[Tuple[str, str]] = []
    for row in rows(TEXT):
        shown = NAMED.findall(row[-1])
        assert shown, row
        assert row[-1] == ", ".join(f"`{file}::{name}`" for file, name in shown), row
        everything += shown
    assert len(everything) > 100
    missing = [f"{file}::{name}" for file, name in everything if name not in names_in(file)]
    assert missing == []
