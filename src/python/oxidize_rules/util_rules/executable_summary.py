"""What an executable is and has inside, in lines for a person."""

from __future__ import annotations

from typing import Any, Iterable, Mapping, Tuple

from pants.util.strutil import pluralize

from oxidize_rules.binary_targets import OxidizedBinaryFieldSet
from oxidize_rules.util_rules.binary_settings import binary_glibc_floor
from oxidize_rules.util_rules.distribution import PythonDistribution
from oxidize_rules.util_rules.extension_filter import MINIMAL
from oxidize_rules.util_rules.first_party import FirstPartySources
from oxidize_rules.util_rules.inittab import LeftOutExtension
from oxidize_rules.util_rules.wheels import Wheel


def summarize(
    fields: OxidizedBinaryFieldSet,
    distribution: PythonDistribution,
    report: Mapping[str, Any],
    native: Mapping[str, Any],
    wheels: Tuple[Wheel, ...],
    sources: FirstPartySources,
    extensions: Tuple[str, ...],
    size: int,
    warnings: Tuple[str, ...] = (),
    left_out: Tuple[LeftOutExtension, ...] = (),
) -> Tuple[str, ...]:
    """What the executable is and has inside, in lines for a person.

    `report` is that of `sandbox/images/image.py`, `native` that of
    `sandbox/images/native_libraries.py` and what of its `host` is `carried` inside, `size` the
    executable's in bytes.
    """
    floor = binary_glibc_floor(fields, distribution)
    kinds = ", ".join(
        f"{kind} {_megabytes(count)}" for kind, count in sorted(report["total"].items()) if count
    )
    names = f" ({', '.join(wheel.name for wheel in wheels)})" if wheels else ""
    inside = [
        pluralize(len(extensions), "extension module"),
        pluralize(len(wheels), "wheel") + names,
        pluralize(len(sources.files()), "first-party file"),
    ]
    return (
        f"{_megabytes(size)}, {fields.target_triple.value}"
        + (f" (glibc {floor} or newer)" if floor else " (static)")
        + f", Python {distribution.python_version} of {distribution.address}",
        f"inside: {', '.join(inside)}; {report['modules']} modules; {kinds}",
        *_filter_summary(fields, left_out),
        *_native_summary(native),
        *(
            f"warning: {warning}"
            for warning in (*warnings, *report["warnings"], *native["warnings"])
        ),
        *(
            f"warning: {address} is left out: `file` targets have no place below a source root; "
            "use a `resource` target"
            for address in sources.ignored
        ),
    )


def _filter_summary(
    fields: OxidizedBinaryFieldSet, left_out: Iterable[LeftOutExtension]
) -> Tuple[str, ...]:
    """What a filter left out that is not plain from its name."""
    names = [one for one in left_out if one.field == fields.extension_filter.alias]
    if not names:
        return ()
    start = f"left out by {fields.extension_filter.alias}={fields.extension_filter.value}: "
    if fields.extension_filter.value == MINIMAL:
        return (start + pluralize(len(names), "extension module"),)
    return (start + "; ".join(f"{one.name} ({one.why})" for one in names),)


def _native_summary(native: Mapping[str, Any]) -> Tuple[str, ...]:
    """What it loads, and what the machine has to have for that."""
    if not native["libraries"]:
        return ()
    parts = [
        f"loads from inside: {pluralize(native['extensions'], 'extension module')}, "
        + pluralize(native["libraries"] - native["extensions"], "library")
    ]
    if native["system"]:
        parts.append(f"added for them: {', '.join(native['system'])}")
    if native["host"]:
        wanted = (
            library
            + (f" with {', '.join(versions)}" if versions else "")
            + (" (an own one inside)" if library in native["carried"] else "")
            for library, versions in sorted(native["host"].items())
        )
        parts.append(f"needs from the machine: {'; '.join(wanted)}")
    if native["glibc"]:
        parts.append(f"newest glibc interface in use: {native['glibc']}")
    return ("; ".join(parts),)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
