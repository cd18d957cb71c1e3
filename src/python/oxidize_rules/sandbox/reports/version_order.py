"""Versions of components in their order, and whether one is within what a specifier says.

Python projects (wheels, the interpreter, first-party code) follow PEP 440, by `packaging`. C
libraries mostly look like it; beside that are read

- letters of patches, `1.1.1w` and `0.9.8zh` of OpenSSL, `9f` of the JPEG library: they come after
  the bare number;
- dates before a version of the interface, `20250104-3.1` of libedit: the date counts;
- versions of a Linux distribution's packages, `1:1.1.1k-12.el8_9`: the project's version counts.

Unlike in PEP 440, a pre-release of 3.5.7 is `<3.5.7` and a post-release of 3.5.6 is `>3.5.6`: the
question here is what came before a fix, not what to install. A local part (`6.5+20250216`) only
counts where both sides have one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional, Tuple

from packaging.version import InvalidVersion, Version

# Kinds of parts (see `inventory.json`) whose versions are PEP 440's and nothing else.
PYTHON_KINDS = ("wheel", "interpreter", "first-party")

_PATCH_LETTERS = re.compile(r"v?(\d+(?:\.\d+)*)([a-z]|z[a-z])")
_DATED = re.compile(r"(\d{8})-\d+(?:\.\d+)*")
_PACKAGED = re.compile(r"(?:\d+:)?([^-:]+)-[^-]+")
_CLAUSE = re.compile(r"\s*(===|==|!=|~=|<=|>=|<|>)\s*(\S+)\s*")


class BadSpecifier(ValueError):
    """Not a specifier; the message says why."""


def parse_version(text: str, kind: str) -> Optional[Version]:
    """None for what has no place in an order. `kind`: of the part whose version it is."""
    text = text.strip()
    if kind not in PYTHON_KINDS:
        match = _PATCH_LETTERS.fullmatch(text.lower())
        if match is not None:
            number = 0
            for letter in match[2]:
                number = number * 26 + ord(letter) - ord("a") + 1
            return Version(f"{match[1]}.post{number}")
        match = _DATED.fullmatch(text)
        if match is not None:
            return Version(match[1])
    try:
        return Version(text)
    except InvalidVersion:
        match = _PACKAGED.fullmatch(text)
    if kind in PYTHON_KINDS or match is None:
        return None
    return parse_version(match[1], kind)


def parse_tag(text: str, kind: str) -> Optional[Version]:
    """The version that a tag of a repository names: `v3.13.5`, `openssl-3.5.7`, `OpenSSL_1_1_1w`,
    `R_2_8_3`."""
    match = re.search(r"\d.*", text)
    if match is None:
        return None
    dotted = match[0].replace("_", ".") if "." not in match[0] else match[0]
    return parse_version(dotted, kind)


@dataclass(frozen=True)
class Clause:
    """Such as `<` and `3.5.7`."""

    operator: str
    version: str

    def __str__(self) -> str:
        return f"{self.operator}{self.version}"


def parse_specifier(text: str) -> Tuple[Clause, ...]:
    """Clauses that all have to hold, joined by commas. Raises BadSpecifier."""
    clauses = []
    for part in text.split(","):
        match = _CLAUSE.fullmatch(part)
        if match is None:
            raise BadSpecifier(
                f"`{part.strip()}` is no comparison with a version, such as `<3.5.7`"
            )
        clause = Clause(match[1], match[2])
        number = clause.version
        if clause.operator in ("==", "!=") and number.endswith(".*"):
            number = number[:-2]
        if clause.operator != "===" and parse_version(number, "library") is None:
            raise BadSpecifier(f"`{number}` is no version")
        if clause.operator == "~=" and "." not in number:
            raise BadSpecifier(f"`~={number}` needs a version of two numbers or more")
        clauses.append(clause)
    return tuple(clauses)


def satisfies(version: Optional[str], kind: str, clauses: Tuple[Clause, ...]) -> Optional[bool]:
    """Whether all clauses hold; None if that cannot be told. Without clauses every version is."""
    answers = [_satisfies(version, kind, clause) for clause in clauses]
    if False in answers:
        return False
    return None if None in answers else True


def _satisfies(text: Optional[str], kind: str, clause: Clause) -> Optional[bool]:
    if text is None:
        return None
    if clause.operator == "===":
        return text == clause.version
    version = parse_version(text, kind)
    prefix = clause.version.endswith(".*")
    bound = parse_version(clause.version[:-2] if prefix else clause.version, kind)
    if version is None or bound is None:
        return None
    if prefix:
        return _begins(version, bound) is (clause.operator == "==")
    if bound.local is None:
        version = Version(version.public)
    return _compare(version, clause.operator, bound)


def _compare(version: Version, operator: str, bound: Version) -> bool:
    if operator == "~=":
        series = Version(f"{bound.epoch}!{'.'.join(map(str, bound.release[:-1]))}")
        return version >= bound and _begins(version, series)
    return {
        "==": version == bound,
        "!=": version != bound,
        "<=": version <= bound,
        ">=": version >= bound,
        "<": version < bound,
        ">": version > bound,
    }[operator]


def _begins(version: Version, prefix: Version) -> bool:
    length = len(prefix.release)
    release = (*version.release, *(0 for _ in range(length)))
    return version.epoch == prefix.epoch and release[:length] == prefix.release
