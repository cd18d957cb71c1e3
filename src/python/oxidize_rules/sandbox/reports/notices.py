"""One file with every text that has to go along with an executable, each once.

Licences ask that their text, and often a notice, goes with what contains the work. This is that
file: it says of each text which parts it belongs to, and which parts came without one.
"""

from __future__ import annotations

from oxidize_rules.sandbox.reports.report_text import NOT_KNOWN, one_line, titled

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself is not imported: it takes 5 ms
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

_LINE = "=" * 80


def notices(report: Mapping[str, Any]) -> str:
    """The file's text. The report is what `license_report.py` makes."""
    parts = [part for part in report["parts"] if part["kind"] != "first-party"]
    name = report["subject"]["name"]
    return "\n".join(_lines(name, parts, report["texts"])).rstrip("\n") + "\n"


def grouped(
    parts: Iterable[Mapping[str, Any]], texts: Mapping[str, str]
) -> dict[str, list[tuple[Mapping[str, Any], str]]]:
    """By text, which parts it belongs to and how they call it, in the parts' order.

    Texts that differ only in line ends, and in white space at the end of lines, are one.
    """
    found: dict[str, list[tuple[Mapping[str, Any], str]]] = {}
    for part in parts:
        for file_name, sha256 in texts_of(part):
            found.setdefault(normal(texts[sha256]), []).append((part, file_name))
    return found


def texts_of(part: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and hashes of a part's texts: its files, and what else tells of its licence."""
    files = [(file_name, sha256) for file_name, sha256 in part["texts"]]
    return files + [
        (reference, sha256)
        for reference, sha256 in sorted(part["extracted"].items())
        if sha256 not in {known for _, known in files}
    ]


def normal(text: str) -> str:
    """A text with ordinary line ends, and none at its end; form feeds are line ends, too."""
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")


def _lines(name: str, parts: list[Mapping[str, Any]], texts: Mapping[str, str]) -> Iterator[str]:
    yield f"Notices for {one_line(name)}"
    yield ""
    yield f"{one_line(name)} contains work of others, which these licences and notices belong to."
    yield ""
    for part in parts:
        yield f"  * {titled(part)}: {part['license'] or NOT_KNOWN}"
        for line in part["copyright"]:
            yield f"    {one_line(line)}"
    bare = [part for part in parts if not texts_of(part)]
    if bare:
        yield ""
        yield "No text came with: " + ", ".join(titled(part) for part in bare) + "."
    for text, owners in grouped(parts, texts).items():
        yield ""
        yield _LINE
        for part, file_name in owners:
            yield f"{titled(part)}: {one_line(file_name)}"
        yield _LINE
        yield ""
        yield text
