"""The table of built-in modules, `_PyImport_Inittab`, as C source.

    python -m oxidize_rules.sandbox.linking.inittab EXTENSIONS.json > config.c

EXTENSIONS.json: [[module name, init function or null], ...]. It takes the place of the
`Modules/config.c` that CPython's build makes from `config.c.in` (see `Modules/makesetup` there):
modules without an init function (`builtins`, `sys`) stand in the table with a null pointer.
"""

from __future__ import annotations

import json
import re
import sys

from oxidize_rules.sandbox.errors import UserError, run

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself is not imported: it takes 5 ms
    from collections.abc import Iterable

MODULE_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
C_IDENTIFIER = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def inittab_source(extensions: Iterable[tuple[str, str | None]]) -> str:
    """The C file for `extensions`, each a module name and its init function. Raises UserError."""
    entries = list(extensions)
    names: set[str] = set()
    for name, function in entries:
        if not MODULE_NAME.fullmatch(name) or name in names:
            raise UserError(
                f"the built-in module `{name}` cannot stand in the table of modules: its name is "
                f"{'there twice' if name in names else 'not a module name'}."
            )
        if function is not None and not C_IDENTIFIER.fullmatch(function):
            raise UserError(
                f"the built-in module `{name}` has the init function `{function}`; expected a "
                "C identifier. Check `init_fn` in the archive's PYTHON.json."
            )
        names.add(name)
    functions = dict.fromkeys(function for _, function in entries if function)
    lines = [
        "/* Written by sandbox/linking/inittab.py. */",
        '#include "Python.h"',
        "",
        *(f"extern PyObject *{function}(void);" for function in functions),
        "",
        "struct _inittab _PyImport_Inittab[] = {",
        *(f'    {{"{name}", {function or "NULL"}}},' for name, function in entries),
        "    {NULL, NULL},",
        "};",
    ]
    return "\n".join(lines) + "\n"


def main(argv: list[str]) -> None:
    if len(argv) != 1:
        raise UserError("usage: inittab EXTENSIONS.json")
    with open(argv[0], encoding="utf-8") as stream:
        sys.stdout.write(inittab_source((name, function) for name, function in json.load(stream)))


if __name__ == "__main__":
    run(main)
