"""Columns of text."""

from __future__ import annotations

from oxidize_rules.sandbox.text_table import columns


def test_columns() -> None:
    rows = [["a", "bbb", "c"], ["aaaa", "b", "a long remark"], ["x"], ["", "y", ""]]
    assert columns(rows) == ["a     bbb  c", "aaaa  b    a long remark", "x", "      y"]
    assert columns([["a", "b"]], "> ") == ["> a  b"]
    assert columns([]) == []
