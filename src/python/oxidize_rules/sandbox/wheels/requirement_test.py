from __future__ import annotations

import pytest

from oxidize_rules.sandbox.errors import UserError
from oxidize_rules.sandbox.wheels.requirement import extras_of, holds, parse_requirement
from oxidize_rules.sandbox.wheels.wheel_tags import marker_environment

ENVIRONMENT = marker_environment("3.13.5", "x86_64-unknown-linux-musl")


@pytest.mark.parametrize(
    ("text", "extra", "expected"),
    [
        ("a", "", True),
        ("a ; python_version >= '3.13'", "", True),
        ("a ; sys_platform == 'win32'", "", False),
        ("a ; extra == 'More.Things'", "more-things", True),
        ('a ; extra == "more_things"', "more-things", True),
        ("a ; extra == 'more'", "", False),
        ("a ; extra == 'more' and os_name == 'nt'", "more", False),
    ],
)
def test_markers(text: str, extra: str, expected: bool) -> None:
    assert holds(parse_requirement(text, "the binary"), ENVIRONMENT, extra) is expected


def test_extras() -> None:
    assert extras_of(parse_requirement("a[More_Things,x]>=1", "the binary")) == {"more-things", "x"}


def test_no_requirement() -> None:
    with pytest.raises(UserError, match=r"b 1\.0 requires `a \(not a version\)`"):
        parse_requirement("a (not a version)", "b 1.0")
