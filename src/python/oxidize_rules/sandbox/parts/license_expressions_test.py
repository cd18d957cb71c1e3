from __future__ import annotations

import re

import pytest

from oxidize_rules.sandbox.parts.license_expressions import (
    DEPRECATED,
    BadExpression,
    all_of,
    known_identifier,
    license_ref,
    normalize,
    references,
)


@pytest.mark.parametrize(
    ("expression", "normal"),
    [
        ("mit", "MIT"),
        ("MIT or apache-2.0", "Apache-2.0 OR MIT"),
        ("MIT AND (MIT OR ISC)", "(ISC OR MIT) AND MIT"),
        ("((MIT) and (0BSD and MIT))", "0BSD AND MIT"),
        ("Apache-2.0  OR  MIT", "Apache-2.0 OR MIT"),
        ("Zlib OR Apache-2.0 AND MIT", "(Apache-2.0 AND MIT) OR Zlib"),
        ("GPL-2.0", "GPL-2.0-only"),
        ("gpl-2.0+", "GPL-2.0-or-later"),
        ("LGPL-2.1+ AND LGPL-2.1-or-later", "LGPL-2.1-or-later"),
        ("GPL-2.0-with-classpath-exception", "GPL-2.0-only WITH Classpath-exception-2.0"),
        ("wxWindows OR MIT", "LGPL-2.0-or-later WITH WxWindows-exception-3.1 OR MIT"),
        ("gpl-3.0 with gcc-exception-3.1", "GPL-3.0-only WITH GCC-exception-3.1"),
        ("apache-2.0+", "Apache-2.0+"),
        ("Net-SNMP", "Net-SNMP"),
        ("LicenseRef-Public-Domain OR MIT", "LicenseRef-Public-Domain OR MIT"),
        ("licenseref-own OR mit", "LicenseRef-own OR MIT"),
        ("DocumentRef-a:LicenseRef-b", "DocumentRef-a:LicenseRef-b"),
    ],
)
def test_normal_form(expression: str, normal: str) -> None:
    assert normalize(expression) == normal
    assert normalize(normal) == normal


@pytest.mark.parametrize(
    "expression",
    [
        *("", " ", "BSD", "GPL", "Apache 2.0", "MIT/X11", "MIT AND", "OR MIT", "(MIT", "MIT)"),
        *("MIT ISC", "MIT WITH", "MIT WITH ISC", "Classpath-exception-2.0", "UNKNOWN", "LGPLv2+"),
        *("MIT WITH Foo-exception", "LicenseRef-", "LicenseRef-a_b", "MIT+ +", "Nothing+", "()"),
        *("scancode-acknowledgment", "LicenseRef-x WITH", "A" * 5000, "(" * 300),
    ],
)
def test_what_is_no_expression(expression: str) -> None:
    with pytest.raises(BadExpression):
        normalize(expression)


def test_deprecated_identifiers_become_known_ones() -> None:
    for old, new in DEPRECATED.items():
        assert known_identifier(old) is None, old
        assert normalize(old) == normalize(new) == new.strip("()")


def test_every_part_holds() -> None:
    assert all_of([]) is None
    assert all_of([None, "MIT", None]) == "MIT"
    assert all_of(["MIT OR ISC", "Zlib", "ISC OR MIT"]) == "(ISC OR MIT) AND Zlib"


def test_references() -> None:
    ref = license_ref("some name/2", "All rights reserved.")
    assert re.fullmatch(r"LicenseRef-some-name-2-[0-9a-f]{8}", ref)
    assert ref != license_ref("some name/2", "All rights reserved")
    assert references(f"MIT AND ({ref} OR ISC)") == [ref]
    assert normalize(license_ref("!!", "x")).startswith("LicenseRef-unnamed-")
