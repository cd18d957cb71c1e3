"""Links small C programs with the real lld, for both C libraries.

zig and the sysroots come through the rules, as in a build (see `util_rules/testing_toolchain.py`).
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest

from oxidize_rules import sandbox
from oxidize_rules.sandbox.elf_section import SBOM_SECTION, read_section
from oxidize_rules.sandbox.parts.facts import new_part
from oxidize_rules.util_rules.testing_toolchain import write_toolchain

SOURCES = str(Path(sandbox.__file__).parents[2])
MAIN = """
#include <stdio.h>
extern int Py_Answer(void);
static int zero;
int *where = &zero;
int main(void) { printf("%d\\n", Py_Answer() + *where); return 0; }
"""
ANSWER = "int hidden_helper(void) { return 42; } int Py_Answer(void) { return hidden_helper(); }\n"


@pytest.fixture(scope="module")
def toolchain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `zig` (the tree that holds `ziglang/`) and a sysroot for each C library."""
    return write_toolchain(tmp_path_factory.mktemp("toolchain"))


class Sandbox:
    """A folder laid out as for a link."""

    def __init__(self, folder: Path, toolchain: Path, libc: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "__zig").symlink_to(toolchain / "zig")
        (folder / "__sysroot").symlink_to(toolchain / libc)
        (folder / "wrap.txt").write_text("")

    def compile(self, name: str, source: str, *arguments: str) -> str:
        (self.folder / f"{name}.c").write_text(source)
        command = ["__sysroot/bin/cc", "-c", "-O2", *arguments, f"{name}.c"]
        subprocess.run(command, cwd=self.folder, check=True)
        return f"{name}.o"

    def archive(self, name: str, *members: str) -> str:
        command = ["__sysroot/bin/ar", "rcsD", name, *members]
        subprocess.run(command, cwd=self.folder, check=True)
        return name

    def link(self, objects: list[str], **changes: Any) -> subprocess.CompletedProcess[str]:
        request = {
            "zig": "__zig/ziglang/zig",
            "sysroot": "__sysroot",
            "output": "app",
            "report": "report.json",
            "map": None,
            "objects": [[path, f"the part `{path[:-2]}`"] for path in objects],
            "static_libraries": [],
            "system_libraries": [["m", "math"], ["pthread", "threads"]],
            "wrap": "wrap.txt",
            "exports": ["Py*", "_Py*"],
            "dynamic_loading": False,
            "strip": True,
            "debug": None,
            "link_args": [],
            "inventory": None,
            **changes,
        }
        (self.folder / "request.json").write_text(json.dumps(request))
        return subprocess.run(
            [sys.executable, "-s", "-m", "oxidize_rules.sandbox.linking.link", "request.json"],
            cwd=self.folder,
            env={"PYTHONPATH": SOURCES, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )

    def fails(self, objects: list[str], **changes: Any) -> str:
        """The message of a link that fails, which must leave nothing behind."""
        before = {path.name for path in self.folder.iterdir()} | {"request.json"}
        result = self.link(objects, **changes)
        assert result.returncode == 2, result.stderr
        assert {path.name for path in self.folder.iterdir()} == before
        assert "Traceback" not in result.stderr
        return result.stderr


@pytest.fixture(params=["musl", "gnu"])
def libc(request: Any) -> str:
    return str(request.param)


@pytest.fixture
def box(tmp_path: Path, toolchain: Path, libc: str) -> Sandbox:
    return Sandbox(tmp_path / "box", toolchain, libc)


def test_an_executable_that_runs_and_keeps_its_promises(box: Sandbox, libc: str) -> None:
    objects = [box.compile("main", MAIN), box.compile("answer", ANSWER)]
    result = box.link(objects, map="app.map")
    assert result.returncode == 0, result.stderr
    output = subprocess.run([str(box.folder / "app")], stdout=subprocess.PIPE, env={}, check=True)
    assert output.stdout == b"42\n"
    report = json.loads((box.folder / "report.json").read_text())
    assert report["findings"] == []
    assert report["exported_symbols"] == 1
    if libc == "musl":
        assert (report["interpreter"], report["needed"]) == (None, [])
    else:
        assert report["interpreter"] == "/lib64/ld-linux-x86-64.so.2"
        assert report["needed"] == ["libc.so.6"]
    assert "answer.o:(.text" in (box.folder / "app.map").read_text()


def test_two_folders_give_the_same_bytes(tmp_path: Path, toolchain: Path, libc: str) -> None:
    found = set()
    for name in ("one", "another/and/deeper"):
        box = Sandbox(tmp_path / name, toolchain, libc)
        result = box.link([box.compile("main", MAIN), box.compile("answer", ANSWER)], strip=False)
        assert result.returncode == 0, result.stderr
        found.add(hashlib.sha256((box.folder / "app").read_bytes()).hexdigest())
    assert len(found) == 1


def with_inventory(box: Sandbox, *arguments: str, **changes: Any) -> dict[str, Any]:
    """What to give to `Sandbox.link` besides objects, with facts about some of what is linked."""
    used = box.archive("libused.a", box.compile("answer", ANSWER, *arguments))
    unused = box.archive("libunused.a", box.compile("unused", "int unused(void) { return 1; }"))
    parts = [
        new_part("interpreter:cpython", "CPython", objects=["main.o"], license="Python-2.0"),
        new_part("library:used", "used", archives=[used], version="1.0"),
        new_part("library:unused", "unused", archives=[unused]),
        new_part("vendored:empty", "empty", objects=["empty.o"]),
        new_part(
            "libc:libc",
            "libc",
            archives=[
                "sys/lib/libc.a",
                "sys/lib/libcompiler_rt.a",
                "sys/lib/libmalloc.a",
                "sys/lib/libc_nonshared.a",
            ],
            objects=["sys/lib/*.o"],
        ),
    ]
    (box.folder / "facts.json").write_text(json.dumps({"parts": parts}))
    return {
        "static_libraries": [[used, "used"], [unused, "unused"]],
        "inventory": {
            "output": "inventory.json",
            "facts": ["facts.json"],
            "subject": {
                "name": "app",
                "address": "//app",
                "version": None,
                "target_triple": "x86_64-unknown-linux-musl",
                "python_version": "3.13.5",
                "filename": "app",
            },
            "prefixes": [["__sysroot/", "sys/"]],
            "components": [],
            "extensions": {},
            "decompresses": None,
        },
        **changes,
    }


@pytest.mark.parametrize("debug", [None, "app.debug"])
def test_the_inventory_is_of_what_the_link_took(box: Sandbox, debug: str | None) -> None:
    empty = box.compile("empty", "int nobody_calls(void) { return 2; }", "-ffunction-sections")
    mystery = box.compile("mystery", "int Py_Mystery(void) { return 3; }")
    objects = [box.compile("main", MAIN), empty, mystery]
    before = {path.name for path in box.folder.iterdir()}
    result = box.link(objects, **with_inventory(box, debug=debug))
    assert result.returncode == 0, result.stderr
    made = json.loads((box.folder / "inventory.json").read_text())
    assert [part["id"] for part in made["parts"]] == [
        *("interpreter:cpython", "libc:libc", "library:mystery", "library:package_note"),
        "library:used",
    ]
    after = {path.name for path in box.folder.iterdir()} - before
    assert not {name for name in after if "part" in name or "note" in name}
    with open(box.folder / "app", "rb") as stream:
        content = read_section(stream, SBOM_SECTION)
        assert (read_section(stream, ".gnu_debuglink") is not None) == bool(debug)
    assert content is not None
    document = json.loads(zlib.decompress(content))
    assert {one["bom-ref"] for one in document["components"]} == {
        part["id"] for part in made["parts"]
    }
    output = subprocess.run([str(box.folder / "app")], stdout=subprocess.PIPE, env={}, check=True)
    assert output.stdout == b"42\n"
    first = (box.folder / "app").read_bytes()
    assert box.link(objects, **with_inventory(box, debug=debug)).returncode == 0
    assert (box.folder / "app").read_bytes() == first


@pytest.mark.parametrize("kind", ["thin", "full"])
def test_the_inventory_of_bitcode(box: Sandbox, kind: str) -> None:
    objects = [box.compile("main", MAIN, f"-flto={kind}")]
    before = {path.name for path in box.folder.iterdir()}
    result = box.link(objects, **with_inventory(box, f"-flto={kind}"))
    assert result.returncode == 0, result.stderr
    made = json.loads((box.folder / "inventory.json").read_text())
    sizes = {part["id"]: part["size"] for part in made["parts"]}
    assert set(sizes) == {
        *("interpreter:cpython", "libc:libc", "library:package_note", "library:used")
    }
    assert (sizes["interpreter:cpython"], sizes["library:used"]) == (None, None)
    assert sizes["libc:libc"]
    after = {path.name for path in box.folder.iterdir()} - before
    assert not {name for name in after if "part" in name or "note" in name}


def test_a_failed_link_leaves_no_inventory(box: Sandbox) -> None:
    changes = with_inventory(box)
    assert "Py_Answer" in box.fails(
        [box.compile("main", MAIN)], **{**changes, "static_libraries": []}
    )


def test_wrapped_functions(box: Sandbox) -> None:
    (box.folder / "wrap.txt").write_text("Py_Answer\n")
    wrapper = (
        "int __real_Py_Answer(void);\n"
        "int __wrap_Py_Answer(void) { return __real_Py_Answer() + 1; }\n"
    )
    objects = [
        box.compile("main", MAIN),
        box.compile("answer", ANSWER),
        box.compile("wrapper", wrapper),
    ]
    assert box.link(objects).returncode == 0
    output = subprocess.run([str(box.folder / "app")], stdout=subprocess.PIPE, check=True)
    assert output.stdout == b"43\n"


@pytest.mark.parametrize("defined", [False, True], ids=["nowhere", "in-the-runtime"])
def test_a_wrapped_function_that_this_python_does_not_have(box: Sandbox, defined: bool) -> None:
    """The list is one for all versions of CPython: what nobody calls does not matter."""
    (box.folder / "wrap.txt").write_text("Py_OfAnotherVersion\n")
    objects = [box.compile("main", MAIN), box.compile("answer", ANSWER)]
    if defined:
        objects.append(
            box.compile("wrapper", "int __wrap_Py_OfAnotherVersion(void) { return 1; }\n")
        )
    result = box.link(objects)
    assert result.returncode == 0, result.stderr
    output = subprocess.run([str(box.folder / "app")], stdout=subprocess.PIPE, check=True)
    assert output.stdout == b"42\n"


def test_an_undefined_symbol(box: Sandbox) -> None:
    library = box.archive(
        "libx.a", box.compile("member", "int no(void); int Py_Answer(void) { return no(); }\n")
    )
    message = box.fails(
        [box.compile("main", MAIN)], static_libraries=[[library, "the extension module `_x`"]]
    )
    assert (
        "the executable cannot be linked: the extension module `_x` (libx.a(member.o)) needs "
        "`no`, which nothing in the executable defines." in message
    )


def test_a_symbol_that_glibc_has_since_later(tmp_path: Path, toolchain: Path) -> None:
    box = Sandbox(tmp_path / "box", toolchain, "gnu")
    newer = (
        "int memfd_create(const char *, unsigned);\n"
        'int Py_Answer(void) { return memfd_create("", 0); }\n'
    )
    message = box.fails([box.compile("main", MAIN), box.compile("newer", newer)])
    assert (
        "the part `newer` (newer.o) needs `memfd_create`, which needs glibc newer than 2.17: "
        "glibc has it since 2.27." in message
    )


def test_a_library_that_needs_a_later_glibc(tmp_path: Path, toolchain: Path) -> None:
    """Versions come in through shared libraries only: the symbol and its object are named."""
    box = Sandbox(tmp_path / "box", toolchain, "gnu")
    box.compile("later", "int later_only(void) { return 1; }\n", "-fPIC")
    (box.folder / "versions.map").write_text("GLIBC_2.30 { later_only; };\n")
    subprocess.run(
        [
            "__zig/ziglang/zig",
            "ld.lld",
            "-shared",
            "-soname",
            "libm.so.6",
            "--version-script=versions.map",
            "-o",
            "later.so",
            "later.o",
        ],
        cwd=box.folder,
        check=True,
    )
    user = box.compile(
        "user", "int later_only(void); int Py_Answer(void) { return later_only(); }\n"
    )
    message = box.fails([box.compile("main", MAIN), user], link_args=["later.so"])
    assert (
        "it needs later_only of libm.so.6 in version GLIBC_2.30, but the glibc floor is 2.17; "
        "wanted by the part `user` (user.o) (rule symbol-version)" in message
    )


def test_a_symbol_defined_twice(box: Sandbox) -> None:
    objects = [box.compile("main", MAIN), box.compile("answer", ANSWER), box.compile("b", ANSWER)]
    message = box.fails(objects)
    assert (
        "`Py_Answer` is defined twice: in the part `answer` (answer.o) and the part `b` (b.o)."
        in message
    )


def test_code_at_fixed_addresses(box: Sandbox) -> None:
    fixed = "static int n; int *Py_Where(void) { return &n; } int Py_Answer(void) { return n++; }\n"
    objects = [box.compile("main", MAIN), box.compile("fixed", fixed, "-fno-pic", "-fno-pie")]
    assert "the part `fixed` (fixed.o) is not position-independent" in box.fails(objects)


def test_broken_objects(box: Sandbox) -> None:
    main, answer = box.compile("main", MAIN), box.compile("answer", ANSWER)
    bitcode = (box.folder / box.compile("bitcode", ANSWER, "-flto=thin")).read_bytes()
    whole = (box.folder / answer).read_bytes()
    (box.folder / "bitcode.o").write_bytes(bitcode[: len(bitcode) // 2 // 4 * 4])
    message = box.fails([main, "bitcode.o"])
    assert "the part `bitcode` (bitcode.o) is LLVM bitcode" in message
    (box.folder / answer).write_bytes(whole[: len(whole) // 2])
    assert "the part `answer` (answer.o) cannot be linked: " in box.fails([main, answer])
    assert "the part `gone`: the file gone.o is missing" in box.fails([main, "gone.o"])


def test_link_args_that_break_a_promise(box: Sandbox) -> None:
    objects = [box.compile("main", MAIN), box.compile("answer", ANSWER)]
    message = box.fails(objects, link_args=["-Wl,-rpath,/opt/lib", "-z", "execstack"])
    assert "(`link_args` may be the reason)" in message
    assert "it looks for libraries in `/opt/lib`" in message
    assert "its stack is executable" in message
    assert "`link_args` has `--fooo`" in box.fails(objects, link_args=["--fooo"])
    message = box.fails(objects, system_libraries=[["foo", "the extension module `_x`"]])
    assert "the extension module `_x` needs the system library `foo`" in message
