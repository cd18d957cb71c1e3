"""From what a project says of its licence to one SPDX expression, and where that comes from.

What is said, in this order: `License-Expression` (PEP 639), which alone counts where it is valid;
else classifiers and the free-text field `License` together; else the texts of the licence files.

- Several statements are ANDed. `OR` is only what the project itself wrote with "or".
- A name that leaves something open ("BSD License") is made exact by another statement or by the
  licence files. Nothing is guessed: what stays open is told as a `LicenseRef-`.
- What SPDX has no name for becomes a `LicenseRef-` of its text. No statement is dropped.
"""

from __future__ import annotations

import re
from email.message import Message
from functools import cache
from typing import Dict, Iterable, List, Optional, Sequence, Tuple, Union

from oxidize_rules.sandbox.parts.license_expressions import (
    BadExpression,
    all_of,
    known_identifiers,
    license_ref,
    normalize,
    references,
)
from oxidize_rules.sandbox.parts.license_names import (
    CLASSIFIERS,
    DEFAULTS,
    NAMES,
    SAYINGS,
    UNLISTED,
)
from oxidize_rules.sandbox.parts.license_texts import recognize, words
from oxidize_rules.sandbox.parts.licenses import parse

_CLASSIFIER = "License :: "
# A field of more than this many characters or lines is a text, and no name.
_NAME_LENGTH, _NAME_LINES = 150, 2

# What the licence file of a project under several says: "... under the terms of *either* of the
# licenses found in LICENSE.APACHE or LICENSE.BSD."
_CHOICE = "under the terms of either of the licenses found in"

# What follows a licence's name and is none: "BSD, see LICENSE.txt", "MIT, Copyright 2026 ...".
_BESIDE = re.compile(r"(?i)[\s,;.-]+(?:(?:please )?see|refer to|copyright)\b.*", re.DOTALL)

_TOKEN = re.compile(r"[a-z]+|[0-9]+(?:\.[0-9]+)*|\+")
_VERSION_MARK = re.compile(r"\bv(?:ersion|er)?\.?\s*(?=[0-9])|(?<=[a-z])v\.?\s*(?=[0-9])")
# Words that licences' names have or not.
_NOISE = frozenset(
    (
        *("a", "an", "the", "license", "licence", "licensed", "licenses", "licences", "software"),
        *("version", "ver", "v", "under", "terms", "of", "gnu", "open", "source"),
    )
)
_PHRASES = (
    (re.compile(r"\b(?:library or lesser|lesser|library) (?:general public|gpl)\b"), "lgpl"),
    (re.compile(r"\baffero (?:general public|gpl)\b"), "agpl"),
    (re.compile(r"\bgeneral public\b"), "gpl"),
    (re.compile(r"\b(?:or|and) (?:any )?(?:later|newer|higher|above)\b|\bor greater\b"), "+"),
    (re.compile(r"\bonly \+"), "+"),
)
_OR = re.compile(
    r"\s+or\s+(?!(?:any\s+)?(?:later|newer|higher|above|greater|lesser|revised)\b)", re.I
)
_AND = re.compile(
    r"\s+and\s+(?!(?:any\s+)?(?:later|newer|above|disclaimer|distribution)\b)|[,;&/|]", re.I
)


class Leaf:
    """One statement: the identifiers that it may mean. `said`: in the project's own words."""

    def __init__(self, candidates: Tuple[str, ...], said: str, word: str = "") -> None:
        self.candidates = candidates
        self.said = said
        self.word = word


class Node:
    def __init__(self, operator: str, operands: Sequence[Union[Leaf, Node]]) -> None:
        self.operator = operator
        self.operands = operands


Tree = Union[Leaf, Node]


class Statement:
    """`expression`: normalized; None if nothing is said. `origin`: where it comes from, in words.
    `extracted`: the text of each `LicenseRef-` in it."""

    def __init__(self, expression: Optional[str], origin: str, extracted: Dict[str, str]) -> None:
        self.expression = expression
        self.origin = origin
        self.extracted = extracted


def key(text: str) -> str:
    """A licence's name as the table `NAMES` has it."""
    lowered = _VERSION_MARK.sub(" ", text.lower())
    tokens = []
    for token in _TOKEN.findall(lowered):
        while token.endswith(".0") and token[0].isdigit():
            token = token[:-2]
        if token not in _NOISE:
            tokens.append(token)
    joined = " ".join(tokens)
    for pattern, replacement in _PHRASES:
        joined = pattern.sub(replacement, joined)
    return joined


@cache
def _identifiers() -> Dict[str, Tuple[str, ...]]:
    """SPDX' identifiers as `key` makes them, where only one becomes that."""
    found: Dict[str, Tuple[str, ...]] = {}
    for identifier in known_identifiers():
        name = key(identifier)
        found[name] = () if name in found else (identifier,)
    return {name: one for name, one in found.items() if one}


def state(name: str, metadata: Message, files: Iterable[Tuple[str, str]]) -> Statement:
    """What a project says. `metadata`: its METADATA; `files`: its licence files, with their text.

    `name` is the project's, for the identifiers of unknown texts.
    """
    return _Case(name, metadata, sorted(files)).state()


def state_of_texts(name: str, files: Iterable[Tuple[str, str]]) -> Statement:
    """What nothing but licence files tell."""
    return _Case(name, Message(), sorted(files)).state()


def state_of_name(name: str, said: str) -> Statement:
    """What one word of a SBOM says: an expression, or a licence's name. `name` is the project's."""
    metadata = Message()
    metadata["License-Expression"] = " ".join(said.split())
    return _Case(name, metadata, ()).state()


class _Case:
    def __init__(self, name: str, metadata: Message, files: Sequence[Tuple[str, str]]) -> None:
        self.name = name
        self.metadata = metadata
        self.files = files
        self.extracted: Dict[str, str] = {}
        self.recognized = [(file, recognize(text)) for file, text in files]
        self.helped = False
        self.in_files = [
            candidates for _, found in self.recognized for candidates in found.licenses
        ]

    def state(self) -> Statement:
        expression = str(self.metadata.get("License-Expression") or "").strip()
        if expression:
            try:
                return self._result(
                    self._declared(expression), "License-Expression of its metadata"
                )
            except BadExpression:
                pass  # It is read as the free-text field is.
        classifiers = [
            leaf
            for text in self.metadata.get_all("Classifier") or ()
            for leaf in self._classifier(str(text).strip())
        ]
        field = expression or str(self.metadata.get("License") or "").strip()
        field_name = "License-Expression" if expression else "License"
        tree = self._field(field, field_name, classifiers)
        if tree is not None:
            origin = f"the {field_name} field of its metadata"
            if not classifiers:
                return self._result(self._render(tree, []), origin)
            leaves = _leaves(tree)
            both = f"classifiers and {origin}"
            if _same(leaves, classifiers):
                return self._result(self._render(tree, classifiers), both)
            parts = [self._render(one, leaves) for one in classifiers]
            return self._result(all_of([*parts, self._render(tree, classifiers)]), both)
        if classifiers:
            found = all_of(self._render(one, classifiers) for one in classifiers)
            return self._result(found, "classifiers")
        return self._from_files()

    def _result(self, expression: Optional[str], origin: str) -> Statement:
        if self.helped:
            origin += ", made exact by its licence files"
        used = set(references(expression or ""))
        extracted = {ref: text for ref, text in self.extracted.items() if ref in used}
        return Statement(expression, origin, extracted)

    # -- What the metadata says ------------------------------------------------------------------

    def _declared(self, expression: str) -> str:
        """A project's own `LicenseRef-` gets its text, and a name that no other project has."""
        found = normalize(expression)
        for ref in references(found):
            new = self._unknown(ref[len("LicenseRef-") :], f"License-Expression: {expression}")
            found = re.sub(rf"(?<![\w:.-]){re.escape(ref)}(?![\w.-])", new, found)
        return normalize(found)

    def _unknown(self, word: str, said: str) -> str:
        """A reference to the project's licence files, or to what it said if it has none."""
        text = "\n\n".join(text for _, text in self.files) or said
        ref = license_ref(word, text)
        self.extracted[ref] = text
        return ref

    def _text(self, text: str) -> str:
        ref = license_ref(self.name, text)
        self.extracted[ref] = text
        return ref

    def _classifier(self, classifier: str) -> List[Leaf]:
        if not classifier.startswith(_CLASSIFIER):
            return []
        name = classifier[len(_CLASSIFIER) :]
        if name in CLASSIFIERS:
            candidates = CLASSIFIERS[name]
            return [Leaf(candidates, classifier)] if candidates else []
        word = UNLISTED.get(name) or name.rpartition(" :: ")[2]
        return [Leaf((), classifier, word)]

    def _field(self, field: str, field_name: str, classifiers: List[Leaf]) -> Optional[Tree]:
        """What the free-text field says; None if that is nothing."""
        if not field:
            return None
        if len(field) <= _NAME_LENGTH and field.count("\n") < _NAME_LINES:
            return self._name(field, f"{field_name}: {field}")
        found = recognize(field)
        leaves = [Leaf(candidates, field) for candidates in found.licenses]
        confirmed = any(_agree(leaf, one) for leaf in leaves for one in classifiers)
        if not leaves or (found.says_more and not confirmed):
            # What was recognised is not what the project is under, or not all of it.
            leaves.append(Leaf((self._text(field),), field))
        return _node("AND", leaves)

    def _name(self, text: str, said: str) -> Optional[Tree]:
        text = text.strip().strip("\"'")
        try:
            return _tree(normalize(text), said)
        except BadExpression:
            pass
        plain = re.sub(r"\(.*?\)", " ", text)
        spellings = (text, plain, _BESIDE.sub("", plain), *re.findall(r"\((.*?)\)", text))
        for spelling in spellings:
            name = key(spelling)
            if name in NAMES and (name or spelling == text):
                candidates = NAMES[name]
                return Leaf(candidates, said) if candidates else None
            if name in _identifiers():
                return Leaf(_identifiers()[name], said)
            if name in SAYINGS:
                return Leaf((), said, SAYINGS[name])
        for operator, pattern in (("OR", _OR), ("AND", _AND)):
            parts = [part for part in pattern.split(text) if part.strip()]
            if len(parts) > 1:
                found = [self._name(part, said) for part in parts]
                # A word between that says nothing is no licence to choose.
                named = [one for one in found if one is not None]
                if len(named) == len(found) and not any(_is_unknown(one) for one in named):
                    return _node(operator, named)
        return Leaf((), said, self.name)

    # -- Made exact ------------------------------------------------------------------------------

    def _render(self, tree: Tree, others: Sequence[Leaf]) -> str:
        if isinstance(tree, Node):
            parts = [f"({self._render(one, others)})" for one in tree.operands]
            return normalize(f" {tree.operator} ".join(parts))
        return self._exact(tree, others)

    def _exact(self, leaf: Leaf, others: Sequence[Leaf]) -> str:
        if not leaf.candidates:
            return self._unknown(leaf.word, leaf.said)
        if len(leaf.candidates) == 1:
            return leaf.candidates[0]
        candidates = leaf.candidates
        told = {one for other in others if other is not leaf for one in _within(other, candidates)}
        candidates = tuple(one for one in candidates if one in told) or candidates
        if len(candidates) == 1:
            return candidates[0]
        in_files = [
            tuple(one for one in found if one in candidates)
            for found in self.in_files
            if any(one in candidates for one in found)
        ]
        if in_files:
            self.helped = True
            # Of a text for both, `-only` comes first: nothing says that it may be a later version.
            exact = all_of(dict.fromkeys(found[0] for found in in_files))
            assert exact is not None
            return exact
        if candidates in DEFAULTS or leaf.candidates in DEFAULTS:
            return DEFAULTS.get(candidates) or DEFAULTS[leaf.candidates]
        return self._unknown(leaf.said.rpartition(": ")[2], leaf.said)

    # -- Where the metadata says nothing ---------------------------------------------------------

    def _from_files(self) -> Statement:
        if not self.files:
            return Statement(None, "", {})
        choosing = next(((file, text) for file, text in self.files if _chooses(text)), None)
        if choosing:
            parts, known, unknown = self._by_file(choosing[0])
            named = all(file.rpartition("/")[2] in choosing[1] for file in known)
            if len(parts) > 1 and named and not unknown:
                return self._result(
                    normalize(" OR ".join(f"({one})" for one in parts)),
                    f"recognised from its licence files {_names(known)}, of which "
                    f"`{choosing[0]}` lets one choose",
                )
        parts, known, unknown = self._by_file(None)
        origins = []
        if known:
            origins.append(f"recognised from its licence file{_s(known)} {_names(known)}")
        if unknown:
            origins.append(f"{_names(unknown)}, with a text that is no well-known licence's")
        return self._result(all_of(parts), "; ".join(origins))

    def _by_file(self, choosing: Optional[str]) -> Tuple[List[str], List[str], List[str]]:
        """Expressions; files with well-known texts; files with others. Without `choosing`."""
        licenses: List[Tuple[str, ...]] = []
        refs: List[str] = []
        known, unknown = [], []
        for (file, text), (_, found) in zip(self.files, self.recognized):
            if file == choosing:
                continue
            licenses += found.licenses
            if found.licenses:
                known.append(file)
            if text.strip() and _tells(file) and (not found.licenses or found.says_more):
                refs.append(self._text(text))
                unknown.append(file)
        if any(one[0].startswith("LGPL-3.0") for one in licenses):
            # LGPL 3 is GPL 3 with more permissions: it comes with the text of both.
            licenses = [one for one in licenses if one != ("GPL-3.0-only", "GPL-3.0-or-later")]
        return [*dict.fromkeys(one[0] for one in licenses), *refs], known, unknown


def _chooses(text: str) -> bool:
    """Whether a licence file says no more than that one may choose between the others."""
    return _CHOICE in words(text) and not recognize(text).licenses


def _tells(file: str) -> bool:
    """Whether a file that was found by its name has terms: a list of authors has none."""
    return not re.match(r"(?i)(?:authors|notice|contributors|thanks)\b", file.rpartition("/")[2])


def _s(names: Sequence[str]) -> str:
    return "s" if len(names) > 1 else ""


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _node(operator: str, operands: Sequence[Tree]) -> Tree:
    return operands[0] if len(operands) == 1 else Node(operator, operands)


def _tree(expression: str, said: str) -> Tree:
    """Of a normalized expression."""
    return _converted(parse(expression), said)


def _converted(tree: object, said: str) -> Tree:
    assert isinstance(tree, tuple)
    first, second = tree
    if isinstance(second, str):
        return Leaf((f"{first} WITH {second}" if second else first,), said)
    return Node(first, [_converted(one, said) for one in second])


def _leaves(tree: Tree) -> List[Leaf]:
    if isinstance(tree, Leaf):
        return [tree]
    return [leaf for one in tree.operands for leaf in _leaves(one)]


def _is_unknown(tree: Tree) -> bool:
    return any(not leaf.candidates for leaf in _leaves(tree))


def _within(leaf: Leaf, candidates: Sequence[str]) -> List[str]:
    """Which of the candidates a statement means; none if it means something else beside them."""
    found = [one for one in leaf.candidates if one in candidates]
    return found if len(found) == len(leaf.candidates) or len(found) == 1 else []


def _same(ones: Sequence[Leaf], others: Sequence[Leaf]) -> bool:
    """Whether each of these statements can mean one of those, and the other way round."""

    def covered(these: Sequence[Leaf], those: Sequence[Leaf]) -> bool:
        return all(any(_agree(one, other) for other in those) for one in these)

    return covered(ones, others) and covered(others, ones)


def _agree(one: Leaf, other: Leaf) -> bool:
    if not one.candidates or not other.candidates:
        return bool(one.word) and one.word == other.word
    return any(candidate in other.candidates for candidate in one.candidates)
