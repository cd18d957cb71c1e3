from __future__ import annotations

import json
from pathlib import Path

import pytest

from oxidize_rules.sandbox.errors import UserError
from oxidize_rules.sandbox.linking.inittab import inittab_source, main


def test_the_table_as_cpython_writes_it() -> None:
    source = inittab_source([("zlib", "PyInit_zlib"), ("a.b", "PyInit_zlib"), ("sys", None)])
    assert source.count("extern PyObject *PyInit_zlib(void);") == 1
    table = source[source.index("struct _inittab") :]
    assert table == (
        "struct _inittab _PyImport_Inittab[] = {\n"
        '    {"zlib", PyInit_zlib},\n'
        '    {"a.b", PyInit_zlib},\n'
        '    {"sys", NULL},\n'
        "    {NULL, NULL},\n"
        "};\n"
    )


@pytest.mark.parametrize(
    "entries",
    [
        [('x", 0}, {"', "PyInit_x")],
        [("x", "PyInit_x(), 0")],
        [("x", "PyInit_x"), ("x", "PyInit_y")],
    ],
)
def test_names_that_are_not_names(entries: list[tuple[str, str]]) -> None:
    with pytest.raises(UserError, match="built-in module `x"):
        inittab_source(entries)


def test_as_a_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "extensions.json"
    path.write_text(json.dumps([["builtins", None]]))
    main([str(path)])
    assert '{"builtins", NULL}' in capsys.readouterr().out
