"""`oxidize-contains`: which executables contain a component, and at which version."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, List, Tuple

from pants.engine.console import Console
from pants.engine.fs import (
    AddPrefix,
    Digest,
    DigestSubset,
    PathGlobs,
)
from pants.engine.goal import Goal, GoalSubsystem, Outputting
from pants.engine.target import Targets
from pants.option.option_types import ArgsListOption, StrListOption
from pants.util.docutil import bin_name
from pants.util.logging import LogLevel
from pants.util.strutil import softwrap

from oxidize_rules.binary_targets import OxidizedBinaryFieldSet, OxidizedBinaryTarget
from oxidize_rules.compat import (
    add_prefix,
    collect_rules,
    concurrently,
    digest_subset_to_digest,
    goal_rule,
    implicitly,
    rule,
)
from oxidize_rules.sandbox.reports.advisories import AFFECTED
from oxidize_rules.sandbox.reports.component_query import BadQuery, parse_query
from oxidize_rules.util_rules.advisories import (
    Advisories,
    AdvisoriesRequest,
    find_advisories,
)
from oxidize_rules.util_rules.executable import ExecutableRequest, build_executable
from oxidize_rules.util_rules.goal_report import (
    GoalReport,
    GoalReportRequest,
    Reporting,
    write_goal_report,
)
from oxidize_rules.util_rules.link import INVENTORY
from oxidize_rules.util_rules.sandbox_program import OxidizeError

_NAME = "oxidize-contains"
_PROGRAM = "reports.component_query"


class ContainsSubsystem(Reporting, Outputting, GoalSubsystem):
    name = _NAME
    report_keys = "docs/licensing.md"
    help = softwrap(
        f"""
        Tell which `{OxidizedBinaryTarget.alias}` targets contain a component, and at which version:
        `{bin_name()} {_NAME} --component='openssl<3.5.7' ::`, or the same behind the targets:
        `{bin_name()} {_NAME} :: -- 'openssl<3.5.7'`.

        What counts is what the link took into the executable of each target, in each of its
        parametrizations: libraries, code in CPython, wheels and libraries in them, the interpreter.

        With `--advisories`, tell which of them have known vulnerabilities.

        Exits with 1 if a component is found, or has a version that is not known, or is affected by
        an advisory; with 0 if not.
        """
    )

    component = StrListOption(
        help=softwrap(
            """
            A component by name, with the versions that are meant: `openssl`, `openssl<3.5.7`,
            `openssl>=3.0,<3.0.17`, `wheel:numpy<2`, `*ssl*`. Quote it for the shell. With several,
            each is answered.
            """
        ),
    )
    args = ArgsListOption(
        example="openssl<3.5.7",
        passthrough=True,
        extra_help="They are components, as in `--component`.",
    )


class ContainsGoal(Goal):
    subsystem_cls = ContainsSubsystem
    environment_behavior = Goal.EnvironmentBehavior.LOCAL_ONLY


def check_queries(queries: Iterable[str], needed: bool = True) -> Tuple[str, ...]:
    """Raises OxidizeError for what is no query, and if one is `needed` and there is none: before
    anything is built."""
    found = tuple(queries)
    example = f"`{bin_name()} {_NAME} --component='openssl<3.5.7' ::`"
    if not found and needed:
        raise OxidizeError(
            f"{_NAME}: no component is named. To fix, name one in `--component`, or after `--` "
            f"behind the targets: {example}."
        )
    for query in found:
        try:
            parse_query(query)
        except BadQuery as error:
            raise OxidizeError(
                f"{_NAME}: `--component` is `{query}`, but {error}. To fix, write a name and "
                f"comparisons with versions, quoted for the shell: {example}."
            ) from error
    return found


def binaries_of(targets: Iterable[object]) -> Tuple[OxidizedBinaryFieldSet, ...]:
    """Raises OxidizeError if there is none."""
    found = tuple(
        OxidizedBinaryFieldSet.create(target)  # type: ignore[arg-type]
        for target in targets
        if OxidizedBinaryFieldSet.is_applicable(target)  # type: ignore[arg-type]
    )
    if not found:
        raise OxidizeError(
            f"{_NAME}: found no `{OxidizedBinaryTarget.alias}` target, expected one or more. To "
            f"fix, name them, or the folders they are in: `{bin_name()} {_NAME} "
            "--component='openssl<3.5.7' ::`."
        )
    return found


@dataclass(frozen=True)
class ComponentAnswersRequest:
    """`inventories`: the address of each binary, and the digest with its `inventory.json`."""

    queries: Tuple[str, ...]
    inventories: Tuple[Tuple[str, Digest], ...]
    advisories: Advisories


@rule(desc="Look for components in inventories", level=LogLevel.DEBUG)
async def answer_queries(request: ComponentAnswersRequest) -> GoalReport:
    # Without the licence texts.
    alone = await concurrently(
        digest_subset_to_digest(DigestSubset(digest, PathGlobs([INVENTORY])))
        for _, digest in request.inventories
    )
    placed = await concurrently(
        add_prefix(AddPrefix(digest, f"binaries/{place}")) for place, digest in enumerate(alone)
    )
    binaries = [
        {"address": address, "inventory": f"binaries/{place}/{INVENTORY}"}
        for place, (address, _) in enumerate(request.inventories)
    ]
    given = {"queries": request.queries, "binaries": binaries}
    return await write_goal_report(
        GoalReportRequest(
            _NAME,
            _PROGRAM,
            json.dumps(given, sort_keys=True),
            tuple(placed),
            request.advisories,
            description=f"Look for components in {len(binaries)} inventories",
            doing="look for components",
        ),
        **implicitly(),
    )


@goal_rule
async def find_components(
    targets: Targets, options: ContainsSubsystem, console: Console
) -> ContainsGoal:
    queries = check_queries((*options.component, *options.args), not options.advisories)
    binaries = binaries_of(targets)
    advisories = await find_advisories(
        AdvisoriesRequest(tuple(options.advisories), _NAME), **implicitly()
    )
    executables = await concurrently(
        build_executable(
            ExecutableRequest(
                fields, Path(fields.output_path.value_or_default(file_ending=None)).name
            ),
            **implicitly(),
        )
        for fields in binaries
    )
    inventories: List[Tuple[str, Digest]] = [
        (str(fields.address), executable.inventory)
        for fields, executable in zip(binaries, executables)
    ]
    answers = await answer_queries(
        ComponentAnswersRequest(queries, tuple(inventories), advisories), **implicitly()
    )
    with options.output(console) as write:
        write(answers.shown(options.format))
    report = json.loads(answers.json)
    found = any(one["found"] for one in report["queries"])
    affected = any(one["state"] == AFFECTED for one in report["findings"])
    return ContainsGoal(1 if found or affected else 0)


def rules() -> Iterable[object]:
    return collect_rules()
