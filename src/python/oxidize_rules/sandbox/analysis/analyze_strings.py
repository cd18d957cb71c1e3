"""Strings in a file that should not be shipped: secrets, and paths of the machine that built it.

Of a secret only its first characters are ever told. Each kind is told with a count and a few
examples; `where` names the section, or the file of an image that it stands in.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Iterable

from oxidize_rules.sandbox.analysis.analyze_file import Bytes, clean
from oxidize_rules.sandbox.analysis.secret_patterns import AROUND, PATHS, PLACEHOLDERS, SECRETS

EXAMPLES = 5
# Places of a literal that are looked at: `://` is in every program thousands of times.
LITERALS_LIMIT = 100_000
MATCHES_LIMIT = 10_000
PATHS_LIMIT = 50_000
SHOWN_OF_A_SECRET = 6

_SECRETS = tuple(
    (what, literal, re.compile(pattern, re.DOTALL)) for what, literal, pattern, _ in SECRETS
)
_PATHS = tuple((what, literal, re.compile(pattern)) for what, literal, pattern in PATHS)


class Strings:
    """Collects from one text after the other: `add` for each, `as_json` at the end."""

    def __init__(self) -> None:
        self.secrets: dict[str, list[dict[str, Any]]] = {}
        self.paths: dict[tuple[str, str], list[str]] = {}
        self.counts: dict[str, int] = {}

    def add(self, data: Bytes, where: Callable[[int], str]) -> None:
        """`where` names the place of an offset of `data`, for a person."""
        for what, literal, pattern in _SECRETS:
            for at, text in _matches(data, literal, pattern):
                if PLACEHOLDERS.search(text, len(literal)):
                    continue
                found = self.secrets.setdefault(what, [])
                self.counts[what] = self.counts.get(what, 0) + 1
                if len(found) < EXAMPLES:
                    found.append({"where": where(at), "begins": hidden(text)})
        for what, literal, pattern in _PATHS:
            for at, text in _matches(data, literal, pattern):
                self.counts[what] = self.counts.get(what, 0) + 1
                if len(self.paths) >= PATHS_LIMIT:
                    continue
                places = self.paths.setdefault((what, clean(text)), [])
                if len(places) < 2:
                    places.append(where(at))

    def as_json(self) -> dict[str, Any]:
        paths: dict[str, Any] = {}
        for (what, path), places in sorted(self.paths.items()):
            entry = paths.setdefault(what, {"count": self.counts[what], "examples": []})
            if len(entry["examples"]) < EXAMPLES:
                entry["examples"].append({"path": path, "where": sorted(set(places))})
        return {
            "secrets": {
                what: {"count": self.counts[what], "examples": found}
                for what, found in sorted(self.secrets.items())
            },
            "paths": paths,
        }


def hidden(secret: bytes) -> str:
    """Enough of a secret to find it by."""
    text = secret.decode("latin-1")
    if "://" in text:  # the password of a URL is told by its place
        return clean(text.partition("://")[0]) + "://..."
    if text.startswith("-----BEGIN"):
        return clean(text[: text.find("-----", 10) + 5]) + "..."
    return clean(text[:SHOWN_OF_A_SECRET]) + "..."


def _matches(data: Bytes, literal: bytes, pattern: Any) -> Iterable[tuple[int, bytes]]:
    """Matches of the pattern, which begin with the literal, none within another, in order."""
    at, looked, matched = data.find(literal), 0, 0
    while at >= 0 and looked < LITERALS_LIMIT and matched < MATCHES_LIMIT:
        looked += 1
        following = at + 1
        match = pattern.match(data, at, min(len(data), at + AROUND))
        if match:
            yield at, bytes(match.group())
            matched += 1
            following = match.end()
        at = data.find(literal, following)
