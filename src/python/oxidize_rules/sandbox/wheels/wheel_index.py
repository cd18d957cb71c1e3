"""Where projects have their files: indexes and find-links, and the metadata of a wheel there.

An index is at an HTTP or `file:` URL. Find-links are what pip takes: a folder, a page with links,
or the URL of one file. Metadata of a wheel are read from the end of the zip file by HTTP ranges, so
that the wheel need not be downloaded to know what it depends on.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
import zipfile
from dataclasses import replace
from email.message import Message
from email.parser import BytesParser
from pathlib import Path
from typing import BinaryIO, Dict, Iterator, List, Optional, Sequence
from urllib.parse import quote, unquote, urldefrag, urlsplit, urlunsplit

import requests

from oxidize_rules.sandbox.errors import UserError
from oxidize_rules.sandbox.fetch import without_password as shown
from oxidize_rules.sandbox.wheels.http_client import CHUNK, Client
from oxidize_rules.sandbox.wheels.index_page import (
    ACCEPT,
    SUFFIXES,
    ProjectFile,
    filename_of,
    parse_html,
    parse_json,
    sha256_of,
)


class Places:
    """The indexes and find-links of one run. May be used by several threads."""

    def __init__(self, indexes: Sequence[str], find_links: Sequence[str]) -> None:
        self.indexes = tuple(indexes)
        self.find_links = tuple(find_links)
        self._client = Client()
        self._lock = threading.Lock()
        self._linked: Optional[List[ProjectFile]] = None
        self._credentials: Dict[str, str] = {}
        for url in (*self.indexes, *self.find_links):
            user, at, host = urlsplit(url).netloc.rpartition("@")
            if at:
                self._credentials[host] = user

    def files(self, project: str) -> List[ProjectFile]:
        """All files of indexes, at `project` (normalized), and of find-links, of any project.

        A file name counts once: that of the first place.
        """
        found: Dict[str, ProjectFile] = {}
        for index in self.indexes:
            for file in self._index_page(index, project):
                found.setdefault(file.filename, file)
        for file in self._find_links():
            found.setdefault(file.filename, file)
        return [self._with_credentials(file) for file in found.values()]

    def _with_credentials(self, file: ProjectFile) -> ProjectFile:
        parts = urlsplit(file.url)
        if parts.netloc not in self._credentials:
            return file
        netloc = f"{self._credentials[parts.netloc]}@{parts.netloc}"
        return replace(file, url=urlunsplit(parts._replace(netloc=netloc)))

    def _index_page(self, index: str, project: str) -> List[ProjectFile]:
        url = f"{index.rstrip('/')}/{project}/"
        if not _is_remote(url):
            return _folder_or_page(_disk_path(url))
        response = self._client.get(url, {"Accept": ACCEPT})
        if response.status_code == 404:
            return []
        if response.status_code != 200:
            raise UserError(
                f"the index {shown(index)} answers HTTP {response.status_code} {response.reason} "
                f"for {shown(url)}. To fix, check `[python-repos].indexes` and the credentials "
                "in it."
            )
        return _parse(response)

    def _find_links(self) -> List[ProjectFile]:
        with self._lock:
            if self._linked is None:
                self._linked = [file for link in self.find_links for file in self._linked_at(link)]
        return self._linked

    def _linked_at(self, link: str) -> List[ProjectFile]:
        url, fragment = urldefrag(link)
        if filename_of(url).endswith(SUFFIXES):
            url = url if re.match(r"\w+:", url) else Path(url).absolute().as_uri()
            return [ProjectFile(filename_of(url), url, sha256_of(fragment))]
        if not _is_remote(url):
            if not _disk_path(url).exists():
                raise UserError(
                    f"the find-links place `{link}` does not exist. To fix, correct "
                    "`[python-repos].find_links`."
                )
            return _folder_or_page(_disk_path(url))
        response = self._client.get(url, {"Accept": ACCEPT})
        if response.status_code != 200:
            raise UserError(
                f"the find-links place {shown(link)} answers HTTP {response.status_code} "
                f"{response.reason}. To fix, correct `[python-repos].find_links`."
            )
        return _parse(response)

    # Files.

    def metadata(self, file: ProjectFile) -> Message:
        """The METADATA of a wheel (core metadata, in the form of e-mail headers)."""
        try:
            with zipfile.ZipFile(self._seekable(file.url)) as archive:
                names = [
                    name
                    for name in archive.namelist()
                    if re.fullmatch(r"[^/]+\.dist-info/METADATA", name)
                ]
                if len(names) != 1:
                    raise UserError(
                        f"`{file.filename}` at {shown(file.url)} has {len(names)} METADATA files; "
                        "expected one. To fix, get this wheel from elsewhere, or another version."
                    )
                return BytesParser().parsebytes(archive.read(names[0]), headersonly=True)
        except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError) as error:
            raise UserError(
                f"`{file.filename}` at {shown(file.url)} is no wheel: {error}. To fix, get it from "
                "elsewhere, or lock another version."
            ) from None

    def download(self, file: ProjectFile, target: BinaryIO) -> str:
        """Writes the file to `target`; returns its sha256."""
        digest = hashlib.sha256()
        for chunk in self._client.content(file.url) if _is_remote(file.url) else _read(file.url):
            digest.update(chunk)
            target.write(chunk)
        return digest.hexdigest()

    def _seekable(self, url: str) -> BinaryIO:
        return self._client.seekable(url) if _is_remote(url) else _open(url)


def _parse(response: requests.Response) -> List[ProjectFile]:
    kind = response.headers.get("Content-Type", "")
    try:
        if "json" in kind:
            return parse_json(response.content.decode(), response.url)
        return parse_html(response.content.decode(errors="replace"), response.url)
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{shown(response.url)} is no page of a Python index: {error}. To fix, correct "
            "`[python-repos]`."
        ) from None


def _is_remote(url: str) -> bool:
    return url.startswith(("http://", "https://"))


def _disk_path(url: str) -> Path:
    return Path(unquote(urlsplit(url).path) if url.startswith("file:") else url)


def _open(url: str) -> BinaryIO:
    try:
        return _disk_path(url).open("rb")
    except OSError as error:
        raise UserError(
            f"{url} cannot be read: {error.strerror}. To fix, correct `[python-repos]` or the "
            "lock file."
        ) from None


def _read(url: str) -> Iterator[bytes]:
    with _open(url) as source:
        yield from iter(lambda: source.read(CHUNK), b"")


def _folder_or_page(path: Path) -> List[ProjectFile]:
    page = path / "index.html" if path.is_dir() else path
    if page.is_file():
        return parse_html(page.read_text(errors="replace"), f"file://{quote(str(page.absolute()))}")
    if not path.is_dir():
        return []
    return [
        ProjectFile(name, (path / name).absolute().as_uri())
        for name in sorted(os.listdir(path))
        if name.endswith(SUFFIXES)
    ]
