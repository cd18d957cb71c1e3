"""Which modules a module imports, read off its code and its source's layout.

The bytecode names them (CPython 3.9 to 3.14), and a statement that begins at column 0 is in no
block: it is carried out whenever the module is, and nothing catches its failure. Of an indented one
the lines above tell in which blocks it stands. A syntax tree would tell the same, at the price of
compiling once more.
"""

from __future__ import annotations

import opcode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from types import CodeType

    # Line, how (below), level (0: absolute), module, names imported from it.
    Import = tuple[int, int, int, str, tuple[str, ...]]

# How an import is met.
# ALWAYS: whenever the module is imported, and a failure is not caught.
# SOMETIMES: in a block, such as `if`, or in a class.
# CALLED: in a function.
# GUARDED: wherever it stands, a failure is caught.
ALWAYS, SOMETIMES, CALLED, GUARDED = range(4)

_OPTIMIZED = 1  # of co_flags: a function's code, not a module's or a class's
_EXTENDED = opcode.opmap["EXTENDED_ARG"]
_IMPORT_NAME = opcode.opmap["IMPORT_NAME"]
_LOAD_CONST = opcode.opmap["LOAD_CONST"]
_SMALL_INT = opcode.opmap.get("LOAD_SMALL_INT", -1)  # CPython 3.14
_CATCHING = (b"ImportError", b"ModuleNotFoundError", b"Exception", b"BaseException")


def find_imports(code: CodeType, source: bytes) -> list[Import]:
    """The imports of a module, each once, by line. `code` is what `source` compiles to."""
    lines = source.splitlines()
    found: dict[tuple[int, int, str, tuple[str, ...]], int] = {}
    for line, in_function, level, module, names in _imports(code, False):
        how = _how(lines, line, in_function)
        if how is None:
            continue
        key = (how, level, module, names)
        found[key] = min(line, found.get(key, line))
    return sorted((line, *key) for key, line in found.items())


def _imports(
    code: CodeType, in_function: bool
) -> Iterator[tuple[int, bool, int, str, tuple[str, ...]]]:
    operations = code.co_code[::2]
    at = operations.find(_IMPORT_NAME)
    starts = list(_line_starts(code)) if at >= 0 else []
    while at >= 0:
        name, before = _argument(code.co_code, at)
        names, before = _constant(code, before)
        level, _ = _constant(code, before)
        if isinstance(level, int) and (names is None or isinstance(names, tuple)):
            line = next((line for start, line in reversed(starts) if start <= 2 * at), 0)
            yield line, in_function, level, code.co_names[name], names or ()
        at = operations.find(_IMPORT_NAME, at + 1)
    for constant in code.co_consts:
        if hasattr(constant, "co_code"):
            yield from _imports(constant, in_function or bool(constant.co_flags & _OPTIMIZED))


def _argument(code: bytes, at: int) -> tuple[int, int]:
    """The argument of instruction `at`, and which instruction stands before it."""
    argument, shift = code[2 * at + 1], 8
    at -= 1
    while at >= 0 and code[2 * at] == _EXTENDED:
        argument |= code[2 * at + 1] << shift
        shift += 8
        at -= 1
    return argument, at


def _constant(code: CodeType, at: int) -> tuple[object, int]:
    """What instruction `at` loads, `...` if it loads no constant; and the instruction before."""
    if at < 0:
        return ..., at
    operation = code.co_code[2 * at]
    argument, before = _argument(code.co_code, at)
    if operation == _SMALL_INT:
        return argument, before
    return (code.co_consts[argument] if operation == _LOAD_CONST else ...), before


def _line_starts(code: CodeType) -> Iterable[tuple[int, int]]:
    """Offsets where a line's code starts, ascending."""
    if not hasattr(code, "co_lines"):  # before CPython 3.10
        import dis

        return dis.findlinestarts(code)
    return ((start, line) for start, _, line in code.co_lines() if line is not None)


def _how(lines: Sequence[bytes], line: int, in_function: bool) -> int | None:
    """How the statement on `line` is met; None: only type checkers meet it."""
    if not 0 < line <= len(lines):
        return CALLED if in_function else SOMETIMES
    own = _indentation(lines[line - 1])
    if not own and lines[line - 1].startswith((b"import", b"from")):
        return ALWAYS
    how = CALLED if in_function else SOMETIMES
    # The line itself may have its block's head: `try: import x`.
    for number, head in _heads(lines, line, own):
        words = head.strip()
        if words.startswith(b"if") and b"TYPE_CHECKING" in words:
            return None
        if words.startswith(b"with") and b"suppress" in words:
            return GUARDED
        if words.startswith(b"try") and _catches(lines, number, _indentation(head)):
            return GUARDED
        if not in_function and words.startswith((b"def ", b"async def ")):
            break  # cannot be: the code is a module's or a class's
    return how


def _heads(lines: Sequence[bytes], line: int, own: int) -> Iterator[tuple[int, bytes]]:
    """The line itself, and those that its blocks begin with, from inside out, with their numbers
    (from 1)."""
    yield line, lines[line - 1]
    for number in range(line - 1, 0, -1):
        text = lines[number - 1]
        if not own:
            return
        if text.strip() and not text.lstrip().startswith(b"#") and _indentation(text) < own:
            own = _indentation(text)
            yield number, text


def _catches(lines: Sequence[bytes], number: int, indentation: int) -> bool:
    """Whether an `except` of the `try` on that line catches what a failing import raises."""
    for text in lines[number:]:
        words = text.strip()
        if not words or words.startswith(b"#") or _indentation(text) > indentation:
            continue
        if _indentation(text) < indentation or not words.startswith(b"except"):
            return False
        caught = words[len(b"except") :].partition(b"#")[0]
        if caught.startswith(b":") or any(name in caught for name in _CATCHING):
            return True
        if caught.rstrip().endswith(b"("):  # names on lines of their own
            return True
    return False


def _indentation(text: bytes) -> int:
    expanded = text.expandtabs(8)
    return len(expanded) - len(expanded.lstrip(b" \f"))


def resolve(found: Iterable[Import], module: str, is_package: bool) -> list[list[object]]:
    """`[line, how, module, name...]` of each, with absolute module names."""
    resolved: list[list[object]] = []
    for line, how, level, target, names in found:
        if level:
            parts = module.split(".")
            if not is_package:
                parts.pop()
            if level > len(parts):
                continue  # beyond the top: it fails wherever it runs
            base = ".".join(parts[: len(parts) - level + 1])
            target = f"{base}.{target}" if target else base
        resolved.append([line, how, target, *names])
    return resolved
