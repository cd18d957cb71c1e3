from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from oxidize_rules.sandbox.errors import UserError
from oxidize_rules.sandbox.toolchain.debian_package import extract

PATH = "usr/lib/libx.so.1.2"


def data_tar(compression: str = "xz") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=f"w:{compression}") as tar:
        member = tarfile.TarInfo(f"./{PATH}")
        member.size = 4
        tar.addfile(member, io.BytesIO(b"file"))
        link = tarfile.TarInfo("./usr/lib/libx.so.1")
        link.type, link.linkname = tarfile.SYMTYPE, "libx.so.1.2"
        tar.addfile(link)
    return stream.getvalue()


def package(path: Path, **members: bytes) -> Path:
    content = b"!<arch>\n"
    for name, data in members.items():
        spelled = name.replace("__", ".")
        content += f"{spelled:<16}{0:<12}{0:<6}{0:<6}{'644':<8}{len(data):<10}`\n".encode()
        content += data + b"\n" * (len(data) % 2)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("compression", ["xz", "gz", ""])
def test_takes_a_file_out(tmp_path: Path, compression: str) -> None:
    deb = package(
        tmp_path / "x.deb",
        debian_binary=b"2.0\n",
        control__tar__xz=b"",
        data__tar__xz=data_tar(compression),
    )
    extract(deb, PATH, tmp_path / "out" / "libx.so.1")
    assert (tmp_path / "out" / "libx.so.1").read_bytes() == b"file"
    with pytest.raises(UserError, match="has no file `usr/lib/other`"):
        extract(deb, "usr/lib/other", tmp_path / "other")
    with pytest.raises(UserError, match="has no file"):  # a link
        extract(deb, "usr/lib/libx.so.1", tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"hello")
    with pytest.raises(UserError, match="no Debian package"):
        extract(tmp_path / "text", PATH, tmp_path / "out")
    with pytest.raises(UserError, match=r"expected `data.tar.\*` in it, found debian_binary"):
        extract(package(tmp_path / "a.deb", debian_binary=b""), PATH, tmp_path / "out")
    with pytest.raises(UserError, match=r"cannot be read|damaged"):
        extract(package(tmp_path / "b.deb", data__tar__xz=data_tar()[:60]), PATH, tmp_path / "out")
    with pytest.raises(UserError):
        extract(tmp_path / "absent", PATH, tmp_path / "out")
