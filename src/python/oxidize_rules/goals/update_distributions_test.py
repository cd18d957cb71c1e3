"""What the goal says and edits, without a release."""

from __future__ import annotations

from typing import Any, Dict, Optional

import pytest
from pants.engine.addresses import Address

from oxidize_rules.distribution_targets import PythonDistributionArchiveTarget
from oxidize_rules.goals.update_distributions import (
    BuildFile,
    check_options,
    describe,
    edit_files,
    edit_of,
    pins_of,
)
from oxidize_rules.util_rules.distribution import DistributionArchiveFieldSet
from oxidize_rules.util_rules.sandbox_program import OxidizeError

MUSL = "x86_64-unknown-linux-musl-noopt+static-full.tar.zst"
URL = f"https://m.example/pbs/20260901/cpython-3.13.15+20260901-{MUSL}"
NEW_URL = f"https://m.example/pbs/20261021/cpython-3.13.17+20261021-{MUSL}"
ROW: Dict[str, Any] = {
    "where": "//x:y",
    "status": "newer",
    "why": "",
    "old": {"version": "3.13.15", "release": "20260901", "size": 36737124},
    "new": {
        "url": NEW_URL,
        "sha256": "b" * 64,
        "size": 36912000,
        "version": "3.13.17",
        "release": "20261021",
    },
}


def a_target(name: str = "y", **fields: Any) -> PythonDistributionArchiveTarget:
    fields = fields or {"url": URL, "sha256": "a" * 64, "size": 36737124}
    return PythonDistributionArchiveTarget(fields, Address("x", target_name=name))


def test_lines() -> None:
    line = "//x:y: 3.13.15+20260901 -> 3.13.17+20261021, 36.7 -> 36.9 MB"
    assert describe(ROW) == line
    assert describe({**ROW, "status": "older"}) == line.replace("021,", "021 (older),")
    unknown = {**ROW, "old": {**ROW["old"], "size": None}}
    assert describe(unknown) == line.replace("36.7", "?")
    assert describe({**ROW, "status": "current", "new": None}) == (
        "//x:y: 3.13.15+20260901 is current"
    )
    assert describe({**ROW, "status": "absent", "new": None, "why": "of this"}) == (
        "//x:y: 3.13.15+20260901 stays, because of this"
    )
    assert describe({**ROW, "old": None, "new": None, "why": "of that"}) == (
        "//x:y: left out, because of that"
    )


def test_targets_without_a_download_are_none() -> None:
    assert [str(one.address) for one in pins_of([a_target(source="x.tar.zst"), a_target()])] == [
        "x:y"
    ]
    with pytest.raises(OxidizeError, match=r"found none of 1 has a `url`\. To fix, name them"):
        pins_of([a_target(source="x.tar.zst")])
    with pytest.raises(OxidizeError, match=r"expected `python_distribution_archive` targets"):
        pins_of([])


@pytest.mark.parametrize(
    ("release", "base_url", "python", "named"),
    [
        ("newest", None, None, "`--release` is `newest`"),
        ("2026-10-21", None, None, "`--release` is"),
        ("../20261021", None, None, "`--release` is"),
        ("latest", "mirror.example/pbs", None, "`--base-url` is `mirror.example/pbs`"),
        ("latest", "file:///pbs", None, "`--base-url` is"),
        ("latest", "https://m.example/pbs?token=x", None, "`--base-url` is"),
        ("latest", None, "3", "`--python` is `3`"),
        ("latest", None, "3.13.17", "`--python` is"),
    ],
)
def test_bad_options(
    release: str, base_url: Optional[str], python: Optional[str], named: str
) -> None:
    with pytest.raises(OxidizeError) as raised:
        check_options(release, base_url, python)
    assert named in str(raised.value)
    assert "To fix, " in str(raised.value)


def test_good_options() -> None:
    check_options("latest", None, None)
    check_options("20261021", "https://m.example/pbs/releases", "3.14")
    check_options("20260814T1200", "http://127.0.0.1:8080", None)


def test_edits_of_two_files() -> None:
    targets = [a_target(), a_target("computed"), a_target("x")]
    fields = [DistributionArchiveFieldSet.create(target) for target in targets]
    first = (
        f'python_distribution_archive(name="y", url="{URL}", sha256="{"a" * 64}", size=36737124)\n'
        'python_distribution_archive(name="computed", url=url(), sha256=hash(), size=1)\n'
    )
    # Named after its folder.
    second = (
        "# Of 20260901.\n"
        f'python_distribution_archive(url="{URL}", sha256="{"a" * 64}", size=36737124)\n'
    )
    files = [
        BuildFile("x/BUILD", first.encode(), (0, 1)),
        BuildFile("x/BUILD.more", second.encode(), (2,)),
    ]
    written, refused, stale = edit_files(
        files, [edit_of(one, ROW) for one in fields], [one.address for one in fields]
    )
    assert [one.path for one in written] == ["x/BUILD", "x/BUILD.more"]
    for one in written:
        text = one.content.decode()
        assert (text.count(NEW_URL), text.count("b" * 64), text.count("36912000")) == (1, 1, 1)
    assert refused == [
        "x:computed stays as it is: its `url` is computed: `url()`. To fix, change it by hand in "
        "x/BUILD, or write literals."
    ]
    assert stale == ["x/BUILD.more:1"]


def test_a_target_without_a_size_gets_none() -> None:
    fields = DistributionArchiveFieldSet.create(a_target(url=URL, sha256="a" * 64))
    assert sorted(edit_of(fields, ROW).fields) == ["sha256", "url"]


def test_a_new_base_is_one_of_the_words() -> None:
    fields = DistributionArchiveFieldSet.create(a_target())
    row = {**ROW, "new": {**ROW["new"], "url": NEW_URL.replace("m.example/pbs", "n.example")}}
    assert edit_of(fields, ROW).words == (("20260901", "20261021"), ("3.13.15", "3.13.17"))
    assert edit_of(fields, row).words[0] == ("https://m.example/pbs", "https://n.example")
