"""What programs share whose report a goal shows: their command line and the report's files.

    PROGRAM INPUT OUTPUT [--advisories FILE]...

INPUT is JSON, the question. A FILE has advisories in OSV's format (see `advisories.py`). OUTPUT
becomes a folder with the report for programs and for people.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, List, Mapping, Optional, Sequence

from oxidize_rules.sandbox.reports.advisory_files import read_files

JSON_FILE, TEXT_FILE = "report.json", "report.txt"


@dataclass(frozen=True)
class Task:
    """`given` is the question, `output` the folder; `advisory_count`: None without a FILE."""

    given: Mapping[str, Any]
    advisories: Sequence[Mapping[str, Any]]
    advisory_count: Optional[int]
    output: Path


def read_task(program: str, argv: List[str]) -> Task:
    """Raises UserError for a FILE that has no advisories."""
    parser = argparse.ArgumentParser(prog=program)
    parser.add_argument("input", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--advisories", type=Path, action="append")
    options = parser.parse_args(argv)
    advisories = read_files(options.advisories or ())
    count = None if options.advisories is None else len(advisories)
    given = json.loads(options.input.read_text("utf-8"))
    return Task(given, advisories, count, options.output)


def write_report(folder: Path, report: Mapping[str, Any], text: str) -> None:
    """Makes the folder, which must not be there yet."""
    folder.mkdir()
    content = json.dumps(report, indent=1, sort_keys=True) + "\n"
    (folder / JSON_FILE).write_text(content, "utf-8")
    (folder / TEXT_FILE).write_text(text, "utf-8")
