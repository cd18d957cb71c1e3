"""Edits the pins of `python_distribution_archive` targets in the text of a BUILD file.

Only text that stands in the call of a target is changed, and only where the changed text means the
new value: each argument is edited as text, evaluated again, and refused if it says anything else.
Strings may be joined, formatted (`f"{RELEASES}/..."`) and refer to constants of the same file.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from dataclasses import dataclass
from typing import Dict, Iterable, List, Mapping, Optional, Sequence, Set, Tuple, Union

from oxidize_rules.distribution_targets import PythonDistributionArchiveTarget

Value = Union[str, int]
_BOM = b"\xef\xbb\xbf"
# Fields of a target that may tell the version in words.
_WORDY = ("description", "output_path")


class Refused(ValueError):
    """An argument that cannot be edited; the message goes on "`//x:y` stays as it is: ..."."""


@dataclass(frozen=True)
class PinEdit:
    """`names`: what the call may give as the target's name; None: nothing, so that it has its
    folder's. `fields`: old and new value by field.

    `words`: what may be replaced within a string, old and new, in this order.
    """

    names: Tuple[Optional[str], ...]
    fields: Mapping[str, Tuple[Value, Value]]
    words: Tuple[Tuple[str, str], ...]


@dataclass(frozen=True)
class Edited:
    """`refused`: why an edit was not made, by its index. `stale`: numbers of the lines with
    comments that still tell an old version."""

    content: bytes
    refused: Mapping[int, str]
    stale: Tuple[int, ...]


def edit_pins(content: bytes, edits: Sequence[PinEdit]) -> Edited:
    """A BUILD file with all edits that can be made; one target's are made wholly or not at all."""
    bom = _BOM if content.startswith(_BOM) else b""
    content = content[len(bom) :]
    refused: Dict[int, str] = {}
    changes: Set[Tuple[int, int, bytes]] = set()
    made: List[PinEdit] = []
    try:
        module = ast.parse(content.decode("utf-8"))
    except (SyntaxError, ValueError) as error:
        return Edited(bom + content, dict.fromkeys(range(len(edits)), f"{error}"), ())
    constants = constants_of(module)
    starts = line_starts(content)
    for index, edit in enumerate(edits):
        try:
            call = find_call(module, edit.names, constants)
            changes |= changes_of(call, edit, content, starts, constants)
            made.append(edit)
        except Refused as error:
            refused[index] = str(error)
    for start, end, new in sorted(changes, reverse=True):
        content = content[:start] + new + content[end:]
    return Edited(bom + content, refused, stale_comments(content, made))


def line_starts(content: bytes) -> List[int]:
    return [0, *(match.end() for match in re.finditer(rb"\r\n|\r|\n", content))]


def constants_of(module: ast.Module) -> Dict[str, Value]:
    """Names that the file binds once, at its top level, to a string or a number."""
    bound: Dict[str, int] = {}
    for node in ast.walk(module):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            bound[node.id] = bound.get(node.id, 0) + 1
    found: Dict[str, Value] = {}
    for statement in module.body:
        if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
            continue
        target = statement.targets[0]
        value = evaluate(statement.value, found)
        if isinstance(target, ast.Name) and bound[target.id] == 1 and value is not None:
            found[target.id] = value
    return found


def evaluate(node: ast.expr, constants: Mapping[str, Value]) -> Optional[Value]:
    """None for what is neither a string nor a whole number, or is computed in another way."""
    if isinstance(node, ast.Constant):
        good = isinstance(node.value, (str, int)) and not isinstance(node.value, bool)
        return node.value if good else None
    if isinstance(node, ast.Name):
        return constants.get(node.id)
    if isinstance(node, ast.JoinedStr):
        return joined(node.values, constants)
    if isinstance(node, ast.FormattedValue) and node.conversion == -1 and node.format_spec is None:
        return evaluate(node.value, constants)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = evaluate(node.left, constants), evaluate(node.right, constants)
        if isinstance(left, str) and isinstance(right, str):
            return left + right
    return None


def joined(nodes: Iterable[ast.expr], constants: Mapping[str, Value]) -> Optional[str]:
    values = [evaluate(node, constants) for node in nodes]
    return None if None in values else "".join(str(value) for value in values)


def find_call(
    module: ast.Module, names: Sequence[Optional[str]], constants: Mapping[str, Value]
) -> ast.Call:
    alias = PythonDistributionArchiveTarget.alias
    found = [
        node
        for node in ast.walk(module)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == alias
        and name_of(node, constants) in [(name,) for name in names]
    ]
    if len(found) == 1:
        return found[0]
    called = " or ".join(f"`{alias}({f'name={name!r}' if name else ''})`" for name in names)
    raise Refused(
        f"{called} stands {len(found)} times in the file"
        if found
        else f"there is no {called} in the file (a macro or a loop makes it?)"
    )


def name_of(call: ast.Call, constants: Mapping[str, Value]) -> Optional[Tuple[Optional[Value]]]:
    """The target's name in a tuple, (None,) where there is none, None where that is not known."""
    if any(keyword.arg is None for keyword in call.keywords):
        return None
    for keyword in call.keywords:
        if keyword.arg == "name":
            value = evaluate(keyword.value, constants)
            return None if value is None else (value,)
    return (None,)


def changes_of(
    call: ast.Call,
    edit: PinEdit,
    content: bytes,
    starts: Sequence[int],
    constants: Mapping[str, Value],
) -> Set[Tuple[int, int, bytes]]:
    """Replacements in `content`: from, to, by what. Raises Refused."""
    arguments = {keyword.arg: keyword.value for keyword in call.keywords}
    changes = set()
    for field, (old, new) in edit.fields.items():
        node = arguments.get(field)
        if node is None:
            raise Refused(f"its `{field}` does not stand in its call (in `__defaults__`?)")
        start, end = span(node, starts)
        source = content[start:end].decode("utf-8")
        if evaluate(node, constants) != old:
            raise Refused(f"its `{field}` is computed: `{shortened(source)}`")
        changed = edited(source, old, new, edit.words)
        if meaning(changed, constants) != new:
            raise Refused(f"its `{field}` is computed of other values: `{shortened(source)}`")
        changes.add((start, end, changed.encode("utf-8")))
    for field in _WORDY:
        node = arguments.get(field)
        value = evaluate(node, constants) if node is not None else None
        if node is None or not isinstance(value, str):
            continue
        start, end = span(node, starts)
        wanted = replaced(value, edit.words)
        changed = replaced(content[start:end].decode("utf-8"), edit.words)
        if wanted != value and meaning(changed, constants) == wanted:
            changes.add((start, end, changed.encode("utf-8")))
    return changes


def span(node: ast.expr, starts: Sequence[int]) -> Tuple[int, int]:
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return (
        starts[node.lineno - 1] + node.col_offset,
        starts[node.end_lineno - 1] + node.end_col_offset,
    )


def shortened(source: str, length: int = 60) -> str:
    source = " ".join(source.split())
    return source if len(source) <= length else f"{source[:length]}..."


def edited(source: str, old: Value, new: Value, words: Sequence[Tuple[str, str]]) -> str:
    if isinstance(new, int):
        written = re.fullmatch(r"[0-9_]+", source)
        if written is None:
            return source
        return f"{new:_}" if "_" in source else str(new)
    return source.replace(str(old), new) if str(old) in source else replaced(source, words)


def replaced(source: str, words: Sequence[Tuple[str, str]]) -> str:
    """Each word where it is not a part of a longer number or version."""
    for old, new in words:
        pieces = re.split(rf"(?<![0-9.]){re.escape(old)}(?![0-9])", source)
        source = new.join(pieces)
    return source


def meaning(source: str, constants: Mapping[str, Value]) -> Optional[Value]:
    try:
        # In parentheses, closed on a line of their own: it may have several lines, and comments.
        return evaluate(ast.parse(f"({source}\n)", mode="eval").body, constants)
    except (SyntaxError, ValueError):
        return None


def stale_comments(content: bytes, edits: Sequence[PinEdit]) -> Tuple[int, ...]:
    words = [word for edit in edits for word in edit.words if "/" not in word[0]]
    if not words:
        return ()
    tokens = tokenize.tokenize(io.BytesIO(content).readline)
    return tuple(
        token.start[0]
        for token in tokens
        if token.type == tokenize.COMMENT and replaced(token.string, words) != token.string
    )
