"""Advisories of OSV's format: whom they name, which versions they mean, and what is none."""

from __future__ import annotations

import json
from typing import Any, List, Optional, Tuple

import pytest

from oxidize_rules.sandbox.reports.advisories import BadAdvisories, find, read_advisories


def part(identifier: str, version: Optional[str]) -> dict[str, Any]:
    kind, _, name = identifier.partition(":")
    return {"id": identifier, "kind": kind, "name": name, "version": version}


OPENSSL = part("library:openssl", "3.5.5")


def advisory(*affected: dict[str, Any], **fields: Any) -> dict[str, Any]:
    told = {"id": "CVE-1", "aliases": ["X-1"], "summary": "It burns."}
    return {**told, "affected": list(affected), **fields}


def affected(
    *events: Tuple[str, str], name: str = "openssl", ecosystem: str = "", kind: str = "SEMVER"
) -> dict[str, Any]:
    return {
        "package": {"ecosystem": ecosystem, "name": name},
        "ranges": [{"type": kind, "events": [{what: version} for what, version in events]}],
    }


def told(
    one: dict[str, Any], *advisories: dict[str, Any]
) -> List[Tuple[str, str, Tuple[str, ...]]]:
    return [(row.state, row.why, row.fixed) for row in find([one], advisories)]


@pytest.mark.parametrize(
    ("version", "events", "expected"),
    [
        ("3.5.5", [("introduced", "0"), ("fixed", "3.5.6")], True),
        ("3.5.6", [("introduced", "0"), ("fixed", "3.5.6")], False),
        ("3.5.5", [("introduced", "3.5.6")], False),
        ("3.5.6", [("introduced", "3.5.6")], True),
        ("3.5.5", [("introduced", "3.0"), ("last_affected", "3.5.5")], True),
        ("3.5.6", [("introduced", "3.0"), ("last_affected", "3.5.5")], False),
        # Several branches in one range, in any order.
        (
            "3.0.17",
            [("fixed", "3.5.6"), ("introduced", "3.5"), ("fixed", "3.0.17"), ("introduced", "3.0")],
            False,
        ),
        (
            "3.0.16",
            [("fixed", "3.5.6"), ("introduced", "3.5"), ("fixed", "3.0.17"), ("introduced", "3.0")],
            True,
        ),
        ("3.5.0", [("introduced", "3.0"), ("fixed", "3.0.17"), ("introduced", "3.5")], True),
        ("1.1.1v", [("introduced", "1.1.1"), ("fixed", "1.1.1w")], True),
        ("1.1.1w", [("introduced", "1.1.1"), ("fixed", "1.1.1w")], False),
        ("3.5.5", [("introduced", "0"), ("limit", "3.0")], False),
        ("3.5.5", [("introduced", "0"), ("limit", "*")], True),
    ],
)
def test_ranges(version: str, events: List[Tuple[str, str]], expected: bool) -> None:
    found = told(part("library:openssl", version), advisory(affected(*events)))
    assert [state for state, _, _ in found] == (["affected"] if expected else [])


def test_what_is_told() -> None:
    (row,) = find([OPENSSL], [advisory(affected(("introduced", "0"), ("fixed", "3.5.6")))])
    assert (row.part, row.version, row.advisory) == ("library:openssl", "3.5.5", "CVE-1")
    assert (row.aliases, row.summary, row.fixed) == (("X-1",), "It burns.", ("3.5.6",))


def test_versions_and_tags() -> None:
    listed = {"package": {"ecosystem": "x", "name": "openssl"}, "versions": ["openssl-3.5.5"]}
    assert told(OPENSSL, advisory(listed)) == [("affected", "", ())]
    assert told(part("library:openssl", "3.5.6"), advisory(listed)) == []


def test_commits_are_no_versions() -> None:
    """As the Python Software Foundation's advisories are, before osv.dev adds their tags."""
    git: dict[str, Any] = {
        "ranges": [
            {
                "type": "GIT",
                "repo": "https://github.com/python/cpython",
                "events": [
                    {"introduced": "0"},
                    {"fixed": "795f2597a4be988e2bb19b69ff9958e981cb894e"},
                ],
            }
        ]
    }
    python = part("interpreter:cpython", "3.13.5")
    assert told(python, advisory(git)) == [("unknown", "it names commits, but no versions", ())]
    tags = {**git, "versions": ["v3.13.4", "v3.13.5"]}
    assert told(python, advisory(tags)) == [("affected", "", ())]
    assert told(part("interpreter:cpython", "3.13.6"), advisory(tags)) == []
    assert told(OPENSSL, advisory(git)) == []


@pytest.mark.parametrize(
    ("identifier", "ecosystem", "name", "expected"),
    [
        ("library:openssl", "OSS-Fuzz", "openssl", True),
        ("library:openssl", "ConanCenter", "OpenSSL", True),
        ("library:openssl", "Debian:13", "openssl", False),
        ("library:openssl", "crates.io", "openssl", False),
        ("library:openssl", "PyPI", "openssl", False),
        ("wheel:openssl", "PyPI", "OpenSSL", True),
        ("wheel:zlib-ng", "PyPI", "zlib_ng", True),
        ("wheel:openssl", "OSS-Fuzz", "openssl", False),
        ("bundled:cryptography/libcrypto", "", "openssl", True),
        ("library:openssl", "", "*", False),
    ],
)
def test_whom_it_names(identifier: str, ecosystem: str, name: str, expected: bool) -> None:
    entry = affected(("introduced", "0"), name=name, ecosystem=ecosystem, kind="ECOSYSTEM")
    assert bool(told(part(identifier, "1.0"), advisory(entry))) is expected


def test_what_lies_in_a_wheel_has_an_ecosystem() -> None:
    crate = {**part("bundled:x/openssl", "0.10.1"), "purl": "pkg:cargo/openssl", "name": "openssl"}
    copy = {**part("bundled:pip/urllib3", "1.26"), "purl": "pkg:pypi/urllib3", "name": "urllib3"}

    def about(name: str, ecosystem: str) -> dict[str, Any]:
        return advisory(affected(("introduced", "0"), name=name, ecosystem=ecosystem))

    assert told(crate, about("openssl", "crates.io"))
    assert not told(crate, about("openssl", "OSS-Fuzz"))
    assert not told(crate, about("openssl", "PyPI"))
    assert told(copy, about("urllib3", "PyPI"))
    assert not told(copy, about("urllib3", "npm"))


def test_a_purl_names_it_too() -> None:
    entry = affected(("introduced", "0"), name="something")
    entry["package"]["purl"] = "pkg:generic/openssl@3.5.5?download_url=https://x/y"
    assert told(OPENSSL, advisory(entry)) == [("affected", "", ())]


def test_what_cannot_be_told_is_told() -> None:
    entry = affected(("introduced", "0"), ("fixed", "3.5.6"))
    assert told(part("library:openssl", None), advisory(entry)) == [
        ("unknown", "the part's version is not known", ())
    ]
    assert told(part("library:openssl", "master"), advisory(entry))[0][0] == "unknown"
    odd = affected(("introduced", "0"), ("fixed", "next"))
    assert told(OPENSSL, advisory(odd)) == [
        ("unknown", "its version `next` has no place in the order of versions", ())
    ]
    # One entry that applies is enough.
    assert told(OPENSSL, advisory(odd, entry)) == [("affected", "", ("3.5.6",))]


def test_withdrawn_advisories_say_nothing() -> None:
    entry = affected(("introduced", "0"))
    assert told(OPENSSL, advisory(entry, withdrawn="2026-01-01T00:00:00Z")) == []


def test_files() -> None:
    one, two = advisory(id="A"), advisory(id="B")
    for text, expected in (
        (json.dumps(one), ["A"]),
        (json.dumps([one, two], indent=1), ["A", "B"]),
        (json.dumps({"vulns": [one]}), ["A"]),
        (f"{json.dumps(one)}\n{json.dumps(two)}\n", ["A", "B"]),
        ("\ufeff" + json.dumps(one), ["A"]),
        ("[]", []),
    ):
        assert [found["id"] for found in read_advisories(text.encode())] == expected


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is empty"),
        (b"<html>", "is not JSON: "),
        (b"[" * 100_000, "is not JSON: "),
        (b"\xff", "is not UTF-8 (byte 0)"),
        (b"3", "has no `id` in its advisory 1"),
        (b'[{"id": "A"}, {}]', "has no `id` in its advisory 2"),
        (b'{"id": "A", "affected": {}}', "has an advisory A whose `affected` is no list"),
    ],
)
def test_bad_files(content: bytes, why: str) -> None:
    with pytest.raises(BadAdvisories) as raised:
        read_advisories(content)
    assert why in str(raised.value)


@pytest.mark.parametrize(
    "entry",
    [
        3,
        {"package": 3},
        {"package": {"name": "openssl"}, "ranges": 3},
        {"package": {"name": "openssl"}, "ranges": [3]},
        {"package": {"name": "openssl"}, "ranges": [{"events": [3]}]},
        {"package": {"name": "openssl"}, "versions": 3},
    ],
)
def test_bad_advisories(entry: Any) -> None:
    with pytest.raises(BadAdvisories, match="has an advisory CVE-1 that is not in OSV's format"):
        find([OPENSSL], [advisory(entry)])
