"""Tells what Python distributions hold, side by side, for people and for programs.

    python -m oxidize_rules.sandbox.reports.distribution_report INPUT OUTPUT [--advisories FILE]...

INPUT is JSON: `{"extension_filter": rule, "distributions": [...]}`, each with its `address`, its
`metadata` (as `distribution_metadata.py` writes it), `facts` (the path of what
`distribution_facts.py` writes) and `left_out`: why an extension module is not built in, by name.
OUTPUT becomes a folder with `report.json` and `report.txt`. A FILE has advisories in OSV's format
(see `advisories.py`).

`report.json` has `format` (1), `extension_filter`, `advisories` (how many were read), and for each
of `distributions`:

    address, python_version, target_triple, build_options, bytecode_magic
    portability   libc ("musl" or "glibc"), glibc_floor, objects ("elf", "llvm-bitcode:<version>"),
                  llvm (the oldest major version of LLVM that can link it, or null), needs_musl
                  (whether its own interpreter needs musl's dynamic loader)
    components    id, name, version, license, license_from, extensions (that link it), kept (whether
                  the filter leaves any of them, or none links it alone)
    extensions    name, kind ("core", "required" or "optional"), components (ids), libraries (other
                  ones, by the linker's name), license (of the components; null: CPython's own),
                  kept, why (it is not)
    findings      part, name, version, advisory, aliases, summary, state ("affected", "unknown"),
                  why (unknown), fixed (versions)
"""

from __future__ import annotations

import json
from dataclasses import asdict
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Sequence

from oxidize_rules.sandbox.errors import run
from oxidize_rules.sandbox.reports.advisories import BadAdvisories, find
from oxidize_rules.sandbox.reports.advisory_files import finding_rows, not_in_format, summed_up
from oxidize_rules.sandbox.reports.goal_report import read_task, write_report
from oxidize_rules.sandbox.text_table import columns

FORMAT = 1
ABSENT = "-"

Report = Dict[str, Any]


def described(given: Mapping[str, Any], advisories: Sequence[Mapping[str, Any]]) -> Report:
    """What the report has of one distribution."""
    metadata = given["metadata"]
    parts = json.loads(Path(given["facts"]).read_text("utf-8"))["parts"]
    extensions = [
        described_extension(one, parts, given["left_out"])
        for one in sorted(metadata["extensions"], key=lambda one: str(one["name"]))
    ]
    linked: Dict[str, List[Report]] = {part["id"]: [] for part in parts}
    for extension in extensions:
        for identifier in extension["components"]:
            linked[identifier].append(extension)
    objects = metadata["object_file_format"]
    return {
        "address": given["address"],
        **{
            key: metadata[key]
            for key in ("python_version", "target_triple", "build_options", "bytecode_magic")
        },
        "portability": {
            "libc": "glibc" if metadata["target_triple"].endswith("gnu") else "musl",
            "glibc_floor": metadata["glibc_floor"],
            "objects": objects,
            "llvm": None if objects == "elf" else int(objects.split(":")[1].split(".")[0]),
            "needs_musl": metadata["needs_musl"],
        },
        "components": [
            {
                **{key: part[key] for key in ("id", "name", "version", "license", "license_from")},
                "extensions": [one["name"] for one in linked[part["id"]]],
                "kept": any(one["kept"] for one in linked[part["id"]])
                if linked[part["id"]]
                else part["kind"] != "library",
            }
            for part in sorted(parts, key=lambda part: str(part["id"]))
        ],
        "extensions": extensions,
        "findings": [asdict(finding) for finding in find(parts, advisories)],
    }


def described_extension(
    one: Mapping[str, Any], parts: Iterable[Mapping[str, Any]], left_out: Mapping[str, str]
) -> Report:
    components = [part for part in parts if is_linked(part, one)]
    archives = {path for part in components for path in part["archives"]}
    libraries = [library_name(path) for path in one["static_libraries"] if path not in archives]
    licenses = sorted({part["license"] for part in components if part["license"]})
    return {
        "name": one["name"],
        "kind": "core" if one["in_core"] else "required" if one["required"] else "optional",
        "components": sorted(part["id"] for part in components),
        "libraries": sorted({*libraries, *one["system_libraries"]}),
        "license": joined(licenses),
        "kept": one["name"] not in left_out,
        "why": left_out.get(one["name"]),
    }


def is_linked(part: Mapping[str, Any], extension: Mapping[str, Any]) -> bool:
    """By an archive that it links, or an object that it consists of."""
    if part["kind"] == "interpreter":
        return False
    if not set(part["archives"]).isdisjoint(extension["static_libraries"]):
        return True
    return any(
        fnmatchcase(path, pattern) for path in extension["objects"] for pattern in part["objects"]
    )


def library_name(path: str) -> str:
    name = path.rpartition("/")[2]
    return name[len("lib") : -len(".a")] if name.startswith("lib") and name.endswith(".a") else name


def joined(licenses: Sequence[str]) -> str | None:
    if len(licenses) < 2:
        return licenses[0] if licenses else None
    return " AND ".join(f"({one})" if " OR " in one else one for one in licenses)


# -----------------------------------------------------------------------------------------------
# For people
# -----------------------------------------------------------------------------------------------


def as_text(report: Report) -> str:
    found = report["distributions"]
    several = len(found) > 1
    lines = columns(summary(found))
    lines += ["", *components(found)]
    lines += ["", f'extension modules, with extension_filter="{report["extension_filter"]}"']
    lines += differences(found) if several else extensions(found[0])
    if report["advisories"] is not None:
        lines += ["", *findings(found, report["advisories"])]
    return "\n".join(lines) + "\n"


def summary(found: Sequence[Report]) -> List[List[str]]:
    def kept(one: Report) -> str:
        return f"{sum(row['kept'] for row in one['extensions'])} of {len(one['extensions'])}"

    rows = {
        "": [one["address"] for one in found],
        "Python": [one["python_version"] for one in found],
        "target triple": [one["target_triple"] for one in found],
        "build options": [one["build_options"] or ABSENT for one in found],
        "objects": [objects(one["portability"]) for one in found],
        "executables need": [needed(one["portability"]) for one in found],
        "its interpreter needs": [
            "musl's dynamic loader" if one["portability"]["needs_musl"] else "nothing else"
            for one in found
        ],
        "extension modules kept": [kept(one) for one in found],
    }
    # The empty cell keeps the last column's width out of the others'.
    return [[title, *cells, ""] for title, cells in rows.items()]


def objects(portability: Mapping[str, Any]) -> str:
    if portability["llvm"] is None:
        return "ELF"
    return f"LLVM bitcode, for LLVM {portability['llvm']} or newer"


def needed(portability: Mapping[str, Any]) -> str:
    if portability["libc"] == "musl":
        return "nothing (musl, static)"
    return f"glibc {portability['glibc_floor']} or newer"


def shown(version: object) -> str:
    return "unknown" if version is None else str(version)


def components(found: Sequence[Report]) -> List[str]:
    """A row for each component; with several distributions its version in each."""
    by_id = [{row["id"]: row for row in one["components"]} for one in found]
    rows = [["component", *("version" for _ in found), "licence"]]
    if len(found) > 1:
        rows = [["component", *(one["address"] for one in found), "licence"]]
    for identifier in sorted({name for rows_by_id in by_id for name in rows_by_id}):
        present = [rows_by_id.get(identifier) for rows_by_id in by_id]
        versions = [
            ABSENT
            if one is None
            else shown(one["version"]) + ("" if one["kept"] else " (left out)")
            for one in present
        ]
        licenses = dict.fromkeys(shown(one["license"]) for one in present if one is not None)
        rows.append([identifier, *versions, " / ".join(licenses)])
    return columns(rows)


def state_of(extension: Mapping[str, Any] | None) -> str:
    if extension is None:
        return ABSENT
    return "kept" if extension["kept"] else "left out"


def links(extension: Mapping[str, Any]) -> str:
    names = [name.partition(":")[2] for name in extension["components"]]
    return ", ".join([*names, *extension["libraries"]]) or ABSENT


def extensions(one: Report) -> List[str]:
    rows = [["", "", "links", "licence beside CPython's", ""]]
    for row in one["extensions"]:
        state = row["kind"] if row["kind"] != "optional" else state_of(row)
        rows.append(
            [f"  {row['name']}", state, links(row), row["license"] or ABSENT, row["why"] or ""]
        )
    return columns(rows)


def differences(found: Sequence[Report]) -> List[str]:
    """The extension modules that are not the same in all distributions."""
    by_name = [{row["name"]: row for row in one["extensions"]} for one in found]
    rows, same = [], 0
    for name in sorted({name for rows_by_name in by_name for name in rows_by_name}):
        present = [rows_by_name.get(name) for rows_by_name in by_name]
        cells = [
            state_of(one) + (f" ({links(one)})" if one and links(one) != ABSENT else "")
            for one in present
        ]
        if len(set(cells)) == 1:
            same += 1
        else:
            rows.append([f"  {name}", *cells, ""])
    heads = [["", *(one["address"] for one in found), ""]] if rows else []
    return [*columns([*heads, *rows]), f"  {same} are the same in all"]


def findings(found: Sequence[Report], count: int) -> List[str]:
    lines = [f"advisories read: {count}"]
    for one in found:
        lines.append(f"{one['address']}: {summed_up(one['findings'])}")
        lines += columns([[f"  {row[0]}", *row[1:]] for row in finding_rows(one["findings"])])
    return lines


def main(argv: List[str]) -> None:
    task = read_task("distribution_report", argv)
    try:
        found = [described(one, task.advisories) for one in task.given["distributions"]]
    except BadAdvisories as error:
        raise not_in_format(error) from error
    report = {
        "format": FORMAT,
        "extension_filter": task.given["extension_filter"],
        "advisories": task.advisory_count,
        "distributions": found,
    }
    write_report(task.output, report, as_text(report))


if __name__ == "__main__":
    run(main)
