from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from oxidize_rules.sandbox.errors import UserError
from oxidize_rules.sandbox.linking import link as link_program
from oxidize_rules.sandbox.linking.glibc_symbols import parse_versions, read_versions
from oxidize_rules.sandbox.linking.link import (
    Explainer,
    command,
    dynamic_list,
    expand_link_args,
    main,
    missing_system_libraries,
    parse_problems,
    quoted,
    told,
)

MUSL = {
    "target_triple": "x86_64-unknown-linux-musl",
    "zig_target": "x86_64-linux-musl",
    "glibc_floor": None,
    "emulation": "elf_x86_64",
    "dynamic_linker": None,
    "pie": ["-static", "-pie"],
    "start_objects": ["lib/rcrt1.o"],
    "libraries": ["lib/libc.a", "lib/libcompiler_rt.a"],
    "end_objects": [],
    "loader": {
        "entry": "_dlstart",
        "start_objects": ["lib/Scrt1.o", "lib/dynlink.o"],
        "whole_libraries": ["lib/libc.a"],
        "exports": "lib/libc.exports",
    },
}
GNU = {
    **MUSL,
    "target_triple": "x86_64-unknown-linux-gnu",
    "zig_target": "x86_64-linux-gnu.2.17",
    "glibc_floor": "2.17",
    "dynamic_linker": "/lib64/ld-linux-x86-64.so.2",
    "pie": ["-pie"],
    "loader": None,
    "start_objects": ["lib/Scrt1.o"],
    "libraries": ["lib/libm.so.6", "lib/libc.so.6", "lib/libc_nonshared.a"],
}


def request(**changes: Any) -> dict[str, Any]:
    return {
        "zig": "__zig/ziglang/zig",
        "sysroot": "__sysroot",
        "output": "app",
        "report": "report.json",
        "map": None,
        "objects": [],
        "static_libraries": [],
        "system_libraries": [],
        "wrap": "wrap.txt",
        "exports": ["Py*", "_Py*"],
        "dynamic_loading": False,
        "strip": True,
        "debug": None,
        "link_args": [],
        "inventory": None,
        **changes,
    }


def explain(output: str, sysroot: dict[str, Any] = MUSL, **changes: Any) -> list[str]:
    explainer = Explainer(request(**changes), sysroot)
    return [explainer.explain(problem) for problem in parse_problems(output)]


@pytest.fixture
def abilists(tmp_path: Path) -> str:
    """A toolchain with a table of glibc's symbols for two targets and versions 2.2.5 and 2.27."""
    table = (
        b"\x02m\0c\0"  # libraries
        b"\x02\x02\x02\x05\x02\x1b\x00"  # versions
        b"\x02aarch64-linux-gnu\0x86_64-linux-gnu\0"
        b"\x03\x00"  # inclusions of functions
        b"memfd_create\0\x03\x81\x81"  # on both, library 1 (last), version 1 (last)
        b"moved\0\x02\x01\x81\x02\x81\x80"  # twice: 2.27, then (last) 2.2.5
        b"\x01\x00"  # of data
        b"environ\0\x03\x08\x81\x80"
    )
    folder = tmp_path / "ziglang" / "lib" / "libc" / "glibc"
    folder.mkdir(parents=True)
    (folder / "abilists").write_bytes(table)
    (tmp_path / "ziglang" / "zig").write_text("")
    return str(tmp_path / "ziglang" / "zig")


def test_glibc_symbols(abilists: str) -> None:
    lib = f"{os.path.dirname(abilists)}/lib"
    assert read_versions(lib, "x86_64-linux-gnu.2.17") == {
        "memfd_create": (2, 27),
        "moved": (2, 2, 5),
        "environ": (2, 2, 5),
    }
    assert "moved" not in read_versions(lib, "aarch64-linux-gnu.2.17")
    assert read_versions(lib, "riscv64-linux-gnu.2.27") == {}
    assert read_versions("/nowhere", "x86_64-linux-gnu.2.17") == {}
    with pytest.raises(IndexError):
        parse_versions(b"\x00\x00\x01x86_64-linux-gnu\0\x01", "x86_64-linux-gnu")


UNDEFINED = """\
ld.lld: warning: something else
>>> which is no error
ld.lld: error: undefined symbol: memfd_create
>>> referenced by posixmodule.c
>>>               __distribution/build/Modules/posixmodule.o:(os_memfd_create)
>>> referenced 2 more times

ld.lld: error: undefined symbol: dup2x
>>> referenced by x.c:12 (src/x.c)
>>>               x.o:(helper2) in archive __distribution/build/lib/libx.a
>>> did you mean: dup2
>>> defined in: __sysroot/lib/libc.so.6
ld.lld: warning: another
"""
OWNERS = {
    "objects": [["__distribution/build/Modules/posixmodule.o", "the extension module `posix`"]],
    "static_libraries": [["__distribution/build/lib/libx.a", "the extension module `_x`"]],
}


def test_a_symbol_newer_than_the_floor(abilists: str) -> None:
    first, second = explain(UNDEFINED, GNU, zig=abilists, **OWNERS)
    assert first.startswith(
        "the extension module `posix` (__distribution/build/Modules/posixmodule.o) needs "
        "`memfd_create`, which needs glibc newer than 2.17: glibc has it since 2.27."
    )
    assert second == (
        "the extension module `_x` (__distribution/build/lib/libx.a(x.o)) needs `dup2x`, which "
        "nothing in the executable defines."
    )


def test_a_symbol_below_the_floor_is_merely_missing(abilists: str) -> None:
    (first, _) = explain(UNDEFINED, {**GNU, "glibc_floor": "2.27"}, zig=abilists, **OWNERS)
    assert "nothing in the executable defines" in first
    (first, _) = explain(UNDEFINED, MUSL, zig=abilists, **OWNERS)
    assert "nothing in the executable defines" in first


DUPLICATE = """\
ld.lld: error: duplicate symbol: helper
>>> defined at d.c
>>>            d.o:(helper)
>>> defined at a.c
>>>            a.o:(.text+0x0) in archive liba.a
"""


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (DUPLICATE, "`helper` is defined twice: in the runtime (d.o) and liba.a(a.o)."),
        (
            "ld.lld: error: cannot open d.o: No such file or directory\n",
            "the runtime (d.o) cannot be read: No such file or directory.",
        ),
        ("ld.lld: error: unknown argument '--fooo'\n", "`link_args` has `--fooo`"),
        (
            "ld.lld: error: unable to find library -lfoo\n",
            "the library `-lfoo` is not part of the C library for x86_64-unknown-linux-musl",
        ),
        (
            "ld.lld: error: d.o: Unknown attribute kind (105) (Producer: 'LLVM23.1.0' "
            "Reader: 'LLVM 22.1.8')\n",
            "the runtime (d.o) is LLVM bitcode of LLVM 23.1.0, which the linker cannot read",
        ),
        (
            "ld.lld: error: d.o: section table goes past the end of file\n",
            "the runtime (d.o) cannot be linked: section table goes past the end of file.",
        ),
        (
            "ld.lld: error: relocation R_X86_64_32 cannot be used against local symbol; recompile "
            "with -fPIC\n>>> defined in d.o\n>>> referenced by d.c\n>>>               d.o:(f)\n",
            "the runtime (d.o) is not position-independent",
        ),
        ("ld.lld: error: something new\n>>> with detail\n", "something new\n>>> with detail"),
    ],
)
def test_each_error_in_the_users_terms(output: str, expected: str) -> None:
    (message,) = explain(output, objects=[["d.o", "the runtime"]])
    assert message.startswith(expected)


def test_bitcode_without_a_producer(tmp_path: Path) -> None:
    path = tmp_path / "core.o"
    path.write_bytes(b"BC\xc0\xde....")
    output = f"ld.lld: error: {path}: can't skip to bit 20896 from 320\n"
    (message,) = explain(output, objects=[[str(path), "the interpreter"]])
    assert "is LLVM bitcode, which the linker cannot read" in message


def test_the_users_arguments_are_named_beside_an_error_that_they_may_cause() -> None:
    (message,) = explain("ld.lld: error: something\n", link_args=["-z", "x"])
    assert message == "something\n`link_args` is -z x"


def test_many_errors_are_cut_and_said_once() -> None:
    output = "".join(f"ld.lld: error: e{i // 2}\n" for i in range(40))
    output += "ld.lld: error: too many errors emitted, stopping now\n"
    text = told(explain(output))
    assert text.splitlines()[1] == "- e0"
    assert text.splitlines()[-1] == "- ... and 10 more"
    assert text.count("e3\n") == 1


def test_system_libraries() -> None:
    asked = [["m", "math"], ["dl", "core"], ["c", "core"], ["atomic", "_ssl"]]
    assert missing_system_libraries(MUSL, asked) == []
    assert missing_system_libraries({**GNU, "libraries": ["lib/libm.so.6"]}, asked) == [
        "core needs the system library `dl`, which is not part of the C library for "
        "x86_64-unknown-linux-gnu; name the extension in `exclude_extensions`.",
        "core needs the system library `c`, which is not part of the C library for "
        "x86_64-unknown-linux-gnu; name the extension in `exclude_extensions`.",
    ]


def test_the_command(tmp_path: Path) -> None:
    wrap = tmp_path / "wrap.txt"
    wrap.write_text("open\nfopen\n")
    parts = {"objects": [["a.o", ""], ["b.o", ""]], "static_libraries": [["x.a", ""]]}
    one = request(wrap=str(wrap), link_args=["-Wl,-z,x"], map="m", **parts)
    musl = command(one, MUSL, output="o", exports="e")
    assert musl[:6] == ["-m", "elf_x86_64", "-o", "o", "-static", "-pie"]
    assert musl[-10:] == [
        "__sysroot/lib/rcrt1.o",
        *("a.o", "b.o", "x.a"),
        *("-z", "x"),
        "--Map=m",
        "--as-needed",
        "__sysroot/lib/libc.a",
        "__sysroot/lib/libcompiler_rt.a",
    ]
    for word in ("--wrap=open", "--wrap=fopen", "--strip-all", "--dynamic-list=e", "--Map=m"):
        assert word in musl
    assert "pack-relative-relocs" in musl
    assert "--dynamic-linker" not in musl
    gnu = command({**one, "strip": False, "map": None}, GNU, output="o", exports="e")
    assert gnu[gnu.index("--dynamic-linker") + 1] == "/lib64/ld-linux-x86-64.so.2"
    # glibc 2.17 does not know DT_RELR.
    assert "pack-relative-relocs" not in gnu
    assert "--strip-all" not in gnu


def test_the_command_with_a_loader() -> None:
    parts = {"objects": [["a.o", ""]], "static_libraries": [["x.a", ""]]}
    words = command(
        request(wrap=os.devnull, dynamic_loading=True, **parts), MUSL, output="o", exports="e"
    )
    assert words[:7] == [
        *("-m", "elf_x86_64", "-o", "o"),
        *("-pie", "--no-dynamic-linker", "--entry=_dlstart"),
    ]
    # libc first and whole: what a library may want is known when it is loaded.
    start = words.index("__sysroot/lib/Scrt1.o")
    assert words[start:] == [
        *("__sysroot/lib/Scrt1.o", "__sysroot/lib/dynlink.o"),
        *("--whole-archive", "__sysroot/lib/libc.a", "--no-whole-archive"),
        *("a.o", "x.a"),
        *("--as-needed", "__sysroot/lib/libc.a", "__sysroot/lib/libcompiler_rt.a"),
    ]
    assert "-static" not in words
    gnu = command(
        request(wrap=os.devnull, dynamic_loading=True, **parts), GNU, output="o", exports="e"
    )
    assert "--whole-archive" not in gnu


def test_words() -> None:
    assert expand_link_args(["-Wl,-z,now", "--icf=safe"]) == ["-z", "now", "--icf=safe"]
    assert quoted('a b"c\\d') == '"a b\\"c\\\\d"'
    assert dynamic_list(["Py*"]) == "{\n  Py*;\n};\n"


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to link in, whose linker is a script: it writes its output, and ends badly."""
    monkeypatch.chdir(tmp_path)
    zig = tmp_path / "__zig" / "ziglang" / "zig"
    zig.parent.mkdir(parents=True)
    zig.write_text('#!/bin/sh\nprintf half > app.part\necho "ld.lld: error: no" >&2\nexit 1\n')
    zig.chmod(0o755)
    (tmp_path / "__sysroot").mkdir()
    (tmp_path / "__sysroot" / "sysroot.json").write_text(json.dumps(MUSL))
    (tmp_path / "wrap.txt").write_text("")
    return tmp_path


def run_main(sandbox: Path, **changes: Any) -> None:
    (sandbox / "request.json").write_text(json.dumps(request(**changes)))
    main(["request.json"])


def test_a_failed_link_leaves_nothing(sandbox: Path) -> None:
    with pytest.raises(UserError, match=r"^the executable cannot be linked: no$"):
        run_main(sandbox)
    expected = ["__sysroot", "__zig", "request.json", "wrap.txt"]
    assert sorted(path.name for path in sandbox.iterdir()) == expected


def test_a_broken_promise_leaves_nothing(sandbox: Path) -> None:
    """What the linker wrote is no ELF file; then, one for another machine."""
    zig = sandbox / "__zig" / "ziglang" / "zig"
    zig.write_text("#!/bin/sh\nprintf half > app.part\n")
    with pytest.raises(UserError, match="not an ELF file"):
        run_main(sandbox)
    from oxidize_rules.sandbox.linking.portability_test import executable

    (sandbox / "made").write_bytes(executable(machine=183, exports=("SSL_new",)))
    zig.write_text("#!/bin/sh\ncp made app.part\n")
    with pytest.raises(UserError) as told_error:
        run_main(sandbox, link_args=["--export-dynamic"])
    message = str(told_error.value)
    assert "breaks its promises (`link_args` may be the reason)" in message
    assert "made for aarch64, expected x86_64 (rule machine)" in message
    assert "it exports SSL_new" in message
    assert not (sandbox / "app").exists()
    assert not (sandbox / "app.part").exists()


def test_missing_inputs_are_told_before_the_linker_runs(sandbox: Path) -> None:
    with pytest.raises(UserError, match=r"the extension module `_x`: the file x\.o is missing"):
        run_main(sandbox, objects=[["x.o", "the extension module `_x`"]])


def test_a_linker_that_crashes_is_no_error_of_the_user(sandbox: Path) -> None:
    (sandbox / "__zig" / "ziglang" / "zig").write_text("#!/bin/sh\nkill -SEGV $$\n")
    with pytest.raises(RuntimeError, match="exit code"):
        run_main(sandbox)


def test_the_program_needs_one_argument() -> None:
    with pytest.raises(UserError, match="usage"):
        link_program.main([])
