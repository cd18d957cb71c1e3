"""Unpacks what Linux targets need of a `ziglang` wheel.

    zig_wheel.py --wheel FILE_OR_FOLDER --output ziglang

The wheel is a zip file (see the wheel format, PEP 427). Two thirds of its files are the headers and
C libraries of other systems; they stay out, since every sandbox would have to be given them.
"""

from __future__ import annotations

import argparse
import re
import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath

from oxidize_rules.sandbox.errors import UserError, run

ROOT = "ziglang"
ARCHITECTURES = "x86|x86_64|aarch64"
# Members that builds for Linux never read, relative to the wheel's `ziglang` folder.
UNUSED = re.compile(
    r"lib/(docs|libtsan|build-web|init|lldb)/.*"
    r"|lib/libc/(darwin|freebsd|mingw|netbsd|openbsd|wasi)/.*"
    rf"|lib/libc/include/(?!(({ARCHITECTURES})-linux-(any|gnu|musl)|any-linux-any"
    r"|generic-(glibc|musl))/).*"
)


def wanted(name: str) -> bool:
    relative = name[len(ROOT) + 1 :]
    return name.startswith(f"{ROOT}/") and not UNUSED.fullmatch(relative)


def find_wheel(path: Path) -> Path:
    """The file itself, or the only wheel in a folder."""
    if path.is_file():
        return path
    wheels = sorted(path.glob("*.whl"))
    if len(wheels) != 1:
        raise UserError(f"Expected one wheel in {path}, found {[wheel.name for wheel in wheels]}.")
    return wheels[0]


def unpack(wheel: Path, output: Path) -> None:
    try:
        archive = zipfile.ZipFile(wheel)
    except zipfile.BadZipFile as error:
        raise UserError(f"{wheel.name} is not a wheel: {error}") from error
    with archive:
        for info in archive.infolist():
            path = PurePosixPath(info.filename)
            if info.is_dir() or not wanted(info.filename):
                continue
            if path.is_absolute() or ".." in path.parts:
                raise UserError(f"{wheel.name} has a member outside of it: {info.filename!r}")
            target = output.joinpath(*path.parts[1:])
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(info) as source, open(target, "wb") as file:
                shutil.copyfileobj(source, file, 1 << 20)
            executable = info.external_attr >> 16 & stat.S_IXUSR
            target.chmod(0o755 if executable else 0o644)
    program = output / "zig"
    if not program.is_file():
        raise UserError(f"{wheel.name} has no member `{ROOT}/zig`; expected a `ziglang` wheel.")
    program.chmod(0o755)


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="zig_wheel.py")
    parser.add_argument("--wheel", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args(argv)
    unpack(find_wheel(options.wheel), options.output)


if __name__ == "__main__":
    run(main)
