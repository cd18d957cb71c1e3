"""Why parts are in an executable, and what one can do to be without them
(sandbox/linking/inventory.py)."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself is not imported: it takes 5 ms
    from collections.abc import Mapping, Sequence
    from typing import Any

    Part = dict[str, Any]

INTERPRETER = "interpreter:cpython"
# Parts that are packages: a `python_distribution` of the team's own is a wheel in the image, too.
PACKAGES = ("wheel:", "first-party:")


def brought_by_field(told: Sequence[Part]) -> dict[str, Part]:
    """By id, the wheels that lie in the standard library as files."""
    return {part["id"]: part for part in told if part.get("brought_by")}


def dependency_graph(told: Sequence[Part]) -> dict[str, set[str]]:
    """What each part depends on, of those that are in the executable."""
    there = {part["id"] for part in told}
    base = {one for one in there if one.startswith(("libc:", "compiler-runtime:"))}
    carried = {
        part["id"]
        for part in told
        if part["kind"] in ("library", "vendored") and not part["component"]
    }
    # A wheel that lies in the standard library as a file is not what other wheels import.
    there -= brought_by_field(told).keys()
    graph: dict[str, set[str]] = {}
    for part in told:
        needs = set(part["depends_on"]) & there
        if part["kind"] == "interpreter":
            needs |= carried | base
        elif part["kind"] in ("library", "runtime"):
            needs |= base
        elif part["id"].startswith(PACKAGES):
            needs |= {INTERPRETER} & there
        graph[part["id"]] = needs - {part["id"]}
    return graph


def shortest_chains(graph: Mapping[str, set[str]]) -> dict[str, list[str]]:
    """For each wheel and what it bundles, the shortest chain of wheels that leads to it."""
    wheels = {one: needs for one, needs in graph.items() if one.startswith(PACKAGES)}
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
                if not other.startswith((*PACKAGES, "bundled:")):
                    continue
                chain = [*chains[one], other]
                if other not in chains or len(chain) < len(chains[other]):
                    chains[other] = chain
                    rest.append(other)
    return chains


def reason(
    request: Mapping[str, Any],
    part: Part,
    files: set[str],
    extensions: Mapping[str, Sequence[str]],
    chains: Mapping[str, Sequence[str]],
    brought: Mapping[str, Part],
) -> tuple[list[str], str | None]:
    """The chain that pulls a part in, without the executable at its head, and how to drop it.

    files: those of the link that are of the part; extensions: {name: [ids of parts it brings]}
    """
    identifier = part["id"]
    if identifier in chains:
        chain = [one.partition(":")[2] for one in chains[identifier]]
        first = chain[0]
        root = chains[identifier][0]
        if root in brought:
            return [brought[root]["brought_by"], *chain], brought[root]["drop"]
        teams = root.startswith("first-party:")
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
