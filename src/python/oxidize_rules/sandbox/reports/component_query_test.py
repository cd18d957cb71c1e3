"""Queries for components, and what they find in inventories."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest

from oxidize_rules.sandbox.errors import UserError
from oxidize_rules.sandbox.reports import component_query
from oxidize_rules.sandbox.reports.component_query import BadQuery, answer, as_text, parse_query
from oxidize_rules.sandbox.reports.testing_inventory import inventory, part


def inventories(**versions: Any) -> Dict[str, Dict[str, Any]]:
    """Three binaries: `//a` has OpenSSL 3.5.7, `//b` another version of it, `//c` none."""
    found = {name: copy.deepcopy(inventory()) for name in ("//a", "//b", "//c")}
    for name, one in found.items():
        one["subject"]["address"] = name
        for row in one["parts"]:
            if row["id"] == "library:openssl" and name == "//b":
                row["version"] = versions.get("openssl", "3.5.5")
        if name == "//c":
            one["parts"] = [row for row in one["parts"] if row["id"] != "library:openssl"]
    return found


def rows(found: List[Dict[str, Any]]) -> List[Tuple[str, str, object, str]]:
    return [(row["binary"], row["part"], row["version"], row["state"]) for row in found]


def test_by_version() -> None:
    found = answer(parse_query("openssl<3.5.7"), inventories())
    assert rows(found["found"]) == [("//b", "library:openssl", "3.5.5", "found")]
    assert rows(found["other"]) == [("//a", "library:openssl", "3.5.7", "found")]
    assert (found["query"], found["similar"]) == ("openssl<3.5.7", [])
    assert found["found"][0]["why"] == ["app:bin", "extension `_ssl`", "libssl.a"]
    assert found["found"][0]["target_triple"] == "x86_64-unknown-linux-musl"


def test_a_crate_has_a_prefix_of_its_own() -> None:
    one = inventory()
    crate = part("bundled:cryptography/openssl", "0.10.72", None, purl="pkg:cargo/openssl@0.10.72")
    one["parts"].append(crate)
    for query, expected in (
        ("openssl<3.5.7", []),
        ("crate:openssl<1", ["bundled:cryptography/openssl"]),
    ):
        found = answer(parse_query(query), {"//a": one})["found"]
        assert [row["part"] for row in found] == expected


def test_by_name_alone() -> None:
    found = answer(parse_query(" libcrypto "), inventories())
    assert [row["binary"] for row in found["found"]] == ["//a", "//b"]
    assert found["query"] == "libcrypto"


@pytest.mark.parametrize("version", [None, "master"])
def test_unknown_versions_are_found_as_that(version: Any) -> None:
    found = answer(parse_query("openssl<3.5.7"), inventories(openssl=version))
    assert rows(found["found"]) == [("//b", "library:openssl", version, "unknown")]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("python==3.13.*", ["interpreter:cpython"]),
        ("wheel:numeric>=2,<3", ["wheel:numeric"]),
        ("bundled:libgfortran", ["bundled:numeric/libgfortran"]),
        ("wheel:*", ["wheel:numeric", "wheel:odd", "wheel:silent"]),
        ("hacl-star < 1", ["vendored:hacl-star"]),
        ("musl", ["libc:musl"]),
        ("library:numeric", []),
    ],
)
def test_all_kinds(query: str, expected: List[str]) -> None:
    one = {"//a": inventory()}
    assert [row["part"] for row in answer(parse_query(query), one)["found"]] == expected


def test_a_name_that_nobody_has() -> None:
    found = answer(parse_query("opensl<3"), inventories())
    assert (found["found"], found["other"], found["similar"]) == ([], [], ["openssl"])
    found = answer(parse_query("log4j"), inventories())
    assert found["similar"] == []


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("", "does not begin with the name"),
        ("<3", "does not begin with the name"),
        ("openssl 3", "`openssl 3` does not begin with the name"),
        ("openssl<", "`<` is no comparison with a version"),
        ("openssl=3", "`=3` is no comparison with a version"),
        ("openssl<3,", "`` is no comparison"),
        ("openssl<newest", "`newest` is no version"),
        ("lib:openssl", "`lib` is no kind of component; kinds are interpreter, vendored, library"),
        ("wheel:<3", "names no component"),
    ],
)
def test_bad_queries(query: str, why: str) -> None:
    with pytest.raises(BadQuery) as raised:
        parse_query(query)
    assert why in str(raised.value)


def test_the_text() -> None:
    found = inventories(openssl=None)
    queries = ("openssl<3.5.7", "openssl", "openssl>4", "opensl", "hacl-star<1")
    text = as_text(
        {
            "binaries": list(found),
            "queries": [answer(parse_query(query), found) for query in queries],
            "advisories": None,
        }
    )
    assert [" ".join(line.split()) for line in text.splitlines()] == [
        "openssl<3.5.7: in 0 of 3 binaries, and in 1 of unknown version",
        "//b library:openssl unknown version by app:bin, extension `_ssl`, libssl.a",
        "at other versions in 1 binary: library:openssl 3.5.7",
        "openssl: in 2 of 3 binaries",
        "//a library:openssl 3.5.7 by app:bin, extension `_ssl`, libssl.a",
        "//b library:openssl unknown version by app:bin, extension `_ssl`, libssl.a",
        "openssl>4: in 0 of 3 binaries, and in 1 of unknown version",
        "//b library:openssl unknown version by app:bin, extension `_ssl`, libssl.a",
        "at other versions in 1 binary: library:openssl 3.5.7",
        "opensl: nothing of that name in 3 binaries",
        "similar: openssl",
        "hacl-star<1: in 0 of 3 binaries, and in 3 of unknown version",
        *(
            f"//{name} vendored:hacl-star unknown version by app:bin, extension `_sha2`"
            for name in "abc"
        ),
    ]


def test_a_version_without_an_order_is_shown() -> None:
    one = inventory()
    one["parts"] = [part("library:odd", "master", None, why=["//a"])]
    answers = [answer(parse_query("odd<1"), {"//a": one})]
    text = as_text({"binaries": ["//a"], "queries": answers, "advisories": None})
    assert "master (has no place in the order of versions)" in text
    assert "by" not in text


def run(folder: Path, *queries: str, advisories: str | None = None) -> Any:
    """The report of the program about `inventories`."""
    binaries = []
    for name, one in inventories().items():
        path = folder / f"{name[2:]}.json"
        path.write_text(json.dumps(one))
        binaries.append({"address": name, "inventory": str(path)})
    (folder / "input.json").write_text(json.dumps({"queries": queries, "binaries": binaries}))
    options = []
    if advisories is not None:
        (folder / "osv.json").write_text(advisories)
        options = [f"--advisories={folder / 'osv.json'}"]
    component_query.main([str(folder / "input.json"), str(folder / "out"), *options])
    return json.loads((folder / "out/report.json").read_text())


def test_the_program(tmp_path: Path) -> None:
    report = run(tmp_path, "openssl<3.5.7", "zlib")
    assert (report["format"], report["binaries"]) == (1, ["//a", "//b", "//c"])
    assert [one["query"] for one in report["queries"]] == ["openssl<3.5.7", "zlib"]
    assert (report["advisories"], report["findings"]) == (None, [])
    text = (tmp_path / "out/report.txt").read_text()
    assert text.startswith("openssl<3.5.7: in 1 of 3 binaries")
    assert "advisories" not in text


def test_advisories(tmp_path: Path) -> None:
    events = [{"introduced": "3.5.0"}, {"fixed": "3.5.6"}]
    affected = {
        "package": {"ecosystem": "", "name": "openssl"},
        "ranges": [{"type": "SEMVER", "events": events}],
    }
    advisory = {"id": "CVE-1", "summary": "It burns.", "affected": [affected]}
    report = run(tmp_path, advisories=json.dumps(advisory))
    assert (report["queries"], report["advisories"]) == ([], 1)
    assert [(one["binary"], one["part"], one["state"]) for one in report["findings"]] == [
        ("//b", "library:openssl", "affected")
    ]
    assert (tmp_path / "out/report.txt").read_text().splitlines() == [
        "advisories read: 1",
        "//a: 0 known vulnerabilities",
        "//b: 1 known vulnerability",
        "  library:openssl 3.5.5  CVE-1  affected, fixed in 3.5.6  It burns.",
        "//c: 0 known vulnerabilities",
    ]


def test_bad_advisories(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^`--advisories`: the file .*osv\.json is not JSON"):
        run(tmp_path, advisories="<html>")
    with pytest.raises(UserError, match=r"^`--advisories`: a file has an advisory A that is not"):
        run(tmp_path, advisories='{"id": "A", "affected": [3]}')
    assert not (tmp_path / "out").exists()
