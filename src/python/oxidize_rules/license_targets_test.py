from __future__ import annotations

from typing import Any

import pytest
from pants.engine.addresses import Address
from pants.engine.target import InvalidFieldException

from oxidize_rules.license_targets import (
    REPORT_FORMATS,
    AllowField,
    DenyField,
    FirstPartyLicenseField,
    LicenseReportTarget,
    OverridesField,
    ReportFormatsField,
)
from oxidize_rules.sandbox.reports.license_report import FORMATS

ADDRESS = Address("app", target_name="licenses")


def test_the_formats_are_those_that_are_written() -> None:
    assert set(REPORT_FORMATS) == set(FORMATS)
    assert set(ReportFormatsField(None, ADDRESS).value or ()) <= set(FORMATS)
    for name in FORMATS:
        assert f"`{name}`" in str(ReportFormatsField.help)


def test_values() -> None:
    target = LicenseReportTarget(
        {
            "binary": ":bin",
            "formats": ["text", "json", "text"],
            "deny": ["copyleft", "GPL-* WITH *"],
            "overrides": {
                "b": {"reason": "r", "license": "MIT"},
                "a==1": {"accept": "ISC", "reason": "r"},
            },
            "first_party_license": "LicenseRef-Own OR MIT",
        },
        ADDRESS,
    )
    assert target[ReportFormatsField].value == ("text", "json")
    overrides = target[OverridesField].value
    assert overrides is not None
    assert list(overrides) == ["a==1", "b"]
    assert hash(target)


@pytest.mark.parametrize(
    ("field", "value", "needles"),
    [
        (ReportFormatsField, ["htm"], ("`htm`", "the formats are `text`", "perhaps `html`")),
        (ReportFormatsField, [], ("empty", "leave the field off")),
        (AllowField, ["MIT OR ISC"], ("'MIT OR ISC'", "one licence", "entry of its own")),
        (DenyField, [""], ("''", "one licence", "`copyleft`, `permissive`")),
        (OverridesField, {"a": {"license": "MIT"}}, ("no `reason` for `a`", "To fix, write")),
        (OverridesField, {"a": "MIT"}, ("'MIT' for `a`",)),
        (OverridesField, ["a"], ("dictionary of parts' names",)),
        (FirstPartyLicenseField, "MIT AND", ("`MIT AND`", "its end", "To fix, write one")),
    ],
)
def test_faults(field: Any, value: Any, needles: tuple[str, ...]) -> None:
    with pytest.raises(InvalidFieldException) as refusal:
        field(value, ADDRESS)
    message = " ".join(str(refusal.value).split())
    for needle in (field.alias, "app:licenses", *needles):
        assert needle in message, message
