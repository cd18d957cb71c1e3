"""`oxidize-analyze`: what an executable is, needs and contains, and whether it obeys rules."""

from __future__ import annotations

import json
import os
import stat
from enum import Enum
from pathlib import Path
from typing import Any, Dict, Iterable, List, Optional, Sequence, Tuple

from pants.base.build_root import BuildRoot
from pants.core.goals.package import EnvironmentAwarePackageRequest, PackageFieldSet
from pants.core.util_rules.distdir import DistDir
from pants.engine.console import Console
from pants.engine.fs import CreateDigest, FileContent, FileEntry
from pants.engine.goal import Goal, GoalSubsystem
from pants.engine.target import FieldSetsPerTargetRequest, Targets
from pants.option.option_types import BoolOption, EnumOption, StrListOption, StrOption
from pants.util.strutil import softwrap

from oxidize_rules.compat import (
    collect_rules,
    concurrently,
    create_digest,
    environment_aware_package,
    find_valid_field_sets,
    get_digest_entries,
    goal_rule,
    implicitly,
)
from oxidize_rules.sandbox.analysis.analyze_html import page
from oxidize_rules.sandbox.analysis.analyze_requirements import LEVEL_NUMBERS, REQUIREMENTS
from oxidize_rules.sandbox.analysis.analyze_rules import Rules, check
from oxidize_rules.sandbox.analysis.analyze_text import as_text
from oxidize_rules.sandbox.errors import UserError
from oxidize_rules.util_rules.analyze import AnalyzeRequest, analyze_files

_NAME = "oxidize-analyze"
_HTML = "oxidize-analyze.html"
_LOCAL = "file"
EXIT_BROKEN_RULE, EXIT_BAD_INPUT = 1, 2


class Format(Enum):
    text = "text"
    json = "json"
    html = "html"


class AnalyzeSubsystem(GoalSubsystem):
    name = _NAME
    help = softwrap(
        f"""
        Tell what executables are, which systems can run them, what they need, how they are
        hardened, which instructions and strings are in them, and where their bytes go; and check
        rules, for CI.

        Takes targets that can be packaged, of which every ELF file is analyzed, and any ELF files
        by `--{_NAME}-file`. Exits with 1 if a rule is broken, and with 2 for what cannot be
        analyzed.
        """
    )

    file = StrListOption(
        metavar="<path>",
        help=softwrap(
            """
            An ELF file to analyze, also outside of the repository. Relative paths are relative to
            the build root. May be given several times.
            """
        ),
    )
    format = EnumOption(default=Format.text, help="How the reports are written.")
    output = StrOption(
        default=None,
        metavar="<path>",
        help=softwrap(
            f"""
            Where the reports are written, relative to the build root. Default: standard output,
            and for HTML `{_HTML}` in the folder of built packages.
            """
        ),
    )
    max_glibc = StrOption(
        default=None,
        metavar="<version>",
        help="The newest glibc that a file may need, such as `2.17`.",
    )
    deny_needed = StrListOption(
        metavar="<glob>",
        help="Shared libraries that a file may not need, such as `libssl.*`.",
    )
    require = StrListOption(
        metavar="<name>,...",
        help=f"What a file must have, of: {', '.join(f'`{name}`' for name in REQUIREMENTS)}.",
    )
    max_isa = StrOption(
        default=None,
        metavar="<level>",
        help=softwrap(
            f"""
            The highest level of x86-64 whose instructions a file may need, of:
            {", ".join(f"`{name}`" for name in LEVEL_NUMBERS)}.
            """
        ),
    )
    dispatched_isa = BoolOption(
        default=True,
        help=softwrap(
            """
            Whether instructions above `max_isa` are allowed where the file asks the CPU and most of
            its code does without, so that they are likely chosen at run time, as in OpenSSL.
            """
        ),
    )


class AnalyzeGoal(Goal):
    subsystem_cls = AnalyzeSubsystem
    environment_behavior = Goal.EnvironmentBehavior.LOCAL_ONLY


def make_rules(options: AnalyzeSubsystem) -> Rules:
    """Raises UserError for a value that cannot be meant."""
    return Rules(
        max_glibc=options.max_glibc,
        deny_needed=options.deny_needed,
        require=[name for names in options.require for name in names.split(",") if name],
        max_isa=options.max_isa,
        count_dispatched=not options.dispatched_isa,
    )


def local_file(path: Path, shown: str) -> FileContent:
    """The file's content, under a name that is the same for all. Raises UserError.

    It is read here: the engine itself takes no files from outside of the repository.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with open(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UserError(f"{shown}: found no regular file, expected an ELF file.")
            content = stream.read()
    except OSError as error:
        raise UserError(f"{shown}: cannot be read: {error.strerror}.") from error
    return FileContent(_LOCAL, content)


def written(reports: Sequence[Dict[str, Any]], broken: Sequence[str], output_format: Format) -> str:
    """All reports, in a format."""
    if output_format is Format.json:
        content = {"format": 1, "files": list(reports), "broken_rules": list(broken)}
        return json.dumps(content, indent=1) + "\n"
    if output_format is Format.html:
        return page(reports, broken)
    return "\n".join(as_text(report) for report in reports)


def write_file(path: Path, content: str) -> None:
    """Writes all of it or nothing. Raises UserError."""
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(content, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise UserError(f"--{_NAME}-output: cannot write {path}: {error.strerror}.") from error


@goal_rule
async def analyze(
    targets: Targets,
    options: AnalyzeSubsystem,
    console: Console,
    build_root: BuildRoot,
    dist_dir: DistDir,
) -> AnalyzeGoal:
    try:
        asked = make_rules(options)
        files = [(one, local_file(build_root.pathlib_path / one, one)) for one in options.file]
    except UserError as error:
        console.print_stderr(f"{_NAME}: {error}")
        return AnalyzeGoal(EXIT_BAD_INPUT)
    sets = await find_valid_field_sets(
        FieldSetsPerTargetRequest(PackageFieldSet, targets), **implicitly()
    )
    if not sets.field_sets and not files:
        found = ", ".join(str(target.address) for target in targets[:5]) or "nothing"
        console.print_stderr(
            f"{_NAME}: found {found}, expected targets that can be packaged, or files by "
            f"--{_NAME}-file."
        )
        return AnalyzeGoal(EXIT_BAD_INPUT)
    packages = await concurrently(
        environment_aware_package(EnvironmentAwarePackageRequest(one)) for one in sets.field_sets
    )
    contents = await concurrently(get_digest_entries(one.digest) for one in packages)
    digests = await concurrently(create_digest(CreateDigest([one])) for _, one in files)
    requests: List[Tuple[Optional[str], AnalyzeRequest]] = []
    for field_set, package, entries in zip(sets.field_sets, packages, contents):
        paths = tuple(sorted(one.path for one in entries if isinstance(one, FileEntry)))
        what = f"{paths[0]} of {field_set.address}" if len(paths) == 1 else str(field_set.address)
        if paths:
            requests.append((None, AnalyzeRequest(package.digest, paths, what)))
    for (shown, _), digest in zip(files, digests):
        requests.append((shown, AnalyzeRequest(digest, (_LOCAL,), Path(shown).name)))
    analyzed = await concurrently(analyze_files(request, **implicitly()) for _, request in requests)
    reports: List[Dict[str, Any]] = []
    wrong: List[str] = []
    for (given, request), outcome in zip(requests, analyzed):
        found_elf = False
        for report in outcome.reports():
            report["file"] = given or str(dist_dir.relpath / report["file"])
            for tree in (report.get("sizes"), report.get("sizes_by_component")):
                if given and tree:
                    tree["name"] = Path(given).name
            if "not_elf" not in report:
                found_elf = True
                reports.append(report)
            elif given:
                wrong.append(f"{given}: {report['not_elf']}.")
        if not found_elf and not given:
            wrong.append(f"{request.what}: its package has no ELF file.")
    broken = [line for report in reports for line in check(report, asked)]
    try:
        if reports:
            text = written(reports, broken, options.format)
            output = options.output or (
                str(dist_dir.relpath / _HTML) if options.format is Format.html else None
            )
            if output:
                write_file(build_root.pathlib_path / output, text)
                console.print_stderr(f"Wrote {output}")
            else:
                console.print_stdout(text.rstrip("\n"))
    except UserError as error:
        wrong.append(str(error))
    for line in (*broken, *wrong):
        console.print_stderr(f"{_NAME}: {line}")
    if wrong:
        return AnalyzeGoal(EXIT_BAD_INPUT)
    return AnalyzeGoal(EXIT_BROKEN_RULE if broken else 0)


def rules() -> Iterable[object]:
    return collect_rules()
