"""The sysroot program's parts that need no zig. The integration test in util_rules runs it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from oxidize_rules.sandbox.errors import UserError
from oxidize_rules.sandbox.toolchain.sysroot import (
    AR_MAGIC,
    Target,
    archive_members,
    describe,
    parse_log,
    parse_target,
    shell_config,
)

GNU = Target("x86_64-unknown-linux-gnu", "x86_64", "gnu", "2.17")
# What zig prints, shortened; clang's first line names `-cc1` too, and zig links libc's parts first.
LOG = """\
clang -cc1 version 22.1.8 based upon LLVM 22.1.8 default target x86_64-linux-musl
 "/x y/ziglang/zig" -cc1 -triple x86_64-unknown-linux5.10.0-gnu2.17.0 -O2 -isystem \
"/x y/ziglang/lib/include" -isystem "/x y/ziglang/lib/libc/include/generic-glibc" -D NDEBUG \
-D __GLIBC_MINOR__=17 -o c/probe.o -x c probe.c
ld.lld -m elf_x86_64 -shared -o c/a/libc.so.6 -soname libc.so.6 c/b/c.o
ld.lld --entry _start -z stack-size=16777216 -m elf_x86_64 -pie -o probe c/d/Scrt1.o \
--dynamic-linker /lib64/ld-linux-x86-64.so.2 c/e/probe.o --as-needed -L/ c/a/libc.so.6 \
c/f/libc_nonshared.a c/g/libcompiler_rt.a
"""


def member(name: str, content: bytes) -> bytes:
    header = f"{name:<16}{0:<12}{0:<6}{0:<6}{'644':<8}{len(content):<10}`\n"
    return header.encode() + content + b"\n" * (len(content) % 2)


def test_reads_the_log_of_zig() -> None:
    probed = parse_log(LOG, Path("w"))
    assert probed.include_dirs == ("include", "libc/include/generic-glibc")
    assert probed.defines == ("__GLIBC_MINOR__=17",)
    assert probed.dynamic_linker == "/lib64/ld-linux-x86-64.so.2"
    assert [str(path) for path in probed.inputs] == [
        "w/c/d/Scrt1.o",
        "w/c/a/libc.so.6",
        "w/c/f/libc_nonshared.a",
        "w/c/g/libcompiler_rt.a",
    ]


def test_describes_the_sysroot() -> None:
    description = describe(GNU, parse_log(LOG, Path("w")))
    assert description["start_objects"] == ["lib/Scrt1.o"]
    assert description["libraries"] == [
        "lib/libc.so.6",
        "lib/libc_nonshared.a",
        "lib/libcompiler_rt.a",
    ]
    assert description["pie"] == ["-pie"]
    assert "__zig/ziglang/lib/include" in description["compile_args"]  # type: ignore[operator]
    config = shell_config(description)
    assert '"$sandbox/__zig/ziglang/lib/include"' in config
    assert "--dynamic-linker,/lib64/ld-linux-x86-64.so.2" in config


def test_a_log_without_commands_is_our_defect() -> None:
    with pytest.raises(ValueError, match="no compiler or linker command"):
        parse_log("nothing", Path("w"))


def test_reads_archives_with_long_names() -> None:
    names = b".c/o/1234567890/a-long-name.o/\n.c/o/x/b.o/\n"
    data = io.BytesIO()
    data.write(AR_MAGIC + member("/", b"symbols!") + member("//", names))
    data.write(member("/0", b"one") + member("/31", b"two!") + member("short.o/", b""))
    assert list(archive_members(data.getvalue())) == [
        ("a-long-name.o", b"one"),
        ("b.o", b"two!"),
        ("short.o", b""),
    ]


@pytest.mark.parametrize(
    ("triple", "floor", "message"),
    [
        ("x86_64-apple-darwin", None, "is not known"),
        ("x86_64-unknown-linux-musl", "2.17", "does not use glibc"),
        ("x86_64-unknown-linux-gnu", None, "such as '2.17' is expected"),
        ("x86_64-unknown-linux-gnu", "2.17; rm", "such as '2.17' is expected"),
    ],
)
def test_refuses_other_targets(triple: str, floor: str | None, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_target(triple, floor)


def test_zig_target_names_the_floor() -> None:
    assert GNU.zig_target == "x86_64-linux-gnu.2.17"
    assert parse_target("aarch64-unknown-linux-musl", None).zig_target == "aarch64-linux-musl"
