"""Unpacks a distribution's `.tar.zst`, as a stream, and believes nothing that it says of itself.

    python -m oxidize_rules.sandbox.distribution.unpack ARCHIVE OUTPUT [--sha256 HEX] [--size BYTES]

OUTPUT becomes a folder with the members below `python/` (without that part of their names) and with
`members.txt`, the sorted list of the files. It is written under another name and renamed when
everything has been checked, so that it is complete or absent.

Refused, each with its own message: another size or hash than expected, what is not zstd or not tar,
truncated data, members that lead out of the tree (absolute, `..`, through links), devices, FIFOs
and sparse files, duplicates, names that are not plain text, and more than the bounds below.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import tarfile
from typing import Any, BinaryIO, Dict, Optional, cast

import zstandard

from oxidize_rules.sandbox.errors import UserError, run

# For comparison: a static release archive has 258 MB in 6,480 members, one for glibc 6,574 members.
MAX_TOTAL = 4 * 1024**3
MAX_MEMBER = 1024**3
MAX_MEMBERS = 50_000
# What stands before a member's own header, such as a long name; the tar module reads it whole.
MAX_EXTENDED = 64 * 1024
# zstd level 22 uses 2^27; more than 2^30 would only be a demand for memory.
MAX_WINDOW = 1 << 30

TOP = "python"
METADATA = "PYTHON.json"
MEMBERS = "members.txt"
CHUNK = 1 << 20
# Compressed bytes that are decompressed at once: 4 of them can stand for 128 KiB (RFC 8878, RLE
# blocks), so that no more than 128 MiB appear before the bounds are checked.
FEED = 4096
TAR_BLOCK = 512

EXTENDED = (
    tarfile.GNUTYPE_LONGLINK,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.XHDTYPE,
)

# What the tar module raises for broken headers, besides its own errors.
BROKEN_TAR = (
    tarfile.TarError,
    EOFError,
    IndexError,
    KeyError,
    OverflowError,
    RecursionError,  # a long row of extended headers
    ValueError,
)


def check_file(path: str, sha256: Optional[str], size: Optional[int]) -> None:
    """Raises UserError if the file is not the one that was pinned. `size` in bytes."""
    found = os.path.getsize(path)
    if size is not None and found != size:
        raise UserError(
            f"the archive has the wrong size: found {found} bytes, expected {size}. Either the "
            "download is incomplete or `size` is not this file's: check it against the release."
        )
    if sha256 is None:
        return
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for chunk in iter(lambda: stream.read(CHUNK), b""):
            digest.update(chunk)
    if digest.hexdigest() != sha256:
        raise UserError(
            f"the archive has the wrong hash: found sha256 {digest.hexdigest()}, expected "
            f"{sha256}. It is not the file that was pinned: check where it comes from, then "
            "correct `sha256`."
        )


class ZstdReader:
    """Reads the decompressed bytes of `stream`, of one zstd frame or several, within MAX_TOTAL.

    Unlike zstandard's own reader it notices when the last frame is not whole.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
        self._frame = self._decompressor.decompressobj()
        self._begun = False
        self._buffer = bytearray()
        self._ended = False
        self.total = 0  # decompressed bytes so far
        self.content_end = 0  # the position after the last of them that is not zero

    def read(self, size: int) -> bytes:
        while len(self._buffer) < size and not self._ended:
            self._fill()
        piece = bytes(self._buffer[:size])
        del self._buffer[:size]
        return piece

    def drain(self) -> None:
        """Reads what follows the tar's end, so that truncation there is noticed too."""
        while self.read(CHUNK):
            pass

    def _fill(self) -> None:
        chunk = self._stream.read(FEED)
        if not chunk:
            if self._begun and not self._frame.eof:
                raise UserError(
                    "the archive is truncated: its zstd data ends in the middle. Download it again."
                )
            self._ended = True
            return
        while chunk:
            self._begun = True
            try:
                plain = self._frame.decompress(chunk)
            except zstandard.ZstdError as error:
                raise UserError(
                    f"the archive is not intact zstd data ({error}); expected a `.tar.zst`. "
                    "Download it again, or check that this is a *full* archive."
                ) from error
            content = plain.rstrip(b"\0")
            if content:
                self.content_end = self.total + len(content)
            self.total += len(plain)
            if self.total > MAX_TOTAL:
                raise UserError(
                    f"the archive unpacks to more than {MAX_TOTAL} bytes, the largest size that is "
                    "accepted. It is not a Python distribution."
                )
            self._buffer += plain
            chunk = b""
            if self._frame.eof:
                chunk = self._frame.unused_data
                self._frame, self._begun = self._decompressor.decompressobj(), False


def relative_name(name: str) -> str:
    """The member's name below `python/`, "" for that folder itself. Raises UserError."""
    if not name.isprintable():  # control characters, bytes that are not UTF-8
        raise UserError(
            f"the archive's member {name!a} has a name with characters that are not text; refused."
        )
    if name.startswith("/"):
        raise UserError(f"the archive's member `{name}` has an absolute name; refused.")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise UserError(f"the archive's member `{name}` leads out of the archive; refused.")
    if not parts or parts[0] != TOP:
        raise UserError(
            f"the archive's member `{name}` is not below `{TOP}/`. Expected a *full* archive of "
            "python-build-standalone (or one in its format), not an `install_only` one."
        )
    return "/".join(parts[1:])


def special_kind(name: str) -> UserError:
    return UserError(
        f"the archive's member `{name}` is a device, a FIFO, sparse or of another special kind; "
        "refused."
    )


class Header(tarfile.TarInfo):
    """A member's header, refused before the tar module reads what it claims: a map of holes of any
    length costs an archive next to nothing, but a lot of memory and time here."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Header:
        header = super().frombuf(buf, encoding, errors)
        if header.type == tarfile.GNUTYPE_SPARSE:
            raise special_kind(ascii(header.name)[1:-1])
        if header.type in EXTENDED and header.size > MAX_EXTENDED:
            raise UserError(
                f"the archive has an extended header of {header.size} bytes, more than the "
                f"{MAX_EXTENDED} that are accepted. It is not a Python distribution."
            )
        return header

    def _proc_gnusparse_10(self, next: tarfile.TarInfo, *args: object) -> None:
        """The tar module's reader of maps that stand in the member itself."""
        raise special_kind(ascii(next.name)[1:-1])


def too_many_members() -> UserError:
    return UserError(
        f"the archive has more than {MAX_MEMBERS} members, the most that are accepted. It is not a "
        "Python distribution."
    )


def leads_out(name: str, target: str) -> UserError:
    return UserError(
        f"the archive's member `{name}` is a link to `{target}`, out of the archive; refused."
    )


class Tree:
    """The folder that is being written, and what is known to be in it."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.kinds: Dict[str, str] = {"": "folder"}
        os.mkdir(root)

    def _note(self, name: str, kind: str) -> None:
        self.kinds[name] = kind
        if len(self.kinds) > MAX_MEMBERS:  # folders that no member stands for count too
            raise too_many_members()

    def _add(self, name: str, kind: str) -> str:
        """Notes a new entry, whose folders are real ones, and gives its path."""
        if name in self.kinds:
            raise UserError(f"the archive has the member `{name}` twice; refused.")
        parts = name.split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            folder = "/".join(parts[:depth])
            known = self.kinds.get(folder)
            if known is None:
                os.mkdir(os.path.join(self.root, folder))
                self._note(folder, "folder")
            elif known != "folder":
                raise UserError(
                    f"the archive's member `{name}` would be written through the {known} "
                    f"`{folder}`; refused."
                )
        self._note(name, kind)
        return os.path.join(self.root, name)

    def add_folder(self, name: str) -> None:
        if self.kinds.get(name) != "folder":
            os.mkdir(self._add(name, "folder"))

    def add_file(self, name: str, content: BinaryIO, size: int, executable: bool) -> None:
        path = self._add(name, "file")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with open(os.open(path, flags, 0o755 if executable else 0o644), "wb") as output:
            left = size
            while left:
                chunk = content.read(min(left, CHUNK))
                if not chunk:
                    raise UserError(
                        f"the archive is truncated: `{name}` ends after {size - left} of {size} "
                        "bytes. Download it again."
                    )
                output.write(chunk)
                left -= len(chunk)

    def add_symlink(self, name: str, target: str) -> None:
        normal = os.path.normpath(os.path.join(os.path.dirname(name), target))
        if not target.isprintable() or normal.startswith("/") or normal.split("/")[0] == "..":
            raise leads_out(name, target)
        os.symlink(target, self._add(name, "link"))

    def add_hardlink(self, name: str, target: str) -> None:
        if self.kinds.get(target) != "file":
            raise UserError(
                f"the archive's member `{name}` is a hard link to `{target}`, which is no file of "
                "the archive before it; refused."
            )
        os.link(os.path.join(self.root, target), self._add(name, "file"))

    def check_links(self) -> None:
        """Follows every link: one may lead out only by way of another. Nothing was written through
        any of them. Raises UserError."""
        root = os.path.realpath(self.root)
        for name, kind in self.kinds.items():
            if kind == "link":
                path = os.path.join(root, name)
                if not f"{os.path.realpath(path)}/".startswith(f"{root}/"):
                    raise leads_out(name, os.readlink(path))

    def files(self) -> str:
        return "".join(f"{name}\n" for name, kind in sorted(self.kinds.items()) if kind != "folder")


def add_member(tar: tarfile.TarFile, member: tarfile.TarInfo, tree: Tree) -> None:
    name = relative_name(member.name)
    if member.isdir():
        tree.add_folder(name)
    elif not name:
        raise UserError(f"the archive's member `{member.name}` should be a folder; refused.")
    elif member.isreg() and not member.issparse():  # a sparse file's size costs nothing to claim
        if member.size > MAX_MEMBER:
            raise UserError(
                f"the archive's member `{name}` has {member.size} bytes, more than the "
                f"{MAX_MEMBER} that are accepted."
            )
        content = tar.extractfile(member)
        assert content is not None
        tree.add_file(name, content, member.size, bool(member.mode & 0o100))  # type: ignore[arg-type]
    elif member.issym():
        tree.add_symlink(name, member.linkname)
    elif member.islnk():
        tree.add_hardlink(name, relative_name(member.linkname))
    else:
        raise special_kind(name)


def unpack(path: str, root: str) -> None:
    """Unpacks the archive `path` into the new folder `root`. Raises UserError."""
    tree = Tree(root)
    with open(path, "rb") as stream:
        reader = ZstdReader(stream)
        count = 0
        try:
            tar: Any = tarfile.open(  # noqa: SIM115 - `with` stands below
                fileobj=cast("Any", reader), mode="r|", bufsize=CHUNK, tarinfo=Header
            )
            with tar:
                for member in tar:
                    count += 1
                    if count > MAX_MEMBERS:
                        raise too_many_members()
                    add_member(tar, member, tree)
                    # The tar module would keep them all, and every global header.
                    tar.members = []
                    tar.pax_headers.clear()
        except BROKEN_TAR as error:
            raise UserError(
                f"the archive's content is not an intact tar ({error}): broken after {count} "
                "members. Download it again."
            ) from error
        reader.drain()
        # The tar module takes a broken header, or none at all, for the archive's end.
        end = tar.offset
        if reader.total < end + TAR_BLOCK or reader.content_end > end:
            raise UserError(
                f"the archive's content is not an intact tar: after {count} members there is no "
                "end mark. Download it again."
            )
    tree.check_links()
    if MEMBERS in tree.kinds:
        raise UserError(f"the archive has a member `{TOP}/{MEMBERS}`, which is no name for one.")
    if tree.kinds.get(METADATA) != "file":
        raise UserError(
            f"the archive has no `{TOP}/{METADATA}`. Expected a *full* archive of "
            "python-build-standalone (or one in its format)."
        )
    with open(os.path.join(root, MEMBERS), "x", encoding="utf-8", errors="surrogateescape") as out:
        out.write(tree.files())


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="unpack")
    parser.add_argument("archive")
    parser.add_argument("output")
    parser.add_argument("--sha256")
    parser.add_argument("--size", type=int)
    options = parser.parse_args(argv)
    try:
        check_file(options.archive, options.sha256, options.size)
        partial = f"{options.output}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        try:
            unpack(options.archive, partial)
            os.rename(partial, options.output)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise UserError(f"cannot unpack {options.archive}: {error}.") from error


if __name__ == "__main__":
    run(main)
