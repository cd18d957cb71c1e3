"""SPDX licence expressions in one normal form, checked against SPDX' list of identifiers.

The library `license-expression` parses and has the list, so this runs where `reports.lock` is
installed. Later steps get what this wrote and need only `licenses.py`.

The normal form: identifiers as SPDX spells them, no deprecated ones, operands sorted and each once,
brackets only where they are needed. Nothing is simplified away: `MIT AND (MIT OR ISC)` tells of two
parts.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from typing import Any, Dict, Iterable, List, Optional, Set

import license_expression as library

REF = "LicenseRef-"
_WORD = re.compile(r"[()]|[^\s()]+")
_REFERENCE = re.compile(r"(?:DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.-]+", re.IGNORECASE)
_NO_REF = re.compile(r"[^A-Za-z0-9.]+")

# Deprecated identifiers that stand for more than one word. Source: SPDX licence list 3.27, the
# notes of "deprecated license identifiers" (an identifier without `+` means this version alone).
DEPRECATED = {
    "BSD-2-Clause-FreeBSD": "BSD-2-Clause-Views",
    "BSD-2-Clause-NetBSD": "BSD-2-Clause",
    "bzip2-1.0.5": "bzip2-1.0.6",
    "eCos-2.0": "(GPL-2.0-or-later WITH eCos-exception-2.0)",
    "GPL-2.0-with-autoconf-exception": "(GPL-2.0-only WITH Autoconf-exception-2.0)",
    "GPL-2.0-with-bison-exception": "(GPL-2.0-only WITH Bison-exception-2.2)",
    "GPL-2.0-with-classpath-exception": "(GPL-2.0-only WITH Classpath-exception-2.0)",
    "GPL-2.0-with-font-exception": "(GPL-2.0-only WITH Font-exception-2.0)",
    "GPL-2.0-with-GCC-exception": "(GPL-2.0-only WITH GCC-exception-2.0)",
    "GPL-3.0-with-autoconf-exception": "(GPL-3.0-only WITH Autoconf-exception-3.0)",
    "GPL-3.0-with-GCC-exception": "(GPL-3.0-only WITH GCC-exception-3.1)",
    "Nunit": "zlib-acknowledgement",
    "StandardML-NJ": "SMLNJ",
    "wxWindows": "(LGPL-2.0-or-later WITH WxWindows-exception-3.1)",
}
_GNU = (
    *("AGPL-1.0", "AGPL-3.0", "GFDL-1.1", "GFDL-1.2", "GFDL-1.3", "GPL-1.0", "GPL-2.0", "GPL-3.0"),
    *("LGPL-2.0", "LGPL-2.1", "LGPL-3.0"),
)

# Deprecated, but for no other identifier: what was published with it still has it.
_KEPT = ("Net-SNMP",)


class BadExpression(ValueError):
    """Not an SPDX expression; the message says why."""


@cache
def _replacements() -> Dict[str, str]:
    """By the deprecated identifier in lower case."""
    found = {old.lower(): new for old, new in DEPRECATED.items()}
    for name in _GNU:
        found[name.lower()] = f"{name}-only"
        for suffix in ("+", "-only+", "-or-later+"):
            found[f"{name}{suffix}".lower()] = f"{name}-or-later"
    return found


@cache
def _licensing() -> Any:
    """Of the library's index only what is SPDX' own; its other spellings are not exact."""
    entries = {
        entry["spdx_license_key"]: bool(entry["is_exception"])
        for entry in library.get_license_index()
        if not (entry.get("spdx_license_key") or REF).startswith(REF)
        and entry["spdx_license_key"].lower() not in _replacements()
    }
    entries.update(dict.fromkeys(_KEPT, False))
    return library.Licensing(
        library.LicenseSymbol(key, is_exception=exception)
        for key, exception in sorted(entries.items())
    )


def known_identifier(text: str) -> Optional[str]:
    """SPDX' spelling of a licence's identifier in any case; None if it has no such one."""
    symbol = _licensing().known_symbols_lowercase.get(text.lower())
    return None if symbol is None or symbol.is_exception else str(symbol.key)


def known_identifiers() -> List[str]:
    """Of all licences, sorted."""
    known = _licensing().known_symbols
    return sorted(key for key, symbol in known.items() if not symbol.is_exception)


def known_exceptions() -> List[str]:
    """Of all exceptions, which come after `WITH`, sorted."""
    known = _licensing().known_symbols
    return sorted(key for key, symbol in known.items() if symbol.is_exception)


@cache
def normalize(expression: str) -> str:
    """The normal form. Raises BadExpression for what SPDX does not know or cannot parse."""
    tree = _parse(expression)
    for symbol in tree.symbols:
        for one in symbol.decompose():
            _check(one, expression)
    return _render(_sorted(tree))


def all_of(expressions: Iterable[Optional[str]]) -> Optional[str]:
    """What holds where each of them holds; None if there are none. Raises BadExpression."""
    parts = [f"({one})" for one in expressions if one]
    return normalize(" AND ".join(parts)) if parts else None


def references(expression: str) -> List[str]:
    """The `LicenseRef-`s in an expression, sorted."""
    return sorted({one for one in _REFERENCE.findall(expression) if one.startswith(REF)})


def license_ref(name: str, text: str) -> str:
    """The identifier of a licence that SPDX does not know: of its name and its text."""
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{REF}{_NO_REF.sub('-', name).strip('-.') or 'unnamed'}-{digest}"


def _parse(expression: str) -> Any:
    words = [
        _replacements().get(word.lower(), _spelled(word)) for word in _WORD.findall(expression)
    ]
    try:
        tree = _licensing().parse(" ".join(words), simple=True, strict=True)
    except Exception as error:  # The library raises its own, boolean.py's and TypeError.
        raise BadExpression(f"`{expression}` is no SPDX expression: {error}") from error
    if tree is None:
        raise BadExpression("an empty text is no SPDX expression")
    return tree


def _spelled(word: str) -> str:
    """`apache-2.0+` and `licenseref-x` in SPDX' spelling, which have no entry in the list."""
    if word.lower().startswith(REF.lower()):
        return REF + word[len(REF) :]
    if word.endswith("+") and known_identifier(word[:-1]):
        return f"{known_identifier(word[:-1])}+"
    return word


def _check(symbol: Any, expression: str) -> None:
    key = str(symbol.key)
    if key in _licensing().known_symbols:
        return
    if _REFERENCE.fullmatch(key) or (key.endswith("+") and known_identifier(key[:-1])):
        return
    raise BadExpression(f"`{expression}` has `{key}`, which SPDX does not know")


def _sorted(tree: Any) -> Any:
    if not isinstance(tree, (_licensing().AND, _licensing().OR)):
        return tree
    flat: List[Any] = []
    for argument in map(_sorted, tree.args):
        flat += argument.args if isinstance(argument, type(tree)) else [argument]
    seen: Set[str] = set()
    unique = []
    for argument in sorted(flat, key=lambda one: (_render(one).lower(), _render(one))):
        if _render(argument) not in seen:
            seen.add(_render(argument))
            unique.append(argument)
    return unique[0] if len(unique) == 1 else type(tree)(*unique)


def _render(tree: Any) -> str:
    return str(tree.render("{symbol.key}"))
