"""The treemap in a real browser: by links alone, by keys, and offline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from oxidize_rules.sandbox.analysis.analyze import analyze
from oxidize_rules.sandbox.analysis.analyze_html import page
from oxidize_rules.sandbox.analysis.testing_analyze import elf
from oxidize_rules.sandbox.testing_browser import ENTER, Browser, browser

ESCAPE, RIGHT = "\ue00c", "\ue014"
FILES = {
    "app/main.py": b"m" * 3000,
    "lib/python3.13/os.py": b"o" * 20_000,
    "lib/python3.13/json/decoder.py": b"j" * 9000,
    "lib/python3.13/json/encoder.py": b"j" * 5000,
}


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("html") / "sizes.html"
    reports = [analyze("dist/one", elf(with_image=FILES)), analyze("dist/two", elf())]
    path.write_text(page(reports), encoding="utf-8")
    return path


@pytest.fixture(scope="module", params=[True, False], ids=["scripts", "no scripts"])
def javascript(request: Any) -> bool:
    return bool(request.param)


def captions(window: Browser) -> list[str]:
    """What the views that can be seen are of."""
    return [text.rpartition(":")[0] for text in window.texts(".tm caption")]


def test_one_view_of_each_file_is_seen_and_links_lead_in_and_out(opened: Browser) -> None:
    assert captions(opened) == ["one", "two"]
    opened.click('.view.root a.box[title^="image:"]')
    assert captions(opened) == ["image", "two"]
    opened.click('#file0-1 a.box[title^="standard library:"]')
    assert captions(opened) == ["standard library", "two"]
    assert "json" in opened.texts(".view:target tbody td a")
    opened.click(".view:target .up a:last-of-type")
    assert captions(opened) == ["image", "two"]
    opened.run("history.back()")


def test_boxes_lie_within_the_map_and_are_seen(opened: Browser) -> None:
    outside = opened.run(
        """
        const map = document.querySelector(".view.root .map"), edge = map.getBoundingClientRect();
        return [...map.querySelectorAll(".box")].filter(box => {
            const place = box.getBoundingClientRect();
            return place.left < edge.left - 1 || place.right > edge.right + 1 ||
                place.top < edge.top - 1 || place.bottom > edge.bottom + 1 || place.width < 1;
        }).map(box => box.title);
        """
    )
    assert outside == []
    # The areas are as the sizes: the image is the larger part of the file.
    share = opened.run(
        """
        const box = document.querySelector('.view.root a.box[title^="image:"]');
        const map = box.parentElement;
        return box.offsetWidth * box.offsetHeight / (map.offsetWidth * map.offsetHeight);
        """
    )
    assert 0.8 < share < 1


def test_keys_go_in(opened: Browser) -> None:
    opened.run("document.querySelector('.view.root a.box').focus()")
    opened.press(ENTER)
    assert captions(opened) == ["image", "two"]


def test_it_asks_for_nothing_and_complains_of_nothing(opened: Browser, html: Path) -> None:
    opened.requests()
    opened.complaints()
    opened.open(html)
    opened.click('.view.root a.box[title^="image:"]')
    assert {url.partition("#")[0] for url in opened.requests()} == {html.resolve().as_uri()}
    assert opened.complaints() == []


def test_with_scripts_arrows_move_and_escape_goes_up(html: Path, tmp_path: Path) -> None:
    with browser(tmp_path) as window:
        window.open(html)
        window.run("document.querySelector('.view.root a.box').focus()")
        window.press(ENTER)
        first = window.run("return document.activeElement.title")
        window.press(RIGHT)
        second = window.run("return document.activeElement.title")
        assert first != second
        assert second
        window.press(ESCAPE)
        assert captions(window) == ["one", "two"]


def test_it_can_be_read_in_the_dark(opened: Browser) -> None:
    colours = "return getComputedStyle(document.querySelector('.tm .box')).color"
    opened.emulate(prefers_color_scheme="light")
    light = opened.run(colours)
    opened.emulate(prefers_color_scheme="dark")
    assert opened.run(colours) != light
