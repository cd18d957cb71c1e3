"""Globs of modules, and which files they mean."""

from __future__ import annotations

import pytest

from oxidize_rules.sandbox.content import (
    is_glob,
    is_restricted,
    left_out,
    module_matcher,
    naming,
    parents,
    place,
    select,
    wants_any,
)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("json/__init__.py", "json"),
        ("json/decoder.py", "json/decoder"),
        ("json/__pycache__/decoder.cpython-313.opt-1.pyc", "json/decoder"),
        ("json/__pycache__/__init__.cpython-313.pyc", "json"),
        ("__pycache__/six.cpython-313.pyc", "six"),
        ("six.py", "six"),
        ("numpy/_core/_x.cpython-313-x86_64-linux-musl.so", "numpy/_core/_x"),
        ("numpy/py.typed", "numpy"),
        ("tzdata/zoneinfo/Europe/Rome", "tzdata/zoneinfo/Europe"),
        ("LICENSE", ""),
    ],
)
def test_the_place_of_a_file(path: str, expected: str) -> None:
    assert place(path) == expected


@pytest.mark.parametrize(
    ("glob", "meant", "not_meant"),
    [
        ("json", ["json", "json/decoder"], ["jsonx", "a/json", ""]),
        ("json.decoder", ["json/decoder"], ["json", "json/encoder", "jsonxdecoder"]),
        ("json.*", ["json/decoder", "json/a/b"], ["json"]),
        ("*.tests", ["a/tests", "a/tests/b"], ["tests", "a/b/tests"]),
        ("**.tests", ["tests", "a/tests", "a/b/tests/c"], ["a/mytests"]),
        ("a.**", ["a/b", "a/b/c"], ["a", "ab"]),
        ("_test*", ["_test", "_testcapi", "_testcapi/x"], ["test", "a/_test"]),
        ("x?", ["x1"], ["x", "x12"]),
        ("**", ["a", "a/b"], [""]),
    ],
)
def test_what_a_glob_means(glob: str, meant: list[str], not_meant: list[str]) -> None:
    assert is_glob(glob)
    matches = module_matcher([glob])
    assert [name for name in meant if not matches(name)] == []
    assert [name for name in not_meant if matches(name)] == []


@pytest.mark.parametrize(
    "text", ["", ".", "a.", ".a", "a..b", "a/b", "a b", "a***", "a**.b", "a\n"]
)
def test_what_is_no_glob(text: str) -> None:
    assert not is_glob(text)


def test_no_globs_mean_nothing() -> None:
    assert not module_matcher([])("json")


def test_the_packages_that_a_selection_stands_in_come_with_it() -> None:
    files = ["a/__init__.py", "a/data.txt", "a/b/__init__.py", "a/b/c.py", "a/b/d.py", "x.py"]
    assert select(files, ["a.b.c"]) == {"a/__init__.py", "a/b/__init__.py", "a/b/c.py"}
    assert select(files, ["a.b"]) == {"a/__init__.py", "a/b/__init__.py", "a/b/c.py", "a/b/d.py"}
    assert select(files, ["a"]) == set(files) - {"x.py"}
    assert select(files, ["nothing"]) == set()
    assert list(parents("a/b/c")) == ["a/b", "a"]


def test_the_left_out_parts_of_the_standard_library() -> None:
    assert {"test", "ensurepip", "email.test"} <= set(left_out(["email.test", "test"]))
    assert not wants_any(None, ["test"])
    assert not wants_any(["*"], ["test"])
    assert not wants_any(["*", "json"], ["test"])
    assert wants_any(["*", "test"], ["test"])
    assert wants_any(["test.support"], ["test"])
    assert wants_any(["*", "t*"], ["ensurepip", "test"])
    assert wants_any(["*", "unittest"], ["unittest.test"])
    assert not wants_any(["*", "unittest.mock"], ["unittest.test"])
    assert wants_any(["*", "**.tests"], ["test"])
    assert naming(["*", "test"]) == ("test",)


def test_whether_the_standard_library_is_restricted() -> None:
    assert not is_restricted(None)
    assert not is_restricted(["test", "*"])
    assert is_restricted(["json"])
    assert is_restricted([])
