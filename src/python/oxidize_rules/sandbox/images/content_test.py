"""Globs of modules, and which files they mean."""

from __future__ import annotations

import pytest

from oxidize_rules.sandbox.images.content import (
    filter_files,
    is_glob,
    is_restricted,
    left_out,
    module_matcher,
    module_name,
    naming,
    needed_at_start,
    parents,
    place,
    select,
    start_globs,
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


def test_which_files_a_filter_takes_and_why() -> None:
    paths = [
        "lib/json/__init__.py",
        "lib/json/tool.py",
        "lib/json/__pycache__/tool.cpython-313.pyc",
        "lib/LICENSE.txt",
        "lib/x-1.dist-info/METADATA",
        "lib/csv.py",
        "share/json/x",
    ]
    assert filter_files(paths, "lib", keep=None, drop=[]) == {}
    assert filter_files(paths, "lib", keep=["json"], drop=["json.tool"]) == {
        "lib/json/tool.py": "exclude",
        "lib/json/__pycache__/tool.cpython-313.pyc": "exclude",
        "lib/csv.py": "include_stdlib",
    }
    everything = {*paths[:3], "lib/csv.py"}
    assert set(filter_files(paths, "lib", keep=None, drop=["**"])) == everything


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("app/a/b.py", "a.b"),
        ("app/a/__init__.pyc", "a"),
        ("app/a/__pycache__/b.cpython-313.pyc", "a.b"),
        ("app/a/_x.abi3.so", "a._x"),
        ("app/a/data.txt", None),
        ("app/a-b/c.py", None),
        ("other/a.py", None),
    ],
)
def test_the_module_of_a_file(path: str, expected: str | None) -> None:
    assert module_name(path, "app") == expected


def test_what_the_start_needs_cannot_be_excluded() -> None:
    assert needed_at_start("encodings.mac_*") is None
    assert needed_at_start("importlib.metadata") is None
    assert needed_at_start("encodings") == "encodings"
    assert needed_at_start("enc*") == "encodings"
    assert needed_at_start("encodings.utf_8") == "encodings.utf_8"
    assert needed_at_start("importlib") == "importlib"
    assert "importlib" not in start_globs()  # it would bring importlib.metadata
    assert "encodings" in start_globs()
