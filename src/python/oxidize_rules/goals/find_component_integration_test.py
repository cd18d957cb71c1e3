"""`oxidize-contains` by the real `pants`, in this repository, on executables of testprojects/."""

from __future__ import annotations

import json
from typing import Tuple

import pytest

from oxidize_rules.goals.testing_pants import run_pants

# Both triples of hello, and one of cli.
TARGETS = ("testprojects/hello:bin", "testprojects/cli:bin@target_triple=musl")
HELLO = [f"testprojects/hello:bin@target_triple={libc}" for libc in ("gnu", "musl")]
ALL = ["testprojects/cli:bin@target_triple=musl", *HELLO]


def contains(*arguments: str) -> Tuple[int, str, str]:
    done = run_pants("oxidize-contains", *arguments)
    return done.returncode, done.stdout, done.stderr


def test_a_version_that_is_there_and_one_that_is_not() -> None:
    queries = ("--component=openssl<4", "--component=libcrypto<1.1.1w", "--component=python")
    code, out, err = contains("--format=json", *queries, *TARGETS)
    assert code == 1, err
    old, none, python = json.loads(out)["queries"]
    assert [row["binary"] for row in old["found"]] == ALL
    assert {row["part"] for row in old["found"]} == {"library:openssl"}
    assert [row["target_triple"].rpartition("-")[2] for row in old["found"]] == [
        *("musl", "gnu", "musl")
    ]
    for row in old["found"]:
        assert row["state"] == "found"
        assert any(step.startswith("extension `") for step in row["why"]), row
    assert (none["found"], [row["binary"] for row in none["other"]]) == ([], ALL)
    assert [row["part"] for row in python["found"]] == ["interpreter:cpython"] * 3


def test_a_wheel_is_only_where_it_was_asked_for() -> None:
    code, out, err = contains(*TARGETS, "--", "wheel:*")
    assert code == 1, err
    lines = [line.split() for line in out.splitlines()]
    assert out.startswith("wheel:*: in 1 of 3 binaries\n")
    assert {line[0] for line in lines[1:]} == {ALL[0]}


def test_nothing_is_found() -> None:
    code, out, err = contains(HELLO[1], "--", "openssl<1.1.1w", "log4j")
    assert code == 0, err
    first, second, third = out.splitlines()
    assert first == "openssl<1.1.1w: in 0 of 1 binary"
    assert second.startswith("  at other versions in 1 binary: library:openssl 3.")
    assert third == "log4j: nothing of that name in 1 binary"


def test_known_vulnerabilities() -> None:
    code, out, err = contains("--advisories=testprojects/advisories/*.json", HELLO[1])
    assert code == 1, err
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[0] == "advisories read: 2"
    assert lines[1].startswith(f"{HELLO[1]}: 1 known vulnerability")
    assert lines[2].startswith("library:openssl 3.")
    assert "EXAMPLE-1 affected, fixed in 4.0.0 Not a vulnerability" in lines[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((HELLO[1],), "no component is named"),
        ((HELLO[1], "--", "openssl=3"), "`=3` is no comparison with a version"),
        (("toolchains:zlib", "--", "openssl"), "found no `oxidized_binary` target"),
    ],
)
def test_mistakes(arguments: Tuple[str, ...], message: str) -> None:
    code, out, err = contains(*arguments)
    assert (code, out) == (1, "")
    assert message in " ".join(err.split())
    assert "Traceback" not in err
