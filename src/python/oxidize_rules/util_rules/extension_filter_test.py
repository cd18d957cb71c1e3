"""Which extension modules a rule leaves out."""

from __future__ import annotations

from typing import Any, Mapping

import pytest

from oxidize_rules.util_rules.extension_filter import foreign_libraries, reason_to_drop
from oxidize_rules.util_rules.inittab_test import extension

GPL_READLINE = {
    "static_libraries": ("build/lib/libreadline.a",),
    "licenses": ("GPL-3.0-only",),
}


@pytest.mark.parametrize(
    ("rule", "name", "fields", "reason"),
    [
        ("all", "readline", GPL_READLINE, None),
        ("minimal", "_json", {}, "not needed to start"),
        ("minimal", "_io", {"required": True}, None),
        ("minimal", "_ast", {"in_core": True}, None),
        ("minimal", "time", {}, None),
        ("no-libraries", "math", {"system_libraries": ("m", "dl", "pthread")}, None),
        ("no-libraries", "_curses", {"system_libraries": ("m", "ncursesw")}, "links ncursesw"),
        ("no-libraries", "readline", GPL_READLINE, "links readline"),
        ("no-copyleft", "readline", GPL_READLINE, "licence is GPL-3.0-only"),
        ("no-copyleft", "readline", {**GPL_READLINE, "required": True}, None),
        # What an archive is called is believed more than what is said of it.
        ("no-copyleft", "readline", {**GPL_READLINE, "licenses": ()}, "it links GNU readline"),
        (
            "no-copyleft",
            "readline",
            {**GPL_READLINE, "licenses": ("MIT",)},
            "it links GNU readline",
        ),
        (
            *("no-copyleft", "_dbm"),
            {"static_libraries": ("build/lib/libdb-6.0.a",), "license_public_domain": True},
            "it links Berkeley DB, whose licence is Sleepycat",
        ),
        ("no-copyleft", "_x", {"licenses": ("MIT AND GPL-3.0-only",)}, "MIT AND GPL-3.0-only"),
        ("no-copyleft", "_x", {"licenses": ("MIT", "Sleepycat")}, "MIT AND Sleepycat"),
        ("no-copyleft", "_x", {"licenses": ("MIT OR GPL-3.0-only",)}, None),
        ("no-copyleft", "_x", {"licenses": ("LicenseRef-x",)}, "LicenseRef-x, is copyleft is not"),
        ("no-copyleft", "_json", {}, None),
        ("no-copyleft", "math", {"system_libraries": ("m",)}, None),
        ("no-copyleft", "_x", {"system_libraries": ("x",)}, "does not tell its licence"),
        (
            *("no-copyleft", "_sqlite3"),
            {"static_libraries": ("build/lib/libsqlite3.a",), "license_public_domain": True},
            None,
        ),
    ],
)
def test_the_rules(rule: str, name: str, fields: Mapping[str, Any], reason: str | None) -> None:
    found = reason_to_drop(extension(name, **fields), rule)
    assert found is None if reason is None else reason in str(found)


def test_the_libraries_of_a_module() -> None:
    found = foreign_libraries(
        extension(
            "x", static_libraries=("build/lib/libssl.a", "a/z.o"), system_libraries=("m", "tcl")
        )
    )
    assert found == ("ssl", "tcl", "z.o")
