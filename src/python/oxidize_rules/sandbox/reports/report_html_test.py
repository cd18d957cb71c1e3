"""The page in a real browser: what people see, and that it asks for nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from oxidize_rules.sandbox.reports.license_report import report
from oxidize_rules.sandbox.reports.report_html import page
from oxidize_rules.sandbox.reports.testing_inventory import inventory, texts
from oxidize_rules.sandbox.testing_browser import ENTER, SPACE, TAB, Browser, browser

POLICY = {
    "binary": "app:bin",
    "allow": [],
    "deny": ["AGPL-*"],
    "overrides": {},
    "fail_on_unknown": False,
    "first_party_license": None,
}
ROWS = "#parts tbody tr"


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("html") / "licenses.html"
    path.write_text(page(report(inventory(), texts(), POLICY)), encoding="utf-8")
    return path


def names(window: Browser) -> list[str]:
    """The parts that can be seen, in order."""
    return [text.split("\n")[0] for text in window.texts(f"{ROWS} th")]


def choose(window: Browser, field: str, value: str) -> None:
    window.run(
        "const field = document.getElementById(arguments[0]); field.value = arguments[1];"
        "field.dispatchEvent(new Event('input'))",
        field,
        value,
    )


def test_all_parts_are_there(opened: Browser) -> None:
    assert len(names(opened)) == 11
    assert names(opened)[0] == "cpython 3.13.17"
    assert opened.texts("#count") == ["11 of 11 parts"]
    assert opened.texts("h1") == ["Licences of bin"]
    assert opened.texts(".copyleft") == ["copyleft"]
    # What others wrote is text.
    assert names(opened)[-2] == 'silent<script>"x" 1.0+local'


def test_asks_for_nothing_and_complains_of_nothing(window: Browser, html: Path) -> None:
    window.requests()
    window.complaints()
    window.open(html)
    assert window.requests() == [html.as_uri()]
    assert window.complaints() == []
    assert window.run("return document.querySelectorAll('script, link, img, iframe').length") == 1


def test_its_policy_forbids_other_scripts(opened: Browser) -> None:
    opened.complaints()
    opened.run(
        "const script = document.createElement('script');"
        "script.textContent = 'document.title = \"taken\"'; document.body.append(script)"
    )
    assert opened.run("return document.title") == "Licences of bin"
    assert any("Content Security Policy" in one for one in opened.complaints())


def test_search(opened: Browser) -> None:
    opened.type("#search", "OPENSSL")
    assert names(opened) == ["openssl 3.5.7"]
    assert opened.texts("#count") == ["1 of 11 parts"]
    opened.click("#clear")
    assert len(names(opened)) == 11
    # All words, also of who brings it.
    opened.type("#search", "libreadline extension")
    assert names(opened) == ["readline 8.2"]
    opened.click("#clear")
    opened.type("#search", "nothing has this")
    assert names(opened) == []
    assert opened.texts("#count") == ["0 of 11 parts"]


def test_filters(opened: Browser) -> None:
    choose(opened, "license", "Apache-2.0")
    assert names(opened) == ["hacl-star", "openssl 3.5.7"]
    choose(opened, "kind", "library")
    assert names(opened) == ["openssl 3.5.7"]
    opened.click("#clear")
    choose(opened, "license", "not known")
    assert names(opened) == ['silent<script>"x" 1.0+local']
    choose(opened, "license", "GPL-3.0-or-later WITH GCC-exception-3.1")
    assert names(opened) == ["libgfortran"]


def test_sorting(opened: Browser) -> None:
    opened.click("thead th:nth-child(1) button")
    by_name = names(opened)
    assert by_name == sorted(by_name, key=str.lower)
    opened.click("thead th:nth-child(5) button")
    opened.click("thead th:nth-child(5) button")
    assert names(opened)[:2] == ["numeric 2.5.5", "cpython 3.13.17"]
    assert opened.run("return [...document.querySelectorAll('thead th')].map(e => e.ariaSort)") == [
        None,
        None,
        None,
        None,
        "descending",
    ]


def test_texts_unfold(opened: Browser) -> None:
    assert opened.texts("pre") == []
    opened.click(".texts details:nth-child(2) summary")
    (shown,) = opened.texts("pre")
    assert "Apache License" in shown
    # By the link of a part, too.
    opened.run("document.querySelector('a[href^=\"#text\"]').scrollIntoView()")
    opened.click(f"{ROWS}:nth-child(1) a[href^='#text']")
    assert any("PYTHON SOFTWARE FOUNDATION" in text for text in opened.texts("pre"))


def test_works_with_a_keyboard(opened: Browser) -> None:
    opened.run("document.getElementById('search').focus()")
    for key in "numeric 2.5":
        opened.press(key)
    assert names(opened) == ["numeric 2.5.5"]
    for _ in range(3):
        opened.press(TAB)
    assert opened.run("return document.activeElement.id") == "clear"
    opened.press(SPACE)
    assert len(names(opened)) == 11
    assert opened.run("return document.activeElement.id") == "search"
    opened.run("document.querySelector('.texts summary').focus()")
    opened.press(ENTER)
    assert len(opened.texts("pre")) == 1


def test_without_javascript(tmp_path: Path, html: Path) -> None:
    with browser(tmp_path, javascript=False) as window:
        window.open(html)
        assert len(names(window)) == 11
        assert window.texts("#controls") == []
        assert window.texts("pre") == []
        window.click(".texts details:nth-child(1) summary")
        assert len(window.texts("pre")) == 1
        window.click(f"{ROWS}:nth-child(1) summary")
        assert "Python Software Foundation" in "".join(window.texts("dd"))
        window.click(f"{ROWS}:nth-child(3) a[href^='#text']")
        assert any("Apache License" in text for text in window.texts("pre"))


def test_dark_narrow_and_on_paper(opened: Browser, tmp_path: Path) -> None:
    color = "return getComputedStyle(document.body).backgroundColor"
    opened.emulate(prefers_color_scheme="light")
    assert opened.run(color) == "rgb(255, 255, 255)"
    opened.emulate(prefers_color_scheme="dark")
    assert opened.run(color) == "rgb(23, 24, 26)"
    opened.emulate(media="print", prefers_color_scheme="dark")
    assert opened.run(color) == "rgb(255, 255, 255)"
    assert opened.texts("#controls") == []
    assert len(opened.texts("pre")) == 7
    opened.emulate(media="", prefers_color_scheme="light")
    opened.screenshot(tmp_path / "narrow.png", 360, 640)
    width = "return document.documentElement.scrollWidth"
    assert opened.run(width) <= 360
    opened.screenshot(tmp_path / "wide.png", 1280, 800)
    assert opened.run(width) <= 1280
