"""The order of versions of Python projects and of C libraries, and specifiers."""

from __future__ import annotations

from itertools import combinations
from typing import Optional

import pytest

from oxidize_rules.sandbox.reports.version_order import (
    BadSpecifier,
    parse_specifier,
    parse_tag,
    parse_version,
    satisfies,
)


@pytest.mark.parametrize(
    ("kind", "versions"),
    [
        (
            "library",
            "0.9.8 0.9.8a 0.9.8y 0.9.8z 0.9.8za 0.9.8zh 1.0.2-beta1 1.0.2 1.0.2a 1.0.2u 1.1.1 "
            "1.1.1w "
            "3.0.0-alpha3 3.0.0-beta1 3.0.0 3.5.7 3.5.10 4.0",
        ),
        ("bundled", "8d 9 9e 9f 10"),
        ("library", "20230828-3.1 20240808-3.1 20250104-3.1"),
        ("library", "6.5-20250101 6.5-20250216 6.6"),
        ("vendored", "2.7.1 2.8.3 2.8.4"),
        ("bundled", "1:1.1.1a-r3 1:1.1.1k-12.el8_9 1.1.1w 3.0.7-27.el9 3.0.8"),
        ("wheel", "1.0.dev1 1.0a1 1.0b2 1.0rc1 1.0 1.0.post1 1.1 1!0.5"),
        ("interpreter", "3.13.0a7 3.13.0rc2 3.13.0 3.13.5 3.13.15"),
    ],
)
def test_order(kind: str, versions: str) -> None:
    parsed = [parse_version(text, kind) for text in versions.split()]
    for earlier, later in combinations(parsed, 2):
        assert earlier is not None
        assert later is not None
        assert earlier < later


@pytest.mark.parametrize("text", ["", "unknown", "master", "1.0.0-12-gdeadbee", "1.x", "final"])
def test_no_versions(text: str) -> None:
    assert parse_version(text, "library") is None


def test_letters_are_pep_440s_in_python_projects() -> None:
    """There `1.1.1a` is an alpha, and `1.1.1w` nothing at all."""
    assert str(parse_version("1.1.1a", "wheel")) == "1.1.1a0"
    assert parse_version("1.1.1w", "wheel") is None


@pytest.mark.parametrize(
    ("tag", "version"),
    [
        ("v3.13.5", "3.13.5"),
        ("openssl-3.5.7", "3.5.7"),
        ("OpenSSL_1_1_1w", "1.1.1w"),
        ("OpenSSL_0_9_8", "0.9.8"),
        ("R_2_8_3", "2.8.3"),
        ("version-3.46.1", "3.46.1"),
        ("v3.5.0-alpha1", "3.5.0a1"),
        ("2.41", "2.41"),
    ],
)
def test_tags(tag: str, version: str) -> None:
    assert parse_tag(tag, "library") == parse_version(version, "library")


def test_a_tag_without_a_version() -> None:
    assert parse_tag("main", "library") is None


@pytest.mark.parametrize(
    ("version", "specifier", "expected"),
    [
        ("3.5.6", "<3.5.7", True),
        ("3.5.7", "<3.5.7", False),
        ("3.5.10", "<3.5.7", False),
        ("3.0.16", ">=3.5,<3.5.7", False),
        ("3.5.1", ">=3.5,<3.5.7", True),
        # What came before a fix is before it, unlike for an installer.
        ("3.5.7-beta1", "<3.5.7", True),
        ("1.1.1w", ">1.1.1", True),
        ("1.1.1", ">1.1.1", False),
        ("1.1.1v", "<1.1.1w", True),
        ("1.1.1w", "<1.1.1w", False),
        ("1.0.2zh", "<1.1", True),
        ("3.5.7", "==3.5.*", True),
        ("3.50.7", "==3.5.*", False),
        ("3", "==3.0.*", True),
        ("3.5.7", "!=3.5.*", False),
        ("3.5.7", "~=3.5.2", True),
        ("3.6.0", "~=3.5.2", False),
        ("3.5.7", "==3.5.7.0", True),
        ("3.5.7", "===3.5.7.0", False),
        ("3.5.7", "===3.5.7", True),
        ("6.5+20250216", "<=6.5", True),
        ("6.5+20250216", ">6.5", False),
        ("6.5+20250216", "<6.5+20250301", True),
        ("20240808-3.1", "<20250104-3.1", True),
        ("20240808-3.1", "<20240101", False),
        # Where nothing is known, nothing is said.
        (None, "<3.5.7", None),
        ("unknown", "<3.5.7", None),
        ("unknown", "===unknown", True),
    ],
)
def test_libraries(version: Optional[str], specifier: str, expected: Optional[bool]) -> None:
    assert satisfies(version, "library", parse_specifier(specifier)) is expected


@pytest.mark.parametrize(
    ("version", "specifier", "expected"),
    [
        ("2.0rc1", "<2", True),
        ("2.0.post1", ">2.0", True),
        ("1!1.0", ">2024", True),
        ("2.3+cpu", "==2.3", True),
        ("2.3+cpu", "==2.3+cuda", False),
        ("2.3.1", "<1.1.1w", None),
    ],
)
def test_python_projects(version: str, specifier: str, expected: Optional[bool]) -> None:
    assert satisfies(version, "wheel", parse_specifier(specifier)) is expected


def test_no_clauses_ask_for_nothing() -> None:
    assert satisfies(None, "library", ()) is True


def test_what_is_certainly_not_needs_no_version_for_the_rest() -> None:
    assert satisfies("3.4", "wheel", parse_specifier(">=3.5,<1.1.1w")) is False


@pytest.mark.parametrize(
    ("specifier", "why"),
    [
        ("<", "`<` is no comparison"),
        ("3.5", "`3.5` is no comparison"),
        ("<3.5,", "`` is no comparison"),
        ("<3.5 >2", "`<3.5 >2` is no comparison"),
        ("=3.5", "`=3.5` is no comparison"),
        ("<newest", "`newest` is no version"),
        ("<3.5.*", "`3.5.*` is no version"),
        ("~=3", "`~=3` needs a version of two numbers"),
    ],
)
def test_bad_specifiers(specifier: str, why: str) -> None:
    with pytest.raises(BadSpecifier) as raised:
        parse_specifier(specifier)
    assert why in str(raised.value)
