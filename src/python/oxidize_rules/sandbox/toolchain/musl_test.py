"""The parts of musl's build that need no compiler; util_rules/musl_integration_test.py runs it."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from oxidize_rules.sandbox.errors import UserError
from oxidize_rules.sandbox.toolchain.musl import build, generated_type_header, source_files, unpack


def test_an_architecture_s_file_takes_the_place_of_the_general_one(tmp_path: Path) -> None:
    for path in (
        "src/math/sqrt.c",
        "src/math/x86_64/sqrt.c",
        "src/math/aarch64/fma.c",
        "src/math/fma.c",
        "src/string/memcpy.c",
        "src/string/x86_64/memcpy.s",
        "src/string/strlen.c",
        "src/malloc/free.c",
        "src/malloc/mallocng/free.c",
        "src/malloc/oldmalloc/malloc.c",
        "src/signal/x86_64/restore.s",
        "src/internal/libc.h",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    assert source_files(tmp_path, "x86_64") == [
        "src/malloc/free.c",
        "src/malloc/mallocng/free.c",
        "src/math/fma.c",
        "src/math/x86_64/sqrt.c",
        "src/signal/x86_64/restore.s",
        "src/string/strlen.c",
    ]


def test_types_are_guarded_by_their_names() -> None:
    text = generated_type_header(
        "TYPEDEF unsigned _Addr size_t;\n"
        "STRUCT timespec { time_t tv_sec; };\n"
        "UNION sigval { int a; };\n"
        "#define __LONG_MAX 1\n"
    )
    assert text == (
        "#if defined(__NEED_size_t) && !defined(__DEFINED_size_t)\n"
        "typedef unsigned _Addr size_t;\n#define __DEFINED_size_t\n#endif\n\n"
        "#if defined(__NEED_struct_timespec) && !defined(__DEFINED_struct_timespec)\n"
        "struct timespec { time_t tv_sec; };\n#define __DEFINED_struct_timespec\n#endif\n\n"
        "#if defined(__NEED_union_sigval) && !defined(__DEFINED_union_sigval)\n"
        "union sigval { int a; };\n#define __DEFINED_union_sigval\n#endif\n\n"
        "#define __LONG_MAX 1\n"
    )


def archive(path: Path, *names: str) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 2
            tar.addfile(member, io.BytesIO(b"hi"))
    return path


def test_unpacks_without_the_first_folder(tmp_path: Path) -> None:
    unpack(archive(tmp_path / "a.tar.gz", "m-1/src/a.c", "m-1/../../b.c"), tmp_path / "out")
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.c")] == ["out/src/a.c"]


def test_other_archives_are_refused(tmp_path: Path) -> None:
    (tmp_path / "no.tar.gz").write_bytes(b"no")
    with pytest.raises(UserError, match="no archive of musl's source"):
        unpack(tmp_path / "no.tar.gz", tmp_path / "out")
    other = archive(tmp_path / "other.tar.gz", "other/README")
    with pytest.raises(UserError, match="no part for x86_64"):
        build("zig", other, "x86_64-unknown-linux-musl", 1, tmp_path / "o", tmp_path / "scratch")
    assert not (tmp_path / "o").exists()
