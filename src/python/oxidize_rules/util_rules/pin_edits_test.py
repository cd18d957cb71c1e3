"""BUILD files before and after: only the pins' own text changes, or nothing does."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, Optional, Tuple

import pytest

from oxidize_rules.util_rules.pin_edits import Edited, PinEdit, Value, edit_pins

OLD, NEW = "a" * 64, "b" * 64
BASE = "https://example.org/releases/download"
OLD_URL = f"{BASE}/20260901/cpython-3.13.15%2B20260901-x86_64-unknown-linux-musl-full.tar.zst"
NEW_URL = f"{BASE}/20261021/cpython-3.13.17%2B20261021-x86_64-unknown-linux-musl-full.tar.zst"
WORDS = (("20260901", "20261021"), ("3.13.15", "3.13.17"))
SIZES = (36737124, 36812000)


def an_edit(
    name: Optional[str] = "musl", size: bool = True, url: Tuple[str, str] = (OLD_URL, NEW_URL)
) -> PinEdit:
    fields: Dict[str, Tuple[Value, Value]] = {"url": url, "sha256": (OLD, NEW)}
    if size:
        fields["size"] = SIZES
    return PinEdit((name,), fields, WORDS)


def edit(text: str, *edits: PinEdit) -> Edited:
    return edit_pins(text.encode(), edits or [an_edit()])


WHOLE = f'''\
# -*- mode: python -*-
python_sources( )   # kept   as it is

python_distribution_archive(
    name = "musl",
    url="{OLD_URL}",  # where it is
    sha256='{OLD}',
    size=36_737_124,
    tags=["a"],
)
python_distribution_archive(name="other", url="{OLD_URL}", sha256="{OLD}", size=36737124)
'''


def test_only_the_values_change_and_only_those_of_the_target() -> None:
    edited = edit(WHOLE)
    head, tail = WHOLE.split("python_distribution_archive(name=")
    head = head.replace(OLD_URL, NEW_URL).replace(OLD, NEW).replace("36_737_124", "36_812_000")
    assert edited == Edited((head + "python_distribution_archive(name=" + tail).encode(), {}, ())


def test_two_targets_of_a_file() -> None:
    edited = edit(WHOLE, an_edit(), an_edit("other"))
    text = edited.content.decode()
    assert (text.count(NEW_URL), text.count(NEW), text.count("36812000")) == (2, 2, 1)
    assert OLD not in text
    assert OLD_URL not in text


def test_line_ends_and_a_byte_order_mark_stay() -> None:
    content = b"\xef\xbb\xbf" + WHOLE.replace("\n", "\r\n").encode()
    edited = edit_pins(content, [an_edit()])
    assert edited.refused == {}
    assert edited.content.count(b"\r\n") == content.count(b"\r\n")
    assert edited.content.startswith(b"\xef\xbb\xbf# -*-")
    assert NEW.encode() in edited.content


def test_text_before_it_that_is_not_ascii() -> None:
    text = f'python_distribution_archive(description="Füße ☃", url="{OLD_URL}", name="musl", '
    edited = edit(f'{text}sha256="{OLD}")\n', an_edit(size=False))
    assert edited.content.decode() == (
        f'python_distribution_archive(description="Füße ☃", url="{NEW_URL}", name="musl", '
        f'sha256="{NEW}")\n'
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            'R = "https://example.org/releases/download"\n{}f"{{R}}/20260901/cpython-3.13.15%2B'
            '20260901-x86_64-unknown-linux-musl-full.tar.zst"',
            'R = "https://example.org/releases/download"\n{}f"{{R}}/20261021/cpython-3.13.17%2B'
            '20261021-x86_64-unknown-linux-musl-full.tar.zst"',
            id="formatted",
        ),
        pytest.param(
            '{}(\n  "https://example.org/releases/download/20260901/"  # 20260901\n'
            '  "cpython-3.13.15%2B20260901-x86_64-unknown-linux-musl-full.tar.zst"\n )',
            '{}(\n  "https://example.org/releases/download/20261021/"  # 20261021\n'
            '  "cpython-3.13.17%2B20261021-x86_64-unknown-linux-musl-full.tar.zst"\n )',
            id="joined",
        ),
        pytest.param(
            'R = "https://example.org/releases"\nD = f"{{R}}/download/"\n{}D + "20260901/cpython-'
            '3.13.15%2B20260901-x86_64-unknown-linux-musl-full.tar.zst"',
            'R = "https://example.org/releases"\nD = f"{{R}}/download/"\n{}D + "20261021/cpython-'
            '3.13.17%2B20261021-x86_64-unknown-linux-musl-full.tar.zst"',
            id="added",
        ),
    ],
)
def test_urls_in_parts(before: str, after: str) -> None:
    """A constant for the base is what this repository's own BUILD file has."""

    def whole(url: str, sha256: str) -> str:
        lines, _, expression = url.format("|").rpartition("|")
        call = f'python_distribution_archive(name="musl", url={expression}, sha256="{sha256}")\n'
        return lines + call

    edited = edit(whole(before, OLD), an_edit(size=False))
    assert (edited.content.decode(), edited.refused) == (whole(after, NEW), {})


CALL = 'python_distribution_archive(name="musl", url={url}, sha256={sha256}, size={size})\n'


def a_call(**values: str) -> str:
    return CALL.format(
        **{"url": f'"{OLD_URL}"', "sha256": f'"{OLD}"', "size": "36737124", **values}
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f'URL = "{OLD_URL}"\n' + a_call(url="URL"), "its `url` is computed of other"),
        (f'H = "{OLD}"\n' + a_call(sha256="H"), "its `sha256` is computed of other values: `H`"),
        (a_call(size="36737123 + 1"), "its `size` is computed: `36737123 + 1`"),
        (a_call(size="-(-36737124)"), "its `size` is computed"),
        (a_call(url='"".join(["a", "b"])'), 'its `url` is computed: `"".join(["a", "b"])`'),
        (a_call(url='parametrize(a="x", b="y")'), "its `url` is computed: `parametrize("),
        (
            'TAG = "20260901"\n' + a_call(url=f'f"{OLD_URL.replace("20260901", "{TAG}")}"'),
            "its `url` is computed of other values",
        ),
        (
            'for R in ["https://example.org/releases/download"]:\n    '
            + a_call(url=f'f"{OLD_URL.replace(BASE, "{R}")}"'),
            "its `url` is computed: ",
        ),
        (
            'for n in ["musl"]:\n    ' + a_call().replace('"musl"', "n"),
            "there is no `python_distribution_archive(name='musl')` in the file (a macro or a loop",
        ),
        (a_call().replace('name="musl"', '**{"name": "musl"}'), "there is no"),
        ("pinned_python('musl')\n", "there is no"),
        (a_call() + a_call(), "stands 2 times"),
        (a_call().replace(", size=36737124", ""), "its `size` does not stand in its call"),
    ],
)
def test_what_is_computed_is_refused_and_left(text: str, why: str) -> None:
    edited = edit(text)
    assert edited.content == text.encode()
    assert why in edited.refused[0]


def test_one_refusal_does_not_keep_the_others() -> None:
    text = a_call(size="1 + 1") + a_call().replace('"musl"', '"gnu"')
    edited = edit(text, an_edit(), an_edit("gnu"))
    assert list(edited.refused) == [0]
    first, second = edited.content.decode().splitlines()
    assert f"{first}\n" == a_call(size="1 + 1")
    assert (
        second
        == a_call()
        .replace('"musl"', '"gnu"')
        .replace(OLD_URL, NEW_URL)
        .replace(OLD, NEW)
        .replace("36737124", "36812000")
        .strip()
    )


def test_a_target_without_a_name() -> None:
    text = a_call().replace('name="musl", ', "")
    edit_of_default = PinEdit(("musl", None), an_edit().fields, WORDS)
    assert NEW.encode() in edit(text, edit_of_default).content
    assert edit(text).refused


def test_versions_in_words_and_in_comments() -> None:
    """`description` follows; comments are only pointed at, and other numbers are no versions."""
    text = "# Hash of 3.13.15: a lock file.\n# 3.13.150 and 1.3.13.15 and 202609011\n" + a_call(
        size='36737124, description="Python 3.13.15 of 20260901"'
    )
    edited = edit(text)
    assert 'description="Python 3.13.17 of 20261021"' in edited.content.decode()
    assert edited.stale == (1,)


def test_another_base_goes_into_the_literal() -> None:
    mirror = NEW_URL.replace(BASE, "https://mirror/pbs")
    url = f'"{BASE}/20260901/"\n"cpython-3.13.15%2B20260901-{OLD_URL.split("20260901-")[1]}"'
    made = PinEdit(
        ("musl",), an_edit(url=(OLD_URL, mirror)).fields, ((BASE, "https://mirror/pbs"), *WORDS)
    )
    assert '"https://mirror/pbs/20261021/"\n"cpython-3.13.17' in (
        edit(a_call(url=url), made).content.decode()
    )


def test_the_releases_of_this_repository_can_be_edited() -> None:
    """Every call in toolchains/releases/BUILD, found by its own text."""
    root = Path(__file__).resolve().parents[4]
    content = (root / "toolchains/releases/BUILD").read_bytes()
    text = content.decode()
    releases = "https://github.com/astral-sh/python-build-standalone/releases/download"
    edits = []
    for call in text.split("python_distribution_archive(")[1:]:
        name, path = (
            call.split('name="')[1].split('"')[0],
            call.split("{RELEASES}/")[1].split('"')[0],
        )
        sha256 = call.split('sha256="')[1].split('"')[0]
        release, version = path.split("/")[0], path.split("cpython-")[1].split("%2B")[0]
        new = path.replace(release, "20270101").replace(version, "3.99.1")
        edits.append(
            PinEdit(
                (name,),
                {"url": (f"{releases}/{path}", f"{releases}/{new}"), "sha256": (sha256, NEW)},
                ((release, "20270101"), (version, "3.99.1")),
            )
        )
    assert len(edits) > 5
    edited = edit_pins(content, edits)
    assert edited.refused == {}
    assert edited.content.count(b"cpython-3.99.1%2B20270101-") == len(edits)
    assert edited.content.count(NEW.encode()) == len(edits)
    # Line by line the same but for these.
    changed = [
        (old, new)
        for old, new in zip(content.splitlines(), edited.content.splitlines())
        if old != new
    ]
    assert len(changed) == 2 * len(edits)
    assert len(content.splitlines()) == len(edited.content.splitlines())
    assert edited.stale
