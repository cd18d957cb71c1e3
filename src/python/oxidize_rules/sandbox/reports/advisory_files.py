"""Files of advisories that a user names, and lines about what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Sequence

from oxidize_rules.sandbox.errors import UserError
from oxidize_rules.sandbox.reports.advisories import AFFECTED, BadAdvisories, read_advisories


def read_files(paths: Iterable[Path]) -> List[Mapping[str, Any]]:
    """The advisories, each once, though it may be in several files. Raises UserError."""
    found: Dict[str, Mapping[str, Any]] = {}
    for path in paths:
        try:
            found.update({one["id"]: one for one in read_advisories(path.read_bytes())})
        except BadAdvisories as error:
            raise UserError(f"`--advisories`: the file {path} {error}. To fix, mend it.") from error
    return list(found.values())


def not_in_format(error: BadAdvisories) -> UserError:
    """What `find` found wrong when all files had been read."""
    return UserError(f"`--advisories`: a file {error}. To fix, mend it.")


def finding_rows(findings: Iterable[Mapping[str, Any]]) -> List[List[str]]:
    """Cells of a table, the affected parts first: part, advisory, what it says, its summary."""
    rows = []
    for one in sorted(findings, key=lambda one: (one["state"], one["part"], one["advisory"])):
        if one["state"] == AFFECTED:
            fixed = f", fixed in {', '.join(one['fixed'])}" if one["fixed"] else ""
            told = f"affected{fixed}"
        else:
            told = f"cannot be told: {one['why']}"
        version = "unknown" if one["version"] is None else one["version"]
        name = ", ".join([one["advisory"], *one["aliases"]])
        rows.append([f"{one['part']} {version}", name, told, one["summary"]])
    return rows


def summed_up(findings: Sequence[Mapping[str, Any]]) -> str:
    known = sum(one["state"] == AFFECTED for one in findings)
    told = f"{known} known vulnerabilities" if known != 1 else "1 known vulnerability"
    unknown = len(findings) - known
    return told + (f", {unknown} that cannot be told" if unknown else "")
