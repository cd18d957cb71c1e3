"""Columns of text for a terminal."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself is not imported: it takes 5 ms
    from collections.abc import Sequence

GAP = "  "


def columns(rows: Sequence[Sequence[str]], indent: str = "") -> list[str]:
    """Lines with the cells of each row below each other; rows may be of different lengths.

    A cell that is the last of its row widens no column, so that a long remark stands behind all.
    """
    widths: list[int] = []
    for row in rows:
        for place, cell in enumerate(row[:-1]):
            if place == len(widths):
                widths.append(0)
            widths[place] = max(widths[place], len(cell))
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths)]
        lines.append((indent + GAP.join([*cells, *row[-1:]])).rstrip())
    return lines
