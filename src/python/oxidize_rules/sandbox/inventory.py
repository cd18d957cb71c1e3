"""What is in an executable: facts about parts, kept where the link took something of them.

Used by the link (sandbox/link.py), whose request describes the executable under `inventory`:

    facts          facts.json files (sandbox/facts.py), of the distribution, the runtime, the wheels
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

from oxidize_rules.sandbox.facts import new_part

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself is not imported: it takes 5 ms
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from oxidize_rules.sandbox.link_map import LinkMap

    Part = dict[str, Any]

FORMAT = 1
# Of facts, what only serves to find parts.
_FOR_MATCHING = ("archives", "objects", "component", "mixed", "files")
# Parts that are packages: a `python_distribution` of the team's own is a wheel in the image, too.
_PACKAGES = ("wheel:", "first-party:")
INTERPRETER = "interpreter:cpython"
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
    graph = _graph(told)
    parents = _chains(graph)
    result = []
    for part in told:
        identifier = part["id"]
        why, drop = _why(request, part, taken[identifier], extensions, parents)
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
        wheels = {one for one in graph if one.startswith(_PACKAGES)}
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

    Facts may tell the size of what is bundled in a component, which is not the component's then.
    """
    whole: set[str] = set()
    bundled: dict[str, int] = {}
    for part in told:
        if part["id"] != INTERPRETER and not part.get("mixed"):
            whole |= taken[part["id"]]
        if part["kind"] == "bundled" and part.get("size"):
            bundled[part["component"]] = bundled.get(part["component"], 0) + part["size"]
    sizes: dict[str, int | None] = {}
    for part in told:
        files, component = taken[part["id"]], part["component"]
        if part["id"] == INTERPRETER:
            files = files - whole
        size = sum(linked.files[path] for path in files)
        if part["id"] == INTERPRETER:
            size += sum(linked.components.get(name, 0) for name in _STDLIB)
        if component in linked.components:
            size += linked.components[component] - bundled.get(component, 0)
        if part["kind"] == "bundled" and (component or "").startswith("wheel:"):
            sizes[part["id"]] = part.get("size")
        else:
            unknown = part.get("mixed") or files & linked.unsized
            sizes[part["id"]] = None if unknown else size
    return sizes


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


def _graph(told: Sequence[Part]) -> dict[str, set[str]]:
    """What each part depends on, of those that are in the executable."""
    there = {part["id"] for part in told}
    base = {one for one in there if one.startswith(("libc:", "compiler-runtime:"))}
    carried = {
        part["id"]
        for part in told
        if part["kind"] in ("library", "vendored") and not part["component"]
    }
    graph: dict[str, set[str]] = {}
    for part in told:
        needs = set(part["depends_on"]) & there
        if part["kind"] == "interpreter":
            needs |= carried | base
        elif part["kind"] in ("library", "runtime"):
            needs |= base
        elif part["id"].startswith(_PACKAGES):
            needs |= {INTERPRETER} & there
        graph[part["id"]] = needs - {part["id"]}
    return graph


def _chains(graph: Mapping[str, set[str]]) -> dict[str, list[str]]:
    """For each wheel and what it bundles, the shortest chain of wheels that leads to it."""
    wheels = {one: needs for one, needs in graph.items() if one.startswith(_PACKAGES)}
    needed = set().union(*wheels.values()) if wheels else set()
    chains: dict[str, list[str]] = {}
    # First those that no other wheel needs; then what stands in circles.
    for start in (*sorted(wheels.keys() - needed), *sorted(wheels)):
        rest = [] if start in chains else [start]
        if rest:
            chains[start] = [start]
        while rest:
            one = rest.pop(0)
            for other in sorted(graph.get(one, ())):
                if not other.startswith((*_PACKAGES, "bundled:")):
                    continue
                chain = [*chains[one], other]
                if other not in chains or len(chain) < len(chains[other]):
                    chains[other] = chain
                    rest.append(other)
    return chains


def _why(
    request: Mapping[str, Any],
    part: Part,
    files: set[str],
    extensions: Mapping[str, Sequence[str]],
    chains: Mapping[str, Sequence[str]],
) -> tuple[list[str], str | None]:
    """The chain that pulls a part in, without the executable at its head, and how to drop it."""
    identifier = part["id"]
    if identifier in chains:
        chain = [one.partition(":")[2] for one in chains[identifier]]
        first = chain[0]
        teams = chains[identifier][0].startswith("first-party:")
        where = "`dependencies`" if teams else "requirements"
        drop = part["drop"] or f"take `{first}` out of the {where}"
        return chain, drop
    if part["kind"] not in ("library", "vendored"):
        return [], part["drop"]
    users = sorted(name for name, ids in extensions.items() if identifier in ids)
    file = min((os.path.basename(path) for path in files), default=None)
    made = [
        name
        for name, _, archives, _ in request["components"]
        if files.intersection(archives) or name == part["component"]
    ]
    decompresses = request["decompresses"] in files
    hint = part["drop"]
    if not users:
        if made:
            return [f"the native libraries of wheels need `{made[0].partition(':')[2]}`"], hint
        if decompresses:
            return ["the executable's own decompression", str(file)], hint
        return [], hint
    droppable = all(request["extensions"][name]["droppable"] for name in users)
    own = _owned_file(request, users[0], files) or file
    why = [f"extension `{users[0]}`", *([own] if own else [])]
    if not droppable or made or decompresses:
        return why, hint
    names = ", ".join(f"`{name}`" for name in users)
    drop = f"name {names} in `exclude_extensions`"
    return why, f"{drop}, or {hint}" if hint else drop


def _owned_file(request: Mapping[str, Any], extension: str, files: set[str]) -> str | None:
    """The first of the files that this extension module brings."""
    one = request["extensions"][extension]
    brought = files.intersection([*one["archives"], *one["objects"]])
    return min((os.path.basename(path) for path in brought), default=None)


def encode(inventory: Mapping[str, Any]) -> str:
    return json.dumps(inventory, indent=1, sort_keys=True) + "\n"
