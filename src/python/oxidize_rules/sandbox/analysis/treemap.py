"""A treemap of a tree of sizes, as HTML that works offline and without scripts.

Each part that has parts of its own is a view, with its boxes and a table of the same rows. Views
are reached by links (`#fragment`), so the browser's own keys work: Tab and Enter go in, the
browser's Back comes out. With scripts, arrow keys move between boxes, too, and Escape goes up.

Rectangles are laid out as "squarified treemaps" (Bruls, Huizing, van Wijk, 2000).
"""

from __future__ import annotations

from html import escape
from typing import Any, Iterator, Mapping, Sequence

from oxidize_rules.sandbox.analysis.analyze_text import bytes_text

# Width to height of the map's area.
ASPECT = 1.8
# Smaller boxes, in parts of the map's area, are in the table alone.
SMALLEST_BOX = 1 / 4000
# Boxes of this part of the area show what is in them.
SHOWS_INSIDE = 1 / 60
HUES = (212, 152, 28, 266, 340, 186, 96, 48, 302, 8, 232, 170)

STYLE = """\
.tm { --ink: #16202c; --line: #ffffff; --soft: 88%; --tint: 55%; }
.tm .map { position: relative; width: 100%; aspect-ratio: 1.8; background: var(--line); }
.tm .box { position: absolute; box-sizing: border-box; overflow: hidden; color: var(--ink);
  border: 1px solid var(--line); text-decoration: none; padding: 2px 5px; line-height: 1.25;
  font-size: .8rem; background: hsl(var(--hue) var(--tint) var(--soft)); }
.tm a.box:hover { filter: brightness(.95); }
.tm .box:focus-visible { outline: 3px solid #b00020; outline-offset: -3px; z-index: 2; }
.tm .box small { display: block; opacity: .85; }
.tm .box i { position: absolute; box-sizing: border-box; pointer-events: none; overflow: hidden;
  font-style: normal; font-size: .75rem; padding: 1px 4px; white-space: nowrap;
  border: 1px solid hsl(var(--hue) 40% 70%); }
.tm .view { display: none; }
.tm .view:target { display: block; }
.tm .view.root { display: block; }
.tm .view:target ~ .view.root { display: none; }
.tm .up { margin: .4rem 0; }
.tm td.number, .tm th.number { text-align: right; font-variant-numeric: tabular-nums; }
@media (prefers-color-scheme: dark) {
  .tm { --ink: #eef2f6; --line: #10151b; --soft: 28%; --tint: 35%; }
}
"""

SCRIPT = """\
document.addEventListener("keydown", function (event) {
  var step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  var box = document.activeElement, view = box && box.closest && box.closest(".tm .view");
  if (!view) return;
  if (event.key === "Escape") {
    var up = view.querySelector(".up a:last-of-type");
    if (up) up.click();
  } else if (step && box.classList.contains("box")) {
    var boxes = Array.prototype.slice.call(view.querySelectorAll(".box"));
    var next = boxes[boxes.indexOf(box) + step];
    if (next) next.focus();
    event.preventDefault();
  }
});
window.addEventListener("hashchange", function () {
  var view = document.getElementById(location.hash.slice(1));
  var box = view && view.querySelector(".box");
  if (box && view.classList.contains("view")) box.focus();
});
"""


class Rectangle:
    """Places and sizes in units of one's own."""

    __slots__ = ("height", "left", "top", "width")

    def __init__(self, left: float, top: float, width: float, height: float) -> None:
        self.left, self.top, self.width, self.height = left, top, width, height


def squarify(sizes: Sequence[float], area: Rectangle) -> list[Rectangle]:
    """A rectangle for each size, in the same order, which together fill the area. `sizes` are
    positive and fall."""
    total = sum(sizes)
    if total <= 0:
        return []
    scale = area.width * area.height / total
    placed: list[Rectangle] = []
    rest = Rectangle(area.left, area.top, area.width, area.height)
    row: list[float] = []
    index = 0
    while index < len(sizes):
        value = sizes[index] * scale
        side = min(rest.width, rest.height)
        if not row or _worst([*row, value], side) <= _worst(row, side):
            row.append(value)
            index += 1
        else:
            placed += _lay_row(row, rest)
            row = []
    placed += _lay_row(row, rest)
    return placed


def _worst(row: Sequence[float], side: float) -> float:
    """The worst ratio of sides in a row of areas along `side`."""
    total = sum(row)
    if side <= 0 or total <= 0:
        return float("inf")
    return max(side * side * max(row) / total**2, total**2 / (side * side * max(min(row), 1e-12)))


def _lay_row(row: Sequence[float], rest: Rectangle) -> Iterator[Rectangle]:
    """Lays a row along the shorter side, and takes it off the rest."""
    total = sum(row)
    if not row or total <= 0:
        return
    if rest.width >= rest.height:
        width, top = total / rest.height if rest.height else 0.0, rest.top
        for value in row:
            height = value / width if width else 0.0
            yield Rectangle(rest.left, top, width, height)
            top += height
        rest.left, rest.width = rest.left + width, max(0.0, rest.width - width)
    else:
        height, left = total / rest.width if rest.width else 0.0, rest.left
        for value in row:
            width = value / height if height else 0.0
            yield Rectangle(left, rest.top, width, height)
            left += width
        rest.top, rest.height = rest.top + height, max(0.0, rest.height - height)


def treemap(tree: Mapping[str, Any], prefix: str) -> str:
    """The views of a tree, as a fragment for a page with STYLE. `prefix` begins the fragments'
    names, and has to differ between the treemaps of a page."""
    views: list[str] = []
    counter = 0

    def view(node: Mapping[str, Any], above: list[tuple[str, str]], hue: int | None) -> str:
        """Writes the views of a part and of those in it; gives the fragment's name."""
        nonlocal counter
        name = f"{prefix}-{counter}" if counter else prefix
        counter += 1
        path = [*above, (name, node["name"])]
        rows = []
        for number, child in enumerate(node["children"]):
            child_hue = HUES[number % len(HUES)] if hue is None else hue
            has_view = bool(child.get("children"))
            # The first level of all has its colours; what is inside keeps them.
            link = view(child, path, child_hue) if has_view else None
            rows.append((child, link, child_hue))
        views.append(_view(name, node, tree["size"], above, rows, root=not above))
        return name

    if tree.get("children"):
        view(tree, [], None)
    return f'<div class="tm">\n{"".join(views)}</div>\n'


def _percent(value: float) -> str:
    return f"{100 * value:.3f}".rstrip("0").rstrip(".") + "%"


def _place(box: Rectangle, area: Rectangle) -> str:
    return (
        f"left:{_percent((box.left - area.left) / area.width)};"
        f"top:{_percent((box.top - area.top) / area.height)};"
        f"width:{_percent(box.width / area.width)};height:{_percent(box.height / area.height)}"
    )


def _view(
    name: str,
    node: Mapping[str, Any],
    whole: int,
    above: Sequence[tuple[str, str]],
    rows: Sequence[tuple[Mapping[str, Any], str | None, int]],
    *,
    root: bool,
) -> str:
    title = escape(node["name"])
    links = " / ".join(f'<a href="#{one}">{escape(text)}</a>' for one, text in above)
    up = f'<p class="up">{links} / <b>{title}</b></p>\n' if above else ""
    area = Rectangle(0, 0, ASPECT, 1)
    shown = [row for row in rows if row[0]["size"] > 0]
    boxes = []
    for (child, link, hue), box in zip(shown, squarify([one[0]["size"] for one in shown], area)):
        if box.width * box.height < SMALLEST_BOX * ASPECT:
            continue
        label = f"{child['name']}: {bytes_text(child['size'])}, {_share(child['size'], whole)}"
        inside = _inside(child, box) if box.width * box.height > SHOWS_INSIDE * ASPECT else ""
        style = f"{_place(box, area)};--hue:{hue}"
        attributes = f'class="box" style="{style}" title="{escape(label)}"'
        content = f"{inside}{escape(child['name'])}<small>{bytes_text(child['size'])}</small>"
        boxes.append(
            f'<a {attributes} href="#{link}">{content}</a>'
            if link
            else f'<div {attributes} tabindex="0" role="img" aria-label="{escape(label)}">'
            f"{content}</div>"
        )
    table = "".join(
        f"<tr><td>{_linked(child['name'], link)}</td>"
        f'<td class="number">{bytes_text(child["size"])}</td>'
        f'<td class="number">{_share(child["size"], whole)}</td></tr>\n'
        for child, link, _ in rows
    )
    return (
        f'<section class="view{" root" if root else ""}" id="{name}" aria-label="{title}">\n{up}'
        f'<div class="map">\n{chr(10).join(boxes)}\n</div>\n'
        f"<table><caption>{title}: {bytes_text(node['size'])}</caption>\n"
        '<thead><tr><th>part</th><th class="number">size</th>'
        f'<th class="number">of the file</th></tr></thead>\n<tbody>\n{table}</tbody></table>\n'
        "</section>\n"
    )


def _linked(text: str, link: str | None) -> str:
    return f'<a href="#{link}">{escape(text)}</a>' if link else escape(text)


def _share(size: int, whole: int) -> str:
    return f"{100 * size / max(whole, 1):.1f} %"


def _inside(child: Mapping[str, Any], box: Rectangle) -> str:
    """The outlines of what is in a box, below its name."""
    children = [one for one in child.get("children", ()) if one["size"] > 0]
    if not children:
        return ""
    area = Rectangle(0, 0, box.width, box.height)
    head = min(0.08, box.height / 3)
    inner = Rectangle(0, head, box.width, box.height - head)
    parts = squarify([one["size"] for one in children], inner)
    return "".join(
        f'<i style="{_place(part, area)}">{_inner_name(one["name"], part)}</i>'
        for one, part in zip(children, parts)
        if part.width * part.height > SMALLEST_BOX * ASPECT
    )


def _inner_name(name: str, box: Rectangle) -> str:
    """The name, where there is room for some of it."""
    return escape(name) if box.width > 0.12 and box.height > 0.05 else ""
