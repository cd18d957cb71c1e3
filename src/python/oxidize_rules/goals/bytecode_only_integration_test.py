"""Executables without sources: what is left of tools and tracebacks."""

from __future__ import annotations

import json

from oxidize_rules.goals.testing_binaries import Packaged, output, start

APP, STDLIB = "/.oxidized/app", "/.oxidized/lib/python3.13"


def test_what_is_left(packages: Packaged, libc: str) -> None:
    facts = json.loads(output([packages("bytecode", libc)]))
    shown = facts.pop("traceback")
    assert facts == {
        "file": f"{APP}/shapes.pyc",
        "cached": f"{APP}/shapes.pyc",
        "loader": ["SourcelessFileLoader", "FileLoader"],
        "source": None,
        "code": f"{APP}/shapes.py",
        "doc": "Product of both.",
        "getsource": "OSError: could not get source code",
        "signature": "(width: int, height: int) -> int",
        "listing": ["main.pyc", "shapes.pyc"],
        "stdlib": f"{STDLIB}/textwrap.pyc",
        "package": f"{STDLIB}/json/decoder.pyc",
        "modules": ["decoder", "encoder", "scanner", "tool"],
        "reload": True,
        "run": 6,
        "run_path": 6,
        "warning": f"{APP}/shapes.py:8: UserWarning: so\n",
        "by_path_finder": f"{APP}/shapes.pyc",
    }
    assert f'  File "{APP}/shapes.py", line 7, in area\nValueError: negative width\n' in shown


def test_uncaught_exceptions_have_numbers_and_no_lines(packages: Packaged, libc: str) -> None:
    ended = start([packages("bytecode", libc), "fail"])
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.splitlines()[-3:] == [
        f'  File "{APP}/main.py", line 57, in main',
        f'  File "{APP}/shapes.py", line 7, in area',
        "ValueError: negative width",
    ]


def test_optimized_interpreters_take_the_bytecode_there_is(packages: Packaged, libc: str) -> None:
    """Without sources there is nothing else to be compiled: as CPython does with `x.pyc`."""
    code = "import shapes; print(shapes.__file__, __debug__, shapes.area.__doc__)"
    told = output(
        [packages("bytecode", libc), "-OO", "-c", code], env={"OXIDIZED_INTERPRETER": "1"}
    )
    assert told == f"{APP}/shapes.pyc False Product of both.\n"
