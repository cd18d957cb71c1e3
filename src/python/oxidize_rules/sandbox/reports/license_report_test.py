from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from oxidize_rules.sandbox.errors import UserError
from oxidize_rules.sandbox.reports import testing_inventory
from oxidize_rules.sandbox.reports.license_report import FORMATS, main, report
from oxidize_rules.sandbox.reports.notices import notices
from oxidize_rules.sandbox.reports.report_text import size, text
from oxidize_rules.sandbox.reports.testing_inventory import (
    MIT,
    ODD,
    ODD_REF,
    inventory,
    part,
    texts,
)

POLICY: dict[str, Any] = {
    "binary": "app:bin",
    "allow": [],
    "deny": [],
    "overrides": {},
    "fail_on_unknown": False,
    "first_party_license": None,
}


def made(policy: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    return report({**inventory(), **changes}, texts(), {**POLICY, **(policy or {})})


def written(folder: Path, changed: dict[str, Any] | None = None, **policy: Any) -> Path:
    """The folder of all reports."""
    testing_inventory.write(folder / "in", changed)
    (folder / "policy.json").write_text(json.dumps({**POLICY, **policy}))
    output = folder / "out"
    main(
        [
            *("--inventory", str(folder / "in"), "--policy", str(folder / "policy.json")),
            *("--output", str(output), "--formats", *FORMATS),
        ]
    )
    return output


def test_all_formats(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    overrides = {
        "odd": {"license": "LicenseRef-Contract", "reason": "the contract of 2026"},
        "old": {"license": "MIT", "reason": "none"},
    }
    output = written(tmp_path, overrides=overrides, first_party_license="licenseref-own OR mit")
    assert sorted(path.name for path in output.iterdir()) == [
        "NOTICES.txt",
        "bin.cdx.json",
        "bin.spdx",
        "bin.spdx.json",
        "licenses.html",
        "licenses.json",
        "licenses.txt",
    ]
    assert capsys.readouterr().out.splitlines() == [
        "`overrides` has `old`, and no part of app:bin is called so",
        'no licence is known of: silent<script>"x"',
    ]
    for name in ("bin.spdx", "bin.spdx.json"):
        read = parse_file(str(output / name))
        assert [one.validation_message for one in validate_full_spdx_document(read)] == []
        assert len(read.packages) == 13
    bill = (output / "bin.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill) is None
    assert len(json.loads(bill)["components"]) == 12
    told = json.loads((output / "licenses.json").read_text())
    parts = {one["id"]: one for one in told["parts"]}
    assert parts["wheel:odd"]["license"] == "LicenseRef-Contract"
    assert parts["wheel:odd"]["overrides"][0]["reason"] == "the contract of 2026"
    assert "the contract of 2026" in (output / "licenses.txt").read_text()
    assert "the contract of 2026" in (output / "licenses.html").read_text()
    assert parts["library:readline"]["copyleft"] is True
    assert parts["wheel:numeric"]["copyleft"] is False
    assert parts["wheel:silent"]["copyleft"] is None


def test_same_input_same_bytes(tmp_path: Path) -> None:
    one, other = (written(tmp_path / name) for name in ("a", "b"))
    for path in one.iterdir():
        data = path.read_bytes()
        assert data == (other / path.name).read_bytes()
        assert str(tmp_path).encode() not in data


def test_a_violation_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"1 of the 11 parts of app:bin break") as refusal:
        written(tmp_path, deny=["GPL-*"])
    assert "in by:   app:bin > extension `readline`" in str(refusal.value)
    assert not (tmp_path / "out").exists()
    accept = {"readline": {"accept": "GPL-3.0-or-later", "reason": "our code is GPL, too"}}
    assert written(tmp_path, deny=["GPL-*"], overrides=accept).is_dir()


@pytest.mark.parametrize(
    ("policy", "needle"),
    [
        ({"deny": ["GPL3"]}, "the `deny` field has `GPL3`, .* Write `GPL-3.0-only`, or a pattern"),
        ({"allow": ["MTI"]}, "the `allow` field has `MTI`"),
        ({"first_party_license": "Ours"}, "the `first_party_license` field is `Ours`"),
        (
            {"overrides": {"x": {"license": "BSD", "reason": "r"}}},
            "the `overrides` field has for `x` `BSD`",
        ),
    ],
)
def test_names_that_spdx_does_not_know(tmp_path: Path, policy: Any, needle: str) -> None:
    with pytest.raises(UserError, match=needle):
        written(tmp_path, **policy)


def test_first_party_code_is_told_of_on_request() -> None:
    assert "first-party" not in {one["kind"] for one in made()["parts"]}
    told = made({"first_party_license": "LicenseRef-Own"})
    assert told["parts"][-1]["license"] == "LicenseRef-Own"
    assert "owner of app" in told["texts"][told["parts"][-1]["extracted"]["LicenseRef-Own"]]
    # It is no work of others.
    assert "LicenseRef-Own" not in notices(told)


def test_own_distributions_that_state_a_licence_keep_it() -> None:
    own = part("first-party:lib:dist", "1", "MIT")
    for policy in ({}, {"first_party_license": "LicenseRef-Own"}):
        (told,) = made(policy, parts=[own])["parts"]
        assert told["license"] == "MIT"


def test_the_whole_is_known_where_every_part_is() -> None:
    assert made()["license"] is None
    known = [one for one in inventory()["parts"] if one["license"]]
    whole = made(parts=known)["license"]
    assert whole.startswith("Apache-2.0 AND Apache-2.0 WITH LLVM-exception AND BSD-3-Clause AND ")
    assert "(MIT OR Apache-2.0)" in whole


def test_the_text() -> None:
    told = text(made({"deny": ["AGPL-*"], "fail_on_unknown": False}))
    assert "  policy      denied: AGPL-*\n" in told
    assert "\nMIT\n  musl 1.2.5, oxidize_rules 1.0\n" in told
    assert (
        "openssl 3.5.7 (library)\n"
        "  licence     Apache-2.0\n"
        "  told by     its own statement\n"
        "  supplier    The OpenSSL Project (OpenSSL)\n"
        "  package     pkg:generic/openssl@3.5.7\n"
        "  in by       app:bin > extension `_ssl` > libssl.a\n"
        "  size        4.0 MB\n"
        "  texts       LICENSE.txt, NOTICE\n"
    ) in told
    assert "licence     of some parts it is not known" in told
    # The interpreter first, then what is linked, then wheels.
    assert told.index("cpython 3.13.17 (interpreter)") < told.index("openssl 3.5.7 (library)")
    assert told.index("openssl 3.5.7 (library)") < told.index("numeric 2.5.5 (wheel)")
    assert max(map(len, told.splitlines())) <= 100


def test_sizes_for_people() -> None:
    counts = (None, 0, 999, 1000, 99_900, 100_000, 1_500_000, 123_456_789)
    assert [size(one) for one in counts] == [
        *("", "0 B", "999 B", "1.0 kB", "99.9 kB", "100 kB", "1.5 MB", "123 MB"),
    ]


def test_notices_have_every_text_once() -> None:
    told = notices(made())
    for one in texts().values():
        whole = "\n".join(line.rstrip() for line in one.splitlines()).strip("\n")
        assert told.count(whole) == 1, whole
    assert "openssl 3.5.7: NOTICE\nnumeric 2.5.5: licenses/NOTICE\n===" in told
    assert "No text came with: hacl-star, compiler-rt 22.1.8, " in told
    assert "    Copyright (c) 2001 Python Software Foundation\n" in told


def test_notices_have_texts_that_are_no_files() -> None:
    odd = part("wheel:odd", "1", ODD_REF, extracted={ODD_REF: testing_inventory.sha256(ODD)})
    told = notices(made(parts=[odd]))
    assert f"odd 1: {ODD_REF}\n===" in told
    assert "Not on others." in told


def test_texts_that_differ_in_white_space_are_one() -> None:
    crlf = MIT.replace("\n", "\r\n") + "\r\n"
    given = {**texts(), testing_inventory.sha256(crlf): crlf}
    twice = [
        part("wheel:a", "1", "MIT", texts=[["LICENSE", testing_inventory.sha256(MIT)]]),
        part("wheel:b", "1", "MIT", texts=[["COPYING", testing_inventory.sha256(crlf)]]),
    ]
    changed = copy.deepcopy({**inventory(), "parts": twice})
    told = notices(report(changed, given, POLICY))
    assert "a 1: LICENSE\nb 1: COPYING\n===" in told


def test_a_text_that_is_no_utf_8(tmp_path: Path) -> None:
    data = "Copyright © Jürgen\n".encode("latin-1")
    name = "0" * 64
    parts = [part("wheel:a", "1", "MIT", texts=[["LICENSE", name]])]
    (tmp_path / "in" / "texts").mkdir(parents=True)
    (tmp_path / "in" / "texts" / f"{name}.txt").write_bytes(data)
    output = written(tmp_path, {**inventory(), "parts": parts})
    assert "Copyright © Jürgen" in (output / "NOTICES.txt").read_text()
