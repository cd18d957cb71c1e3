from __future__ import annotations

from typing import Any

import pytest

from oxidize_rules.sandbox.analysis.analyze import analyze
from oxidize_rules.sandbox.analysis.analyze_rules import Rules, check
from oxidize_rules.sandbox.analysis.testing_analyze import AARCH64, CODE, elf, note, x86_property
from oxidize_rules.sandbox.errors import UserError

GLIBC = {"libc.so.6": {"GLIBC_2.2.5": ["puts"], "GLIBC_2.34": ["stat", "lstat", "fstat", "mknod"]}}
NEWER = {"new": CODE["v3"], "old": CODE["baseline"], "asks": CODE["cpuid"]}


def broken(rules: dict[str, Any], **options: Any) -> list[str]:
    return check(analyze("dist/app", elf(**options)), Rules(**rules))


def test_without_rules_nothing_is_broken() -> None:
    assert broken({}, flags=0, relro=False, versions=GLIBC) == []


@pytest.mark.parametrize(
    ("rules", "options", "line"),
    [
        (
            {"max_glibc": "2.17"},
            {"versions": GLIBC},
            "it needs glibc 2.34 because of fstat (libc.so.6), lstat (libc.so.6), "
            "mknod (libc.so.6) and 1 more; --max-glibc=2.17",
        ),
        (
            {"max_glibc": "2.31"},
            {"versions": {"libc.so.6": {"GLIBC_ABI_DT_RELR": []}}},
            "it needs glibc 2.36 because of GLIBC_ABI_DT_RELR (libc.so.6); --max-glibc=2.31",
        ),
        (
            {"max_glibc": "2.40"},
            {"versions": {"libc.so.6": {"GLIBC_PRIVATE": ["__x"]}}},
            "it needs GLIBC_PRIVATE of libc.so.6, which no glibc promises; --max-glibc=2.40",
        ),
        (
            {"deny_needed": ["libssl*", "libz.*"]},
            {"needed": ("libc.so.6", "libz.so.1")},
            "it needs libz.so.1, which --deny-needed=libz.* forbids",
        ),
        (
            {"require": ["relro", "bindnow"]},
            {"relro": False},
            "its relocated data stays writable (no RELRO), which --require=relro demands",
        ),
        (
            {"require": ["canary"]},
            {"machine": AARCH64},
            "the file does not show whether --require=canary is met",
        ),
        (
            {"require": ["no-secrets"]},
            {"data": b"\0ghp_" + b"a1B2" * 9 + b"\0"},
            "it contains what looks like a secret, which --require=no-secrets demands",
        ),
        (
            {"max_isa": "x86-64-v2"},
            {"notes": note("GNU", 5, x86_property(0xC0008002, 7))},
            "it declares that it needs x86-64-v3; --max-isa=x86-64-v2",
        ),
        (
            {"max_isa": "x86-64-v2"},
            {"functions": {"f": CODE["v3"]}, "symbol_table": True},
            "1 of its functions have instructions of x86-64-v3 (f), and nothing in it asks the "
            "CPU; --max-isa=x86-64-v2",
        ),
        (
            {"max_isa": "x86-64-v2", "count_dispatched": True},
            {"functions": NEWER, "symbol_table": True},
            "1 of its functions have instructions of x86-64-v3 (new); --max-isa=x86-64-v2",
        ),
        (
            {"max_isa": "x86-64-v2"},
            {"functions": {"f": CODE["v3"]}, "unwind": False},
            "most of its code belongs to no known function, and some of it reads as instructions "
            "of x86-64-v3; --max-isa=x86-64-v2",
        ),
        (
            {"max_isa": "x86-64"},
            {"machine": AARCH64},
            "its instructions cannot be compared with --max-isa=x86-64: levels are known of "
            "x86_64, not aarch64",
        ),
    ],
)
def test_each_rule(rules: dict[str, Any], options: dict[str, Any], line: str) -> None:
    assert broken(rules, **options) == [f"dist/app: {line}"]


@pytest.mark.parametrize(
    ("rules", "options"),
    [
        ({"max_glibc": "2.34"}, {"versions": GLIBC}),
        ({"max_glibc": "2.17"}, {"needed": (), "interpreter": ""}),
        ({"deny_needed": ["libz.*"]}, {"needed": ("libzstd.so.1",)}),
        ({"require": ["relro", "full-relro", "bindnow", "pie", "nx", "no-rwx", "stripped"]}, {}),
        ({"max_isa": "x86-64-v3"}, {"functions": {"f": CODE["v3"]}}),
        ({"max_isa": "x86-64-v2"}, {"functions": NEWER}),
    ],
)
def test_rules_that_are_kept(rules: dict[str, Any], options: dict[str, Any]) -> None:
    assert broken(rules, **options) == []


def test_a_damaged_file_keeps_no_rule() -> None:
    content = elf(versions=GLIBC)
    report = analyze("x", content[: len(content) // 2])
    lines = check(report, Rules(max_glibc="2.99"))
    assert any("cut off" in line and "no rule can be relied on" in line for line in lines)
    assert check(report, Rules()) == []


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        ({"max_glibc": "new"}, "--max-glibc: found `new`"),
        ({"require": ["relro", "luck"]}, "--require: found `luck`, expected of bindnow"),
        ({"max_isa": "avx"}, "--max-isa: found `avx`, expected one of x86-64, x86-64-v2"),
    ],
)
def test_values_that_cannot_be_meant(rules: dict[str, Any], found: str) -> None:
    with pytest.raises(UserError, match=found):
        Rules(**rules)
