from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from oxidize_rules.sandbox.errors import UserError
from oxidize_rules.sandbox.toolchain import zig_wheel


def write_wheel(path: Path, members: dict[str, int]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, mode in members.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (0o100000 | mode) << 16
            archive.writestr(info, name.encode())
    return path


def test_unpacks_what_linux_needs(tmp_path: Path) -> None:
    wheel = write_wheel(
        tmp_path / "ziglang.whl",
        {
            "ziglang/zig": 0o644,
            "ziglang/lib/script.sh": 0o755,
            "ziglang/lib/std/std.zig": 0o644,
            "ziglang/lib/libc/musl/src/a.c": 0o644,
            "ziglang/lib/libc/mingw/a.c": 0o644,
            "ziglang/lib/libc/include/x86_64-linux-musl/a.h": 0o644,
            "ziglang/lib/libc/include/x86-linux-gnu/a.h": 0o644,
            "ziglang/lib/libc/include/any-linux-any/a.h": 0o644,
            "ziglang/lib/libc/include/generic-glibc/a.h": 0o644,
            "ziglang/lib/libc/include/x86_64-linux-muslx32/a.h": 0o644,
            "ziglang/lib/libc/include/any-windows-any/a.h": 0o644,
            "ziglang-0.17.0.dist-info/METADATA": 0o644,
        },
    )
    output = tmp_path / "ziglang"
    zig_wheel.main([f"--wheel={wheel}", f"--output={output}"])
    files = sorted(path for path in output.rglob("*") if path.is_file())
    assert [str(path.relative_to(output)) for path in files] == [
        "lib/libc/include/any-linux-any/a.h",
        "lib/libc/include/generic-glibc/a.h",
        "lib/libc/include/x86-linux-gnu/a.h",
        "lib/libc/include/x86_64-linux-musl/a.h",
        "lib/libc/musl/src/a.c",
        "lib/script.sh",
        "lib/std/std.zig",
        "zig",
    ]
    executable = [path.name for path in files if path.stat().st_mode & 0o111]
    assert executable == ["script.sh", "zig"]


def test_finds_the_wheel_in_a_folder(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path / "a.whl", {"ziglang/zig": 0o755})
    assert zig_wheel.find_wheel(tmp_path) == wheel
    write_wheel(tmp_path / "b.whl", {"ziglang/zig": 0o755})
    with pytest.raises(UserError, match="Expected one wheel"):
        zig_wheel.find_wheel(tmp_path)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"ziglang/../../x": 0o644}, "a member outside of it"),
        ({"other/zig": 0o755}, "has no member `ziglang/zig`"),
    ],
)
def test_refuses_another_wheel(tmp_path: Path, members: dict[str, int], message: str) -> None:
    wheel = write_wheel(tmp_path / "x.whl", members)
    with pytest.raises(UserError, match=message):
        zig_wheel.main([f"--wheel={wheel}", f"--output={tmp_path / 'out' / 'ziglang'}"])
    assert not (tmp_path / "x").exists()


def test_refuses_what_is_no_zip_file(tmp_path: Path) -> None:
    broken = tmp_path / "broken.whl"
    broken.write_bytes(b"not a zip file")
    with pytest.raises(UserError, match=r"broken\.whl is not a wheel"):
        zig_wheel.main([f"--wheel={broken}", f"--output={tmp_path / 'ziglang'}"])
