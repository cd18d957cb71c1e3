from __future__ import annotations

from pathlib import Path

from oxidize_rules.sandbox.parts.testing_wheel_facts import INFO, facts, wheel


def test_metadata_in_other_alphabets_and_none(tmp_path: Path) -> None:
    files = wheel(["Author: Ånn Äuthor", "License: MIT"])
    assert facts(tmp_path, files).own["supplier"] == "Ånn Äuthor"
    files[f"{INFO}/METADATA"] = b"Name: Some.Thing\nLicense: caf\xe9\n"
    own = facts(tmp_path, files).own
    assert own["version"] is None
    assert own["purl"] == "pkg:pypi/some-thing"
    assert own["license"].startswith("LicenseRef-")


def test_names_as_mail_writes_them(tmp_path: Path) -> None:
    files = wheel(["Author-email: =?utf-8?q?Sebasti=C3=A1n?= <s@example.org>"])
    assert facts(tmp_path, files).own["supplier"] == "Sebastián"
    assert facts(tmp_path, wheel(["Author: =?nonsense?q?x?="])).own["supplier"]
