"""Writes `data/`: files of kinds that C libraries open, for the checks of the executable.

    python3 testprojects/interpreter/make_data.py

It needs the `openssl` command. The files are kept in the repository; nobody needs to run this.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import sqlite3
import struct
import subprocess
import zipfile
from pathlib import Path

DATA = Path(__file__).parent / "data"
TEXT = b"".join(b"line %d\n" % number for number in range(1000))


def certificate() -> None:
    """An authority that has signed itself, for `localhost`; with its key. Valid for 100 years."""
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "36500", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", "key.pem", "-out", "certificate.pem"),
        ],
        cwd=DATA,
        check=True,
    )


def database() -> None:
    (DATA / "notes.db").unlink(missing_ok=True)
    connection = sqlite3.connect(DATA / "notes.db")
    connection.execute("PRAGMA page_size = 512")
    connection.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)")
    connection.executemany("INSERT INTO notes (text) VALUES (?)", [("one",), ("two",), ("three",)])
    connection.commit()
    connection.close()


def archive() -> None:
    with zipfile.ZipFile(DATA / "modules.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (
            ("zipped_package/__init__.py", "from .inner import VALUE\n"),
            ("zipped_package/inner.py", "VALUE = 'from the zip'\n" + "# more\n" * 100),
            ("zipped_package/data.txt", "data\n"),
        ):
            archive.writestr(zipfile.ZipInfo(name), content)


def compressed() -> None:
    (DATA / "lines.txt").write_bytes(TEXT)
    (DATA / "lines.txt.gz").write_bytes(gzip.compress(TEXT, mtime=0))
    (DATA / "lines.txt.bz2").write_bytes(bz2.compress(TEXT))
    (DATA / "lines.txt.xz").write_bytes(lzma.compress(TEXT))


def program() -> None:
    """An ELF file for x86_64 without any library: writes a line and ends with status 7."""
    message = b"from the image\n"
    headers = 64 + 56
    code = bytes.fromhex("b801000000bf01000000488d35")  # write(1,
    end = bytes.fromhex("0f05b83c000000bf070000000f05")  # ), exit(7)
    length = b"\xba" + struct.pack("<I", len(message))
    code += struct.pack("<i", len(length) + len(end)) + length + end + message
    size, address = headers + len(code), 0x400000
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack(
        "<HHIQQQIHHHHHH", 2, 62, 1, address + headers, 64, 0, 0, 64, 56, 1, 0, 0, 0
    )
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, address, address, size, size, 4096)
    (DATA / "program").write_bytes(header + segment + code)
    (DATA / "script").write_text('#!/bin/sh\necho "script: $1"\nexit 8\n')
    (DATA / "program").chmod(0o755)
    (DATA / "script").chmod(0o755)


def main() -> None:
    DATA.mkdir(exist_ok=True)
    certificate()
    database()
    archive()
    compressed()
    program()
    (DATA / "tree.xml").write_text('<?xml version="1.0"?>\n<tree><leaf name="a"/><leaf/></tree>\n')


if __name__ == "__main__":
    main()
