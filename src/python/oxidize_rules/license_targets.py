"""The `license_report` target: its fields, their help, and what can be checked in them alone."""

from __future__ import annotations

from functools import partial
from typing import ClassVar, Dict, Iterable, Mapping, Optional, Tuple

from pants.core.goals.package import OutputPathField
from pants.engine.addresses import Address
from pants.engine.target import (
    COMMON_TARGET_FIELDS,
    AsyncFieldMixin,
    Field,
    InvalidFieldTypeException,
    StringField,
    StringSequenceField,
    Target,
    TriBoolField,
)
from pants.util.docutil import bin_name
from pants.util.frozendict import FrozenDict
from pants.util.strutil import help_text

from oxidize_rules.compat import EnvironmentField
from oxidize_rules.field_errors import invalid_field, nearest, one_of
from oxidize_rules.sandbox.parts.licenses import BadExpression, parse
from oxidize_rules.sandbox.reports.license_policy import GROUPS, is_pattern, override_fault

REPORT = "license_report"

# The formats of reports; sandbox/reports/license_report.py writes them.
REPORT_FORMATS = (
    "text",
    "html",
    "json",
    "notices",
    "spdx-json",
    "spdx-tag-value",
    "cyclonedx-json",
)

# Of the fields of a `license_report`.
invalid_report_field = partial(invalid_field, target=REPORT)


class ReportBinaryField(StringField, AsyncFieldMixin):
    alias = "binary"
    required = True
    help = help_text(
        """
        The address of the `oxidized_binary` whose parts are reported on, such as `":bin"`.

        One that is made for several triples has an address for each:
        `binary=":bin@target_triple=musl"`, or for a report on each of them
        `binary=parametrize(musl=":bin@target_triple=musl", gnu=":bin@target_triple=gnu")`.
        """
    )


class ReportFormatsField(StringSequenceField):
    alias = "formats"
    default = ("html", "notices", "spdx-json", "cyclonedx-json")
    help = help_text(
        """
        What is written:

          * `html`: a page for people, with filters and all texts (`licenses.html`);
          * `text`: the same as plain text, without the texts (`licenses.txt`);
          * `notices`: every text that has to go along with the executable, once
            (`NOTICES.txt`);
          * `spdx-json`, `spdx-tag-value`: an SPDX 2.3 document (`<name>.spdx.json`, `<name>.spdx`);
          * `cyclonedx-json`: a CycloneDX 1.6 document (`<name>.cdx.json`);
          * `json`: all that is known, in a form of our own (`licenses.json`).
        """
    )

    @classmethod
    def compute_value(
        cls, raw_value: Optional[Iterable[str]], address: Address
    ) -> Optional[Tuple[str, ...]]:
        value = super().compute_value(raw_value, address)
        for name in value or ():
            if name not in REPORT_FORMATS:
                raise invalid_report_field(
                    address,
                    cls.alias,
                    found=f"a list with `{name}`",
                    expected=f"the formats are {one_of(REPORT_FORMATS)}",
                    remedy=f"use one of them, perhaps `{nearest(name, REPORT_FORMATS)}`",
                )
        if not value:
            raise invalid_report_field(
                address,
                cls.alias,
                found="empty",
                expected="a report has to be written in some form",
                remedy="name a format, or leave the field off",
            )
        return tuple(dict.fromkeys(value))


class _LicensePatternsField(StringSequenceField):
    """Patterns of licences, as `sandbox/reports/license_policy.py` has them."""

    @classmethod
    def compute_value(
        cls, raw_value: Optional[Iterable[str]], address: Address
    ) -> Optional[Tuple[str, ...]]:
        value = super().compute_value(raw_value, address)
        for pattern in value or ():
            if not is_pattern(pattern):
                raise invalid_report_field(
                    address,
                    cls.alias,
                    found=f"a list with {pattern!r}",
                    expected=(
                        "each entry must be one licence of SPDX' list, in which `*` and `?` stand "
                        f"for other characters, or a group ({one_of(tuple(sorted(GROUPS)))})"
                    ),
                    remedy='write it such as `"MIT"`, `"BSD-*"` or `"GPL-* WITH *"`, each licence '
                    "in an entry of its own",
                )
        return value


class AllowField(_LicensePatternsField):
    alias = "allow"
    help = help_text(
        """
        The licences that parts of the executable may have; with it, all others break the policy.

        SPDX identifiers, in which `*` and `?` stand for other characters, such as
        `allow=["MIT", "BSD-*", "PSF-2.0"]`. Of `A OR B` one has to be allowed, of `A AND B` both.
        An exception (`WITH`) only permits more. `"permissive"` stands for all that are known to be,
        `"copyleft"` for all that are known to be copyleft.
        """
    )


class DenyField(_LicensePatternsField):
    alias = "deny"
    help = help_text(
        """
        The licences that no part of the executable may have, also if the `allow` field has them.

        SPDX identifiers, in which `*` and `?` stand for other characters, such as
        `deny=["AGPL-*", "GPL-*"]`. Of `A OR B` one may choose the other. Without `WITH` in it, an
        entry does not mean a licence with an exception that allows to link; `"GPL-* WITH *"` does.

        `"copyleft"` stands for all that are known to be copyleft, and means the same as the
        binary's `extension_filter="no-copyleft"` does: what that keeps breaks no policy.
        """
    )


class OverridesField(Field):
    alias = "overrides"
    value: Optional[FrozenDict[str, FrozenDict[str, str]]]
    default: ClassVar[Optional[FrozenDict[str, FrozenDict[str, str]]]] = None
    help = help_text(
        """
        What you know better about single parts, by name, or by name and version:

            overrides={
                "somelib": {"license": "MIT", "reason": "the author's mail of 2 May"},
                "other==1.2": {"accept": "GPL-3.0-only", "reason": "our product is GPL, too"},
            }

        `license` is the licence that the part really has; the reports tell it with the reason.
        `accept` is the licence that it is said to have, and lets just this one pass. One of both,
        and the `reason`, are required.
        """
    )

    @classmethod
    def compute_value(
        cls, raw_value: Optional[Mapping[str, Mapping[str, str]]], address: Address
    ) -> Optional[FrozenDict[str, FrozenDict[str, str]]]:
        value = super().compute_value(raw_value, address)
        if value is None:
            return None
        if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
            raise InvalidFieldTypeException(
                address,
                cls.alias,
                raw_value,
                expected_type="a dictionary of parts' names to dictionaries",
            )
        found: Dict[str, FrozenDict[str, str]] = {}
        for name, override in sorted(value.items()):
            plain = dict(override) if isinstance(override, Mapping) else override
            fault = override_fault(name, plain)
            if fault is not None:
                raise invalid_report_field(
                    address,
                    cls.alias,
                    found=f"a dictionary with {fault}",
                    expected=(
                        "each part must have a dictionary of `reason` and either `license` or "
                        "`accept`, whose values are texts, and licences SPDX expressions"
                    ),
                    remedy='write `{"part": {"license": "MIT", "reason": "why you know it"}}`',
                )
            found[name] = FrozenDict(sorted(override.items()))
        return FrozenDict(found)


class FailOnUnknownField(TriBoolField):
    alias = "fail_on_unknown"
    help = help_text(
        f"""
        Whether a part breaks the policy if nothing is known of its licence, or nothing but a text
        that SPDX has no name for.

        If not defined, it does where the fields `{AllowField.alias}` and `{DenyField.alias}` say
        anything. The reports tell of such parts in any case.
        """
    )


class FirstPartyLicenseField(StringField):
    alias = "first_party_license"
    help = help_text(
        """
        The licence of your own code in the executable, as an SPDX expression, such as
        `"Apache-2.0"` or `"LicenseRef-Example-Corp"`.

        A `python_distribution` that states a licence of its own keeps that. If not defined, the
        rest of your own code is no part of the reports. The policy is not about it.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[str], address: Address) -> Optional[str]:
        value = super().compute_value(raw_value, address)
        if value is not None:
            try:
                parse(value)
            except BadExpression as error:
                raise invalid_report_field(
                    address,
                    cls.alias,
                    found=f"`{value}`",
                    expected=f"it must be an SPDX expression, and {error}",
                    remedy='write one such as `"MIT"` or `"LicenseRef-Example-Corp"`',
                ) from None
        return value


class ReportOutputPathField(OutputPathField):
    help = help_text(
        f"""
        The folder below `dist/` that the reports are written to. It should be used by nothing else.

        If not defined, `{bin_name()}` makes one of the target's address, such as
        `path.to.project/licenses`.
        """
    )


class LicenseReportTarget(Target):
    alias = REPORT
    core_fields = (
        *COMMON_TARGET_FIELDS,
        ReportBinaryField,
        ReportFormatsField,
        AllowField,
        DenyField,
        OverridesField,
        FailOnUnknownField,
        FirstPartyLicenseField,
        ReportOutputPathField,
        EnvironmentField,
    )
    help = help_text(
        f"""
        Reports on everything in an executable and its licences, with a policy.

        `{bin_name()} package` writes them below `dist/`, unless the executable breaks the policy:
        then it fails, and tells which parts do, who brings them, and what can be done. For example:

            license_report(name="licenses", binary=":bin", deny=["copyleft"])

        See the field `{ReportFormatsField.alias}` for what is written.
        """
    )


def target_types() -> Iterable[type[Target]]:
    return [LicenseReportTarget]
