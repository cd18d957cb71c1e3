"""`oxidize-trace`: runs an executable, and tells which modules and files of it the run used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Iterable

from pants.base.build_root import BuildRoot
from pants.core.util_rules.distdir import DistDir
from pants.engine.console import Console
from pants.engine.env_vars import CompleteEnvironmentVars
from pants.engine.fs import Workspace
from pants.engine.goal import Goal, GoalSubsystem
from pants.engine.process import InteractiveProcess
from pants.engine.target import Targets
from pants.option.option_types import ArgsListOption, BoolOption
from pants.util.strutil import softwrap

from oxidize_rules.binary_targets import OxidizedBinaryFieldSet, OxidizedBinaryTarget
from oxidize_rules.compat import (
    collect_rules,
    concurrently,
    get_digest_contents,
    goal_rule,
    implicitly,
    run_interactive_process,
)
from oxidize_rules.util_rules.executable import ExecutableRequest, build_executable
from oxidize_rules.util_rules.sandbox_program import OxidizeError
from oxidize_rules.util_rules.trace_report import Filters, as_text, find_filters, read_trace

# Of the executable's path in `dist/`: what it wrote, and what follows from it.
_TRACE, _REPORT = ".trace", ".content"
_VARIABLE = "OXIDIZED_TRACE"


class TraceSubsystem(GoalSubsystem):
    name = "oxidize-trace"
    help = softwrap(
        """
        Run an `oxidized_binary` and write which modules and files of it the run used, as values of
        the fields `include_stdlib`, `exclude` and `exclude_extensions`, ready to paste.
        """
    )

    args = ArgsListOption(example="serve --port 8000", passthrough=True)
    add = BoolOption(
        default=False,
        help=softwrap(
            """
            Whether to go on from earlier runs of this executable, so that several runs, with other
            arguments, count together.
            """
        ),
    )


class TraceGoal(Goal):
    subsystem_cls = TraceSubsystem
    environment_behavior = Goal.EnvironmentBehavior.LOCAL_ONLY


def the_binary(targets: Targets) -> OxidizedBinaryFieldSet:
    """Raises OxidizeError unless there is exactly one."""
    found = [target for target in targets if OxidizedBinaryFieldSet.is_applicable(target)]
    if len(found) != 1:
        what = ", ".join(str(target.address) for target in found) or "none"
        raise OxidizeError(
            f"oxidize-trace: found {what}, expected one `{OxidizedBinaryTarget.alias}` target. To "
            "fix, name one by its address; of a parametrized target one of its triples, such as "
            "`app:bin@target_triple=musl`."
        )
    return OxidizedBinaryFieldSet.create(found[0])


def in_short(filters: Filters, report: Path) -> str:
    def shown(names: Iterable[str]) -> str:
        names = list(names)
        text = ", ".join(f'"{name}"' for name in names[:6])
        return f"[{text}{', ...' if len(names) > 6 else ''}] ({len(names)})"

    return "\n".join(
        [
            f"include_stdlib={shown(filters.include_stdlib)}",
            f"exclude={shown(filters.exclude)}",
            f"exclude_extensions={shown(filters.exclude_extensions)}",
            f"Wrote {report}",
        ]
    )


@goal_rule
async def trace_oxidized_binary(
    targets: Targets,
    trace: TraceSubsystem,
    workspace: Workspace,
    console: Console,
    build_root: BuildRoot,
    dist_dir: DistDir,
    complete_env: CompleteEnvironmentVars,
) -> TraceGoal:
    fields = the_binary(targets)
    output = Path(fields.output_path.value_or_default(file_ending=None))
    executable = await build_executable(ExecutableRequest(fields, output.name), **implicitly())
    imports = await concurrently(
        get_digest_contents(component.imports) for component in executable.components
    )
    folder = dist_dir.relpath / output.parent
    workspace.write_digest(executable.digest, path_prefix=str(folder))
    file = build_root.pathlib_path / folder / (output.name + _TRACE)
    if not trace.add:
        file.write_text("")
    result = await run_interactive_process(
        InteractiveProcess(
            argv=(str(build_root.pathlib_path / folder / executable.path), *trace.args),
            env={**complete_env, _VARIABLE: str(file)},
            run_in_workspace=True,
        )
    )
    told = read_trace(file.read_text(errors="replace") if file.exists() else "")
    filters = find_filters(
        told,
        [json.loads(content.content) for files in imports for content in files],
        executable.droppable_extensions,
    )
    report = folder / (output.name + _REPORT)
    (build_root.pathlib_path / report).write_text(as_text(filters, told, str(fields.address)))
    console.print_stderr(in_short(filters, report))
    return TraceGoal(result.exit_code)


def rules() -> Iterable[object]:
    return collect_rules()
