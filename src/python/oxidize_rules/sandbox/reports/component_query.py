"""Questions for components by name and version, and their answers from inventories.

    python -m oxidize_rules.sandbox.reports.component_query INPUT OUTPUT [--advisories FILE]...

A query is a name and, if only some versions are meant, comparisons: `openssl`, `openssl<3.5.7`,
`openssl>=3.0,<3.0.17`, `wheel:numpy<2`, `lib*ssl*`. Names are those of `component_names.py`,
versions those of `version_order.py`.

INPUT is JSON: `{"queries": [...], "binaries": [{"address", "inventory": path}, ...]}`. OUTPUT
becomes a folder with `report.txt` and `report.json`, which has `format` (1), `binaries` (their
addresses), and for each of `queries`:

    query       as it was given
    found       for each part that is meant: binary (the address), target_triple, part (its id),
                name, version, why (what brings it in), state: "found", or "unknown" where its
                version cannot be compared
    other       the same of parts of that name whose version is not meant
    similar     names like it, if no binary has a part of that name

A FILE has advisories in OSV's format (see `advisories.py`). The report has `advisories` (how many
were read, or null) and `findings`: what they say of a part in a binary (keys: binary, and those of
`findings` in `distribution_report.py`).
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence, Tuple

from oxidize_rules.sandbox.errors import run
from oxidize_rules.sandbox.reports.advisories import BadAdvisories, find
from oxidize_rules.sandbox.reports.advisory_files import finding_rows, not_in_format, summed_up
from oxidize_rules.sandbox.reports.component_names import CRATE, KINDS, is_called, names_of, spelled
from oxidize_rules.sandbox.reports.goal_report import read_task, write_report
from oxidize_rules.sandbox.reports.version_order import (
    BadSpecifier,
    Clause,
    parse_specifier,
    satisfies,
)
from oxidize_rules.sandbox.text_table import columns

FORMAT = 1
FOUND, UNKNOWN = "found", "unknown"

_QUERY = re.compile(r"\s*(?P<name>[^\s<>=!~]+)\s*(?P<specifier>[<>=!~].*)?", re.DOTALL)


class BadQuery(ValueError):
    """Not a query; the message says why."""


@dataclass(frozen=True)
class Query:
    text: str
    name: str
    clauses: Tuple[Clause, ...]


def parse_query(text: str) -> Query:
    """Raises BadQuery."""
    match = _QUERY.fullmatch(text)
    if match is None:
        raise BadQuery(f"`{text}` does not begin with the name of a component")
    name = match["name"]
    kind, colon, rest = name.partition(":")
    kinds = (*KINDS, CRATE)
    if colon and kind not in kinds:
        raise BadQuery(f"`{kind}` is no kind of component; kinds are {', '.join(kinds)}")
    if not spelled(rest if colon else name):
        raise BadQuery(f"`{text}` names no component")
    try:
        return Query(text.strip(), name, parse_specifier(match["specifier"] or ""))
    except BadSpecifier as error:
        if not match["specifier"]:
            return Query(text.strip(), name, ())
        raise BadQuery(str(error)) from error


def answer(query: Query, inventories: Mapping[str, Mapping[str, Any]]) -> Dict[str, Any]:
    """One of `queries` of the report. `inventories` by address."""
    found: List[Dict[str, Any]] = []
    other: List[Dict[str, Any]] = []
    names: Dict[str, None] = {}
    for address, inventory in sorted(inventories.items()):
        for part in inventory["parts"]:
            names.update(dict.fromkeys(names_of(part)))
            if not is_called(part, query.name):
                continue
            meant = satisfies(part["version"], part["kind"], query.clauses)
            row = {
                "binary": address,
                "target_triple": inventory["subject"]["target_triple"],
                "part": part["id"],
                "name": part["name"],
                "version": part["version"],
                "why": part["why"],
                "state": UNKNOWN if meant is None else FOUND,
            }
            (other if meant is False else found).append(row)
    similar: List[str] = []
    if not found and not other:
        wanted = spelled(query.name.rpartition(":")[2])
        similar = sorted(get_close_matches(wanted, list(names), cutoff=0.6))
    return {"query": query.text, "found": found, "other": other, "similar": similar}


def find_all(
    inventories: Mapping[str, Mapping[str, Any]], advisories: Sequence[Mapping[str, Any]]
) -> List[Dict[str, Any]]:
    """`findings` of the report. Raises UserError for an advisory that is not in the format."""
    try:
        return [
            {"binary": address, **asdict(finding)}
            for address, inventory in sorted(inventories.items())
            for finding in find(inventory["parts"], advisories)
        ]
    except BadAdvisories as error:
        raise not_in_format(error) from error


def as_text(report: Mapping[str, Any]) -> str:
    lines: List[str] = []
    binaries = len(report["binaries"])
    for one in report["queries"]:
        lines += [f"{one['query']}: {counted_up(one, binaries)}"]
        rows = [
            [f"  {row['binary']}", row["part"], version_of(row), because(row)]
            for row in one["found"]
        ]
        lines += columns(rows)
        if one["similar"]:
            lines.append(f"  similar: {', '.join(one['similar'])}")
        if one["other"]:
            versions = sorted({f"{row['part']} {row['version']}" for row in one["other"]})
            count = len({row["binary"] for row in one["other"]})
            lines.append(f"  at other versions in {counted(count)}: {', '.join(versions)}")
    if report["advisories"] is not None:
        lines.append(f"advisories read: {report['advisories']}")
        for address in report["binaries"]:
            found = [row for row in report["findings"] if row["binary"] == address]
            lines.append(f"{address}: {summed_up(found)}")
            lines += columns([[f"  {row[0]}", *row[1:]] for row in finding_rows(found)])
    return "\n".join(lines) + "\n"


def counted(count: int) -> str:
    return "1 binary" if count == 1 else f"{count} binaries"


def counted_up(one: Mapping[str, Any], binaries: int) -> str:
    with_it = {row["binary"] for row in one["found"] if row["state"] == FOUND}
    unknown = {row["binary"] for row in one["found"] if row["state"] == UNKNOWN} - with_it
    if not one["found"] and not one["other"]:
        return f"nothing of that name in {counted(binaries)}"
    told = f"in {len(with_it)} of {counted(binaries)}"
    return f"{told}, and in {len(unknown)} of unknown version" if unknown else told


def version_of(row: Mapping[str, Any]) -> str:
    version = "unknown version" if row["version"] is None else str(row["version"])
    if row["state"] == UNKNOWN and row["version"] is not None:
        return f"{version} (has no place in the order of versions)"
    return version


def because(row: Mapping[str, Any]) -> str:
    """Without the binary's own address, which stands in front."""
    chain = [step for step in row["why"] if step != row["binary"]]
    return f"by {', '.join(chain)}" if chain else ""


def main(argv: List[str]) -> None:
    task = read_task("component_query", argv)
    inventories = {
        one["address"]: json.loads(Path(one["inventory"]).read_text("utf-8"))
        for one in task.given["binaries"]
    }
    report = {
        "format": FORMAT,
        "binaries": sorted(inventories),
        "queries": [answer(parse_query(text), inventories) for text in task.given["queries"]],
        "advisories": task.advisory_count,
        "findings": find_all(inventories, task.advisories),
    }
    write_report(task.output, report, as_text(report))


if __name__ == "__main__":
    run(main)
