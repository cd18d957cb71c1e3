"""Advisories in the format of OSV, and which of them are about a part of an executable.

Format: https://ossf.github.io/osv-schema/ . A file has one advisory, a list of them, an answer of
osv.dev's API (`{"vulns": [...]}`), or one advisory in each line. Of an advisory these are read:

    id, aliases, summary, withdrawn
    affected[].package.ecosystem, .name, .purl
    affected[].ranges[]      of type SEMVER or ECOSYSTEM: events introduced, fixed, last_affected,
                             limit; of type GIT only `repo`, which tells the component
    affected[].versions[]    versions, or tags of the repository

An advisory is about a part if it names it: Python projects and crates by their names in PyPI's and
crates.io's ecosystem, everything else by the name of the package, of its purl or of its repository
(see `component_names.py`). Advisories of Linux distributions are passed over: their versions are
those of patched packages.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple
from urllib.parse import unquote

from packaging.version import Version

from oxidize_rules.sandbox.reports.component_names import (
    canonical,
    is_called,
    is_crate,
    is_python_project,
    repository_name,
    spelled,
)
from oxidize_rules.sandbox.reports.version_order import parse_tag, parse_version

# Ecosystems of OSV (its `ecosystems.json`) whose versions are those of patched packages.
PATCHED = (
    *("AlmaLinux", "Alpaquita", "Alpine", "Android", "Azure Linux", "BellSoft Hardened Containers"),
    *("Chainguard", "Debian", "Echo", "Mageia", "MinimOS", "openEuler", "openSUSE", "Photon OS"),
    *("Red Hat", "Rocky Linux", "SUSE", "Ubuntu", "Wolfi"),
)
# Ecosystems of other languages, and of things that are in no executable.
FOREIGN = (
    *("CRAN", "GHC", "GitHub Actions", "Go", "Hackage", "Hex", "Julia", "Maven", "npm", "NuGet"),
    *("Packagist", "Pub", "RubyGems", "SwiftURL", "VSCode"),
)
PYPI, CRATES = "PyPI", "crates.io"

AFFECTED, UNKNOWN = "affected", "unknown"


class BadAdvisories(ValueError):
    """Not a file of advisories; the message goes on "the file ..."."""


@dataclass(frozen=True)
class Finding:
    """`state`: "affected" or "unknown"; `why` tells the latter. `fixed`: versions with the fix."""

    part: str
    name: str
    version: Optional[str]
    advisory: str
    aliases: Tuple[str, ...]
    summary: str
    state: str
    why: str
    fixed: Tuple[str, ...]


def read_advisories(content: bytes) -> List[Dict[str, Any]]:
    """Raises BadAdvisories."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadAdvisories(f"is not UTF-8 (byte {error.start})") from error
    try:
        read = json.loads(text)
    except (ValueError, RecursionError) as error:
        try:
            read = [json.loads(line) for line in text.splitlines() if line.strip()]
        except (ValueError, RecursionError):
            raise BadAdvisories(f"is not JSON: {error}") from error
        if not read:
            raise BadAdvisories("is empty") from error
    if isinstance(read, dict) and isinstance(read.get("vulns"), list):
        read = read["vulns"]
    advisories = read if isinstance(read, list) else [read]
    for place, one in enumerate(advisories, 1):
        if not isinstance(one, dict) or not isinstance(one.get("id"), str):
            raise BadAdvisories(f"has no `id` in its advisory {place}: OSV's format is expected")
        if not isinstance(one.get("affected", []), list):
            raise BadAdvisories(f"has an advisory {one['id']} whose `affected` is no list")
    return advisories


def find(
    parts: Iterable[Mapping[str, Any]], advisories: Iterable[Mapping[str, Any]]
) -> List[Finding]:
    """What the advisories say of the parts, each advisory once for a part. Raises BadAdvisories."""
    found: Dict[Tuple[str, str], Finding] = {}
    listed = [one for one in advisories if not one.get("withdrawn")]
    for part in parts:
        for advisory in listed:
            try:
                finding = _judge(part, advisory)
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise BadAdvisories(
                    f"has an advisory {advisory['id']} that is not in OSV's format ({error!r})"
                ) from error
            if finding is not None:
                found[part["id"], finding.advisory] = finding
    return [found[key] for key in sorted(found)]


def _judge(part: Mapping[str, Any], advisory: Mapping[str, Any]) -> Optional[Finding]:
    state, why, fixed = "", "", []  # type: str, str, List[str]
    for affected in advisory.get("affected") or ():
        if not names(affected, part):
            continue
        answer, reason = applies(affected, part["version"], part["kind"])
        if answer is False:
            continue
        if answer:
            state, why = AFFECTED, ""
            fixed += fixed_versions(affected)
        elif not state:
            state, why = UNKNOWN, reason
    if not state:
        return None
    return Finding(
        part["id"],
        part["name"],
        part["version"],
        advisory["id"],
        tuple(str(one) for one in advisory.get("aliases") or ()),
        str(advisory.get("summary") or first_line(advisory.get("details"))),
        state,
        why,
        tuple(dict.fromkeys(fixed)),
    )


def first_line(details: object, length: int = 100) -> str:
    line = " ".join(str(details or "").split())
    return line if len(line) <= length else f"{line[:length]}..."


def names(affected: Mapping[str, Any], part: Mapping[str, Any]) -> bool:
    """Whether an entry of `affected` is about the part."""
    package = affected.get("package") or {}
    ecosystem = str(package.get("ecosystem") or "").partition(":")[0]
    if ecosystem in PATCHED or ecosystem in FOREIGN:
        return False
    name = str(package.get("name") or "")
    if ecosystem in (PYPI, CRATES):
        of_it = is_python_project(part) if ecosystem == PYPI else is_crate(part)
        return of_it and spelled(name) == spelled(part["name"])
    if is_python_project(part) or is_crate(part):
        # A repository is called as its project is, almost always; a package elsewhere need not be.
        return any(
            spelled(part["name"]) == spelled(repository.rstrip("/").rpartition("/")[2])
            for repository in repositories(affected)
        )
    given = [canonical(name)] if name else []
    purl = str(package.get("purl") or "")
    if purl:
        given.append(
            canonical(unquote(purl.partition("?")[0].rpartition("/")[2].partition("@")[0]))
        )
    given += [repository_name(repository) for repository in repositories(affected)]
    return any(is_called(part, one) for one in given if one and not set(one) & set("*?["))


def repositories(affected: Mapping[str, Any]) -> List[str]:
    return [str(one["repo"]) for one in affected.get("ranges") or () if one.get("repo")]


def applies(
    affected: Mapping[str, Any], version: Optional[str], kind: str
) -> Tuple[Optional[bool], str]:
    """Whether a version is affected; None and why, where that cannot be told."""
    if version is None:
        return None, "the part's version is not known"
    own = parse_version(version, kind)
    listed = [str(one) for one in affected.get("versions") or ()]
    if version in listed or (own and any(own == parse_tag(one, kind) for one in listed)):
        return True, ""
    if own is None:
        return None, f"`{version}` has no place in the order of versions"
    ranges = [one for one in affected.get("ranges") or () if one.get("type") != "GIT"]
    reason = ""
    for one in ranges:
        answer, why = within(one.get("events") or (), own, kind)
        if answer:
            return True, ""
        reason = reason or why
    if reason:
        return None, reason
    if not ranges and not listed:
        return None, "it names commits, but no versions"
    return False, ""


def within(
    events: Iterable[Mapping[str, Any]], version: Version, kind: str
) -> Tuple[Optional[bool], str]:
    """OSV's evaluation: the last event at or before the version decides."""
    marks: List[Tuple[Version, int, str]] = []
    for event in events:
        for what, text in event.items():
            bound = Version("0.dev0") if text == "0" else parse_version(str(text), kind)
            if text == "*" and what == "limit":
                continue
            if bound is None:
                return None, f"its version `{text}` has no place in the order of versions"
            # At the same version: what begins there counts after what ends there.
            marks.append((bound, int(what == "introduced"), what))
    affected = False
    for bound, _, what in sorted(marks):
        if what == "introduced" and bound <= version:
            affected = True
        elif (what in ("fixed", "limit") and bound <= version) or (
            what == "last_affected" and bound < version
        ):
            affected = False
    return affected, ""


def fixed_versions(affected: Mapping[str, Any]) -> List[str]:
    return [
        str(event["fixed"])
        for one in affected.get("ranges") or ()
        if one.get("type") != "GIT"
        for event in one.get("events") or ()
        if "fixed" in event
    ]
