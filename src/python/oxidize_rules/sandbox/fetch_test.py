"""Downloads against servers of this test: broken connections, wrong content, mirrors, proxies."""

from __future__ import annotations

import hashlib
import re
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Callable, Iterator

import pytest

from oxidize_rules.sandbox import fetch
from oxidize_rules.sandbox.errors import UserError

CONTENT = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Answers by `paths`; keeps the requests' paths and `Range` headers."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.paths: dict[str, Callable[[Handler], None]] = {}
        self.seen: list[tuple[str, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.seen.append((self.path, self.headers.get("Range")))
        answer = self.server.paths.get(self.path)
        if answer is None:
            self.send_error(404)
        else:
            answer(self)

    def log_message(self, format: str, *args: object) -> None:
        pass

    def give(self, content: bytes, sent: int | None = None, ranges: bool = True) -> None:
        """Answers with `content`, but breaks off after `sent` bytes of the body."""
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")) if ranges else None
        start = int(match[1]) if match else 0
        self.send_response(206 if match else 200)
        if match:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        body = content[start:]
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if sent is None else body[:sent])


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(fetch, "BACK_OFF", 0.01)
    running = Server()
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    yield running
    running.shutdown()
    running.server_close()


def run_fetch(folder: Path, *args: str, sha256: str = SHA256, size: int | None = None) -> Path:
    output = folder / "file.tar"
    sizes = [f"--size={size}"] if size is not None else []
    fetch.main([*args, f"--sha256={sha256}", *sizes, f"--output={output}"])
    return output


def assert_nothing_written(folder: Path) -> None:
    assert list(folder.iterdir()) == []


def test_downloads(server: Server, tmp_path: Path) -> None:
    server.paths["/a"] = lambda handler: handler.give(CONTENT)
    assert run_fetch(tmp_path, f"--url={server.url}/a", size=len(CONTENT)).read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["file.tar"]


@pytest.mark.parametrize("size", [None, len(CONTENT)])
def test_resumes_a_broken_connection(server: Server, tmp_path: Path, size: int | None) -> None:
    server.paths["/a"] = lambda handler: handler.give(CONTENT, sent=300_000)
    assert run_fetch(tmp_path, f"--url={server.url}/a", size=size).read_bytes() == CONTENT
    offsets = [0 if header is None else int(header[6:-1]) for _, header in server.seen]
    assert len(offsets) > 2
    assert offsets == sorted(set(offsets))


def test_resumes_at_a_server_without_ranges(server: Server, tmp_path: Path) -> None:
    sent = iter([300_000, None])
    server.paths["/a"] = lambda handler: handler.give(CONTENT, sent=next(sent), ranges=False)
    assert run_fetch(tmp_path, f"--url={server.url}/a").read_bytes() == CONTENT


def test_gives_up_on_a_place_that_always_breaks_off(server: Server, tmp_path: Path) -> None:
    server.paths["/a"] = lambda handler: handler.give(CONTENT, sent=0)
    with pytest.raises(UserError, match="could not be resumed"):
        run_fetch(tmp_path, f"--url={server.url}/a")
    assert_nothing_written(tmp_path)


def test_wrong_hash(server: Server, tmp_path: Path) -> None:
    server.paths["/a"] = lambda handler: handler.give(b"other")
    found = hashlib.sha256(b"other").hexdigest()
    with pytest.raises(UserError, match=f"sha256 differs: found {found}, expected {SHA256}"):
        run_fetch(tmp_path, f"--url={server.url}/a")
    assert_nothing_written(tmp_path)


def test_wrong_size(server: Server, tmp_path: Path) -> None:
    server.paths["/a"] = lambda handler: handler.give(CONTENT)
    message = f"size differs: found {len(CONTENT)} bytes, expected 10"
    with pytest.raises(UserError, match=message):
        run_fetch(tmp_path, f"--url={server.url}/a", size=10)
    assert_nothing_written(tmp_path)


def test_endless_body_is_broken_off(server: Server, tmp_path: Path) -> None:
    def endless(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(CONTENT)
        except OSError:
            pass

    server.paths["/a"] = endless
    with pytest.raises(UserError, match="size differs: found more than"):
        run_fetch(tmp_path, f"--url={server.url}/a", size=len(CONTENT))
    assert_nothing_written(tmp_path)


def test_next_place_after_404_and_wrong_content(server: Server, tmp_path: Path) -> None:
    server.paths["/wrong"] = lambda handler: handler.give(b"other")
    server.paths["/right"] = lambda handler: handler.give(CONTENT)
    urls = [f"--url={server.url}/{name}" for name in ("missing", "wrong", "right")]
    assert run_fetch(tmp_path, *urls).read_bytes() == CONTENT


def test_silent_place_is_not_waited_for(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "HEAD_START", 0.05)
    silent = socket.create_server(("127.0.0.1", 0))
    server.paths["/a"] = lambda handler: handler.give(CONTENT)
    urls = [f"--url=http://127.0.0.1:{silent.getsockname()[1]}/a", f"--url={server.url}/a"]
    try:
        assert run_fetch(tmp_path, *urls).read_bytes() == CONTENT
    finally:
        silent.close()


def test_redirect(server: Server, tmp_path: Path) -> None:
    def redirect(handler: Handler) -> None:
        handler.send_response(302)
        handler.send_header("Location", "/b")
        handler.end_headers()

    server.paths["/a"] = redirect
    server.paths["/b"] = lambda handler: handler.give(CONTENT)
    assert run_fetch(tmp_path, f"--url={server.url}/a").read_bytes() == CONTENT


def test_proxy(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    wanted = "http://upstream.invalid/file"
    server.paths[wanted] = lambda handler: handler.give(CONTENT)
    assert run_fetch(tmp_path, f"--url={wanted}").read_bytes() == CONTENT
    assert server.seen == [(wanted, None)]


def test_message_names_every_place(server: Server, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    urls = [f"{server.url}/missing", f"http://127.0.0.1:{port}/x"]
    with pytest.raises(UserError) as error:
        run_fetch(tmp_path, *(f"--url={url}" for url in urls))
    message = str(error.value)
    assert f"{urls[0]}: HTTP 404" in message
    assert re.search(rf"{re.escape(urls[1])}: .*[Rr]efused", message)
    assert "every place was tried" in message
    assert "To fix" in message


def test_message_has_no_password(server: Server, tmp_path: Path) -> None:
    url = server.url.replace("//", "//user:secret@")
    with pytest.raises(UserError, match=re.escape(f"* {server.url}/missing: HTTP 404")) as error:
        run_fetch(tmp_path, f"--url={url}/missing")
    assert "secret" not in str(error.value)


def test_file_url(tmp_path: Path) -> None:
    source, folder = tmp_path / "with blank.tar", tmp_path / "out"
    source.write_bytes(CONTENT)
    folder.mkdir()
    assert run_fetch(folder, f"--url={source.as_uri()}").read_bytes() == CONTENT
    (folder / "file.tar").unlink()
    with pytest.raises(UserError, match="No such file"):
        run_fetch(folder, f"--url={source.as_uri()}x")
    assert_nothing_written(folder)


def test_debian_pool_of_the_machines_mirrors(server: Server, tmp_path: Path) -> None:
    apt = tmp_path / "apt"
    (apt / "sources.list.d").mkdir(parents=True)
    (apt / "sources.list").write_text(
        "# deb http://commented.invalid/debian stable main\n"
        f"deb [signed-by=/k.gpg arch=amd64] {server.url}/debian/ stable main\n"
        "deb http://vendor.invalid/apt stable main\n"
    )
    (apt / "sources.list.d" / "more.sources").write_text(
        "Types: deb\n"
        f"URIs: {server.url}/debian\n"
        f"  {server.url}/debian-security\n"
        "Suites: stable\n\n"
        "Types: deb\nEnabled: no\nURIs: http://disabled.invalid/debian\n"
    )
    (apt / "mirrors").write_text("http://listed.invalid/debian\tpriority:1\n")
    (apt / "sources.list.d" / "listed.sources").write_text(
        f"Types: deb\nURIs: mirror+file://{apt}/mirrors\n"
    )
    assert fetch.apt_mirrors(apt) == [
        f"{server.url}/debian",
        "http://listed.invalid/debian",
        f"{server.url}/debian-security",
    ]
    server.paths["/debian-security/pool/updates/main/x/x.tar"] = lambda handler: handler.give(
        CONTENT
    )
    (apt / "sources.list.d" / "listed.sources").unlink()
    folder = tmp_path / "out"
    folder.mkdir()
    args = [f"--url={server.url}/gone", "--debian-path=pool/main/x/x.tar", f"--apt-dir={apt}"]
    assert run_fetch(folder, *args).read_bytes() == CONTENT
    assert [path for path, _ in server.seen] == [
        "/gone",
        "/debian/pool/main/x/x.tar",
        "/debian-security/pool/updates/main/x/x.tar",
    ]


def test_nowhere_to_look(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no Debian mirror"):
        run_fetch(tmp_path, "--debian-path=pool/main/x/x.tar", f"--apt-dir={tmp_path}")


def test_refuses_a_malformed_hash(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="64 lower-case hexadecimal digits"):
        run_fetch(tmp_path, "--url=http://unused.invalid/", sha256="ABC")


def test_passwords_are_not_shown() -> None:
    assert fetch.without_password("https://user:pass@h.example:8/x?y") == "https://h.example:8/x?y"
