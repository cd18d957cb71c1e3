"""Files of Python projects: what indexes and find-links have, and the metadata of a wheel there.

An index is a "simple repository" (PEP 503, its JSON form PEP 691) at an HTTP or `file:` URL.
Find-links are what pip takes: a folder, a page with links, or the URL of one file. Metadata of a
wheel are read from the end of the zip file by HTTP ranges, so that the wheel need not be downloaded
to know what it depends on.
"""

from __future__ import annotations

import hashlib
import html
import io
import json
import os
import re
import threading
import zipfile
from dataclasses import dataclass, replace
from email.message import Message
from email.parser import BytesParser
from pathlib import Path
from typing import BinaryIO, Dict, List, Mapping, Optional, Sequence
from urllib.parse import quote, unquote, urldefrag, urljoin, urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from oxidize_rules.sandbox.errors import UserError

TIMEOUT = (10.0, 60.0)  # Seconds: to connect, and without any data.
RETRIES = Retry(
    total=4, backoff_factor=0.3, status_forcelist=(429, 500, 502, 503, 504), raise_on_status=False
)
JSON_FORMAT = "application/vnd.pypi.simple.v1+json"
ACCEPT = f"{JSON_FORMAT}, application/vnd.pypi.simple.v1+html;q=0.3, text/html;q=0.2"
# A wheel's directory and metadata are most often within its last bytes.
TAIL = 1 << 16
CHUNK = 1 << 18
SUFFIXES = (".whl", ".tar.gz", ".zip", ".tar.bz2", ".tar.xz", ".tgz")


@dataclass(frozen=True)
class ProjectFile:
    """A file of a project. `sha256`: hexadecimal, lower case; None where the place does not say.

    `requires_python` is a version specifier, empty for any.
    """

    filename: str
    url: str
    sha256: Optional[str] = None
    requires_python: str = ""
    yanked: bool = False


def shown(url: str) -> str:
    """The URL without user name and password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def filename_of(url: str) -> str:
    return unquote(url.partition("#")[0].partition("?")[0].rpartition("/")[2])


_SHA256 = re.compile(r"(?:.*&)?sha256=([0-9a-fA-F]{64})(?:&|$)")


def _sha256(fragment: str) -> Optional[str]:
    match = _SHA256.match(fragment)
    return match[1].lower() if match else None


# -----------------------------------------------------------------------------------------------
# Pages
# -----------------------------------------------------------------------------------------------


# `html.parser` takes seconds for a page of a large project; these see a hundredth of that.
_TAG = re.compile(r"""<(a|base)\s((?:[^>"']|"[^"]*"|'[^']*')*)>""", re.IGNORECASE)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_ATTRIBUTE = re.compile(r"""([\w-]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?""")


def parse_html(page: str, url: str) -> List[ProjectFile]:
    """Files that a page at `url` links to."""
    base, files = url, []
    for tag, text in _TAG.findall(_COMMENT.sub("", page)):
        link = {
            name.lower(): html.unescape(double or single or bare)
            for name, double, single, bare in _ATTRIBUTE.findall(text)
        }
        if tag.lower() == "base":
            base = urljoin(url, link.get("href", ""))
            continue
        target, _, fragment = link.get("href", "").strip().partition("#")
        filename = filename_of(target)
        if not filename.endswith(SUFFIXES):
            continue
        files.append(
            ProjectFile(
                filename=filename,
                url=target if _is_remote(target) else urljoin(base, target),
                sha256=_sha256(fragment),
                requires_python=link.get("data-requires-python", ""),
                yanked="data-yanked" in link,
            )
        )
    return files


def parse_json(page: str, url: str) -> List[ProjectFile]:
    files = []
    for entry in json.loads(page).get("files", ()):
        sha256 = (entry.get("hashes") or {}).get("sha256")
        files.append(
            ProjectFile(
                filename=str(entry["filename"]),
                url=urljoin(url, str(entry["url"])),
                sha256=str(sha256).lower() if sha256 else None,
                requires_python=entry.get("requires-python") or "",
                yanked=bool(entry.get("yanked")),
            )
        )
    return [file for file in files if file.filename.endswith(SUFFIXES)]


# -----------------------------------------------------------------------------------------------
# Places
# -----------------------------------------------------------------------------------------------


class Places:
    """The indexes and find-links of one run. May be used by several threads."""

    def __init__(self, indexes: Sequence[str], find_links: Sequence[str]) -> None:
        self.indexes = tuple(indexes)
        self.find_links = tuple(find_links)
        self._local = threading.local()
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
        response = self._get(url, {"Accept": ACCEPT})
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
            return [ProjectFile(filename_of(url), url, _sha256(fragment))]
        if not _is_remote(url):
            if not _disk_path(url).exists():
                raise UserError(
                    f"the find-links place `{link}` does not exist. To fix, correct "
                    "`[python-repos].find_links`."
                )
            return _folder_or_page(_disk_path(url))
        response = self._get(url, {"Accept": ACCEPT})
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
        if not _is_remote(file.url):
            with _open(file.url) as source:
                for chunk in iter(lambda: source.read(CHUNK), b""):
                    digest.update(chunk)
                    target.write(chunk)
            return digest.hexdigest()
        response = self._get(file.url, {"Accept-Encoding": "identity"}, stream=True)
        try:
            _expect(response, file.url, (200,))
            for chunk in response.iter_content(CHUNK):
                digest.update(chunk)
                target.write(chunk)
        except requests.RequestException as error:
            raise _unreachable(file.url, error) from None
        finally:
            response.close()
        return digest.hexdigest()

    def _seekable(self, url: str) -> BinaryIO:
        if not _is_remote(url):
            return _open(url)
        response = self._get(
            url, {"Accept-Encoding": "identity", "Range": f"bytes=-{TAIL}"}, stream=True
        )
        with response:
            _expect(response, url, (200, 206))
            content = response.content
            span = re.match(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
            if response.status_code == 200 or span is None:
                return io.BytesIO(content)
        return io.BufferedReader(_Ranges(self, url, int(span[2]), int(span[1]), content), TAIL)

    def part(self, url: str, start: int, end: int) -> bytes:
        """Bytes from `start` up to, not including, `end`."""
        headers = {"Accept-Encoding": "identity", "Range": f"bytes={start}-{end - 1}"}
        response = self._get(url, headers)
        _expect(response, url, (206,))
        return response.content

    def _get(
        self, url: str, headers: Mapping[str, str], *, stream: bool = False
    ) -> requests.Response:
        session = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = _new_session()
        try:
            return session.get(url, headers=headers, timeout=TIMEOUT, stream=stream)
        except (requests.RequestException, OSError) as error:
            raise _unreachable(url, error) from None


def _new_session() -> requests.Session:
    session = requests.Session()
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(max_retries=RETRIES))
    bundle = os.environ.get("SSL_CERT_FILE")
    named = any(name in os.environ for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"))
    if bundle and not named and os.path.exists(bundle):
        session.verify = bundle
    return session


def _expect(response: requests.Response, url: str, statuses: Sequence[int]) -> None:
    if response.status_code not in statuses:
        raise UserError(
            f"{shown(url)} answers HTTP {response.status_code} {response.reason}. To fix, check "
            "that the index still has this file."
        )


def _unreachable(url: str, error: BaseException) -> UserError:
    reason = error
    while True:
        inner = getattr(reason, "reason", None) or (reason.args[0] if reason.args else None)
        if not isinstance(inner, BaseException):
            break
        reason = inner
    text = re.sub(r"<[^>]*>:? ?", "", str(reason)) or type(reason).__name__
    return UserError(
        f"{shown(url)} cannot be reached: {text}. To fix, check the network (proxy variables, "
        "certificates) and `[python-repos]`."
    )


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


class _Ranges(io.RawIOBase):
    """A remote file as one to seek in; its end is there already."""

    def __init__(self, places: Places, url: str, size: int, tail_start: int, tail: bytes) -> None:
        self._places, self._url, self._size = places, url, size
        self._tail_start, self._tail = tail_start, tail
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        end = min(self._position + len(buffer), self._size)
        if self._position >= end:
            return 0
        if self._position < self._tail_start:
            end = min(end, self._tail_start)
            content = self._places.part(self._url, self._position, end)
        else:
            first = self._position - self._tail_start
            content = self._tail[first : first + len(buffer)]
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)


# -----------------------------------------------------------------------------------------------
# The disk
# -----------------------------------------------------------------------------------------------


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
