"""Reports of goals that ask about components: a program of `oxidize_rules.sandbox` writes them, for
a person and for a program, and looks for the components in advisories."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, Iterable, Tuple

from pants.engine.fs import CreateDigest, Digest, FileContent, MergeDigests
from pants.option.option_types import EnumOption, StrListOption
from pants.util.logging import LogLevel
from pants.util.strutil import softwrap

from oxidize_rules.compat import (
    collect_rules,
    create_digest,
    execute_process,
    get_digest_contents,
    implicitly,
    merge_digests,
    rule,
)
from oxidize_rules.sandbox.reports.goal_report import JSON_FILE, TEXT_FILE
from oxidize_rules.util_rules.advisories import Advisories
from oxidize_rules.util_rules.sandbox_program import raise_on_failure
from oxidize_rules.util_rules.tools_pex import prepare_tool_process, sandbox_tool

_INPUT, _OUTPUT = "input.json", "report"


class ReportFormat(Enum):
    text = "text"
    json = "json"


class Reporting:
    """For the subsystem of a goal that shows such a report."""

    report_keys: ClassVar[str]  # the page of the documentation that tells the keys

    format = EnumOption(
        default=ReportFormat.text,
        help=lambda cls: f"For a person, or for a program (`{cls.report_keys}` tells the keys).",
    )
    advisories = StrListOption(
        help=softwrap(
            """
            Files with advisories in OSV's JSON format, by path or glob below the build root.
            Nothing is looked up on the network.
            """
        ),
    )


@dataclass(frozen=True)
class GoalReportRequest:
    """`program` reads `question`, a JSON text, in which paths are those of `files`. `goal` is who
    asks; `description` is told while it works, and `doing` where it fails."""

    goal: str
    program: str
    question: str
    files: Tuple[Digest, ...]
    advisories: Advisories
    description: str
    doing: str


@dataclass(frozen=True)
class GoalReport:
    text: str
    json: str

    def shown(self, form: ReportFormat) -> str:
        return self.json if form is ReportFormat.json else self.text


@rule(desc="Write the report of a goal", level=LogLevel.DEBUG)
async def write_goal_report(request: GoalReportRequest) -> GoalReport:
    question = await create_digest(CreateDigest([FileContent(_INPUT, request.question.encode())]))
    digest = await merge_digests(
        MergeDigests([question, *request.files, request.advisories.digest])
    )
    process = await prepare_tool_process(
        sandbox_tool(
            request.program,
            _INPUT,
            _OUTPUT,
            *(f"--advisories={path}" for path in request.advisories.paths),
            description=request.description,
            input_digest=digest,
            output_directories=(_OUTPUT,),
            level=LogLevel.DEBUG,
        ),
        **implicitly(),
    )
    result = await execute_process(process, **implicitly())
    raise_on_failure(result, where=request.goal, doing=request.doing)
    written = await get_digest_contents(result.output_digest)
    by_name = {one.path.rpartition("/")[2]: one.content.decode() for one in written}
    return GoalReport(by_name[TEXT_FILE], by_name[JSON_FILE])


def rules() -> Iterable[object]:
    return collect_rules()
