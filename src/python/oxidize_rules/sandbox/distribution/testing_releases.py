"""For tests: releases of python-build-standalone on a loopback address."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Callable, Dict, Iterator, List, Tuple
from urllib.parse import unquote

FLAVOURS = (
    "x86_64-unknown-linux-musl-noopt+static-full.tar.zst",
    "x86_64-unknown-linux-musl-lto+static-full.tar.zst",
    "x86_64-unknown-linux-musl-install_only.tar.gz",
    "x86_64_v3-unknown-linux-musl-noopt+static-full.tar.zst",
    "x86_64-unknown-linux-gnu-pgo+lto-full.tar.zst",
    "aarch64-unknown-linux-gnu-pgo+lto-full.tar.zst",
    "aarch64-apple-darwin-pgo+lto-full.tar.zst",
)


def release_names(release: str, versions: Tuple[str, ...]) -> List[str]:
    return [
        f"cpython-{version}+{release}-{flavour}" for version in versions for flavour in FLAVOURS
    ]


def content_of(name: str) -> bytes:
    """What the archive of that name holds here; sizes differ."""
    return name.encode() * (1 + hashlib.sha256(name.encode()).digest()[0] % 20)


def sha256_of(name: str) -> str:
    return hashlib.sha256(content_of(name)).hexdigest()


def list_of(names: List[str]) -> bytes:
    return "".join(f"{sha256_of(name)}  {name}\n" for name in names).encode()


class ReleaseServer(ThreadingHTTPServer):
    """Has whole releases under `/<owner>/releases/download/`, as GitHub does. What is in `answers`,
    by path (not escaped), is answered by a function of the test instead."""

    daemon_threads = True

    def __init__(self, releases: Dict[str, Tuple[str, ...]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: Dict[str, bytes] = {}
        self.answers: Dict[str, Callable[[_Handler], None]] = {}
        self.seen: List[Tuple[str, str]] = []
        for release, versions in releases.items():
            names = release_names(release, versions)
            self.files.update({f"{self.top}/{release}/{n}": content_of(n) for n in names})
            self.files[f"{self.top}/{release}/SHA256SUMS"] = list_of(names)
        self.latest = max(releases)

    top = "/pbs/releases/download"
    scheme = "http"

    @property
    def base(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}{self.top}"

    def list_path(self, release: str) -> str:
        return f"{self.top}/{release}/SHA256SUMS"


class _Handler(BaseHTTPRequestHandler):
    server: ReleaseServer

    def do_GET(self) -> None:
        path = unquote(self.path)
        self.server.seen.append((self.command, path))
        answer = self.server.answers.get(path)
        latest = "/pbs/releases/latest/download/"
        if answer is not None:
            with contextlib.suppress(ConnectionError):
                answer(self)
        elif path.startswith(latest):
            # As GitHub does: the newest release's file, by a redirect.
            self.redirect(f"{self.server.top}/{self.server.latest}/{path[len(latest) :]}")
        elif path in self.server.files:
            self.give(self.server.files[path])
        else:
            self.send_error(404)

    do_HEAD = do_GET

    def redirect(self, where: str) -> None:
        self.send_response(302)
        self.send_header("Location", where)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def give(
        self, content: bytes, kind: str = "application/octet-stream", length: bool = True
    ) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        if length:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


Handler = _Handler


@contextmanager
def release_server(releases: Dict[str, Tuple[str, ...]]) -> Iterator[ReleaseServer]:
    with ReleaseServer(releases) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
