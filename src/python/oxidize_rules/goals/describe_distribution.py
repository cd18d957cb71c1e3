"""`oxidize-distribution`: what Python distributions hold, side by side."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from typing import Dict, Iterable, List, Mapping, Tuple

from pants.engine.addresses import Address
from pants.engine.console import Console
from pants.engine.fs import (
    AddPrefix,
)
from pants.engine.goal import Goal, GoalSubsystem, Outputting
from pants.engine.target import Targets
from pants.option.option_types import EnumOption
from pants.util.docutil import bin_name
from pants.util.logging import LogLevel
from pants.util.strutil import softwrap

from oxidize_rules.compat import (
    add_prefix,
    collect_rules,
    concurrently,
    goal_rule,
    implicitly,
    rule,
)
from oxidize_rules.content_fields import EXTENSION_FILTERS, ExtensionFilterField
from oxidize_rules.distribution_targets import PythonDistributionArchiveTarget
from oxidize_rules.util_rules.advisories import AdvisoriesRequest, find_advisories
from oxidize_rules.util_rules.distribution import (
    DistributionArchiveFieldSet,
    DistributionMetadataRequest,
    Extension,
    PythonDistributionRequest,
    load_python_distribution,
    read_metadata,
)
from oxidize_rules.util_rules.distribution_facts import (
    DistributionFactsRequest,
    find_distribution_facts,
)
from oxidize_rules.util_rules.extension_filter import reason_to_drop
from oxidize_rules.util_rules.goal_report import (
    GoalReport,
    GoalReportRequest,
    Reporting,
    write_goal_report,
)
from oxidize_rules.util_rules.inittab import excluded_by_default
from oxidize_rules.util_rules.sandbox_program import OxidizeError

_NAME = "oxidize-distribution"
_PROGRAM = "reports.distribution_report"

# Members are named as the values are written in an option.
ExtensionFilter = Enum(  # type: ignore[misc]
    "ExtensionFilter", {name.replace("-", "_"): name for name in EXTENSION_FILTERS}
)


class DistributionSubsystem(Reporting, Outputting, GoalSubsystem):
    name = _NAME
    report_keys = "docs/distributions.md"
    help = softwrap(
        f"""
        Tell what is in a `{PythonDistributionArchiveTarget.alias}`: versions, extension modules
        with their libraries and licences, what an executable made from it needs, and known
        vulnerabilities; several are compared side by side.

        Exits with 1 if one of the advisories given with `--advisories` is about a component of it.
        """
    )

    extension_filter = EnumOption(
        default=ExtensionFilter("all"),
        help=softwrap(
            f"""
            Which extension modules are told as kept: what `{ExtensionFilterField.alias}` of an
            `oxidized_binary` would build in.
            """
        ),
    )


class DistributionGoal(Goal):
    subsystem_cls = DistributionSubsystem
    environment_behavior = Goal.EnvironmentBehavior.LOCAL_ONLY


@dataclass(frozen=True)
class DistributionReportRequest:
    distributions: Tuple[Address, ...]
    extension_filter: str
    advisories: Tuple[str, ...]


def left_out(extensions: Iterable[Extension], rule_name: str) -> Dict[str, str]:
    """Why an executable does not have an extension module, by name."""
    found = {}
    for extension in extensions:
        if excluded_by_default(extension):
            found[extension.name] = "left out by default"
        else:
            why = reason_to_drop(extension, rule_name)
            if why is not None:
                found[extension.name] = why
    return found


@rule(desc="Tell what is in Python distributions", level=LogLevel.DEBUG)
async def report_distributions(request: DistributionReportRequest) -> GoalReport:
    loaded = await concurrently(
        load_python_distribution(PythonDistributionRequest(address), **implicitly())
        for address in request.distributions
    )
    metadata = await concurrently(
        read_metadata(DistributionMetadataRequest(address), **implicitly())
        for address in request.distributions
    )
    facts = await concurrently(
        find_distribution_facts(DistributionFactsRequest(address), **implicitly())
        for address in request.distributions
    )
    advisories = await find_advisories(AdvisoriesRequest(request.advisories, _NAME), **implicitly())
    placed = await concurrently(
        add_prefix(AddPrefix(one.digest, f"facts/{place}")) for place, one in enumerate(facts)
    )
    distributions = [
        {
            "address": distribution.address,
            "metadata": json.loads(read.content),
            "facts": f"facts/{place}/facts.json",
            "left_out": left_out(distribution.extensions, request.extension_filter),
        }
        for place, (distribution, read) in enumerate(zip(loaded, metadata))
    ]
    given = {"extension_filter": request.extension_filter, "distributions": distributions}
    what = ", ".join(one.address for one in loaded)
    return await write_goal_report(
        GoalReportRequest(
            _NAME,
            _PROGRAM,
            json.dumps(given, sort_keys=True),
            tuple(placed),
            advisories,
            description=f"Tell what is in {what}",
            doing=f"tell what is in {what}",
        ),
        **implicitly(),
    )


def has_known_vulnerability(report: Mapping[str, List[Dict[str, List[Dict[str, str]]]]]) -> bool:
    return any(
        finding["state"] == "affected"
        for one in report["distributions"]
        for finding in one["findings"]
    )


@goal_rule
async def describe_distributions(
    targets: Targets, options: DistributionSubsystem, console: Console
) -> DistributionGoal:
    found = [
        target.address for target in targets if DistributionArchiveFieldSet.is_applicable(target)
    ]
    if not found:
        raise OxidizeError(
            f"{_NAME}: found no `{PythonDistributionArchiveTarget.alias}` target, expected one or "
            f"more. To fix, name them: `{bin_name()} {_NAME} //toolchains:python3.13-musl`."
        )
    report = await report_distributions(
        DistributionReportRequest(
            tuple(found), str(options.extension_filter.value), tuple(options.advisories)
        ),
        **implicitly(),
    )
    with options.output(console) as write:
        write(report.shown(options.format))
    return DistributionGoal(1 if has_known_vulnerability(json.loads(report.json)) else 0)


def rules() -> Iterable[object]:
    return collect_rules()
