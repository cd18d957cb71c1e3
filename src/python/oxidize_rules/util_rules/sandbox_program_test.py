from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from oxidize_rules import sandbox
from oxidize_rules.util_rules.sandbox_program import imported_modules, needed_modules

FOLDER = Path(sandbox.__file__ or "").parent
PROGRAMS = sorted(
    path.stem
    for path in FOLDER.glob("*.py")
    if 'if __name__ == "__main__":' in path.read_text() and not path.stem.startswith("testing_")
)


def test_imports_of_every_kind() -> None:
    source = b"""
import os
from oxidize_rules.sandbox import one, two as other
from oxidize_rules.sandbox.three import something
from oxidize_rules import elsewhere
from oxidize_rules.sandboxes.five import nothing
TYPE_CHECKING = False
if TYPE_CHECKING:
    from oxidize_rules.sandbox.never import Type
else:
    from oxidize_rules.sandbox.four import Type
def late():
    from oxidize_rules.sandbox.late import function
"""
    assert sorted(imported_modules(source)) == ["four", "late", "one", "three", "two"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_finds_all_that_it_imports(program: str) -> None:
    """By a second, simpler reading; and nothing of Pants, which is not in a sandbox."""
    there = {Path(file.path).stem for file in needed_modules(program)}
    assert {program, "errors"} <= there
    for name in there:
        source = (FOLDER / f"{name}.py").read_text()
        hidden = [
            ast.get_source_segment(source, node) or ""
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        ]
        for text in hidden:
            source = source.replace(text, "")
        assert set(re.findall(r"from oxidize_rules\.sandbox\.(\w+) import", source)) <= there
        assert not re.search(r"^\s*(from|import) (pants|oxidize_rules\.util_rules)", source, re.M)


def test_what_a_change_reruns_is_little() -> None:
    """The wide programs do not bring the narrow ones along."""
    assert len(needed_modules("unpack")) == 2
    assert {Path(file.path).stem for file in needed_modules("native_libraries")} == {
        *("elf_reader", "errors", "native_file", "native_libraries", "options"),
    }
