"""What is in an executable: facts about parts, kept where the link took something of them.

Used by the link (sandbox/linking/link.py), whose request describes the executable under
`inventory`:

    facts          facts.json files (sandbox/parts/facts.py): of distribution, runtime and wheels
    subject        name, address, version, target_triple, python_version, filename
    prefixes       [[beginning of a path in the link, what facts write for it], ...]
    components     [[name, path of its payload, [archives that it is made from], path of its
                   native.json or null], ...]
    extensions     {name: {"objects": [...], "archives": [...], "droppable": yes or no}} of those
                   that are linked, with paths as facts write them
    decompresses   the archive with which the executable decompresses itself, or null

The result, `inventory.json`, is told in docs/licensing.md. Everything that the link took belongs to
a part: what no facts are about becomes a part without a licence, so that it is seen.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re

from oxidize_rules.sandbox.linking.part_reasons import (
    INTERPRETER,
    PACKAGES,
    brought_by_field,
    dependency_graph,
    reason,
    shortest_chains,
)
from oxidize_rules.sandbox.parts.facts import new_part

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself is not imported: it takes 5 ms
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from oxidize_rules.sandbox.linking.link_map import LinkMap

    Part = dict[str, Any]

FORMAT = 1
# Of facts, what only serves to find parts.
_FOR_MATCHING = ("archives", "objects", "component", "mixed", "files", "brought_by")
# Components that are the standard library's; all others of a kind that facts do not know are the
# team's own files.
_STDLIB = ("stdlib", "stdlib-extra")


class Linked:
    """What a link took: `files` in the words of facts, `components` by name, with their sizes."""

    def __init__(self, request: Mapping[str, Any], link_map: LinkMap) -> None:
        self.request = request
        payloads = {path: name for name, path, _, _ in request["components"]}
        self.native = {
            name: native_files(path) for name, _, _, path in request["components"] if path
        }
        self.files: dict[str, int] = {}
        self.unsized: set[str] = set()
        self.components: dict[str, int] = {}
        for path, size in link_map.files.items():
            if path in payloads:
                self.components[payloads[path]] = size
                continue
            written = path
            for start, instead in request["prefixes"]:
                if path.startswith(start):
                    written = instead + path[len(start) :]
                    break
            self.files[written] = self.files.get(written, 0) + size
            if path in link_map.unsized:
                self.unsized.add(written)
        # Shared libraries that are made from archives of the distribution.
        for name, _, archives, _ in request["components"]:
            for archive in archives:
                if name in self.components:
                    self.files[archive] = self.files.get(archive, 0) + self.components[name]

    def has(self, part: Mapping[str, Any]) -> bool:
        """Whether a part of a component is in: a filter may have left out the files that it is."""
        component = part["component"]
        if component not in self.components:
            return False
        files = part.get("files")
        if not files or component not in self.native:
            return True
        return any(os.path.basename(path) in self.native[component] for path in files)

    def matching(self, part: Mapping[str, Any]) -> set[str]:
        """The files that are of a part."""
        found = self.files.keys() & set(part["archives"])
        for pattern in part["objects"]:
            if any(sign in pattern for sign in "*?["):
                match = re.compile(fnmatch.translate(pattern)).match
                found |= {path for path in self.files if match(path)}
            elif pattern in self.files:
                found.add(pattern)
        return found


def native_files(path: str) -> set[str]:
    """The names of the ELF files that a component has, by its native.json."""
    with open(path, encoding="utf-8") as stream:
        return {os.path.basename(one["path"]) for one in json.load(stream)["native"]}


def read_facts(paths: Iterable[str]) -> list[Part]:
    """All parts of these files. Where two tell of one part, the first is believed."""
    parts: dict[str, Part] = {}
    for path in paths:
        with open(path, encoding="utf-8") as stream:
            for part in json.load(stream)["parts"]:
                parts.setdefault(part["id"], part)
    return list(parts.values())


def make_inventory(
    request: Mapping[str, Any], facts: Sequence[Part], link_map: LinkMap
) -> dict[str, Any]:
    """The content of `inventory.json`."""
    linked = Linked(request, link_map)
    address = request["subject"]["address"]
    taken = {part["id"]: linked.matching(part) for part in facts}
    told = [part for part in facts if taken[part["id"]] or linked.has(part)]
    unknown = _unknown_parts(linked, told, taken)
    told += unknown
    sizes = _sizes(linked, told, taken)
    own = _first_party(linked, told, address)
    extensions = _extensions(request, told, taken)
    graph = dependency_graph(told)
    chains = shortest_chains(graph)
    brought = brought_by_field(told)
    result = []
    for part in told:
        identifier = part["id"]
        why, drop = reason(request, part, taken[identifier], extensions, chains, brought)
        result.append(
            {
                **{key: value for key, value in part.items() if key not in _FOR_MATCHING},
                "depends_on": sorted(graph[identifier]),
                "size": sizes[identifier],
                "why": [address, *why],
                "drop": drop,
            }
        )
    if own is not None:
        wheels = {one for one in graph if one.startswith(PACKAGES)} - brought.keys()
        needed = set().union(*(graph[one] for one in wheels)) if wheels else set()
        own["depends_on"] = sorted({INTERPRETER} & graph.keys() | (wheels - needed))
        own["why"] = [address]
        result.append(own)
    return {
        "format": FORMAT,
        "subject": dict(request["subject"]),
        "extensions": extensions,
        "parts": sorted(result, key=lambda part: str(part["id"])),
    }


def _unknown_parts(linked: Linked, told: Sequence[Part], taken: dict[str, set[str]]) -> list[Part]:
    """A part for each file and each component that nothing is known of."""
    known = set().union(*(taken[part["id"]] for part in told)) if told else set()
    found = []
    for path in sorted(linked.files.keys() - known):
        name = re.sub(r"^lib|\.(a|o)$", "", os.path.basename(path))
        part = new_part(f"library:{name}", name)
        part["archives"] = [path]
        found.append(part)
        taken[part["id"]] = {path}
    components = {part["component"] for part in told}
    made = {name for name, _, archives, _ in linked.request["components"] if archives}
    for name in sorted(linked.components.keys() - components - made):
        kind, _, rest = name.partition(":")
        if kind == "wheel":
            project, _, version = rest.rpartition("-")
            part = new_part(f"wheel:{project.lower().replace('_', '-')}", project)
            part["version"] = version
        elif kind in ("field", "library"):
            part = new_part(f"bundled:{rest}", rest)
        else:
            continue
        part["component"] = name
        found.append(part)
        taken[part["id"]] = set()
    return found


def _sizes(
    linked: Linked, told: Sequence[Part], taken: Mapping[str, set[str]]
) -> dict[str, int | None]:
    """Bytes of each part in the executable; None where its code cannot be told from others'.

    Facts may tell the size of what lies in another part's component, which is not that part's then.
    """
    whole: set[str] = set()
    within: dict[str | None, int] = {}
    for part in told:
        if part["id"] != INTERPRETER and not part.get("mixed"):
            whole |= taken[part["id"]]
        if _is_within(part):
            component = part["component"]
            within[component] = within.get(component, 0) + (part.get("size") or 0)
    sizes: dict[str, int | None] = {}
    for part in told:
        files, component = taken[part["id"]], part["component"]
        if part["id"] == INTERPRETER:
            files = files - whole
        size = sum(linked.files[path] for path in files)
        if part["id"] == INTERPRETER:
            size += sum(linked.components.get(one, 0) - within.get(one, 0) for one in _STDLIB)
        if component in linked.components:
            size += linked.components[component] - within.get(component, 0)
        if _is_within(part):
            sizes[part["id"]] = part.get("size")
        else:
            unknown = part.get("mixed") or files & linked.unsized
            sizes[part["id"]] = None if unknown else size
    return sizes


def _is_within(part: Part) -> bool:
    """Whether its component is another part: a wheel, or the interpreter's standard library."""
    component = part["component"] or ""
    return component in _STDLIB or (part["kind"] == "bundled" and component.startswith("wheel:"))


def _first_party(linked: Linked, told: Sequence[Part], address: str) -> Part | None:
    """The team's own files, as one part."""
    about = {part["component"] for part in told}
    own = {
        name: size
        for name, size in linked.components.items()
        if name.startswith("folder:") and name not in about
    }
    if not own:
        return None
    part = new_part(f"first-party:{address}", address)
    part = {key: value for key, value in part.items() if key not in _FOR_MATCHING}
    part["size"] = sum(own.values())
    return part


def _extensions(
    request: Mapping[str, Any], told: Sequence[Part], taken: Mapping[str, set[str]]
) -> dict[str, list[str]]:
    """The parts that each linked extension module brings, without the interpreter itself."""
    return {
        name: sorted(
            part["id"]
            for part in told
            if part["id"] != INTERPRETER and taken[part["id"]] & {*one["objects"], *one["archives"]}
        )
        for name, one in sorted(request["extensions"].items())
    }


def encode(inventory: Mapping[str, Any]) -> str:
    return json.dumps(inventory, indent=1, sort_keys=True) + "\n"
