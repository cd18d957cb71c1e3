"""Rules for an analysed file, and how it breaks them: one line each."""

from __future__ import annotations

import fnmatch
import re
from typing import Any, Iterator, Mapping, Sequence

from oxidize_rules.sandbox.analysis.analyze_requirements import LEVEL_NUMBERS, REQUIREMENTS
from oxidize_rules.sandbox.errors import UserError


class Rules:
    """`max_glibc` such as "2.17", `deny_needed` globs of library names, `require` names of
    REQUIREMENTS, `max_isa` a level of x86-64. With `count_dispatched`, code that is chosen at run
    time counts, too. Raises UserError."""

    def __init__(
        self,
        *,
        max_glibc: str | None = None,
        deny_needed: Sequence[str] = (),
        require: Sequence[str] = (),
        max_isa: str | None = None,
        count_dispatched: bool = False,
    ) -> None:
        if max_glibc is not None and not re.fullmatch(r"2\.\d{1,3}(\.\d{1,3})?", max_glibc):
            raise UserError(
                f"--max-glibc: found `{max_glibc}`, expected a version of glibc such as 2.17."
            )
        known = ", ".join(sorted(REQUIREMENTS))
        unknown = [one for one in require if one not in REQUIREMENTS]
        if unknown:
            raise UserError(f"--require: found `{unknown[0]}`, expected of {known}.")
        if max_isa is not None and max_isa not in LEVEL_NUMBERS:
            raise UserError(
                f"--max-isa: found `{max_isa}`, expected one of {', '.join(LEVEL_NUMBERS)}."
            )
        self.max_glibc, self.max_isa = max_glibc, max_isa
        self.deny_needed, self.require = tuple(deny_needed), tuple(require)
        self.count_dispatched = count_dispatched


def check(report: Mapping[str, Any], rules: Rules) -> list[str]:
    """What a file breaks, a line each. `report` is that of `sandbox/analysis/analyze.py`."""
    return [f"{report['file']}: {line}" for line in _check(report, rules)]


def _check(report: Mapping[str, Any], rules: Rules) -> Iterator[str]:
    if any((rules.max_glibc, rules.deny_needed, rules.require, rules.max_isa)):
        # What could not be read may be what the rules are about.
        for problem in report["problems"]:
            yield f"{problem}: no rule can be relied on"
    needs = report["needs"]
    if rules.max_glibc:
        yield from _glibc(needs, rules.max_glibc)
    for library in needs["needed"]:
        for pattern in rules.deny_needed:
            if fnmatch.fnmatchcase(library["name"], pattern):
                yield f"it needs {library['name']}, which --deny-needed={pattern} forbids"
    hardening = report["hardening"]
    for name in rules.require:
        prop, words = REQUIREMENTS[name]
        if hardening[prop] is None:
            yield f"the file does not show whether --require={name} is met"
        elif not hardening[prop]:
            yield f"{words}, which --require={name} demands"
    if rules.max_isa:
        yield from _isa(report["isa"], rules.max_isa, rules.count_dispatched)


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _glibc(needs: Mapping[str, Any], highest: str) -> Iterator[str]:
    floor = needs["glibc_floor"]
    if floor and _number(floor) > _number(highest):
        reasons = needs["floor_because"]
        more = f" and {len(reasons) - 3} more" if len(reasons) > 3 else ""
        yield (
            f"it needs glibc {floor} because of {', '.join(reasons[:3])}{more}; "
            f"--max-glibc={highest}"
        )
    for one in needs["special_versions"]:
        if one["glibc"] is None:
            yield (
                f"it needs {one['version']} of {one['library']}, which no glibc promises; "
                f"--max-glibc={highest}"
            )


def _isa(isa: Mapping[str, Any], allowed: str, count_dispatched: bool) -> Iterator[str]:
    if not isa["examined"]:
        yield f"its instructions cannot be compared with --max-isa={allowed}: {isa['why']}"
        return
    limit = LEVEL_NUMBERS[allowed]
    declared = isa["declared_needed"]
    if declared and LEVEL_NUMBERS[declared] > limit:
        yield f"it declares that it needs {declared}; --max-isa={allowed}"
    code, outside = isa["code_bytes"], isa["outside_functions"]["highest"]
    if (
        code["outside"] > code["in_functions"]
        and LEVEL_NUMBERS[outside] > limit
        and (count_dispatched or not isa["asks_the_cpu"])
    ):
        yield (
            f"most of its code belongs to no known function, and some of it reads as instructions "
            f"of {outside}; --max-isa={allowed}"
        )
    highest = isa["highest"]
    if LEVEL_NUMBERS[highest] <= limit:
        return
    if isa["chosen_at_run_time"] and not count_dispatched:
        return
    examples = ", ".join(isa["examples"].get(highest, [])[:3])
    count = isa["functions_by_level"].get(highest, 0)
    why = "" if isa["asks_the_cpu"] else ", and nothing in it asks the CPU"
    yield (
        f"{count} of its functions have instructions of {highest} ({examples}){why}; "
        f"--max-isa={allowed}"
    )
