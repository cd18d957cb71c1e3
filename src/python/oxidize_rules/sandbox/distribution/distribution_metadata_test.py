"""PYTHON.json as releases have it, with each of their known defects, and what cannot be used."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

import pytest

from oxidize_rules.sandbox.distribution import distribution_metadata
from oxidize_rules.sandbox.distribution.distribution_metadata import machine_triple, normalize
from oxidize_rules.sandbox.distribution.testing_archives import (
    GNU,
    HACL,
    MUSL,
    STDLIB,
    named_files,
    python_json,
    variant,
)
from oxidize_rules.sandbox.errors import UserError

BITCODE = {"object_file_format": "llvm-bitcode:%22.1.3"}


def read(content: Mapping[str, Any], files: Optional[List[str]] = None) -> Dict[str, Any]:
    return normalize(dict(content), named_files(content) if files is None else files)


def extension(result: Mapping[str, Any], name: str) -> Dict[str, Any]:
    (found,) = (one for one in result["extensions"] if one["name"] == name)
    return dict(found)


def test_a_static_musl_build() -> None:
    result = read(python_json())
    assert result["target_triple"] == MUSL
    assert result["python_version"] == "3.13.15"
    assert result["object_file_format"] == "elf"
    assert result["glibc_floor"] is None
    assert result["build_options"] == "noopt+static"
    assert result["bytecode_magic"] == "f30d0d0a"
    assert result["has_mimalloc"] is True
    assert result["python_exe"] == "install/bin/python3.13"
    assert result["stdlib_path"] == STDLIB
    assert result["include_path"] == "install/include/python3.13"
    assert result["test_packages"] == ["idlelib.idle_test", "test"]
    assert result["core_system_libraries"] == ["dl"]
    assert extension(result, "math")["system_libraries"] == ["m"]
    assert extension(result, "posix")["required"] is True


def test_the_core_without_the_table_and_each_object_once() -> None:
    objects = read(python_json())["core_objects"]
    assert objects[:3] == [
        "build/Objects/abstract.o",
        "build/Python/frozen.o",
        "build/Modules/main.o",
    ]
    assert len(objects) == len(set(objects))


def test_an_object_of_an_extension_is_not_the_cores() -> None:
    content = python_json()
    content["build_info"]["core"]["objs"].append("build/Modules/math.o")
    assert "build/Modules/math.o" not in read(content)["core_objects"]


def test_hash_objects_that_are_listed_nowhere() -> None:
    assert read(python_json())["core_objects"][3:] == [HACL]


def test_hash_objects_that_are_listed() -> None:
    content = python_json()
    content["build_info"]["extensions"]["_sha2"] = variant("_sha2", objs=[HACL, HACL])
    result = read(content)
    assert HACL not in result["core_objects"]
    assert extension(result, "_sha2")["objects"] == [HACL]


def test_libpython_is_not_looked_for() -> None:
    content = python_json()
    content["build_info"]["core"]["shared_lib"] = "install/lib/no-such.so"
    assert content["build_info"]["core"]["static_lib"] not in named_files(content)
    read(content)


def test_openssl_has_one_licence() -> None:
    found = extension(read(python_json()), "_ssl")
    assert found["licenses"] == ["Apache-2.0"]
    assert found["license_paths"] == ["licenses/LICENSE.openssl-3.txt"]
    assert found["static_libraries"] == ["build/lib/libcrypto.a", "build/lib/libssl.a"]


def test_licence_files_that_were_not_packed() -> None:
    assert extension(read(python_json()), "zlib")["license_paths"] == ["licenses/LICENSE.zlib.txt"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("elf", "elf"),
        ("llvm-bitcode:%22.1.3", "llvm-bitcode:22.1.3"),
        ("llvm-bitcode:22.1.3", "llvm-bitcode:22.1.3"),
    ],
)
def test_object_formats(value: str, expected: str) -> None:
    result = read(python_json(build_info={"object_file_format": value}))
    assert result["object_file_format"] == expected


@pytest.mark.parametrize("value", ["coff", "mach-o", "wasm", "llvm-bitcode:%", None])
def test_foreign_object_formats(value: Optional[str]) -> None:
    message = f"found the object file format `{value}`, expected `elf` or `llvm-bitcode"
    with pytest.raises(UserError, match=message):
        read(python_json(build_info={"object_file_format": value}))


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        (["glibc-dynamic", "glibc-max-symbol-version:2.17)"], "2.17"),
        (["glibc-dynamic", "glibc-max-symbol-version:2.28"], "2.28"),
        (["glibc-dynamic"], "2.17"),
        (None, "2.17"),
    ],
)
def test_glibc_floors(features: Optional[List[str]], expected: str) -> None:
    content = python_json(target_triple=GNU, build_options="pgo+lto", crt_features=features)
    content["build_info"].update(BITCODE)
    assert read(content)["glibc_floor"] == expected


@pytest.mark.parametrize(
    ("triple", "options", "features", "expected"),
    [
        (MUSL, "noopt+static", ["static"], False),
        (MUSL, "noopt+static", None, False),
        (MUSL, "noopt", ["static"], False),  # before "+static" was there
        (MUSL, "noopt", ["musl-dynamic", "musl-version:1.2.2"], True),
        (MUSL, "noopt", None, True),
        (GNU, "noopt", ["glibc-dynamic"], False),
    ],
)
def test_interpreters_that_need_a_musl(
    triple: str, options: str, features: Optional[List[str]], expected: bool
) -> None:
    content = python_json(target_triple=triple, build_options=options, crt_features=features)
    assert read(content)["needs_musl"] is expected


def test_format_7_has_optimizations_instead_of_build_options() -> None:
    content = python_json(version="7")
    del content["build_options"]
    assert read(content) == read(python_json())


def test_unknown_keys_and_nulls() -> None:
    content = python_json(
        new_key={"any": ["thing"]}, python_config_vars=None, python_stdlib_test_packages=None
    )
    content.update(python_abi_tag=None, python_bytecode_magic_number=None, licenses=None)
    build = content["build_info"]
    build["new_key"] = None
    build["core"]["links"] = None
    math = variant("math", in_2030=True)
    for key in ("links", "licenses", "license_paths", "license_public_domain", "shared_lib"):
        math[0][key] = None
    build["extensions"]["math"] = math
    build["extensions"]["posix"][0].update(init_fn=None, objs=None)
    result = read(content, named_files(python_json()))
    assert result["has_mimalloc"] is False
    assert "test" in result["test_packages"]
    assert result["core_system_libraries"] == []
    assert extension(result, "math")["licenses"] == []
    assert extension(result, "math")["license_public_domain"] is None
    assert extension(result, "posix")["init_function"] is None
    assert extension(result, "posix")["objects"] == []


def test_special_init_functions() -> None:
    result = read(python_json())
    assert extension(result, "sys")["init_function"] is None
    assert extension(result, "sys")["in_core"] is True
    assert extension(result, "zlib")["init_function"] == "PyInit_zlib"


def test_the_default_variant_and_file_names_of_libraries() -> None:
    content = python_json()
    other = variant("readline", variant="other", init_fn="PyInit_other")
    default = variant("readline", [{"name": ":libatomic.a"}, {"name": "m"}, {"name": "m"}])
    content["build_info"]["extensions"]["readline"] = [*other, *default]
    files = [*named_files(python_json()), "build/Modules/readline.o"]
    found = extension(read(content, files), "readline")
    assert found["init_function"] == "PyInit_readline"
    assert found["system_libraries"] == ["atomic", "m"]


@pytest.mark.parametrize(
    ("triple", "expected"),
    [
        ("x86_64_v3-unknown-linux-gnu", GNU),
        ("aarch64-unknown-linux-musl", "aarch64-unknown-linux-musl"),
    ],
)
def test_triples(triple: str, expected: str) -> None:
    assert machine_triple(triple) == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": "9"}, "found format version '9', expected one of 7, 8. Use an archive"),
        ({"version": None}, "found format version None"),
        ({"target_triple": "x86_64-pc-windows-msvc"}, "`x86_64-pc-windows-msvc`.*outside the sc"),
        ({"target_triple": "aarch64-apple-darwin"}, "Windows and macOS are outside the scope"),
        ({"target_triple": "riscv64-unknown-linux-gnu"}, "expected x86_64 or aarch64"),
        ({"target_triple": "x86_64-unknown-linux-gnueabihf"}, "expected x86_64 or aarch64"),
        ({"target_triple": None}, "found no `target_triple`, expected a string"),
        ({"target_triple": 5}, "found `target_triple` = 5, expected a string"),
        ({"python_version": ""}, "found `python_version` = '', expected a string"),
        ({"build_info": None}, "found no `build_info`.*`install_only` ones have no objects"),
        ({"build_options": "debug+static"}, "found a debug build"),
        ({"build_options": "noopt", "python_abi_tag": "d"}, "found a debug build"),
        ({"build_options": "freethreaded+pgo+lto"}, "found a free-threaded build.*without"),
        ({"python_abi_tag": "t"}, "found a free-threaded build"),
    ],
)
def test_what_cannot_be_used(changes: Dict[str, Any], message: str) -> None:
    content = python_json()
    content.update(changes)
    with pytest.raises(UserError, match=message):
        read(content, named_files(python_json()))


@pytest.mark.parametrize(
    "missing",
    [
        "build/Objects/abstract.o",
        "build/Modules/zlib.o",
        "build/lib/libz.a",
        "install/bin/python3.13",
        f"{STDLIB}/os.py",
        "install/include/python3.13/Python.h",
    ],
)
def test_files_that_the_archive_does_not_have(missing: str) -> None:
    content = python_json()
    files = [name for name in named_files(content) if name != missing]
    message = f"names files that the archive does not have: {missing}. The archive is incomplete"
    with pytest.raises(UserError, match=message):
        read(content, files)


def test_many_missing_files_are_counted() -> None:
    with pytest.raises(UserError, match=r"build/lib/libcrypto.a.* and \d+ more. The archive"):
        read(python_json(), [])


def shapes(value: Any, path: tuple[Any, ...] = ()) -> List[tuple[Any, ...]]:
    """The path of everything inside a JSON value."""
    if not isinstance(value, (dict, list)):
        return [path]
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return [path, *(found for key, one in items for found in shapes(one, (*path, key)))]


@pytest.mark.parametrize("replacement", [None, 7, "text", [], {}, [[]], [None], {"a": 1}])
def test_any_shape_is_read_or_refused(tmp_path: Path, replacement: Any) -> None:
    whole = python_json()
    (tmp_path / "members").write_text("".join(f"{name}\n" for name in named_files(whole)))
    arguments = [str(tmp_path / name) for name in ("json", "members", "result")]
    refused = 0
    for path in shapes(whole)[1:]:
        content = copy.deepcopy(whole)
        inner: Any = content
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = replacement
        (tmp_path / "json").write_text(json.dumps(content))
        try:
            distribution_metadata.main(arguments)
        except UserError:
            refused += 1
            assert not (tmp_path / "result").exists()
        else:
            (tmp_path / "result").unlink()
    assert refused > 5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"{", "PYTHON.json is not JSON: .*The archive is damaged"),
        (b"\xff\xfe", "PYTHON.json is not JSON"),
        (b"[" * 100_000, "PYTHON.json is not JSON"),
        (b"[]", "found a list or a value, expected an object"),
    ],
)
def test_no_json(tmp_path: Path, text: bytes, message: str) -> None:
    (tmp_path / "json").write_bytes(text)
    (tmp_path / "members").write_text("")
    with pytest.raises(UserError, match=message):
        distribution_metadata.main([str(tmp_path / n) for n in ("json", "members", "result")])
    assert not (tmp_path / "result").exists()


def test_another_triple_than_the_targets(tmp_path: Path) -> None:
    content = python_json()
    (tmp_path / "json").write_text(json.dumps(content))
    (tmp_path / "members").write_text("".join(f"{name}\n" for name in named_files(content)))
    arguments = [str(tmp_path / name) for name in ("json", "members", "result")]
    with pytest.raises(UserError, match=f"`target_triple` is `{GNU}`.*archive is for `{MUSL}`"):
        distribution_metadata.main([*arguments, f"--target-triple={GNU}"])
    assert not (tmp_path / "result").exists()
    distribution_metadata.main([*arguments, f"--target-triple={MUSL}"])
    assert json.loads((tmp_path / "result").read_text())["target_triple"] == MUSL
