from __future__ import annotations

import itertools
from typing import Any

import pytest
from license_expression import get_spdx_licensing

from oxidize_rules.sandbox.parts import licenses
from oxidize_rules.sandbox.reports.license_policy import (
    corrected,
    is_pattern,
    message,
    override_fault,
    unknown_names,
    unused_overrides,
    violations,
)
from oxidize_rules.sandbox.reports.testing_inventory import ODD_REF, inventory, part


def policy(**fields: Any) -> dict[str, Any]:
    return {"allow": [], "deny": [], "overrides": {}, "fail_on_unknown": True, **fields}


def problem(license: str | None, **fields: Any) -> str | None:
    """The problem with a part of that licence, None if there is none."""
    found = violations([part("wheel:x", "1", license)], policy(**fields))
    return found[0]["problem"] if found else None


GCC = "GPL-3.0-or-later WITH GCC-exception-3.1"
LLVM = "Apache-2.0 WITH LLVM-exception"


@pytest.mark.parametrize(
    ("license", "deny", "expected"),
    [
        ("GPL-3.0-only", ["GPL-*"], "denied"),
        ("gpl-3.0-only", ["GPL-3.0-ONLY"], "denied"),
        ("LGPL-2.1-only", ["GPL-*"], None),
        ("LGPL-2.1-only", ["*GPL-*"], "denied"),
        ("MIT", ["GPL-*", "AGPL-*"], None),
        # Of alternatives one may choose, of parts each counts.
        ("MIT OR GPL-3.0-only", ["GPL-*"], None),
        ("MIT AND GPL-3.0-only", ["GPL-*"], "denied"),
        ("GPL-2.0-only OR GPL-3.0-only", ["GPL-*"], "denied"),
        ("(MIT OR GPL-3.0-only) AND ISC", ["GPL-*"], None),
        ("(MIT OR GPL-3.0-only) AND ISC", ["GPL-*", "ISC"], "denied"),
        # Exceptions.
        (GCC, ["GPL-*"], None),
        (GCC, ["GPL-* WITH *"], "denied"),
        (GCC, ["GPL-* WITH GCC-exception-3.1"], "denied"),
        ("GPL-3.0-only", ["GPL-* WITH *"], None),
        ("GPL-3.0-only WITH made-up", ["GPL-*"], "denied"),
        (LLVM, ["Apache-2.0"], None),
        # Groups.
        ("GPL-3.0-only", ["copyleft"], "denied"),
        ("Sleepycat", ["Copyleft"], "denied"),
        ("MPL-2.0", ["copyleft"], "denied"),
        (GCC, ["copyleft"], None),
        ("MIT", ["copyleft"], None),
        ("MIT", ["permissive"], "denied"),
        ("Glide", ["copyleft"], "unknown"),
        ("Glide", ["GPL-*"], None),
        ("Glide AND GPL-2.0-only", ["copyleft"], "denied"),
        ("Glide OR MIT", ["copyleft"], None),
        # What nothing is known of.
        (None, ["GPL-*"], "unknown"),
        ("LicenseRef-x", ["GPL-*"], "unknown"),
        ("LicenseRef-x", ["LicenseRef-*"], "denied"),
        ("MIT AND", ["GPL-*"], "unknown"),
        (None, [], "unknown"),
    ],
)
def test_deny(license: str | None, deny: list[str], expected: str | None) -> None:
    assert problem(license, deny=deny) == expected
    if expected == "unknown":
        assert problem(license, deny=deny, fail_on_unknown=False) is None


@pytest.mark.parametrize(
    ("license", "allow", "expected"),
    [
        ("MIT", ["MIT"], None),
        ("MIT", ["BSD-*"], "not allowed"),
        ("BSD-3-Clause", ["BSD-?-Clause"], None),
        ("MIT OR GPL-3.0-only", ["MIT"], None),
        ("MIT AND ISC", ["MIT"], "not allowed"),
        ("MIT AND ISC", ["MIT", "ISC"], None),
        (LLVM, ["Apache-2.0"], None),
        (LLVM, ["Apache-2.0 WITH LLVM-exception"], None),
        ("Apache-2.0", ["Apache-2.0 WITH LLVM-exception"], "not allowed"),
        ("MIT", ["permissive"], None),
        (GCC, ["permissive"], None),
        ("GPL-3.0-only", ["permissive"], "not allowed"),
        ("Glide", ["permissive"], "unknown"),
        ("Glide", ["permissive", "Glide"], None),
        ("Glide", ["MIT"], "not allowed"),
        ("LicenseRef-x", ["MIT"], "unknown"),
        ("LicenseRef-x-12345678", ["LicenseRef-x-*"], None),
        (None, ["MIT"], "unknown"),
    ],
)
def test_allow(license: str | None, allow: list[str], expected: str | None) -> None:
    assert problem(license, allow=allow) == expected


def test_deny_comes_before_allow() -> None:
    assert problem("GPL-3.0-only", allow=["*"], deny=["GPL-*"]) == "denied"
    assert problem("GPL-2.0-only", allow=["permissive", "GPL-2.0-only"]) is None


def test_agrees_with_the_extension_filter() -> None:
    """`extension_filter="no-copyleft"` keeps what `is_copyleft` says no to, and nothing else."""
    atoms = ["MIT", "GPL-3.0-only", GCC, "Sleepycat", "Glide", "LicenseRef-x", "Zlib", LLVM]
    expressions = [
        *atoms,
        *(
            f"{a} {operator} {b}"
            for a, b in itertools.product(atoms, repeat=2)
            for operator in ("AND", "OR")
        ),
        *(f"({a} OR {b}) AND {c}" for a, b, c in itertools.product(atoms, repeat=3)),
        "",
        "MIT AND",
    ]
    for expression in expressions:
        kept = licenses.is_copyleft([expression]) is False
        assert (problem(expression, deny=["copyleft"]) is None) is kept, expression


def test_every_known_licence_can_be_named() -> None:
    """What `copyleft` denies and what `permissive` denies is everything but what is unknown."""
    for name in get_spdx_licensing().known_symbols:
        told = {group: problem(name, deny=[group]) for group in ("copyleft", "permissive")}
        assert sorted(map(str, told.values())) in (
            ["None", "denied"],
            ["unknown", "unknown"],
        ), (name, told)


def test_a_violation_says_who_brings_it_and_what_to_do() -> None:
    parts = inventory()["parts"]
    found = violations(parts, policy(deny=["copyleft"]))
    assert [one["id"] for one in found] == ["library:readline", "wheel:odd", "wheel:silent"]
    assert message(found, len(parts), "app:bin").splitlines() == [
        "3 of the 12 parts of app:bin break the policy:",
        "",
        "  readline 8.2: GPL-3.0-or-later is denied (by `copyleft`)",
        "    licence: GPL-3.0-or-later (its own statement)",
        "    in by:   app:bin > extension `readline` > libreadline.a",
        "    to do:   name `readline` in `exclude_extensions`",
        '         or: set `extension_filter="no-copyleft"` on the binary',
        '         or: if you may ship it, overrides={"readline==8.2": '
        '{"accept": "GPL-3.0-or-later", "reason": "..."}}',
        "",
        f"  odd 0.1: {ODD_REF} is no licence of SPDX' list: its text has to be read",
        f"    licence: {ODD_REF} AND MIT (its licence file, which is none of SPDX's)",
        "    in by:   app:bin > requirement `odd`",
        '    to do:   if you may ship it, overrides={"odd==0.1": '
        f'{{"accept": "{ODD_REF} AND MIT", "reason": "..."}}}}',
        '         or: find its licence out, and tell it by overrides={"odd==0.1": '
        '{"license": "...", "reason": "..."}}',
        "",
        '  silent<script>"x" 1.0+local: its licence is not known',
        "    licence: not known",
        "    in by:   app:bin > odd > silent",
        '    to do:   find its licence out, and tell it by overrides={"wheel:silent=='
        '1.0+local": {"license": "...", "reason": "..."}}',
    ]


def test_overrides() -> None:
    def left(**overrides: dict[str, str]) -> list[str]:
        given = policy(deny=["copyleft"], overrides=overrides)
        parts = [corrected(one, given) for one in inventory()["parts"]]
        return [one["name"] for one in violations(parts, given)][:2]

    ok = {"reason": "asked them"}
    assert left() == ["readline", "odd"]
    assert left(readline={"accept": "gpl-3.0-or-later", **ok})[0] == "odd"
    assert left(Readline={"license": "BSD-3-Clause", **ok})[0] == "odd"
    assert left(**{"readline==8.2": {"license": "BSD-3-Clause", **ok}})[0] == "odd"
    assert left(**{"library:readline": {"license": "BSD-3-Clause", **ok}})[0] == "odd"
    assert left(**{"library:readline==8.2": {"license": "BSD-3-Clause", **ok}})[0] == "odd"
    # Another version, another licence, or one that is denied as well.
    assert left(**{"readline==8.1": {"license": "BSD-3-Clause", **ok}})[0] == "readline"
    assert left(readline={"accept": "GPL-2.0-only", **ok})[0] == "readline"
    assert left(readline={"license": "MIT AND AGPL-3.0-only", **ok})[0] == "readline"
    # The version's entry comes before the name's.
    by_both = {"readline==8.2": {"license": "MIT", **ok}, "readline": {"license": "GPL-1.0-only"}}
    assert left(**by_both)[0] == "odd"


def test_an_override_is_told_where_the_licence_comes_from() -> None:
    given = policy(overrides={"silent_": {}, "odd": {"license": "MIT", "reason": "a mail"}})
    (odd,) = (one for one in inventory()["parts"] if one["id"] == "wheel:odd")
    changed = corrected(odd, given)
    assert changed["license"] == "MIT"
    assert changed["license_from"] == "corrected: by an override, because: a mail"
    assert odd["license"] != "MIT"
    assert unused_overrides(inventory()["parts"], given) == ["silent_"]


def test_first_party_code_is_under_no_policy() -> None:
    own = part("first-party:app", None, "AGPL-3.0-only")
    assert violations([own], policy(deny=["copyleft"], allow=["MIT"])) == []


@pytest.mark.parametrize(
    ("part_name", "override", "fault"),
    [
        ("x", {"license": "MIT", "reason": "r"}, None),
        ("x==1", {"accept": "MIT OR ISC", "reason": "r"}, None),
        ("x", {"license": "MIT"}, "no `reason`"),
        ("x", {"license": "MIT", "reason": " "}, "' ' as `reason`"),
        ("x", {"reason": "r"}, "neither `license` nor `accept`"),
        ("x", {"license": "MIT", "accept": "MIT", "reason": "r"}, "both `license` and `accept`"),
        ("x", {"license": "MIT AND", "reason": "r"}, "a bad expression"),
        ("x", {"licence": "MIT", "reason": "r"}, "`licence` for `x`"),
        ("x", {"accept": True, "reason": "r"}, "True as `accept`"),
        ("x", "MIT", "'MIT' for `x`"),
        ("", {"license": "MIT", "reason": "r"}, "without a part's name"),
    ],
)
def test_faults_of_overrides(part_name: str, override: object, fault: str | None) -> None:
    found = override_fault(part_name, override)
    assert (found is None) is (fault is None), found
    assert fault is None or fault in str(found)


def test_patterns() -> None:
    for good in ("MIT", "GPL-*", "copyleft", "GPL-2.0+", "GPL-* WITH *", "LicenseRef-a-1"):
        assert is_pattern(good), good
    for bad in ("", "MIT AND ISC", "MIT OR ISC", "(MIT)", "AND", "MIT ", "MIT WITH", "a\nb"):
        assert not is_pattern(bad), bad


def test_patterns_that_mean_nothing() -> None:
    symbols = get_spdx_licensing().known_symbols
    ids = [name for name, symbol in symbols.items() if not symbol.is_exception]
    exceptions = [name for name, symbol in symbols.items() if symbol.is_exception]
    good = ("MIT", "gpl-*", "copyleft", "GPL-* WITH GCC-*", "LicenseRef-own", "Apache-2.0")
    assert unknown_names(good, ids, exceptions) == []
    assert unknown_names(["GPL3", "MIT"], ids, exceptions) == [("GPL3", "GPL-3.0-only")]
    assert unknown_names(["GPL-3.0"], ids, exceptions) == [("GPL-3.0", "GPL-3.0-only")]
    assert unknown_names(["Apache2"], ids, exceptions) == [("Apache2", "Apache-2.0")]
    assert unknown_names(["MTI"], ids, exceptions) == [("MTI", "MIT")]
    assert unknown_names(["GPL-* WITH GCC"], ids, exceptions) == [
        ("GPL-* WITH GCC", "GCC-exception-2.0")
    ]
    assert unknown_names(["QQQQQQQQ-*"], ids, exceptions) == [("QQQQQQQQ-*", "")]
