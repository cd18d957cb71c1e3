from __future__ import annotations

import hashlib
import importlib.util
import json
import marshal
import os
import random
import shutil
import subprocess
import sys
import zlib
from pathlib import Path
from types import CodeType
from typing import Any, Mapping

import pytest

from oxidize_rules import sandbox
from oxidize_rules.sandbox.errors import UserError
from oxidize_rules.sandbox.images import component
from oxidize_rules.sandbox.images.component import (
    compile_all,
    exclusion,
    main,
    module_name,
    top_level_names,
)
from oxidize_rules.sandbox.images.image_reader import ObjectReader
from oxidize_rules.sandbox.images.tree import read_tree

TAG = sys.implementation.cache_tag
SOURCES = str(Path(sandbox.__file__).parents[2])


class Built:
    def __init__(self, folder: Path) -> None:
        self.manifest: dict[str, Any] = json.loads((folder / "payload.json").read_text())
        self.object = ObjectReader((folder / "payload.o").read_bytes())
        symbol = self.manifest["symbol"]
        section = symbol.replace("oxidize_payload_", ".rodata.oxidize.")
        self.data = self.object.data(section)
        self.alignment = self.object.elf.get_section_by_name(section)["sh_addralign"]
        entry = self.object.symbols[symbol]
        assert (entry["st_value"], entry["st_size"]) == (0, len(self.data))
        self.files = {
            path: self.data[offset : offset + size]
            for path, offset, size, _, _, _ in self.manifest["files"]
        }
        assert list(self.files) == sorted(self.files)


def build(tmp_path: Path, source: Path, *more: str, root: str = "app", **options: str) -> Built:
    arguments = {
        "name": "folder:x",
        "root": root,
        "input": str(source),
        "kind": "tree",
        "optimization": "0",
        "sources": "yes",
        "machine": "x86_64",
        "output": str(tmp_path / "payload.o"),
        "manifest": str(tmp_path / "payload.json"),
        **options,
    }
    flat = [part for key, value in arguments.items() for part in (f"--{key}", value)]
    main([*flat, *more])
    return Built(tmp_path)


def write(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        data = content if isinstance(content, bytes) else content.encode()
        (folder / path).write_bytes(data)
    return folder


def test_sources_are_compressed_where_that_saves(tmp_path: Path) -> None:
    long = "value = 1\n" * 100
    files = {"long.py": long, "short.py": "x", "empty.py": "", "data.txt": long}
    built = build(tmp_path, write(tmp_path / "in", files), compress="yes")
    rows = {row[0]: row for row in built.manifest["files"]}
    _, offset, size, _, digest, stored = rows["app/long.py"]
    assert size == len(long)
    assert 0 < stored < 40
    assert zlib.decompress(built.data[offset : offset + stored]) == long.encode()
    assert digest == hashlib.sha256(long.encode()).hexdigest()[:16]
    others = {path: row[5] for path, row in rows.items() if path != "app/long.py"}
    assert set(others.values()) == {0}
    assert len(others) == 6  # three with bytecode, of long.py the bytecode, and data.txt


def code_of(pyc: bytes) -> CodeType:
    assert pyc[:4] == importlib.util.MAGIC_NUMBER
    assert pyc[4:8] == b"\1\0\0\0"
    code = marshal.loads(pyc[16:])
    assert isinstance(code, CodeType)
    return code


def test_a_tree_as_an_installation_has_it(tmp_path: Path) -> None:
    source = write(
        tmp_path / "in",
        {
            "pkg/__init__.py": "",
            "pkg/mod.py": "def main():\n    return 42\n",
            "pkg/data.json": "{}",
            "pkg/__pycache__/mod.cpython-399.pyc": b"old",
            "top.py": "from pkg.mod import main",
        },
    )
    built = build(tmp_path, source)
    assert set(built.files) == {
        f"app/__pycache__/top.{TAG}.pyc",
        f"app/pkg/__pycache__/__init__.{TAG}.pyc",
        f"app/pkg/__pycache__/mod.{TAG}.pyc",
        "app/pkg/__init__.py",
        "app/pkg/data.json",
        "app/pkg/mod.py",
        "app/top.py",
    }
    assert built.files["app/pkg/data.json"] == b"{}"
    pyc = built.files[f"app/pkg/__pycache__/mod.{TAG}.pyc"]
    assert pyc[8:16] == importlib.util.source_hash(built.files["app/pkg/mod.py"])
    code = code_of(pyc)
    assert code.co_filename == "/.oxidized/app/pkg/mod.py"
    namespace: dict[str, Any] = {}
    exec(code, namespace)
    assert namespace["main"]() == 42
    assert built.manifest["names"] == {"pkg": [], "pkg.mod": ["main"], "top": ["main"]}


def test_a_folder_component_has_its_own_files_only(tmp_path: Path) -> None:
    source = write(tmp_path / "in", {"a.py": "x = 1", "b.txt": "b", "sub/c.py": "", "sub/d": ""})
    built = build(
        tmp_path, source, root="app/cli", kind="folder", **{"path-entry": "app", "sources": "no"}
    )
    assert set(built.files) == {"app/cli/a.pyc", "app/cli/b.txt"}
    assert built.manifest["names"] == {"cli.a": ["x"]}


@pytest.mark.parametrize(("level", "suffix"), [("0", ""), ("1", ".opt-1"), ("2", ".opt-2")])
def test_optimization(tmp_path: Path, level: str, suffix: str) -> None:
    source = write(tmp_path / "in", {"a.py": "'doc'\nif __debug__: x = 1\nassert 0\n"})
    built = build(tmp_path, source, optimization=level)
    code = code_of(built.files[f"app/__pycache__/a.{TAG}{suffix}.pyc"])
    namespace: dict[str, Any] = {}
    if level == "0":
        with pytest.raises(AssertionError):
            exec(code, namespace)
    else:
        exec(code, namespace)
    assert namespace.get("__doc__") == (None if level == "2" else "doc")
    assert ("x" in namespace) == (level == "0")


def test_encodings_are_those_of_the_language(tmp_path: Path) -> None:
    source = write(
        tmp_path / "in",
        {
            "bom.py": b"\xef\xbb\xbfx = '\xc3\xa9'\n",
            "latin.py": b"# -*- coding: latin-1 -*-\nx = '\xe9'\n",
        },
    )
    built = build(tmp_path, source)
    for name in ("bom", "latin"):
        namespace: dict[str, Any] = {}
        exec(code_of(built.files[f"app/__pycache__/{name}.{TAG}.pyc"]), namespace)
        assert namespace["x"] == "\u00e9"
    assert built.files["app/latin.py"].endswith(b"x = '\xe9'\n")


BAD: dict[str, str | bytes] = {
    "syntax.py": "x = 1\ndef f(:\n",
    "coding.py": b"# coding: no-such-codec\n",
    "bytes.py": b"x = '\xff'\n",
    "nul.py": b"x = 1\0\n",
}


def test_third_party_modules_that_do_not_compile_go_in_as_source(tmp_path: Path) -> None:
    source = write(tmp_path / "in", {**BAD, "good.py": ""})
    for sources in ("yes", "no"):
        built = build(tmp_path, source, sources=sources)
        pycs = [path for path in built.files if path.endswith(".pyc")]
        assert len(pycs) == 1
        assert {f"app/{name}" for name in BAD} <= set(built.files)
        assert set(built.manifest["uncompiled"]) == {f"app/{name}" for name in BAD}


@pytest.mark.parametrize("name", sorted(BAD))
def test_first_party_modules_that_do_not_compile_are_refused(tmp_path: Path, name: str) -> None:
    source = write(tmp_path / "in", {name: BAD[name], "good.py": ""})
    with pytest.raises(UserError) as error:
        build(tmp_path, source, "--strict")
    message = str(error.value)
    assert f"{source}/{name}" in message
    assert "Mend the code" in message
    if name == "syntax.py":
        assert f"{name}, line 2: " in message
    assert sorted(os.listdir(tmp_path)) == ["in"]


def test_exclusion() -> None:
    excluded = exclusion(["test", "config-*", "a/*/c", "**/*.so", "x?.py"])
    for path in ("test", "config-3.13", "a/b/c", "m.so", "p/q/m.so", "xy.py"):
        assert excluded(path), path
    for path in ("tests", "p/test", "config", "a/b/d/c", "a/c", "m.so.1", "x.py", "xyz.py"):
        assert not excluded(path), path
    assert not exclusion([])("anything")


def test_excluded_folders_are_left_out_whole(tmp_path: Path) -> None:
    source = write(tmp_path / "in", {"test/a.py": "", "test/b/c": "", "keep/test/d": ""})
    built = build(tmp_path, source, "--exclude", "test")
    assert set(built.files) == {"app/keep/test/d"}


def test_layout(tmp_path: Path) -> None:
    """Code first and aligned, then data, sources, and native libraries on pages."""
    files: dict[str, str | bytes] = {
        "b.py": "x = 1",
        "a.py": "",
        "c.json": "123",
        "l.so": b"\x7fELF" + bytes(99),
    }
    source = write(tmp_path / "in", {**files, "m.so.1": b"\x7fELFx"})
    for machine, page in (("x86_64", 4096), ("aarch64", 65536)):
        built = build(tmp_path, source, machine=machine)
        order = sorted(built.manifest["files"], key=lambda file: file[1])
        assert [file[0].rpartition("/")[2] for file in order] == [
            *(f"a.{TAG}.pyc", f"b.{TAG}.pyc", "c.json", "a.py", "b.py", "l.so", "m.so.1"),
        ]
        for path, offset, *_ in order:
            assert offset % (16 if path.endswith(".pyc") else 1) == 0
            assert offset % (page if ".so" in path else 1) == 0
        assert built.alignment == page
        assert [native["path"] for native in built.manifest["native"]] == ["app/l.so", "app/m.so.1"]
    (source / "l.so").unlink()
    (source / "m.so.1").unlink()
    assert build(tmp_path, source).alignment == 16


def test_bytecode_without_source_is_kept_if_it_is_of_this_python(tmp_path: Path) -> None:
    magic = importlib.util.MAGIC_NUMBER
    source = write(tmp_path / "in", {"own.pyc": magic + bytes(12), "other.pyc": b"old!" + magic})
    built = build(tmp_path, source)
    assert set(built.files) == {"app/own.pyc"}
    assert built.manifest["dropped"] == ["app/other.pyc"]


def test_links(tmp_path: Path) -> None:
    outside = write(tmp_path / "out", {"f.txt": "f"})
    source = write(tmp_path / "in", {"a/b.txt": "b"})
    (source / "link").symlink_to(outside / "f.txt")
    (source / "again").symlink_to("a")
    assert [file.path for file in read_tree(str(source))] == ["a/b.txt", "again/b.txt", "link"]

    def refused(target: Path | str) -> str:
        (source / "bad").symlink_to(target)
        with pytest.raises(UserError) as error:
            read_tree(str(source))
        (source / "bad").unlink()
        return str(error.value)

    assert "outside of the component" in refused(outside)
    assert "stands in" in refused("../in/.")
    assert "does not exist" in refused("nothing")
    os.mkfifo(source / "pipe")
    with pytest.raises(UserError, match="neither a file nor a folder"):
        read_tree(str(source))
    with pytest.raises(UserError, match="there is no folder"):
        read_tree(str(tmp_path / "none"))


def test_executable_files_and_names_that_are_not_utf_8(tmp_path: Path) -> None:
    source = write(tmp_path / "in", {"tool": "#!", "plain": ""})
    (source / "tool").chmod(0o755)
    (source / "plain").chmod(0o600)
    with open(os.fsencode(source) + b"/\xff.txt", "wb"):
        pass
    built = build(tmp_path, source)
    assert {file[0]: file[3] for file in built.manifest["files"]} == {
        "app/tool": 1,
        "app/plain": 0,
        "app/\udcff.txt": 0,
    }


NAMES = """
import os.path, sys as system
from json import dumps as d
a = b = 1
c: int = 2
e: int
def f(): inner = 1
async def g(): pass
class H:
    attribute = 1
def sets():
    global later
    later = 1
for i in (): pass
with open(".") as w: pass
try: pass
except OSError as error: pass
if 0: never = 1
"""


def test_top_level_names() -> None:
    code = compile(NAMES, "x", "exec")
    names = top_level_names(code)
    assert names is not None
    expected = {"os", "system", "d", "a", "b", "c", "f", "g", "H", "sets", "later", "i", "w"}
    assert expected <= set(names)
    assert {"inner", "attribute", "e", "path", "never"}.isdisjoint(names)


def test_many_names_need_extended_arguments() -> None:
    text = "".join(f"name_{number} = {number + 1000}\n" for number in range(700))
    names = top_level_names(compile(text, "x", "exec"))
    assert names is not None
    assert {f"name_{number}" for number in range(700)} <= set(names)


@pytest.mark.parametrize(
    "text",
    [
        "from os import *",
        "def __getattr__(name): pass",
        "globals()['x'] = 1",
        "exec('x = 1')",
        "import sys\nsys.modules[__name__] = 1",
    ],
)
def test_names_that_cannot_be_known(text: str) -> None:
    assert top_level_names(compile(text, "x", "exec")) is None


def test_module_names() -> None:
    assert module_name("app/a/b.py", "app") == "a.b"
    assert module_name("app/a/__init__.py", "app") == "a"
    assert module_name("a.py", "") == "a"
    assert module_name("app/__init__.py", "app") is None
    assert module_name("app/not-a-name/b.py", "app") is None
    assert module_name("other/b.py", "app") is None


def stdlib_modules(count: int) -> list[tuple[str, bytes]]:
    folder = Path(os.__file__).parent
    paths = [*folder.glob("*.py"), *folder.glob("asyncio/*.py"), *folder.glob("email/*.py")]
    found = sorted((str(path.relative_to(folder)), path.read_bytes()) for path in paths)
    return random.Random(7).sample(found, count)


def python_from_311() -> str:
    """A Python of this machine; the environment of these tests is Pants' own, which is older."""
    names = [f"python3.{minor}" for minor in range(15, 10, -1)]
    for path in (os.environ.get("OXIDIZE_TEST_PYTHON"), *map(shutil.which, names)):
        if path and subprocess.run([path, "-c", ""], check=False).returncode == 0:
            return path
    pytest.skip("no CPython from 3.11 on this machine; OXIDIZE_TEST_PYTHON may name one")


def test_bytecode_does_not_depend_on_what_was_compiled_or_imported_before() -> None:
    """What marshal writes depends on which strings the process has interned; ours must not.

    Older Pythons than 3.11 do not promise it: there, the order of compiling is always the same.
    """
    python = python_from_311()
    names = ("argparse.py", "inspect.py", "weakref.py", "asyncio/events.py", "ftplib.py")
    program = """
import hashlib, os, sys
from oxidize_rules.sandbox.images.component import compile_module
mode, *names = sys.argv[1:]
folder = os.path.dirname(os.__file__)
alive = []
if mode == "imported":
    import argparse, asyncio, email.message, ftplib, inspect, json, typing, unittest, weakref
if mode == "reversed":
    names.reverse()
for name in names:
    source = open(os.path.join(folder, name), "rb").read()
    if mode == "kept":
        alive.append(compile(source, "other", "exec"))
    print(name, hashlib.sha256(compile_module(source, name, 0, True)[0]).hexdigest())
"""

    def digests(mode: str, *names: str) -> set[str]:
        output = subprocess.run(
            [python, "-s", "-S", "-c", program, mode, *names],
            env={
                "PYTHONPATH": SOURCES,
                "PYTHONHASHSEED": str(len(mode)),
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            capture_output=True,
            text=True,
            check=True,
        )
        return set(output.stdout.splitlines())

    alone = {line for name in names for line in digests("alone", name)}
    assert len(alone) == len(names)
    for mode in ("in order", "reversed", "kept", "imported"):
        assert digests(mode, *names) == alone, mode


def test_processes_share_the_work_without_changing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    modules = [*stdlib_modules(25), ("bad.py", b"def")]
    alone = compile_all(modules, 0, True)
    monkeypatch.setattr(component, "_PARALLEL_FROM", 4)
    monkeypatch.setattr(component, "_PARALLEL", True)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    assert compile_all(modules, 0, True) == alone
    assert [result[2] is None for result in alone] == [True] * 25 + [False]


def test_a_lost_compiling_process_is_noticed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    parent = os.getpid()

    def compile_here(*arguments: Any) -> Any:
        if os.getpid() != parent:
            raise ZeroDivisionError
        return (None, None, None)

    monkeypatch.setattr(component, "_PARALLEL_FROM", 1)
    monkeypatch.setattr(component, "_PARALLEL", True)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(component, "compile_module", compile_here)
    with pytest.raises(RuntimeError, match="a compiling process failed"):
        compile_all([("a.py", b""), ("b.py", b"")], 0, False)
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_outputs_depend_on_contents_alone(tmp_path: Path) -> None:
    """Not on the folder's place, times, the order of creation, hash seed, or umask."""
    files: dict[str, str | bytes] = {
        "a.py": "x = {'one', 'two', 'three'}\ny = 'n' in {'m', 'n', 'o'}\n",
        "b/c.py": "from a import x\n",
        "d.txt": "d",
    }
    results = []
    for number, order in enumerate((list(files), list(reversed(files)))):
        folder = tmp_path / f"place-{number}" / ("deep" * number)
        write(folder / "in", {path: files[path] for path in order})
        for path in order:
            os.utime(folder / "in" / path, (number * 10**6, number * 10**6))
        subprocess.run(
            [
                *(sys.executable, "-s", "-S", "-m", "oxidize_rules.sandbox.images.component"),
                *("--name", "folder:x", "--root", "app", "--input", "in", "--kind", "tree"),
                *("--optimization", "0", "--sources", "yes", "--machine", "x86_64"),
                *("--output", "payload.o", "--manifest", "payload.json"),
            ],
            cwd=folder,
            env={
                "PYTHONPATH": SOURCES,
                "PYTHONHASHSEED": str(number) if sys.version_info >= (3, 11) else "0",
            },
            check=True,
        )
        results.append([(folder / f).read_bytes() for f in ("payload.o", "payload.json")])
        assert str(tmp_path).encode() not in b"".join(results[-1])
    assert results[0] == results[1]


def test_a_wheel_is_found_by_importlib_metadata(tmp_path: Path) -> None:
    """The payload's files, written to a disk, are an installation."""
    import zipfile
    from importlib.metadata import distributions

    info = "demo-1.0.dist-info"
    wheel = tmp_path / "demo-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("demo/__init__.py", "def main(): return 1")
        archive.writestr("demo/native.so", b"\x7fELF")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "broken,,\n")
        archive.writestr("demo-1.0.data/scripts/tool", "")
    built = build(tmp_path, wheel, root="site", kind="wheel")
    assert built.manifest["dropped"] == ["demo-1.0.data/scripts/tool"]
    (native,) = built.manifest["native"]
    assert (native["path"], native["kind"]) == ("site/demo/native.so", "other")
    assert built.manifest["tags"] == ["py3-none-any"]
    assert built.manifest["names"] == {"demo": ["main"]}
    for path, content in built.files.items():
        write(tmp_path / "installed", {path: content})
    (found,) = distributions(path=[str(tmp_path / "installed" / "site")])
    assert found.metadata["Name"] == "demo"
    assert found.read_text("INSTALLER") == "oxidize_rules\n"
    recorded = {f"site/{file}": file for file in found.files or ()}
    assert set(recorded) == set(built.files)
    for path, file in recorded.items():
        if file.size is not None:
            assert file.size == len(built.files[path])

    without = build(tmp_path, wheel, "--exclude", "**/*.so", root="site", kind="wheel")
    assert without.manifest["native"] == []


def test_an_incomplete_standard_library_is_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "in", {"os.py": ""})
    with pytest.raises(UserError, match="no complete standard library"):
        build(tmp_path, source, kind="stdlib")
    write(
        source, {"_sysconfigdata_x.py": "", "test/a.py": "", "site-packages/b.py": "", "c.py": ""}
    )
    built = build(tmp_path, source, "--leave-out", "test", kind="stdlib", root="lib")
    assert {path for path in built.files if path.endswith(".py")} == {
        "lib/_sysconfigdata_x.py",
        "lib/c.py",
        "lib/os.py",
    }
    assert built.manifest["names"] == {}


def test_what_the_standard_library_leaves_out_can_be_taken_alone(tmp_path: Path) -> None:
    files = ("os.py", "test/__init__.py", "test/a.py", "test/b/x.txt", "email/test/c.py", "idle.py")
    source = write(tmp_path / "in", dict.fromkeys(files, ""))
    arguments = ("--leave-out", "test", "email.test", "--only")
    tests = build(tmp_path, source, *arguments, "test", "os", kind="stdlib", root="lib")
    assert {path for path in tests.files if not path.endswith(".pyc")} == {
        *("lib/test/__init__.py", "lib/test/a.py", "lib/test/b/x.txt")
    }
    part = build(tmp_path, source, *arguments, "test.b", "email", kind="stdlib", root="lib")
    assert {path for path in part.files if not path.endswith(".pyc")} == {
        *("lib/test/__init__.py", "lib/test/b/x.txt", "lib/email/test/c.py")
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--nonsense", "x"], ["unknown argument `--nonsense`", "--optimization"]),
        (["--name"], ["--name needs a value"]),
        (["--name", "x"], ["missing", "--input"]),
    ],
)
def test_bad_command_lines(arguments: list[str], words: list[str]) -> None:
    with pytest.raises(UserError) as error:
        main(arguments)
    for word in words:
        assert word in str(error.value)
