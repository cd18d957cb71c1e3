from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Set

import pytest

from oxidize_rules import sandbox
from oxidize_rules.util_rules.sandbox_program import imported_modules, needed_modules

FOLDER = Path(sandbox.__file__ or "").parent
PROGRAMS = sorted(
    path.relative_to(FOLDER).with_suffix("").as_posix().replace("/", ".")
    for path in FOLDER.rglob("*.py")
    if 'if __name__ == "__main__":' in path.read_text()
)


def modules(program: str) -> Set[str]:
    """The names of the modules that it needs, without those of packages."""
    prefix = "oxidize_rules.sandbox."
    names = {file.path[: -len(".py")].replace("/", ".") for file in needed_modules(program)}
    return {name[len(prefix) :] for name in names if not name.endswith(".__init__")}


def test_imports_of_every_kind() -> None:
    source = b"""
import os
from oxidize_rules.sandbox import one, two as other
from oxidize_rules.sandbox.three import something
from oxidize_rules.sandbox.package.six import something
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
    found = set(imported_modules(source))
    assert {"four", "late", "one", "package.six", "three", "two"} <= found
    # Names within modules are told as well: they have no file.
    assert found - {"four", "late", "one", "package.six", "three", "two"} == {
        *("four.Type", "late.function", "package.six.something", "three.something"),
    }


def test_every_folder_is_a_package() -> None:
    paths = {file.path for file in needed_modules("wheels.build_wheel")}
    assert paths == {
        "oxidize_rules/__init__.py",
        "oxidize_rules/sandbox/__init__.py",
        "oxidize_rules/sandbox/errors.py",
        "oxidize_rules/sandbox/toolchain/__init__.py",
        "oxidize_rules/sandbox/toolchain/hardening.py",
        "oxidize_rules/sandbox/wheels/__init__.py",
        "oxidize_rules/sandbox/wheels/build_wheel.py",
    }


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_starts_with_what_it_gets(program: str, tmp_path: Path) -> None:
    """And it imports nothing of Pants, which is not in a sandbox."""
    for file in needed_modules(program):
        path = tmp_path / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
    say = f"import oxidize_rules.sandbox.{program} as it, sys; print(it.__file__); "
    say += "print(*(name for name in sys.modules if name.split('.')[0] == 'pants'))"
    command = [sys.executable, "-c", say]
    done = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    place = tmp_path / "oxidize_rules/sandbox" / f"{program.replace('.', '/')}.py"
    assert done.stdout == f"{place}\n\n"


@pytest.mark.parametrize("program", PROGRAMS)
def test_imports_in_functions_come_along(program: str) -> None:
    """By a second, simpler reading of the sources."""
    there = modules(program)
    for name in there:
        source = FOLDER.joinpath(f"{name.replace('.', '/')}.py").read_text()
        for indent, module in re.findall(
            r"^( *)from oxidize_rules\.sandbox\.([\w.]+) import", source, re.MULTILINE
        ):
            if indent and "TYPE_CHECKING:" in source:
                continue
            file = FOLDER.joinpath(f"{module.replace('.', '/')}.py")
            assert module in there or not file.is_file()


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(ValueError, match=r"no sandbox program 'wheels\.nothing'"):
        needed_modules("wheels.nothing")


def test_what_a_change_reruns_is_little() -> None:
    """The wide programs do not bring the narrow ones along."""
    assert modules("distribution.unpack") == {"distribution.unpack", "errors"}
    assert modules("images.native_libraries") == {
        *("elf_reader", "errors", "images.native_file", "images.native_libraries", "options"),
    }
