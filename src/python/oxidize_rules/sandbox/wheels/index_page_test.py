from __future__ import annotations

import pytest

from oxidize_rules.sandbox.wheels.index_page import ProjectFile, parse_html, parse_json

SHA = "ab" * 32
URL = "https://index.example/simple/a/"


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (
            f'<a href="../../f/a-1-py3-none-any.whl#sha256={SHA}">x</a>',
            ProjectFile(
                "a-1-py3-none-any.whl", "https://index.example/f/a-1-py3-none-any.whl", SHA
            ),
        ),
        (
            "<A class=x HREF='https://files.example/a-1.tar.gz?sig=1#sha256="
            + SHA.upper()
            + "' data-requires-python='&gt;=3.9' data-yanked>x</A>",
            ProjectFile(
                "a-1.tar.gz", "https://files.example/a-1.tar.gz?sig=1", SHA, ">=3.9", yanked=True
            ),
        ),
        (
            '<a data-requires-python=">=3.9"\n href=a%2B1.zip#md5=0>',
            ProjectFile("a+1.zip", f"{URL}a%2B1.zip", None, ">=3.9"),
        ),
        (
            '<base href="https://b.example/"><a href="a-1.zip">',
            ProjectFile("a-1.zip", "https://b.example/a-1.zip"),
        ),
        ('<a href="#top">top</a><a name="x"><a href="a.exe">', None),
        ('<!-- <a href="a-1.zip"> -->', None),
    ],
)
def test_html_pages(page: str, expected: ProjectFile) -> None:
    assert parse_html(f"<html>{page}</html>", URL) == ([expected] if expected else [])


def test_json_pages() -> None:
    page = (
        '{"meta": {"api-version": "1.1"}, "files": ['
        f'{{"filename": "a-1.zip", "url": "/f/a-1.zip", "hashes": {{"sha256": "{SHA}"}},'
        ' "requires-python": ">=3.9", "yanked": "broken"},'
        '{"filename": "a-2.zip", "url": "https://f.example/a-2.zip", "hashes": {},'
        ' "requires-python": null, "yanked": false},'
        '{"filename": "a-2.exe", "url": "https://f.example/a-2.exe", "hashes": {}}]}'
    )
    assert parse_json(page, URL) == [
        ProjectFile("a-1.zip", "https://index.example/f/a-1.zip", SHA, ">=3.9", True),
        ProjectFile("a-2.zip", "https://f.example/a-2.zip"),
    ]
