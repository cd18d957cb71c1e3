"""Takes one file out of a Debian package (deb(5): an `ar` archive with a `data.tar.*` in it).

debian_package.py PACKAGE.deb --member usr/lib/x86_64-linux-gnu/libstdc++.so.6.0.28 --output FILE
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import tarfile
from pathlib import Path
from typing import IO

from oxidize_rules.sandbox.elf_reader import BadElf, archive_members
from oxidize_rules.sandbox.errors import UserError, run


def data_archive(package: Path) -> tarfile.TarFile:
    try:
        members = dict(archive_members(package.read_bytes()))
    except (OSError, BadElf) as error:
        raise UserError(f"{package} is no Debian package: {error}.") from error
    for name, content in members.items():
        if name.startswith("data.tar"):
            try:
                return tarfile.open(fileobj=io.BytesIO(content))
            except tarfile.TarError as error:
                raise UserError(f"{package} has a {name} that cannot be read: {error}.") from error
    found = ", ".join(members) or "nothing"
    raise UserError(f"{package} is no Debian package: expected `data.tar.*` in it, found {found}.")


def open_member(tar: tarfile.TarFile, path: str, package: Path) -> IO[bytes]:
    try:
        for member in tar:
            if member.isfile() and os.path.normpath(member.name) == os.path.normpath(path):
                content = tar.extractfile(member)
                assert content is not None
                return content
    except (EOFError, OSError, tarfile.TarError) as error:
        raise UserError(f"{package} is damaged: {error}.") from error
    raise UserError(f"{package} has no file `{path}`.")


def extract(package: Path, path: str, output: Path) -> None:
    """Writes the file `path` of `package` to `output`. Raises UserError."""
    temporary = output.with_name(f"{output.name}.part")
    output.parent.mkdir(parents=True, exist_ok=True)
    with data_archive(package) as tar, temporary.open("wb") as stream:
        shutil.copyfileobj(open_member(tar, path, package), stream)
    temporary.replace(output)


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="debian_package")
    parser.add_argument("package", type=Path)
    parser.add_argument("--member", required=True)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args(argv)
    extract(options.package, options.member, options.output)


if __name__ == "__main__":
    run(main)
