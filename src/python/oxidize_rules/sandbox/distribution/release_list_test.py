"""Names of release archives, lists of checksums, and which archive follows on a pin."""

from __future__ import annotations

from typing import Optional

import pytest

from oxidize_rules.sandbox.distribution.release_list import (
    Archive,
    BadList,
    choose,
    list_url,
    parse_list,
    parse_name,
    parse_url,
)
from oxidize_rules.sandbox.distribution.testing_releases import list_of, release_names, sha256_of

MUSL = "x86_64-unknown-linux-musl"
NAMES = release_names("20261021", ("3.12.15", "3.13.9", "3.13.17", "3.15.0rc2"))
LIST = list_of(NAMES)


def archive(version: str, rest: str = f"{MUSL}-noopt+static-full.tar.zst") -> Archive:
    found = parse_name(f"cpython-{version}+20260901-{rest}")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("rest", "triple", "flavour"),
    [
        (f"{MUSL}-noopt+static-full.tar.zst", MUSL, "noopt+static-full"),
        (f"{MUSL}-install_only.tar.gz", MUSL, "install_only.tar.gz"),
        (f"{MUSL}-install_only_stripped.tar.gz", MUSL, "install_only_stripped.tar.gz"),
        (f"x86_64_v3-{MUSL[7:]}-lto-full.tar.zst", f"x86_64_v3-{MUSL[7:]}", "lto-full"),
        (
            "aarch64-unknown-linux-gnu-freethreaded+pgo+lto-full.tar.zst",
            "aarch64-unknown-linux-gnu",
            "freethreaded+pgo+lto-full",
        ),
    ],
)
def test_names(rest: str, triple: str, flavour: str) -> None:
    found = archive("3.14.0a3", rest)
    assert (found.triple, found.flavour, found.series) == (triple, flavour, "3.14")
    assert (found.version, found.release) == ("3.14.0a3", "20260901")


@pytest.mark.parametrize(
    "name",
    [
        "SHA256SUMS",
        "cpython-3.13.15-x86_64-unknown-linux-musl-full.tar.zst",
        "cpython-3.13+20260901-x86_64-unknown-linux-musl-full.tar.zst",
        "cpython-3.13.15+20260901-aarch64-apple-darwin-pgo+lto-full.tar.zst",
        f"cpython-3.13.15+20260901-{MUSL}-noopt+static-full.tar.zst.sha256",
        f"cpython-3.13.15+20260901-{MUSL}-noopt/../static-full.tar.zst",
        f"cpython-3.13.15+20260901-{MUSL}-noopt+static-full.tar.zst\n",
    ],
)
def test_other_names(name: str) -> None:
    assert parse_name(name) is None


def test_urls() -> None:
    name = f"cpython-3.13.15+20260901-{MUSL}-noopt+static-full.tar.zst"
    newer = Archive("a+b", "3.13.17", "20261021", MUSL, "noopt+static-full")
    plain = parse_url(f"https://m.example/pbs/20260901/{name}")
    escaped = parse_url(f"https://m.example/pbs/20260901/{name.replace('+', '%2B')}")
    assert plain is not None
    assert escaped is not None
    assert plain.base == escaped.base == "https://m.example/pbs"
    assert plain.archive == escaped.archive
    assert plain.url_of(newer) == "https://m.example/pbs/20261021/a+b"
    assert escaped.url_of(newer, "http://x") == "http://x/20261021/a%2Bb"
    for other in (
        f"https://m.example/{name}",
        f"https://m.example/latest/{name}",
        f"https://m.example/20260901/{name}?token=1",
        "https://m.example/20260901/python.tar.zst",
        f"file:///pbs/20260901/{name}",
    ):
        assert parse_url(other) is None, other


def test_where_lists_are() -> None:
    github = "https://github.com/astral-sh/python-build-standalone/releases"
    assert list_url(f"{github}/download", "latest") == f"{github}/latest/download/SHA256SUMS"
    assert list_url(f"{github}/download", "20260901") == f"{github}/download/20260901/SHA256SUMS"
    assert list_url("https://m/x", "latest") == "https://m/x/latest/SHA256SUMS"


def test_lists() -> None:
    found = parse_list(LIST, "latest")
    assert found == {name: sha256_of(name) for name in NAMES}
    assert parse_list(LIST, "20261021") == found
    # As `sha256sum --binary` writes it, on Windows, and in capitals.
    assert parse_list(LIST.replace(b"  ", b" *").replace(b"\n", b"\r\n"), "latest") == found
    capitals = b"".join(one[:64].upper() + one[64:] for one in LIST.splitlines(keepends=True))
    assert parse_list(capitals, "latest") == found
    assert parse_list(LIST + LIST[: LIST.index(b"\n") + 1], "latest") == found


LINE = LIST.splitlines()[0]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"\n <!DOCTYPE html><html>Log in</html>\n", "is a page of HTML"),
        (b'{"message": "rate limit"}\n', 'has the line 1 `{"message": "rate limit"}`'),
        (LIST[:-1], "ends within a line"),
        (LIST[:-40], "ends within a line"),
        (LIST + b"\xff\n", "is not text: byte"),
        (b"a" * 63 + LINE[64:] + b"\n", "has the line 1"),
        (b"g" * 64 + LINE[64:] + b"\n", "has the line 1"),
        (LIST + LINE[:64] + b"\n", f"has the line {len(NAMES) + 1}"),
        (LIST + LINE[:64] + b"  ../../../BUILD\n", f"has the line {len(NAMES) + 1}"),
        (LIST + b"0" * 64 + LINE[64:] + b"\n", "has two hashes for cpython-3.12.15+20261021"),
        (b"0" * 64 + b"  readme.txt\n", "names no archive"),
        (LIST + list_of(release_names("20260901", ("3.13.1",))), "is of 20260901, 20261021"),
        (b"\x00" * 70 + b"\n", "has the line 1 `????"),
        (b"x" * 500 + b"\n", f"has the line 1 `{'x' * 60}...`"),
    ],
)
def test_bad_lists(content: bytes, why: str) -> None:
    with pytest.raises(BadList) as raised:
        parse_list(content, "latest")
    assert why in str(raised.value)


def test_a_list_that_ends_anywhere() -> None:
    """It is refused, or what is left of it is right: no hash is ever a half or another file's."""
    whole = parse_list(LIST, "latest")
    refused = 0
    for end in range(len(LIST)):
        try:
            part = parse_list(LIST[:end], "latest")
        except BadList:
            refused += 1
        else:
            assert part.items() <= whole.items()
    assert refused == len(LIST) - (len(whole) - 1)


def test_a_list_of_another_release() -> None:
    with pytest.raises(BadList, match="is of 20261021, expected the release 20260901"):
        parse_list(LIST, "20260901")


def chosen(pinned: Archive, series: Optional[str] = None) -> str:
    found, why = choose(parse_list(LIST, "latest"), pinned, series)
    assert (found is None) == bool(why)
    return found.name if found else why


def test_the_newest_of_the_same_kind() -> None:
    """3.13.17 is newer than 3.13.9; other triples, flavours and series do not count."""
    musl = f"{MUSL}-noopt+static-full.tar.zst"
    assert chosen(archive("3.13.1")) == f"cpython-3.13.17+20261021-{musl}"
    assert chosen(archive("3.12.1")) == f"cpython-3.12.15+20261021-{musl}"
    assert chosen(archive("3.12.1"), "3.13") == f"cpython-3.13.17+20261021-{musl}"
    for rest in (
        f"{MUSL}-lto+static-full.tar.zst",
        f"{MUSL}-install_only.tar.gz",
        f"x86_64_v3-{MUSL[7:]}-noopt+static-full.tar.zst",
        "aarch64-unknown-linux-gnu-pgo+lto-full.tar.zst",
    ):
        assert chosen(archive("3.13.1", rest)) == f"cpython-3.13.17+20261021-{rest}"


def test_pre_releases_only_after_pre_releases() -> None:
    assert chosen(archive("3.14.1"), "3.15") == (
        "of Python 3.15 the release 20261021 has pre-releases only"
    )
    assert "3.15.0rc2+20261021" in chosen(archive("3.15.0a7"))


def test_what_a_release_does_not_have() -> None:
    assert chosen(archive("3.9.1")) == f"the release 20261021 has no Python 3.9 for {MUSL}"
    assert chosen(archive("3.13.1", f"{MUSL}-debug+static-full.tar.zst")) == (
        f"the release 20261021 has Python 3.13 for {MUSL} as install_only.tar.gz, lto+static-full, "
        "noopt+static-full, but not as debug+static-full"
    )
