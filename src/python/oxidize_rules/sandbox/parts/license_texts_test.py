from __future__ import annotations

from pathlib import Path

import pytest

from oxidize_rules.sandbox.parts.license_texts import recognize
from oxidize_rules.sandbox.parts.testing_licenses import (
    APACHE_2_HEADER,
    BSD_2,
    BSD_3,
    BSD_4,
    GCC_EXCEPTION,
    GPL_3,
    GPL_3_NOTICE,
    ISC,
    LGPL_3,
    MIT,
    OWN,
    ZERO_BSD,
)

ROOT = Path(__file__).resolve().parents[5]


def names(text: str) -> list[str]:
    return ["/".join(one) for one in recognize(text).licenses]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (MIT, ["MIT"]),
        (BSD_2, ["BSD-2-Clause"]),
        (BSD_3, ["BSD-3-Clause"]),
        (BSD_4, ["BSD-4-Clause"]),
        (ISC, ["ISC"]),
        (ZERO_BSD, ["0BSD"]),
        (APACHE_2_HEADER, ["Apache-2.0"]),
        (GPL_3, ["GPL-3.0-only/GPL-3.0-or-later"]),
        (GPL_3_NOTICE + GPL_3, ["GPL-3.0-or-later"]),
        (GPL_3_NOTICE, ["GPL-3.0-or-later"]),
        (GPL_3_NOTICE.split(", or")[0], ["GPL-3.0-only"]),
        (GPL_3_NOTICE.replace("GNU", "GNU Lesser"), ["LGPL-3.0-or-later"]),
        (LGPL_3, ["LGPL-3.0-only/LGPL-3.0-or-later"]),
        (GPL_3 + GCC_EXCEPTION, ["GPL-3.0-or-later WITH GCC-exception-3.1"]),
        (BSD_3 + MIT + BSD_2, ["BSD-3-Clause", "BSD-2-Clause", "MIT"]),
        (OWN, []),
        ("", []),
    ],
)
def test_what_is_recognized(text: str, found: list[str]) -> None:
    assert names(text) == found
    assert names("\n".join(f"  # {line}" for line in text.splitlines())) == found


def test_a_licence_with_a_restriction_is_another() -> None:
    commons = '"Commons Clause" License Condition v1.0. You may not Sell the Software.'
    assert names(MIT + commons) == []
    assert names(MIT + "The Software shall be used for Good, not Evil.") == ["JSON"]
    assert names(BSD_3 + "This is for non-commercial use only.") == []


def test_what_stands_beside_a_licence_is_noticed() -> None:
    assert not recognize(MIT).says_more
    assert not recognize(MIT + BSD_3).says_more
    assert recognize(MIT + OWN * 40).says_more
    assert recognize(OWN).says_more
    authors = "".join(f"Copyright (c) 20{year} Somebody\n" for year in range(10, 26))
    assert not recognize(authors + MIT).says_more


def test_the_projects_own_licence() -> None:
    assert names((ROOT / "LICENSE").read_text()) == ["MIT"]
