"""A licence report as plain text, and how the reports that people read spell things.

The report is what `license_report.py` makes; `docs/licensing.md` describes it.
"""

from __future__ import annotations

import textwrap

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself is not imported: it takes 5 ms
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

_WIDTH = 100
NOT_KNOWN = "not known"


def text(report: Mapping[str, Any]) -> str:
    """The whole report: what it is about, which licences there are, then part by part."""
    return "\n".join(_lines(report)) + "\n"


def titled(part: Mapping[str, Any]) -> str:
    """`openssl 3.5.7`; the name alone where no version is known."""
    return one_line(f"{part['name']} {part['version'] or ''}")


def one_line(words: str) -> str:
    """Without line ends and other white space that a table cannot take."""
    return " ".join(words.split())


def size(count: int | None) -> str:
    """A number of bytes for people, in powers of 1000; "" for None."""
    if count is None:
        return ""
    if count < 1000:
        return f"{count} B"
    value, unit = count / 1000, "kB"
    if value >= 1000:
        value, unit = value / 1000, "MB"
    return f"{value:.0f} {unit}" if value >= 100 else f"{value:.1f} {unit}"


def by_license(parts: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """The parts by their whole expressions, in alphabetical order; what is not known comes last."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for part in parts:
        found.setdefault(part["license"] or "", []).append(part)
    ordered = sorted(found, key=lambda expression: (not expression, expression.lower()))
    return {expression or NOT_KNOWN: found[expression] for expression in ordered}


def policy_in_words(policy: Mapping[str, Any]) -> str:
    """What the policy asks for, on one line; "" where there is none."""
    told = [
        f"{word} {', '.join(policy[key])}"
        for key, word in (("allow", "allowed:"), ("deny", "denied:"))
        if policy[key]
    ]
    if policy["fail_on_unknown"]:
        told.append("every licence has to be known")
    return "; ".join(told)


def _lines(report: Mapping[str, Any]) -> Iterator[str]:
    subject, parts = report["subject"], report["parts"]
    yield from _heading(f"Licences of {subject['name']}", "=")
    python = f"{subject['target_triple']}, Python {subject['python_version']}"
    yield from _field("target", subject["address"])
    yield from _field("for", python)
    yield from _field("parts", str(len(parts)))
    yield from _field("licence", report["license"] or "of some parts it is not known")
    yield from _field("policy", policy_in_words(report["policy"]) or "none")
    yield from _heading("By licence", "-")
    for expression, which in by_license(parts).items():
        yield from textwrap.wrap(expression, _WIDTH)
        yield from _indented(", ".join(titled(part) for part in which), 2)
    yield from _heading("Part by part", "-")
    for part in parts:
        yield f"{titled(part)} ({part['kind']})"
        yield from _part(part)
        yield ""


def _part(part: Mapping[str, Any]) -> Iterator[str]:
    yield from _field("licence", part["license"] or NOT_KNOWN)
    if part["copyleft"]:
        yield from _field("", "copyleft")
    yield from _field("told by", part["license_from"])
    for override in part["overrides"]:
        yield from _field("accepted", override["reason"])
    yield from _field("copyright", "; ".join(part["copyright"]))
    yield from _field("supplier", part["supplier"])
    yield from _field("homepage", part["homepage"])
    yield from _field("package", part["purl"])
    yield from _field("sha256", part["hashes"].get("sha256"))
    yield from _field("in by", " > ".join(part["why"]))
    yield from _field("size", size(part["size"]))
    yield from _field("texts", ", ".join(name for name, _ in part["texts"]))
    yield from _field("without it", part["drop"])


def _heading(words: str, line: str) -> Iterator[str]:
    if line == "-":
        yield ""
    yield words
    yield line * len(words)
    yield ""


def _field(name: str, value: str | None) -> Iterator[str]:
    if value:
        first, *rest = [*_indented(one_line(value), 14)] or [""]
        yield f"  {name:<12}{first.strip()}"
        yield from rest


def _indented(words: str, columns: int) -> list[str]:
    margin = " " * columns
    return textwrap.wrap(
        words, _WIDTH, initial_indent=margin, subsequent_indent=margin, break_on_hyphens=False
    )
