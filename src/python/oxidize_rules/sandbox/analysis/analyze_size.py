"""Where the bytes of a file go: a tree of sizes whose parts add up to the file's size.

A node is {"name", "size", "children"?}, children from the largest to the smallest. Of an
executable of ours the image's components come first, with their packages, folders and files; then
the sections, without what of them belongs to the image.
"""

from __future__ import annotations

import bisect
import itertools
import re
from typing import Any, Iterable, Mapping, Sequence

from oxidize_rules.sandbox.analysis.analyze_file import ElfInput
from oxidize_rules.sandbox.analysis.analyze_image import Image

CHILDREN_LIMIT = 60
# Of the whole file: what is smaller is told together.
SMALLEST = 1 / 5000
DEPTH_LIMIT = 12

_SITE = re.compile(r"lib/python3\.\d+/site-packages/")
_STDLIB = re.compile(r"lib/python3\.\d+/")

# What sections are for, in words; by the start of their names.
SECTIONS = (
    (".text", "machine code"),
    (".rodata", "constants"),
    (".eh_frame", "unwind tables"),
    (".gcc_except_table", "unwind tables"),
    (".data.rel.ro", "constants with addresses"),
    (".data", "data"),
    (".dynsym", "dynamic symbols"),
    (".dynstr", "dynamic symbols"),
    (".gnu.hash", "dynamic symbols"),
    (".hash", "dynamic symbols"),
    (".gnu.version", "dynamic symbols"),
    (".rel", "relocations"),
    (".symtab", "symbols for debuggers"),
    (".strtab", "symbols for debuggers"),
    (".debug", "debug information"),
    (".zdebug", "debug information"),
)


def node(name: str, children: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """A node of the sum of its children, the largest first."""
    found = sorted(children, key=lambda one: (-one["size"], one["name"]))
    return {"name": name, "size": sum(one["size"] for one in found), "children": found}


def size_tree(file: ElfInput, name: str, image: Image | None) -> dict[str, Any]:
    image_parts = _Intervals()
    parts: list[dict[str, Any]] = []
    if image is not None:
        image_parts.add(image.index[0], sum(image.index))
        for one in image.files:
            image_parts.add(one.offset, one.offset + one.bytes_in_file)
        parts += _components(image)
        parts.append({"name": "index of the image", "size": image.index[1]})
        parts = [node("image", parts)]
    total = sum(one["size"] for one in parts)
    kinds: dict[str, list[dict[str, Any]]] = {}
    for title, start, end in _areas(file):
        size = end - start - image_parts.within(start, end)
        if size > 0:
            kinds.setdefault(_kind(title), []).append({"name": title, "size": size})
            total += size
    parts += [
        node(kind, found) if len(found) > 1 else {"name": kind, "size": found[0]["size"]}
        for kind, found in kinds.items()
    ]
    rest = file.size - total
    if rest > 0:
        parts.append({"name": "headers and padding", "size": rest})
    return pruned(node(name, parts), int(file.size * SMALLEST))


# Kinds of the inventory's parts, for a person.
KINDS = {
    "interpreter": "interpreter and standard library",
    "vendored": "inside the interpreter, by others",
    "library": "libraries",
    "libc": "C library",
    "compiler-runtime": "the compiler's runtime",
    "runtime": "oxidize_rules",
    "wheel": "packages",
    "bundled": "libraries of packages",
    "first-party": "application",
}


def component_tree(
    name: str, size: int, components: Sequence[Mapping[str, Any]]
) -> dict[str, Any] | None:
    """The same bytes by the components of a bill of materials; None where it tells no sizes."""
    kinds: dict[str, list[dict[str, Any]]] = {}
    for one in components:
        if one["size"]:
            title = f"{one['name']} {one['version'] or ''}".strip()
            kind = KINDS.get(str(one["kind"]), str(one["kind"]))
            kinds.setdefault(kind, []).append({"name": title, "size": one["size"]})
    parts = [node(kind, found) for kind, found in kinds.items()]
    rest = size - sum(part["size"] for part in parts)
    if not parts or rest < 0:
        return None
    return node(name, [*parts, {"name": "tables of no one component, and padding", "size": rest}])


def pruned(tree: dict[str, Any], smallest: int, depth: int = 0) -> dict[str, Any]:
    """The tree without small parts, which are told together, and with chains of single folders
    told by one name."""
    children = tree.get("children")
    while children is not None and len(children) == 1 and depth and "children" in children[0]:
        only = children[0]
        tree = {**only, "name": f"{tree['name']}/{only['name']}"}
        children = tree["children"]
    if not children or depth >= DEPTH_LIMIT:
        return {"name": tree["name"], "size": tree["size"]}
    kept = [one for one in children[:CHILDREN_LIMIT] if one["size"] >= smallest]
    rest = children[len(kept) :]
    if not kept:
        return {"name": tree["name"], "size": tree["size"]}
    found = [pruned(one, smallest, depth + 1) for one in kept]
    if len(rest) == 1:
        found.append({"name": rest[0]["name"], "size": rest[0]["size"]})
    elif rest:
        size = sum(one["size"] for one in rest)
        found.append({"name": f"({len(rest)} smaller)", "size": size})
    return {"name": tree["name"], "size": tree["size"], "children": found}


def _kind(section: str) -> str:
    return next((kind for start, kind in SECTIONS if section.startswith(start)), section)


def _areas(file: ElfInput) -> list[tuple[str, int, int]]:
    """(name, start, end) of the file's parts, none of which overlaps another."""
    found = [
        (name or "(no name)", header["sh_offset"], header["sh_offset"] + header["sh_size"])
        for name, header in file.sections
        if header["sh_type"] not in ("SHT_NOBITS", "SHT_NULL") and header["sh_size"]
    ]
    if not found:
        found = [
            (
                "code" if one["p_flags"] & 1 else "data" if one["p_flags"] & 2 else "constants",
                one["p_offset"],
                one["p_offset"] + one["p_filesz"],
            )
            for one in file.segments
            if one["p_type"] == "PT_LOAD"
        ]
    done, areas = 0, []
    for name, start, end in sorted(found, key=lambda one: (one[1], one[2], one[0])):
        start, end = max(start, done), min(end, file.size)
        if end > start:
            areas.append((name, start, end))
            done = end
    return areas


class _Intervals:
    """Parts of the file, and how much of another part they are."""

    def __init__(self) -> None:
        self._parts: list[tuple[int, int]] = []
        self._merged: list[tuple[int, int]] | None = None
        self._sums: list[int] = []

    def add(self, start: int, end: int) -> None:
        if end > start:
            self._parts.append((start, end))
            self._merged = None

    def _merge(self) -> list[tuple[int, int]]:
        if self._merged is None:
            merged: list[tuple[int, int]] = []
            for start, end in sorted(self._parts):
                if merged and start <= merged[-1][1]:
                    merged[-1] = (merged[-1][0], max(merged[-1][1], end))
                else:
                    merged.append((start, end))
            self._merged = merged
            self._sums = [0, *itertools.accumulate(end - start for start, end in merged)]
        return self._merged

    def before(self, at: int) -> int:
        merged = self._merge()
        index = bisect.bisect_left(merged, (at, 0))
        total = self._sums[index]
        if index and merged[index - 1][1] > at:
            total -= merged[index - 1][1] - at
        return total

    def within(self, start: int, end: int) -> int:
        return self.before(end) - self.before(start)


def _components(image: Image) -> list[dict[str, Any]]:
    roots: dict[str, dict[str, Any]] = {}
    for one in image.files:
        path = _SITE.sub("", one.path)
        path = path if path != one.path else _STDLIB.sub("", one.path)
        name = image.components[one.component] if one.component < len(image.components) else "?"
        if name.startswith("app/"):
            name, path = "application", path[len("app/") :]
        folder = roots.setdefault(name, {})
        *folders, last = path.split("/")
        for part in folders[:DEPTH_LIMIT]:
            inner = folder.setdefault(part, {})
            if not isinstance(inner, dict):  # a file of that name, in a damaged image
                inner = folder[part] = {}
            folder = inner
        before = folder.get(last, 0)
        folder[last] = one.bytes_in_file + (before if isinstance(before, int) else 0)
    return [_as_node(name, folder) for name, folder in roots.items()]


def _as_node(name: str, content: Any) -> dict[str, Any]:
    if isinstance(content, int):
        return {"name": name, "size": content}
    return node(name, [_as_node(one, inner) for one, inner in content.items()])
