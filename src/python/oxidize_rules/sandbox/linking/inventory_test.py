from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List

from oxidize_rules.sandbox.linking.inventory import encode, make_inventory, read_facts
from oxidize_rules.sandbox.linking.link_map import LinkMap
from oxidize_rules.sandbox.parts.facts import new_part

ADDRESS = "app:bin"
FACTS: List[Dict[str, Any]] = [
    new_part("interpreter:cpython", "CPython", objects=["build/*.o"], license="Python-2.0"),
    new_part("vendored:expat", "expat", objects=["build/Modules/expat/*.o"]),
    new_part("vendored:siphash", "SipHash", objects=["build/Python/pyhash.o"], mixed=True),
    new_part("vendored:absent", "absent", objects=["build/Modules/_absent/*.o"]),
    new_part(
        "library:openssl", "OpenSSL", archives=["build/lib/libcrypto.a", "build/lib/libssl.a"]
    ),
    new_part("library:zlib", "zlib", archives=["build/lib/libz.a"]),
    new_part("library:sqlite", "SQLite", archives=["build/lib/libsqlite3.a"]),
    new_part("library:gcc-runtime", "gcc", component="library:gcc", drop="do without"),
    new_part("libc:musl", "musl", archives=["sysroot/lib/libc.a"], objects=["sysroot/lib/*.o"]),
    new_part("runtime:oxidize_rules", "oxidize_rules", objects=["runtime/*.o"]),
]
EXTENSIONS = {
    "_hashlib": (["build/Modules/_hashopenssl.o"], ["build/lib/libcrypto.a"], True),
    "_ssl": (["build/Modules/_ssl.o"], ["build/lib/libssl.a", "build/lib/libcrypto.a"], True),
    "pyexpat": (["build/Modules/pyexpat.o", "build/Modules/expat/xmltok.o"], [], True),
    "zlib": (["build/Modules/zlibmodule.o"], ["build/lib/libz.a"], False),
}
FILES = {
    "__dist/build/Modules/_ssl.o": 5,
    "__dist/build/Modules/expat/xmltok.o": 70,
    "__dist/build/Python/pyhash.o": 7,
    "__dist/build/lib/libcrypto.a": 1000,
    "__dist/build/lib/libssl.a": 100,
    "__dist/build/lib/libz.a": 20,
    "__sysroot/lib/libc.a": 400,
    "__sysroot/lib/Scrt1.o": 4,
    "runtime/main.o": 9,
}


def inventory(
    files: Dict[str, int],
    components: List[List[Any]],
    more: List[Dict[str, Any]],
    **request: Any,
) -> Dict[str, Any]:
    made = make_inventory(
        {
            "subject": {"address": ADDRESS, "name": "bin"},
            "prefixes": [["__dist/", ""], ["__sysroot/", "sysroot/"]],
            "components": [[*one, None][:4] for one in components],
            "extensions": {
                name: {"objects": one[0], "archives": one[1], "droppable": one[2]}
                for name, one in EXTENSIONS.items()
            },
            "decompresses": None,
            **request,
        },
        [*FACTS, *more],
        LinkMap({(path, ""): size for path, size in files.items()}),
    )
    assert made["format"] == 1
    assert json.loads(encode(made)) == made
    ids = [part["id"] for part in made["parts"]]
    assert ids == sorted(set(ids))
    return {**made, "by_id": {part["id"]: part for part in made["parts"]}}


def test_what_the_link_took_and_nothing_else() -> None:
    made = inventory(FILES, [], [])
    assert list(made["by_id"]) == [
        *("interpreter:cpython", "libc:musl", "library:openssl", "library:zlib"),
        *("runtime:oxidize_rules", "vendored:expat", "vendored:siphash"),
    ]
    assert made["extensions"] == {
        "_hashlib": ["library:openssl"],
        "_ssl": ["library:openssl"],
        "pyexpat": ["vendored:expat"],
        "zlib": ["library:zlib"],
    }
    interpreter = made["by_id"]["interpreter:cpython"]
    assert interpreter["depends_on"] == [
        *("libc:musl", "library:openssl", "library:zlib", "vendored:expat", "vendored:siphash")
    ]
    assert not {"archives", "objects", "component", "mixed"} & interpreter.keys()


def test_sizes() -> None:
    made = inventory({**FILES, "c/stdlib.o": 10_000}, [["stdlib", "c/stdlib.o", []]], [])
    sizes = {one: part["size"] for one, part in made["by_id"].items()}
    assert sizes == {
        "interpreter:cpython": 5 + 7 + 10_000,
        "libc:musl": 404,
        "library:openssl": 1100,
        "library:zlib": 20,
        "runtime:oxidize_rules": 9,
        "vendored:expat": 70,
        "vendored:siphash": None,
    }


def test_why_and_how_to_be_without() -> None:
    parts = inventory(FILES, [], [])["by_id"]
    assert parts["library:openssl"]["why"] == [ADDRESS, "extension `_hashlib`", "libcrypto.a"]
    assert parts["library:openssl"]["drop"] == "name `_hashlib`, `_ssl` in `exclude_extensions`"
    assert parts["vendored:expat"]["why"] == [ADDRESS, "extension `pyexpat`", "xmltok.o"]
    # An extension that no executable can be without, and code of the interpreter's core.
    assert parts["library:zlib"]["drop"] is None
    assert (parts["vendored:siphash"]["why"], parts["vendored:siphash"]["drop"]) == (
        [ADDRESS],
        None,
    )


def test_what_the_executable_decompresses_itself_with_cannot_be_dropped_by_extensions() -> None:
    made = inventory(FILES, [], [], decompresses="build/lib/libz.a", extensions={})
    assert made["by_id"]["library:zlib"]["why"][1:] == [
        "the executable's own decompression",
        "libz.a",
    ]


def test_a_hint_of_the_facts_stands_beside() -> None:
    facts = new_part("library:readline", "readline", archives=["r.a"], drop="use libedit")
    extension = {"objects": [], "archives": ["r.a"], "droppable": True}
    made = inventory({"r.a": 1}, [], [facts], extensions={"readline": extension})
    found = made["by_id"]["library:readline"]
    assert found["drop"] == "name `readline` in `exclude_extensions`, or use libedit"


def test_wheels_and_the_chain_between_them() -> None:
    components = [
        ["image", "c/0.o", []],
        ["wheel:Top-1.0", "c/1.o", []],
        ["wheel:mid-2.0", "c/2.o", []],
        ["wheel:silent_one-3.0", "c/3.o", []],
        ["folder:app", "c/4.o", []],
        ["library:gcc", "c/5.o", []],
        ["field:native_libraries", "c/6.o", []],
    ]
    facts = [
        new_part(
            "wheel:top", "Top", component="wheel:Top-1.0", depends_on=["wheel:mid", "wheel:no"]
        ),
        new_part("wheel:mid", "mid", component="wheel:mid-2.0", depends_on=["bundled:mid/libx"]),
        new_part("bundled:mid/libx", "libx", component="wheel:mid-2.0", size=30),
        new_part("wheel:gone", "gone", component="wheel:gone-1.0"),
    ]
    files = {f"c/{number}.o": 100 + number for number in range(7)}
    made = inventory(files, components, facts)
    parts = made["by_id"]
    assert list(parts) == [
        *("bundled:mid/libx", "bundled:native_libraries", "first-party:app:bin"),
        *("library:gcc-runtime", "wheel:mid", "wheel:silent-one", "wheel:top"),
    ]
    assert parts["wheel:top"]["depends_on"] == ["wheel:mid"]
    assert parts["bundled:mid/libx"]["why"] == [ADDRESS, "top", "mid", "mid/libx"]
    assert parts["wheel:mid"]["drop"] == "take `top` out of the requirements"
    assert (parts["wheel:mid"]["size"], parts["bundled:mid/libx"]["size"]) == (72, 30)
    # A wheel without facts is there nevertheless.
    assert (parts["wheel:silent-one"]["version"], parts["wheel:silent-one"]["license"]) == (
        "3.0",
        None,
    )
    assert parts["first-party:app:bin"]["size"] == 104
    assert parts["first-party:app:bin"]["depends_on"] == ["wheel:silent-one", "wheel:top"]
    assert parts["library:gcc-runtime"]["drop"] == "do without"
    assert parts["bundled:native_libraries"]["license"] is None


EMBEDDED = [
    new_part(
        "wheel:pip",
        "pip",
        version="25.1.1",
        component="stdlib-extra",
        depends_on=["bundled:pip/certifi", "bundled:pip/libz"],
        size=1800,
        brought_by="`ensurepip` in `include_stdlib`",
        drop="take `ensurepip` out of `include_stdlib`",
    ),
    new_part("bundled:pip/certifi", "certifi", component="stdlib-extra"),
    new_part(
        "bundled:pip/libz",
        "zlib",
        component="stdlib-extra",
    ),
]
STDLIB = [["stdlib", "c/stdlib.o", []], ["stdlib-extra", "c/extra.o", []]]
STDLIB_FILES = {**FILES, "c/stdlib.o": 10_000, "c/extra.o": 2000}


def renamed(part: Dict[str, Any], old: str, new: str) -> Dict[str, Any]:
    ids = [one.replace(old, new) for one in part["depends_on"]]
    return {**part, "id": part["id"].replace(old, new), "depends_on": ids}


def test_a_wheel_that_lies_in_the_standard_library(tmp_path: Path) -> None:
    (tmp_path / "native.json").write_text(json.dumps({"native": []}))
    components = [
        STDLIB[0],
        [*STDLIB[1], str(tmp_path / "native.json")],
        ["folder:app", "c/app.o", []],
    ]
    made = inventory({**STDLIB_FILES, "c/app.o": 3}, components, EMBEDDED)
    parts = made["by_id"]
    by = "`ensurepip` in `include_stdlib`"
    assert parts["wheel:pip"]["why"] == [ADDRESS, by, "pip"]
    assert parts["bundled:pip/certifi"]["why"] == [ADDRESS, by, "pip", "pip/certifi"]
    for identifier in ("wheel:pip", "bundled:pip/certifi", "bundled:pip/libz"):
        assert parts[identifier]["drop"] == "take `ensurepip` out of `include_stdlib`"
    # What lies in the archive has no bytes of its own.
    assert parts["wheel:pip"]["size"] == 1800
    assert parts["bundled:pip/certifi"]["size"] is None
    assert parts["interpreter:cpython"]["size"] == 5 + 7 + 10_000 + 200
    assert "wheel:pip" not in parts["first-party:app:bin"]["depends_on"]
    assert "brought_by" not in parts["wheel:pip"]


def test_the_standard_library_without_what_the_facts_are_about() -> None:
    made = inventory(STDLIB_FILES, STDLIB[:1], EMBEDDED)
    assert not {part["id"] for part in EMBEDDED} & made["by_id"].keys()


def test_a_wheel_in_the_standard_library_beside_an_installed_one() -> None:
    components = [*STDLIB, ["wheel:pip-26.0", "c/pip.o", []], ["wheel:tool-1", "c/tool.o", []]]
    facts = [
        new_part("wheel:pip", "pip", version="26.0", component="wheel:pip-26.0"),
        new_part("wheel:tool", "tool", component="wheel:tool-1", depends_on=["wheel:pip"]),
        *(renamed(part, ":pip", ":pip@25.1.1") for part in EMBEDDED),
    ]
    made = inventory({**STDLIB_FILES, "c/pip.o": 70, "c/tool.o": 8}, components, facts)
    parts = made["by_id"]
    assert {one: (parts[one]["version"], parts[one]["size"]) for one in parts if "pip" in one} == {
        "wheel:pip": ("26.0", 70),
        "wheel:pip@25.1.1": ("25.1.1", 1800),
        "bundled:pip@25.1.1/certifi": (None, None),
        "bundled:pip@25.1.1/libz": (None, None),
    }
    assert parts["wheel:pip"]["why"] == [ADDRESS, "tool", "pip"]
    assert parts["wheel:pip"]["drop"] == "take `tool` out of the requirements"
    assert parts["wheel:pip@25.1.1"]["why"][1:] == ["`ensurepip` in `include_stdlib`", "pip@25.1.1"]


def test_wheels_do_not_need_one_that_is_a_file() -> None:
    components = [*STDLIB, ["wheel:tool-1", "c/tool.o", []]]
    tool = new_part("wheel:tool", "tool", component="wheel:tool-1", depends_on=["wheel:pip"])
    parts = inventory({**STDLIB_FILES, "c/tool.o": 8}, components, [tool, *EMBEDDED])["by_id"]
    assert parts["wheel:tool"]["depends_on"] == ["interpreter:cpython"]
    assert parts["wheel:pip"]["drop"] == "take `ensurepip` out of `include_stdlib`"


def test_a_distribution_of_the_teams_own_is_a_package() -> None:
    components = [["wheel:own-1.0", "c/0.o", []], ["wheel:other-2.0", "c/1.o", []]]
    facts = [
        new_part(
            "first-party:lib:dist", "own", component="wheel:own-1.0", depends_on=["wheel:other"]
        ),
        new_part("wheel:other", "other", component="wheel:other-2.0"),
    ]
    files = {**FILES, "c/0.o": 1, "c/1.o": 2, "c/app.o": 3}
    parts = inventory(files, [*components, ["folder:app", "c/app.o", []]], facts)["by_id"]
    assert parts["first-party:app:bin"]["depends_on"] == [
        *("first-party:lib:dist", "interpreter:cpython")
    ]
    assert parts["first-party:lib:dist"]["depends_on"] == ["interpreter:cpython", "wheel:other"]
    assert parts["first-party:lib:dist"]["why"] == [ADDRESS, "lib:dist"]
    assert parts["wheel:other"]["why"] == [ADDRESS, "lib:dist", "other"]
    assert parts["wheel:other"]["drop"] == "take `lib:dist` out of the `dependencies`"


def test_a_bundled_library_that_a_filter_left_out(tmp_path: Path) -> None:
    path = "lib/python3.13/site-packages/x.libs/libin-1.so.2"
    (tmp_path / "native.json").write_text(json.dumps({"native": [{"path": path}]}))
    facts = [
        new_part("wheel:x", "x", component="wheel:x-1"),
        *(
            new_part(f"bundled:x/{name}", name, component="wheel:x-1", size=5, files=[file])
            for name, file in (("in", "x.libs/libin-1.so.2"), ("out", "x.libs/libout-1.so.2"))
        ),
        new_part("bundled:x/_vendor", "_vendor", component="wheel:x-1"),
    ]
    components = [["wheel:x-1", "c/1.o", [], str(tmp_path / "native.json")]]
    parts = inventory({"c/1.o": 60}, components, facts)["by_id"]
    assert list(parts) == ["bundled:x/_vendor", "bundled:x/in", "wheel:x"]
    assert parts["wheel:x"]["size"] == 55
    assert "files" not in parts["bundled:x/in"]


def test_a_library_made_from_an_archive_is_that_library() -> None:
    components = [["library:libz.so.1", "c/1.o", ["build/lib/libz.a"]]]
    parts = inventory({"c/1.o": 60}, components, [], extensions={})["by_id"]
    assert list(parts) == ["library:zlib"]
    assert parts["library:zlib"]["size"] == 60
    assert parts["library:zlib"]["why"][1] == "the native libraries of wheels need `libz.so.1`"


def test_bitcode_has_no_size() -> None:
    link_map = LinkMap({("__dist/build/main.o", ""): 0})
    link_map.add_bitcode("x.lto", ["__dist/build/main.o"], "")
    request = {
        "subject": {"address": ADDRESS},
        "prefixes": [["__dist/", ""]],
        "components": [],
        "extensions": {},
        "decompresses": None,
    }
    (part,) = make_inventory(request, FACTS, link_map)["parts"]
    assert (part["id"], part["size"]) == ("interpreter:cpython", None)


def test_what_nobody_knows_is_seen() -> None:
    parts = inventory({**FILES, "vendor/libmystery.a": 3}, [], [])["by_id"]
    assert (parts["library:mystery"]["license"], parts["library:mystery"]["size"]) == (None, 3)


def test_two_facts_about_one_part(tmp_path: Path) -> None:
    for name, license in (("a", "MIT"), ("b", "GPL-3.0-only")):
        facts = {"parts": [new_part("library:x", "x", license=license)]}
        (tmp_path / name).write_text(json.dumps(facts))
    (found,) = read_facts([str(tmp_path / "a"), str(tmp_path / "b")])
    assert found["license"] == "MIT"
