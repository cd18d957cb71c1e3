"""Says which modules of an executable cannot be imported, since something was left out.

    python -m oxidize_rules.sandbox.images.import_check --imports A.json B.json ... --content
        content.json --output report.json

A component's imports.json: `component`, `kind` and `modules`, by name `[path in the image,
[[line, how, module, name...], ...]]`, `how` as in `sandbox/images/imports.py`.

content.json: `entry`, the module that the executable runs (null: none); `dropped`: `[component,
field, [module...]]`; `extensions`: `[name, field, why]` of the extension modules that are not built
in; `builtin`: names of those that are; `left_out`: globs of what of the standard library is left
out by default; `named`: whether the standard library has only what `include_stdlib` names.

report.json: `warnings`. Refused is what surely fails at start: what the entry point leads to by
imports at the modules' top level.
"""

from __future__ import annotations

import json

from oxidize_rules.sandbox.errors import UserError, run
from oxidize_rules.sandbox.images.component import write_json
from oxidize_rules.sandbox.images.content import STDLIB_START, module_matcher
from oxidize_rules.sandbox.images.image import CORE_BUILTINS, frozen_modules
from oxidize_rules.sandbox.images.imports import ALWAYS, CALLED, GUARDED
from oxidize_rules.sandbox.options import parse_options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

DEFAULT = "default"
SHOWN = 8  # lines of each kind, so that nobody is flooded
_FIRST_PARTY = ("folder", "tree")


class Module:
    __slots__ = ("component", "imports", "kind", "name", "path")

    def __init__(self, name: str, told: Sequence[Any], component: str, kind: str) -> None:
        self.name = name
        self.path: str = told[0]
        self.imports: list[list[Any]] = told[1]
        self.component = component
        self.kind = kind

    @property
    def first_party(self) -> bool:
        return self.kind in _FIRST_PARTY


class Problem:
    """`module` cannot be imported: its `line` imports `missing`, or a module with a problem."""

    __slots__ = ("line", "missing", "module", "through")

    def __init__(self, module: Module, line: int, missing: str, through: Problem | None) -> None:
        self.module = module
        self.line = line
        self.missing = missing  # what was left out, in the end
        self.through = through  # None: imported here


def parents(name: str) -> Iterator[str]:
    """`a.b.c`: `a`, `a.b`, `a.b.c`."""
    at = name.find(".")
    while at >= 0:
        yield name[:at]
        at = name.find(".", at + 1)
    yield name


class Content:
    """What the executable has, and what was left out by which field."""

    def __init__(self, imports: Iterable[dict[str, Any]], told: dict[str, Any]) -> None:
        self.entry: str | None = told["entry"]
        self.named: bool = told["named"]
        gone = {
            (component, name): field
            for component, field, names in told["dropped"]
            for name in names
        }
        self.modules: dict[str, Module] = {}
        self.dropped = {name: field for (_, name), field in gone.items()}
        self._why: dict[str, str] = {}
        self.outside: dict[str, Module] = {}  # those that were dropped
        # First-party modules hide others, as on sys.path.
        for one in sorted(imports, key=lambda one: one["kind"] not in _FIRST_PARTY):
            for name, rest in one["modules"].items():
                module = Module(name, rest, one["component"], one["kind"])
                field = gone.get((one["component"], name))
                if field is None:
                    self.modules.setdefault(name, module)
                else:
                    self.outside.setdefault(name, module)
        self.builtin = {*told["builtin"], *CORE_BUILTINS, *frozen_modules(), "_oxidized"}
        for name, field, why in told["extensions"]:
            self.dropped.setdefault(name, field or DEFAULT)
            self._why[name] = why
        self._left_out: Callable[[str], bool] = module_matcher(told["left_out"])

    def has(self, name: str) -> bool:
        return name in self.modules or name in self.builtin

    def field(self, name: str) -> str | None:
        """The field that left a module out (`DEFAULT`: none did); None: it is there, or it is
        nothing that was left out."""
        if self.has(name):
            return None
        if name in self.dropped:
            return self.dropped[name]
        top = name.partition(".")[0]
        if top not in self.modules and self._left_out(name.replace(".", "/")):
            return DEFAULT
        return None

    def why(self, name: str) -> str:
        field = self.dropped.get(name, DEFAULT)
        if field == DEFAULT:
            return "which is left out by default"
        if field == "include_stdlib":
            return "which the field `include_stdlib` does not name"
        if field == "extension_filter":
            return f"which the field `extension_filter` left out ({self._why[name]})"
        return f"which the field `{field}` left out"

    def remedy(self, name: str) -> str:
        field = self.dropped.get(name, DEFAULT)
        if name in self._why:
            if field == "exclude_extensions":
                return f"take `{name}` out of `exclude_extensions`"
            return f"add `{name}` to `include_extensions`"
        if field == "exclude":
            return f"take what means `{name}` out of `exclude`"
        if self.named:
            return f"add `{name}` to `include_stdlib`"
        return f'add `{name}` to `include_stdlib` (`["*", "{name}"]`)'


def targets(content: Content, one: Sequence[Any]) -> Iterator[str]:
    """The modules that an import statement imports, as far as anything is known of them."""
    yield from parents(one[2])
    for name in one[3:]:
        full = f"{one[2]}.{name}"
        if full in content.modules or full in content.dropped:
            yield full


class Graph:
    """Which modules have a problem."""

    def __init__(self, content: Content) -> None:
        self.content = content
        self.problems: dict[str, Problem] = {}
        needed_by: dict[str, list[tuple[Module, int]]] = {}
        waiting = []
        for module in content.modules.values():
            for name in list(parents(module.name))[:-1]:
                needed_by.setdefault(name, []).append((module, 0))
            for one in module.imports:
                if one[1] != ALWAYS:
                    continue
                for target in targets(content, one):
                    needed_by.setdefault(target, []).append((module, one[0]))
                    if module.name not in self.problems and content.field(target):
                        self.problems[module.name] = Problem(module, one[0], target, None)
                        waiting.append(module.name)
        for name in waiting:  # grows meanwhile
            problem = self.problems[name]
            for module, line in needed_by.get(name, ()):
                if module.name not in self.problems:
                    self.problems[module.name] = Problem(module, line, problem.missing, problem)
                    waiting.append(module.name)

    def also_needed(self, first: str) -> list[str]:
        """What of the modules left out `first` leads to by imports at the top level."""
        content = self.content
        found, waiting = {first}, [first]
        for name in waiting:
            module = content.outside.get(name) or content.modules.get(name)
            for one in module.imports if module else ():
                if one[1] == ALWAYS:
                    for target in targets(content, one):
                        if target not in found and (content.field(target) or content.has(target)):
                            found.add(target)
                            waiting.append(target)
        return sorted(name for name in found if content.field(name) and name != first)

    def reached(self, starts: Iterable[str]) -> set[str]:
        """What modules lead to by imports of any kind."""
        content = self.content
        waiting = [name for name in starts if name in content.modules]
        found = set(waiting)
        for name in waiting:
            for one in content.modules[name].imports:
                for target in targets(content, one):
                    if target in content.modules and target not in found:
                        found.add(target)
                        waiting.append(target)
        return found


def place(module: Module, line: int) -> str:
    path = module.path
    if module.first_party:
        path = path.partition("/")[2] or path
    return f"`{path}`" + (f", line {line}" if line else "")


def check_start(graph: Graph) -> None:
    """Raises UserError if the entry point cannot be imported."""
    content = graph.content
    entry = content.entry
    if entry is None:
        return
    main = f"{entry}.__main__"
    problem = graph.problems.get(main if main in content.modules else entry)
    if problem is None:
        return
    chain = [problem]
    while chain[-1].through is not None:
        chain.append(chain[-1].through)
    last = chain[-1]
    way = " imports ".join(f"`{one.module.name}`" for one in chain)
    lines = [
        f"the executable would fail at its start: {place(last.module, last.line)} imports "
        f"`{last.missing}`, {content.why(last.missing)}."
    ]
    if len(chain) > 1:
        lines.append(f"It is reached from the entry point: {way}.")
    also = graph.also_needed(last.missing)
    direct = (graph.problems.get(name) for name in _surely(graph, problem.module.name))
    others = {one.missing for one in direct if one and one.through is None}.union(also)
    # What stands in a package that is told anyway need not be told.
    known = {*others, last.missing}
    others = {name for name in others if known.isdisjoint(list(parents(name))[:-1])}
    others.discard(last.missing)
    if others:
        lines.append(
            "It leads to more that was left out: "
            + ", ".join(f'"{name}"' for name in sorted(others))
        )
    remedy = content.remedy(last.missing)
    own = " or catch ImportError around the import" if last.module.first_party else ""
    lines.append(f"To fix, {remedy}{',' + own if own else ''}.")
    raise UserError("\n".join(lines))


def _surely(graph: Graph, start: str) -> set[str]:
    """Modules that `start` leads to by imports at the top level."""
    modules = graph.content.modules
    waiting = [start, *list(parents(start))[:-1]]
    found = set(waiting)
    for name in waiting:
        for one in modules[name].imports if name in modules else ():
            if one[1] == ALWAYS:
                for target in targets(graph.content, one):
                    if target in modules and target not in found:
                        found.add(target)
                        waiting.append(target)
    return found


def first_party_warnings(graph: Graph) -> list[str]:
    """Imports of what was left out, or of what needs it, in the team's own modules."""
    content = graph.content
    lines = []
    for module in content.modules.values():
        if not module.first_party:
            continue
        for one in module.imports:
            if one[1] == GUARDED:
                continue
            for target in targets(content, one):
                problem = graph.problems.get(target)
                missing = target
                if problem and not problem.module.first_party:
                    missing = problem.missing
                elif not content.field(target):
                    continue
                when = {ALWAYS: "when it is imported", CALLED: "when it is called"}.get(
                    one[1], "when it comes to that"
                )
                through = "" if missing == target else f", which needs `{missing}`"
                lines.append(
                    f"{place(module, one[0])} imports `{target}`{through}, "
                    f"{content.why(missing)}: it fails {when}"
                )
                break
    return lines


def other_warnings(graph: Graph) -> list[str]:
    """What of wheels and of a restricted standard library cannot be imported: a line for each
    component and reason. What is left out by default counts only where first-party code leads."""
    content = graph.content
    reached = graph.reached(m.name for m in content.modules.values() if m.first_party)
    groups: dict[tuple[str, str], list[Problem]] = {}
    for name, problem in sorted(graph.problems.items()):
        module = problem.module
        by_default = content.field(problem.missing) == DEFAULT
        if module.first_party or (by_default and name not in reached):
            continue
        if module.kind == "stdlib" and (by_default or _starts(name) or not content.named):
            continue
        groups.setdefault((module.component, problem.missing), []).append(problem)
    lines = []
    for (component, missing), problems in sorted(groups.items()):
        names = [f"`{one.module.name}`" for one in problems]
        more = f" and {len(names) - 3} more modules" if len(names) > 4 else ""
        shown = names[:3] if more else names
        lines.append(
            f"{', '.join(shown)}{more} of {component} cannot be imported: `{missing}`, "
            f"{content.why(missing)}"
        )
    return lines


def _starts(name: str) -> bool:
    return name in STDLIB_START or name.partition(".")[0] == "encodings"


def limited(lines: Sequence[str]) -> list[str]:
    if len(lines) <= SHOWN:
        return list(lines)
    return [*lines[:SHOWN], f"... and {len(lines) - SHOWN} more imports of what was left out"]


def main(argv: Sequence[str]) -> None:
    options = parse_options(argv, required=("content", "output"), lists=("imports",))
    with open(options.one["content"], encoding="utf-8") as file:
        told = json.load(file)
    imports = []
    for path in options.many["imports"]:
        with open(path, encoding="utf-8") as file:
            imports.append(json.load(file))
    graph = Graph(Content(imports, told))
    check_start(graph)
    warnings = [*limited(first_party_warnings(graph)), *limited(other_warnings(graph))]
    write_json(options.one["output"], {"warnings": warnings})


if __name__ == "__main__":
    run(main)
