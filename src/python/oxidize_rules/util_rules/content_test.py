"""Filters of content: which globs are understood, and what is said of the others."""

from __future__ import annotations

from typing import Any, Mapping, Optional, Tuple

import pytest
from pants.engine.addresses import Address

from oxidize_rules.sandbox.images.content import left_out
from oxidize_rules.util_rules.content import ContentRequest, Listing, check_globs, keeps
from oxidize_rules.util_rules.sandbox_program import OxidizeError

STDLIB = Listing(
    {
        "component": "stdlib",
        "path_entry": "lib/python3.13",
        "files": [
            [f"lib/python3.13/{path}", 0, 0, 0, ""]
            for path in ("json/__init__.py", "json/tool.py", "csv.py", "os.py")
        ],
    }
)
WHEEL = Listing(
    {
        "component": "wheel:PyYAML-6",
        "path_entry": "site",
        "files": [
            [f"site/{path}", 0, 0, 0, ""]
            for path in ("yaml/__init__.py", "yaml/data/x.json", "PyYAML-6.dist-info/METADATA")
        ],
    }
)


def request(
    include_stdlib: Optional[Tuple[str, ...]] = None, exclude: Tuple[str, ...] = ()
) -> ContentRequest:
    return ContentRequest(
        address=Address("app", target_name="bin"),
        distribution=Address("toolchains", target_name="python"),
        components=(),
        include_stdlib=include_stdlib,
        exclude=exclude,
        extensions=("math", "_sqlite3"),
        left_out=left_out(()),
    )


def test_the_listing_of_a_component() -> None:
    assert WHEEL.modules == {"yaml"}
    assert "yaml/data" in WHEEL.places
    assert STDLIB.modules_of(["lib/python3.13/json/tool.py"]) == {"json.tool"}


@pytest.mark.parametrize(
    "fields",
    [
        {"include_stdlib": ("*", "json")},
        {"include_stdlib": ("json.tool", "csv", "math")},
        {"exclude": ("json", "yaml.data", "test", "ensurepip")},
        {"exclude": ("j*", "**.tool")},
    ],
)
def test_names_that_are_known(fields: Mapping[str, Any]) -> None:
    assert check_globs(request(**fields), [STDLIB, WHEEL]) == ()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"include_stdlib": ("jsn",)}, ["`include_stdlib`", "`jsn`", "Did you mean json"]),
        ({"include_stdlib": ("yaml",)}, ["//toolchains:python", "standard library"]),
        ({"exclude": ("PyYAML",)}, ["`exclude`", "`PyYAML`", "those that are imported (`yaml`)"]),
        ({"exclude": ("json.tol",)}, ["Did you mean json.tool"]),
        ({"exclude": ("_sqlite3",)}, ["built into the interpreter", "`exclude_extensions`"]),
        ({"exclude": ("encodings",)}, ["starts with `encodings`", "Remove it"]),
        ({"exclude": ("o*",)}, ["`o*`", "`os`"]),
    ],
)
def test_names_that_are_refused(fields: Mapping[str, Any], words: list[str]) -> None:
    with pytest.raises(OxidizeError) as error:
        check_globs(request(**fields), [STDLIB, WHEEL])
    assert str(error.value).startswith("app:bin: ")
    for word in words:
        assert word.replace("//", "") in str(error.value)


def test_a_glob_that_means_nothing_is_a_warning() -> None:
    (warning,) = check_globs(request(exclude=("**.golden",)), [STDLIB, WHEEL])
    assert "`**.golden`" in warning


def test_only_a_restricted_standard_library_names_what_it_keeps() -> None:
    assert keeps("stdlib", None) is None
    assert keeps("stdlib", ("*", "test")) is None
    assert keeps("stdlib-extra", ("json",)) is None
    assert keeps("wheel:x-1", ("json",)) is None
    kept = keeps("stdlib", ("json",))
    assert kept is not None
    assert kept[0] == "json"
    assert "encodings" in kept
