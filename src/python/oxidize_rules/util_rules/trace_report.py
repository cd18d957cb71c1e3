"""From what runs of an executable used to filters of its content, ready to paste."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Collection, Dict, Iterable, List, Mapping, Sequence, Set, Tuple

from oxidize_rules.sandbox.images.content import (
    STDLIB_START,
    is_glob,
    module_matcher,
    parents,
    place,
)

START_WHOLE = "encodings"  # stays with all that is in it


@dataclass(frozen=True)
class Trace:
    """What `runtime/trace.h` tells, each once: names of modules, paths below the image's root."""

    modules: Tuple[str, ...]
    builtin: Tuple[str, ...]
    files: Tuple[str, ...]


def read_trace(text: str) -> Trace:
    """Lines that are none of a trace's (a disk was full) do not count."""
    found: Dict[str, Set[str]] = {"module": set(), "builtin": set(), "file": set()}
    for line in text.splitlines():
        kind, _, name = line.partition(" ")
        if kind in found and name:
            found[kind].add(name)
    return Trace(*(tuple(sorted(found[kind])) for kind in ("module", "builtin", "file")))


@dataclass(frozen=True)
class Filters:
    """Values of fields of that name, with which the executable has what the runs used."""

    include_stdlib: Tuple[str, ...]
    exclude: Tuple[str, ...]
    exclude_extensions: Tuple[str, ...]


def find_filters(
    trace: Trace, components: Sequence[Mapping[str, Any]], droppable_extensions: Iterable[str]
) -> Filters:
    """`components`: their imports.json (see `sandbox/images/import_check.py`)."""
    used = set(trace.modules)
    opened = {place(path) for path in trace.files if not path.endswith((".py", ".pyc"))}
    include: List[str] = []
    exclude: List[str] = []
    for component in components:
        modules = component["modules"]
        entry = _path_entry(modules)
        names = {name for name in modules if name in used}
        names |= {name for name in _folders(opened, entry) if name.partition(".")[0] in modules}
        if component["kind"] == "stdlib":
            include += stdlib_globs(names)
        elif component["kind"] == "wheel":
            exclude += unused(modules, names)
    extensions = sorted(set(droppable_extensions).difference(trace.builtin))
    return Filters(tuple(sorted(set(include))), tuple(sorted(set(exclude))), tuple(extensions))


def _path_entry(modules: Mapping[str, Any]) -> str:
    """The folder that the component's modules stand in, from one of them."""
    for name, (path, _) in modules.items():
        stem = name.replace(".", "/")
        at = f"/{path}".rfind(f"/{stem}")
        if at >= 0:
            return path[:at].rstrip("/")
    return ""


def _folders(places: Iterable[str], entry: str) -> Set[str]:
    start = f"{entry}/"
    return {where[len(start) :].replace("/", ".") for where in places if where.startswith(start)}


def stdlib_globs(used: Collection[str]) -> List[str]:
    """What `include_stdlib` has to name: not what stays anyway, and of a package only what was used
    in it; the packages that this stands in come with it."""
    started = module_matcher([START_WHOLE])
    named = {
        name
        for name in used
        if name not in STDLIB_START and not started(name.replace(".", "/")) and is_glob(name)
    }
    inner = {outer for name in named for outer in parents(name.replace(".", "/"))}
    return sorted(name for name in named if name.replace(".", "/") not in inner)


def unused(modules: Iterable[str], used: Collection[str]) -> List[str]:
    """The largest packages, and modules, in which nothing was used."""
    alive = {
        part for name in used for part in (name.replace(".", "/"), *parents(name.replace(".", "/")))
    }
    found = []
    for name in modules:
        where = name.replace(".", "/")
        outer = next(iter(parents(where)), None)
        if where not in alive and (outer is None or outer in alive) and is_glob(name):
            found.append(name)
    return sorted(found)


def as_text(filters: Filters, trace: Trace, where: str) -> str:
    """The file for a person: fields of the target, and what the runs used."""
    lines = [
        f"# What runs of {where} used, as fields of the target. Add what they did not come to,",
        "# and build: imports of what is missing are told.",
    ]
    for field, values in (
        ("include_stdlib", filters.include_stdlib),
        ("exclude", filters.exclude),
        ("exclude_extensions", filters.exclude_extensions),
    ):
        lines.append(f"{field}=[")
        lines += [f'    "{value}",' for value in values]
        lines.append("],")
    for title, names in (
        ("modules", trace.modules),
        ("modules built into the executable", trace.builtin),
        ("files opened", trace.files),
    ):
        lines += ["", f"# {len(names)} {title}:", *(f"#   {name}" for name in names)]
    return "\n".join(lines) + "\n"
