"""Filters made from traces."""

from __future__ import annotations

from typing import Any, Dict, List

from oxidize_rules.util_rules.trace_report import (
    Filters,
    Trace,
    as_text,
    find_filters,
    read_trace,
    stdlib_globs,
    unused,
)


def component(kind: str, entry: str, *files: str) -> Dict[str, Any]:
    modules: Dict[str, List[Any]] = {}
    for file in files:
        name = file[: -len(".py")].replace("/", ".")
        modules[name[: -len(".__init__")] if name.endswith("__init__") else name] = [
            f"{entry}/{file}",
            [],
        ]
    return {"component": "x", "kind": kind, "modules": modules}


def test_what_is_read_of_a_trace() -> None:
    text = "module b\nmodule a\nmodule b\nbuiltin math\nfile app/a b.txt\nmodule\nnonsense x\nmo"
    assert read_trace(text) == Trace(("a", "b"), ("math",), ("app/a b.txt",))
    assert read_trace("") == Trace((), (), ())


def test_what_of_the_standard_library_is_named() -> None:
    used = ["json", "json.decoder", "os", "encodings", "encodings.utf_8", "importlib", "csv"]
    assert stdlib_globs([*used, "importlib.metadata"]) == [
        "csv",
        "importlib.metadata",
        "json.decoder",
    ]


def test_the_largest_unused_parts() -> None:
    modules = ["a", "a.b", "a.b.c", "a.b.d", "a.tests", "a.tests.x", "z", "z.y"]
    assert unused(modules, ["a", "a.b.c"]) == ["a.b.d", "a.tests", "z"]
    assert unused(modules, []) == ["a", "z"]
    assert unused(modules, modules) == []


def test_the_filters() -> None:
    trace = read_trace(
        "module json.decoder\nmodule os\nmodule pkg\nmodule app\nbuiltin zlib\n"
        "file lib/python3.13/site-packages/pkg/data/deep/x.txt\n"
    )
    filters = find_filters(
        trace,
        [
            component("stdlib", "lib/python3.13", "json/__init__.py", "json/decoder.py", "csv.py"),
            component(
                *("wheel", "lib/python3.13/site-packages", "pkg/__init__.py", "pkg/a.py"),
                *("pkg/data/__init__.py", "pkg/data/loader.py", "pkg/other/__init__.py"),
            ),
            component("folder", "app", "app.py", "unused.py"),
        ],
        ["zlib", "_ssl"],
    )
    assert filters == Filters(
        ("json.decoder",), ("pkg.a", "pkg.data.loader", "pkg.other"), ("_ssl",)
    )
    text = as_text(filters, trace, "app:bin")
    assert eval(f"dict(\n{text})") == {
        "include_stdlib": ["json.decoder"],
        "exclude": ["pkg.a", "pkg.data.loader", "pkg.other"],
        "exclude_extensions": ["_ssl"],
    }
    assert "#   lib/python3.13/site-packages/pkg/data/deep/x.txt\n" in text
