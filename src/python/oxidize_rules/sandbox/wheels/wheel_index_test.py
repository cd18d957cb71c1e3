from __future__ import annotations

import base64
import hashlib
import io
import re
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Dict, Iterator, List, Tuple

import pytest

from oxidize_rules.sandbox.errors import UserError
from oxidize_rules.sandbox.wheels import http_client
from oxidize_rules.sandbox.wheels.index_page import ProjectFile
from oxidize_rules.sandbox.wheels.wheel_index import Places

SHA = "ab" * 32


class Server(ThreadingHTTPServer):
    """Serves `content` by path, on a loopback address; keeps what was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content: Dict[str, Tuple[str, bytes]] = {}
        self.asked: List[Tuple[str, str]] = []
        self.ranges = True
        self.secret = ""

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        span = self.headers.get("Range") or ""
        self.server.asked.append((self.path, span))
        kind, content = self.server.content.get(self.path, ("text/html", b""))
        secret = base64.b64encode(self.server.secret.encode()).decode()
        if self.server.secret and self.headers.get("Authorization") != f"Basic {secret}":
            self.send_response(401)
        elif self.path not in self.server.content:
            self.send_response(404)
        elif span and self.server.ranges:
            match = re.fullmatch(r"bytes=(\d*)-(\d*)", span)
            assert match is not None
            size = len(content)
            start = int(match[1]) if match[1] else max(0, size - int(match[2]))
            end = int(match[2]) if match[1] else size - 1
            content = content[start : end + 1]
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{end}/{size}")
        else:
            self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        """Says nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def wheel(padding: int = 0) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr("a-1.dist-info/METADATA", "Name: a\nRequires-Dist: b\nRequires-Dist: c\n")
        archive.writestr("a/vendored-1.dist-info/METADATA", "Name: other\n")
        archive.writestr("a.py", b"x" * padding)
    return written.getvalue()


def test_files_of_all_places(server: Server, tmp_path: Path) -> None:
    server.content["/one/a/"] = ("text/html", b'<a href="a-1.zip">')
    server.content["/two/a/"] = (
        "application/vnd.pypi.simple.v1+json",
        b'{"files": [{"filename": "a-1.zip", "url": "/no"}, {"filename": "a-2.zip", "url": "x"}]}',
    )
    server.content["/links.html"] = ("text/html", b'<a href="/a-3.zip">')
    folder, index = tmp_path / "folder", tmp_path / "index"
    folder.mkdir()
    (folder / "a-4.zip").write_bytes(b"")
    (folder / "notes.txt").write_bytes(b"")
    (index / "a").mkdir(parents=True)
    (index / "a/index.html").write_text('<a href="../a 5.zip">')
    base = f"http://{server.host}"
    places = Places(
        [f"{base}/one/", f"{base}/two", f"{base}/three", index.as_uri()],
        [folder.as_uri(), str(folder), f"{base}/links.html", f"{base}/a-6.zip#sha256={SHA}"],
    )
    files = places.files("a")
    assert {file.filename: file.url for file in files} == {
        "a-1.zip": f"{base}/one/a/a-1.zip",
        "a-2.zip": f"{base}/two/a/x",
        "a 5.zip": f"file://{index}/a 5.zip",
        "a-4.zip": f"file://{folder}/a-4.zip",
        "a-3.zip": f"{base}/a-3.zip",
        "a-6.zip": f"{base}/a-6.zip",
    }
    assert files[-1].sha256 == SHA
    assert places.files("a") == files
    assert [path for path, _ in server.asked].count("/links.html") == 1


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("size", [0, 10_000_000])
def test_metadata_of_a_wheel(server: Server, ranges: bool, size: int) -> None:
    server.ranges = ranges
    server.content["/a.whl"] = ("", wheel(size))
    found = Places([], []).metadata(ProjectFile("a.whl", f"http://{server.host}/a.whl"))
    assert found.get_all("Requires-Dist") == ["b", "c"]
    assert len(server.asked) == (2 if ranges and size else 1)


def test_metadata_on_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "a b.whl"
    path.write_bytes(wheel())
    found = Places([], []).metadata(ProjectFile("a b.whl", path.as_uri()))
    assert found.get_all("Requires-Dist") == ["b", "c"]


def test_download(server: Server, tmp_path: Path) -> None:
    server.content["/a.zip"] = ("", b"content")
    (tmp_path / "b.zip").write_bytes(b"content")
    for url in (f"http://{server.host}/a.zip", (tmp_path / "b.zip").as_uri()):
        target = io.BytesIO()
        found = Places([], []).download(ProjectFile("a.zip", url), target)
        assert found == hashlib.sha256(b"content").hexdigest()
        assert target.getvalue() == b"content"


def test_credentials_go_to_the_index_and_its_files_alone(server: Server) -> None:
    server.secret = "user:pass"
    server.content["/simple/a/"] = (
        "text/html",
        b'<a href="/a-1.zip"><a href="https://files.example/a-2.zip">',
    )
    places = Places([f"http://user:pass@{server.host}/simple"], [])
    assert [file.url for file in places.files("a")] == [
        f"http://user:pass@{server.host}/a-1.zip",
        "https://files.example/a-2.zip",
    ]
    with pytest.raises(UserError, match="HTTP 401") as caught:
        Places([f"http://user:wrong@{server.host}/simple"], []).files("a")
    assert "wrong" not in str(caught.value)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("a.whl", b"<html>", "is no wheel"),
        ("a.whl", None, "HTTP 404"),
    ],
)
def test_no_metadata(server: Server, file: str, content: bytes, message: str) -> None:
    if content is not None:
        server.content["/a.whl"] = ("", content)
    with pytest.raises(UserError, match=message):
        Places([], []).metadata(ProjectFile(file, f"http://{server.host}/{file}"))


def test_what_is_not_there(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "RETRIES", 0)
    with pytest.raises(UserError, match=r"does not exist.*find_links"):
        Places([], [str(tmp_path / "gone")]).files("a")
    with pytest.raises(UserError, match="cannot be reached"):
        Places(["http://127.0.0.1:1/simple"], []).files("a")
    with pytest.raises(UserError, match="cannot be read"):
        Places([], []).metadata(ProjectFile("a.whl", (tmp_path / "a.whl").as_uri()))
    server.content["/simple/a/"] = ("application/vnd.pypi.simple.v1+json", b"<html>")
    with pytest.raises(UserError, match="no page of a Python index"):
        Places([f"http://{server.host}/simple"], []).files("a")
