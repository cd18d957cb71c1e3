from __future__ import annotations

import random
import re
from html.parser import HTMLParser

import pytest

from oxidize_rules.sandbox.analysis.treemap import Rectangle, squarify, treemap

TREE = {
    "name": "bin",
    "size": 1000,
    "children": [
        {
            "name": "image",
            "size": 700,
            "children": [
                {"name": "numpy", "size": 500, "children": [{"name": "core", "size": 500}]},
                {"name": "<script>alert(1)</script>", "size": 200},
            ],
        },
        {"name": "code", "size": 300},
        {"name": "nothing", "size": 0},
    ],
}


@pytest.mark.parametrize("seed", range(20))
def test_rectangles_fill_the_area_without_overlap(seed: int) -> None:
    choose = random.Random(seed)
    sizes = sorted(choose.random() ** 3 + 1e-4 for _ in range(choose.randrange(1, 60)))[::-1]
    area = Rectangle(1, 2, choose.uniform(0.5, 3), 1)
    boxes = squarify(sizes, area)
    scale = area.width * area.height / sum(sizes)
    for size, box in zip(sizes, boxes):
        assert box.width * box.height == pytest.approx(size * scale)
        assert box.left >= area.left - 1e-9
        assert box.top >= area.top - 1e-9
        assert box.left + box.width <= area.left + area.width + 1e-9
        assert box.top + box.height <= area.top + area.height + 1e-9
    for number, one in enumerate(boxes):
        for other in boxes[:number]:
            wide = min(one.left + one.width, other.left + other.width) - max(one.left, other.left)
            high = min(one.top + one.height, other.top + other.height) - max(one.top, other.top)
            assert wide < 1e-9 or high < 1e-9


def test_boxes_of_one_size_are_no_slivers() -> None:
    for box in squarify([1.0] * 12, Rectangle(0, 0, 1.8, 1)):
        assert 0.5 < box.width / box.height < 2


class Page(HTMLParser):
    """Fragments that there are, and those that links lead to; that every tag is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        self.open.append(tag)
        if values.get("id"):
            self.ids.append(str(values["id"]))
        if str(values.get("href", "")).startswith("#"):
            self.links.append(str(values["href"])[1:])

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_each_part_with_parts_is_a_view_that_a_link_leads_to() -> None:
    text = treemap(TREE, "a")
    page = Page(text)
    assert page.open == []
    assert sorted(page.ids) == ["a", "a-1", "a-2"]
    assert set(page.links) == set(page.ids)
    # The root comes last: it is shown unless another one is.
    assert page.ids[-1] == "a"
    assert "http" not in text


def test_names_are_escaped_and_boxes_can_be_reached_by_keys() -> None:
    text = treemap(TREE, "a")
    assert "<script>alert" not in text
    boxes = re.findall(r"<(\w+) class=\"box\"([^>]*)>", text)
    assert boxes
    assert all(tag == "a" or 'tabindex="0"' in rest for tag, rest in boxes)


def test_every_part_is_in_a_table() -> None:
    text = treemap(TREE, "a")
    assert "<td>nothing</td>" in text
    assert '<td class="number">30.0 %</td>' in text


def test_a_file_without_parts() -> None:
    assert Page(treemap({"name": "x", "size": 0, "children": []}, "a")).open == []
