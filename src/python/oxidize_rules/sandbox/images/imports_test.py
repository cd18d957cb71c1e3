"""Imports read off code: compared with what a syntax tree tells of the standard library."""

from __future__ import annotations

import ast
import sysconfig
import warnings
from pathlib import Path
from typing import Iterator

import pytest

from oxidize_rules.sandbox.images.imports import (
    ALWAYS,
    CALLED,
    GUARDED,
    SOMETIMES,
    find_imports,
    resolve,
)

SAMPLE = b'''"""import not_me"""
import a, a.b as c
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import never
if c:
    import sometimes
else:
    from sometimes import other
try:
    import guarded
except (ImportError, OSError):
    import fallback
try: import short
except: pass
try:
    import not_guarded
except ValueError:
    pass
try:
    import two
except ValueError:
    pass
# the second catches
except ModuleNotFoundError:
    pass
with suppress(ImportError):
    import suppressed
with open("x"):
    import opened
from . import near
from ..far import x, y
class C:
    import in_class
    def method(self):
        import in_method
        try:
            if self:
                import in_guarded_method
        except Exception:
            raise
def function():
    from called import *  if False else None
'''.replace(b"    from called import *  if False else None\n", b"    from called import one\n")


def imports(source: bytes) -> list[tuple[int, int, int, str, tuple[str, ...]]]:
    return find_imports(compile(source, "x.py", "exec", dont_inherit=True), source)


def test_how_imports_are_met() -> None:
    found = {(module, names): how for _, how, _, module, names in imports(SAMPLE)}
    assert found == {
        ("a", ()): ALWAYS,
        ("a.b", ()): ALWAYS,
        ("typing", ("TYPE_CHECKING",)): ALWAYS,
        ("sometimes", ()): SOMETIMES,
        ("sometimes", ("other",)): SOMETIMES,
        ("guarded", ()): GUARDED,
        ("fallback", ()): SOMETIMES,
        ("short", ()): GUARDED,
        ("not_guarded", ()): SOMETIMES,
        ("two", ()): GUARDED,
        ("suppressed", ()): GUARDED,
        ("opened", ()): SOMETIMES,
        ("", ("near",)): ALWAYS,
        ("far", ("x", "y")): ALWAYS,
        ("in_class", ()): SOMETIMES,
        ("in_method", ()): CALLED,
        ("in_guarded_method", ()): GUARDED,
        ("called", ("one",)): CALLED,
    }


def test_lines_and_repetitions() -> None:
    assert imports(b"x = 1\nimport a\nimport a\ndef f():\n    import a\n") == [
        (2, ALWAYS, 0, "a", ()),
        (5, CALLED, 0, "a", ()),
    ]
    assert imports(b"x = 1\r\nfrom a import (\r\n  b,\r\n  c)\r\n") == [
        (2, ALWAYS, 0, "a", ("b", "c"))
    ]


def test_many_names() -> None:
    """Arguments above 255."""
    source = b"".join(b"n%d = %d.5\n" % (i, i) for i in range(300)) + b"from late import x\n"
    assert imports(source) == [(301, ALWAYS, 0, "late", ("x",))]


@pytest.mark.parametrize(
    ("module", "is_package", "level", "target", "expected"),
    [
        ("a.b.c", False, 0, "x", ["x"]),
        ("a.b.c", False, 1, "x", ["a.b.x"]),
        ("a.b.c", False, 2, "", ["a"]),
        ("a.b.c", False, 3, "x", []),
        ("a.b", True, 1, "", ["a.b"]),
        ("a.b", True, 2, "x", ["a.x"]),
        ("top", False, 1, "x", []),
    ],
)
def test_relative_imports(
    module: str, is_package: bool, level: int, target: str, expected: list[str]
) -> None:
    found = resolve([(7, ALWAYS, level, target, ("n",))], module, is_package)
    assert found == [[7, ALWAYS, name, "n"] for name in expected]


def tree_imports(source: bytes) -> set[tuple[int, str, bool, bool]]:
    """Line, module, whether in a function, whether it is ALWAYS: by the syntax tree."""

    def visit(node: ast.AST, depth: int, called: bool) -> Iterator[tuple[int, str, bool, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                for alias in child.names:
                    yield child.lineno, alias.name, called, depth == 0
            elif isinstance(child, ast.ImportFrom):
                yield child.lineno, child.module or "", called, depth == 0
            function = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            yield from visit(child, depth + 1, called or function)

    return set(visit(ast.parse(source), 0, False))


def test_the_standard_library_as_its_syntax_trees_say() -> None:
    """What is met always and what in functions; unreachable code is not compiled."""
    folder = Path(sysconfig.get_paths()["stdlib"])
    missing = wrong = seen = 0
    for path in sorted(folder.glob("*.py")):
        source = path.read_bytes()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = imports(source)
            expected = tree_imports(source)
        always = {(line, module) for line, how, _, module, _ in found if how == ALWAYS}
        called = {(line, module) for line, how, _, module, _ in found if how == CALLED}
        seen += len(found)
        in_functions = {(line, module) for line, module, called, _ in expected if called}
        wrong += len(called - in_functions)
        # Each kind of import is told once, by its first line.
        tree_always = {module for _, module, _, always in expected if always}
        assert {module for _, module in always} == tree_always, path
        missing += len({module for _, module, _, _ in expected} - {one[3] for one in found})
    assert seen > 1000
    assert wrong == 0
    assert missing < 20, "only type checkers' imports and code that is never reached"
