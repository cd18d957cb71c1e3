"""Licence expressions: syntax, and which are copyleft."""

from __future__ import annotations

import itertools

import pytest

from oxidize_rules.sandbox.parts.licenses import BadExpression, combine, is_copyleft, parse, render


@pytest.mark.parametrize(
    ("expression", "tree"),
    [
        ("MIT", ("MIT", "")),
        (" mit ", ("mit", "")),
        ("GPL-2.0-only WITH GCC-exception-2.0", ("GPL-2.0-only", "GCC-exception-2.0")),
        ("MIT AND ISC", ("AND", [("MIT", ""), ("ISC", "")])),
        ("A or B and C", ("OR", [("A", ""), ("AND", [("B", ""), ("C", "")])])),
        ("(A OR B) AND C", ("AND", [("OR", [("A", ""), ("B", "")]), ("C", "")])),
        ("((A))", ("A", "")),
        ("A OR B OR C", ("OR", [("A", ""), ("B", ""), ("C", "")])),
        ("DocumentRef-x:LicenseRef-y+", ("DocumentRef-x:LicenseRef-y+", "")),
    ],
)
def test_the_syntax(expression: str, tree: object) -> None:
    assert parse(expression) == tree


@pytest.mark.parametrize(
    "expression",
    [
        *("", " ", "AND", "MIT AND", "OR MIT", "MIT ISC", "(MIT", "MIT)", "()", "MIT WITH"),
        *("MIT WITH (x)", "MIT, ISC", "MIT/X11", "MIT AND AND ISC", "WITH x"),
    ],
)
def test_what_is_no_expression(expression: str) -> None:
    with pytest.raises(BadExpression):
        parse(expression)
    assert is_copyleft([expression]) is None


@pytest.mark.parametrize(
    ("expressions", "expected"),
    [
        ([], False),
        (["MIT"], False),
        (["gpl-3.0-ONLY"], True),
        (["GPL-2.0+"], True),
        (["Sleepycat"], True),
        (["MPL-2.0"], True),
        (["LGPL-2.1-or-later"], True),
        # The example that PyOxidizer gets wrong: a GPL part stays one.
        (["MIT AND GPL-3.0-only"], True),
        (["MIT", "GPL-3.0-only"], True),
        (["MIT OR GPL-3.0-only"], False),
        (["GPL-2.0-only OR LGPL-2.1-only"], True),
        (["(MIT OR GPL-3.0-only) AND ISC"], False),
        (["MIT OR GPL-3.0-only AND ISC"], False),
        (["(MIT OR ISC) AND GPL-3.0-only"], True),
        (["GPL-3.0-or-later WITH GCC-exception-3.1"], False),
        (["GPL-3.0-or-later WITH Universal-nonsense"], True),
        (["Apache-2.0 WITH LLVM-exception"], False),
        (["LicenseRef-own"], None),
        (["LicenseRef-own AND MIT"], None),
        (["LicenseRef-own AND GPL-3.0-only"], True),
        (["LicenseRef-own OR MIT"], False),
        (["LicenseRef-own OR GPL-3.0-only"], None),
        (["X11-distribute-modifications-variant", "BSD-3-Clause"], False),
    ],
)
def test_what_is_copyleft(expressions: list[str], expected: bool | None) -> None:
    assert is_copyleft(expressions) is expected


def test_the_operators_agree_with_all_ways_to_choose() -> None:
    """AND: copyleft if a part is. OR: copyleft if each choice is."""
    known = {"MIT": False, "GPL-3.0-only": True}
    for one, two, three in itertools.product(known, repeat=3):
        a, b, c = known[one], known[two], known[three]
        assert is_copyleft([f"{one} AND {two} OR {three}"]) is ((a or b) and c)
        assert is_copyleft([f"{one} AND ({two} OR {three})"]) is (a or (b and c))
        assert is_copyleft([f"({one} OR {two}) AND {three}"]) is ((a and b) or c)


@pytest.mark.parametrize(
    ("expression", "rendered"),
    [
        ("MIT", "MIT"),
        ("((A))", "A"),
        ("a with b", "a WITH b"),
        ("(A OR B) AND C", "(A OR B) AND C"),
        ("(A AND B) OR C", "A AND B OR C"),
        ("A AND (B AND C)", "A AND B AND C"),
        ("A OR (B OR C)", "A OR B OR C"),
    ],
)
def test_an_expression_is_written_again(expression: str, rendered: str) -> None:
    assert render(parse(expression)) == rendered


def test_parts_are_combined_by_and_alone() -> None:
    assert combine(["MIT"]) == "MIT"
    assert combine(["MIT", "mit", "MIT AND ISC"]) == "ISC AND MIT"
    assert combine(["MIT OR GPL-2.0-only", "ISC"]) == "ISC AND (MIT OR GPL-2.0-only)"
    assert combine(["A AND (B AND C)", "A OR B"]) == "A AND (A OR B) AND B AND C"
    with pytest.raises(BadExpression, match="no licence to combine"):
        combine([])
