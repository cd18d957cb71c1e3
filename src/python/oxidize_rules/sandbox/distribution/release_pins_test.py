"""Pins compared with releases on a loopback address, and with servers that do not do their part."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import time
from pathlib import Path
from typing import Any, Callable, Iterator, List, Optional
from urllib.parse import quote

import pytest

from oxidize_rules.goals.testing_https import make_authority
from oxidize_rules.sandbox.distribution import release_pins
from oxidize_rules.sandbox.distribution.testing_releases import (
    Handler,
    ReleaseServer,
    content_of,
    list_of,
    release_names,
    release_server,
    sha256_of,
)
from oxidize_rules.sandbox.errors import UserError

OLD, NEW = "20260901", "20261021"
MUSL = "x86_64-unknown-linux-musl-noopt+static-full.tar.zst"
GNU = "x86_64-unknown-linux-gnu-pgo+lto-full.tar.zst"
NEW_NAME = f"cpython-3.13.17+{NEW}-{MUSL}"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ReleaseServer]:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with release_server({OLD: ("3.12.14", "3.13.15"), NEW: ("3.12.15", "3.13.17")}) as running:
        yield running


def pin(
    server: ReleaseServer, version: str = "3.13.15", rest: str = MUSL, **fields: Any
) -> dict[str, Any]:
    release = fields.pop("release", OLD)
    name = f"cpython-{version}+{release}-{rest}"
    return {
        "where": f"//pins:{version}",
        "url": f"{server.base}/{release}/{quote(name)}",
        "sha256": sha256_of(name),
        "size": len(content_of(name)),
        **fields,
    }


def compare(folder: Path, pins: List[dict[str, Any]], *options: str) -> List[Any]:
    (folder / "pins.json").write_text(json.dumps(pins))
    release_pins.main([str(folder / "pins.json"), str(folder / "out.json"), *options])
    rows = json.loads((folder / "out.json").read_text())
    assert [row["where"] for row in rows] == [one["where"] for one in pins]
    return list(rows)


def test_the_latest(server: ReleaseServer, tmp_path: Path) -> None:
    name = f"cpython-3.13.15+{OLD}-{MUSL}"
    (row,) = compare(tmp_path, [pin(server)])
    assert row == {
        "where": "//pins:3.13.15",
        "status": "newer",
        "why": "",
        "old": {"version": "3.13.15", "release": OLD, "size": len(content_of(name))},
        "new": {
            "url": f"{server.base}/{NEW}/{quote(NEW_NAME)}",
            "sha256": sha256_of(NEW_NAME),
            "size": len(content_of(NEW_NAME)),
            "version": "3.13.17",
            "release": NEW,
        },
    }
    # Nothing but the list and the size was asked for.
    assert server.seen == [
        ("GET", "/pbs/releases/latest/download/SHA256SUMS"),
        ("GET", f"/pbs/releases/download/{NEW}/SHA256SUMS"),
        ("HEAD", f"/pbs/releases/download/{NEW}/{NEW_NAME}"),
    ]


def test_several_pins_read_one_list(server: ReleaseServer, tmp_path: Path) -> None:
    pins = [
        pin(server),
        pin(server, "3.13.17", release=NEW),
        pin(server, "3.12.14", GNU, size=None),
        pin(server, "3.12.14", "x86_64-unknown-linux-musl-debug-full.tar.zst"),
        pin(server, url="https://example.org/python.tar.zst"),
    ]
    rows = compare(tmp_path, pins)
    assert [row["status"] for row in rows] == ["newer", "current", "newer", "absent", "foreign"]
    # What the target does not say is asked for, to be shown.
    assert rows[2]["old"]["size"] == len(content_of(f"cpython-3.12.14+{OLD}-{GNU}"))
    assert "not as debug-full" in rows[3]["why"]
    assert rows[4]["old"] is None
    assert [path for _, path in server.seen].count(server.list_path(NEW)) == 1


def test_a_release_by_its_tag(server: ReleaseServer, tmp_path: Path) -> None:
    pins = [pin(server), pin(server, "3.13.17", release=NEW)]
    rows = compare(tmp_path, pins, f"--release={OLD}")
    assert [row["status"] for row in rows] == ["current", "older"]
    assert rows[1]["new"]["version"] == "3.13.15"


def test_a_latest_that_is_older_changes_nothing(server: ReleaseServer, tmp_path: Path) -> None:
    server.latest = OLD
    (row,) = compare(tmp_path, [pin(server, "3.13.17", release=NEW)])
    assert (row["status"], row["new"]) == ("current", None)


def test_another_minor_version(server: ReleaseServer, tmp_path: Path) -> None:
    (row,) = compare(tmp_path, [pin(server, "3.12.14")], "--python=3.13")
    assert (row["status"], row["new"]["version"]) == ("newer", "3.13.17")


def test_a_mirror(server: ReleaseServer, tmp_path: Path) -> None:
    """Lists and sizes come from it alone, and new pins name it."""
    with release_server({NEW: ("3.13.17",)}) as mirror:
        (row,) = compare(tmp_path, [pin(server)], f"--base-url={mirror.base}/")
        assert row["new"]["url"] == f"{mirror.base}/{NEW}/{quote(NEW_NAME)}"
    assert server.seen == []


def test_a_redirected_file(server: ReleaseServer, tmp_path: Path) -> None:
    path = f"{server.top}/{NEW}/{NEW_NAME}"
    server.files["/elsewhere"] = server.files[path]
    server.answers[path] = lambda handler: handler.redirect("/elsewhere")
    (row,) = compare(tmp_path, [pin(server)])
    assert row["new"]["size"] == len(content_of(NEW_NAME))


def no_head(handler: Handler) -> None:
    """A server that knows no HEAD, but `Range`."""
    if handler.command == "HEAD":
        handler.send_error(405)
        return
    assert handler.headers["Range"] == "bytes=0-0"
    handler.send_response(206)
    handler.send_header("Content-Range", f"bytes 0-0/{len(content_of(NEW_NAME))}")
    handler.send_header("Content-Length", "1")
    handler.end_headers()
    handler.wfile.write(b"c")


def test_a_server_without_head(server: ReleaseServer, tmp_path: Path) -> None:
    server.answers[f"{server.top}/{NEW}/{NEW_NAME}"] = no_head
    (row,) = compare(tmp_path, [pin(server)])
    assert row["new"]["size"] == len(content_of(NEW_NAME))


# -----------------------------------------------------------------------------------------------
# Servers that do not do their part: a message, and no output
# -----------------------------------------------------------------------------------------------

LIST = list_of(release_names(NEW, ("3.12.15", "3.13.17")))


def refused(folder: Path, pins: List[dict[str, Any]], *options: str) -> str:
    with pytest.raises(UserError) as raised:
        compare(folder, pins, *options)
    assert not (folder / "out.json").exists()
    assert "No pin was changed." in str(raised.value)
    assert "to fix" in str(raised.value).lower()
    return str(raised.value)


def gives(content: bytes, **options: Any) -> Callable[[Handler], None]:
    return lambda handler: handler.give(content, **options)


def broken_off(handler: Handler) -> None:
    """Half of what its length says."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(LIST)))
    handler.end_headers()
    handler.wfile.write(LIST[: len(LIST) // 2])
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)


def chunks_broken_off(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"%x\r\n%s" % (len(LIST), LIST[:500]))
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)


def endless(handler: Handler) -> None:
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(LIST)


def silent(handler: Handler) -> None:
    time.sleep(1)


def trickling(handler: Handler) -> None:
    """Each packet in time, but no end."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(LIST)))
    handler.end_headers()
    for start in range(0, len(LIST), 10):
        handler.wfile.write(LIST[start : start + 10])
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        pytest.param(lambda h: h.send_error(404), "HTTP 404", id="not-there"),
        pytest.param(lambda h: h.send_error(503), "HTTP 503", id="broken-server"),
        pytest.param(gives(b"<html>Log in</html>\n"), "it is a page of HTML", id="page"),
        pytest.param(gives(b""), "it is empty", id="empty"),
        pytest.param(gives(LIST[:-20], length=False), "it ends within a line", id="half"),
        pytest.param(gives(LIST.replace(b"a", b"z")), "it has the line 1 `", id="bad-hashes"),
        pytest.param(broken_off, "broke off after ", id="broken-off"),
        pytest.param(chunks_broken_off, "broke off after ", id="chunks-broken-off"),
        pytest.param(gives(b"x" * (5 << 20)), "has 5242880 bytes", id="huge"),
        pytest.param(endless, "has more than 4194304 bytes", id="endless"),
        pytest.param(silent, "did not answer in time", id="silent"),
        pytest.param(trickling, "was not read after", id="trickling"),
        pytest.param(lambda h: h.redirect(h.path), "redirects", id="circle"),
        pytest.param(lambda h: h.redirect("ftp://x/y"), "ftp", id="redirected-to-no-http"),
        pytest.param(
            gives(list_of(release_names(OLD, ("3.13.15",)) + release_names(NEW, ("3.13.17",)))),
            f"it is of {OLD}, {NEW}, expected one release",
            id="two-releases",
        ),
    ],
)
def test_bad_answers_for_a_list(
    server: ReleaseServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: Callable[[Handler], None],
    why: str,
) -> None:
    if answer is silent:
        monkeypatch.setattr(release_pins, "READ_TIMEOUT", 0.3)
    if answer is trickling:
        monkeypatch.setattr(release_pins, "LIST_TIMEOUT", 0.2)
    server.answers[server.list_path(NEW)] = answer
    message = refused(tmp_path, [pin(server)])
    assert f"{server.base[: -len('/download')]}/latest/download/SHA256SUMS cannot be" in message
    assert why in message


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("the `openssl` command, which makes the certificates, is not installed")
    folder = tmp_path_factory.mktemp("authority")
    make_authority(folder)
    return folder


@pytest.fixture
def https(server: ReleaseServer, authority: Path, monkeypatch: pytest.MonkeyPatch) -> ReleaseServer:
    """The server with a certificate that the program is told to believe."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "server.pem", authority / "server.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.scheme = "https"
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority / "ca.pem"))
    return server


def test_https(https: ReleaseServer, tmp_path: Path) -> None:
    (row,) = compare(tmp_path, [pin(https)])
    assert row["new"]["url"].startswith("https://")


def test_a_certificate_of_nobody(
    https: ReleaseServer, authority: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority / "other.pem"))
    assert "TLS failed (" in refused(tmp_path, [pin(https)])


def test_https_that_leads_to_http(https: ReleaseServer, tmp_path: Path) -> None:
    with release_server({NEW: ("3.13.17",)}) as plain:
        where = f"{plain.base}/{NEW}/SHA256SUMS"
        https.answers[https.list_path(NEW)] = lambda handler: handler.redirect(where)
        assert "leads to an address without https" in refused(tmp_path, [pin(https)])


def test_nobody_there(tmp_path: Path, server: ReleaseServer) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        base = f"http://user:secret@127.0.0.1:{unused.getsockname()[1]}/pbs"
        message = refused(tmp_path, [pin(server)], f"--base-url={base}")
    assert "refused" in message
    assert "secret" not in message
    assert "name a release by its tag" in message


def test_another_hash_for_the_pinned_file(server: ReleaseServer, tmp_path: Path) -> None:
    """One of both is not what it seems: nothing is done behind anybody's back."""
    message = refused(tmp_path, [pin(server, sha256="0" * 64)], f"--release={OLD}")
    assert f"found {sha256_of(f'cpython-3.13.15+{OLD}-{MUSL}')}, pinned {'0' * 64}" in message


def test_the_hash_of_the_mirror_is_another(server: ReleaseServer, tmp_path: Path) -> None:
    pins = [pin(server, "3.13.17", release=NEW, sha256="0" * 64)]
    assert "another hash for the very file" in refused(tmp_path, pins)


def page_for_head(handler: Handler) -> None:
    handler.give(b"<html>" * 100, kind="text/html; charset=utf-8")


def no_length(handler: Handler) -> None:
    handler.give(b"", length=False)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        pytest.param(lambda h: h.send_error(404), "HTTP 404", id="not-there"),
        pytest.param(lambda h: h.send_error(403), "HTTP 403", id="forbidden"),
        pytest.param(page_for_head, "gives a page of HTML in its place", id="page"),
        pytest.param(no_length, "does not tell the file's size", id="no-length"),
        pytest.param(gives(b""), "does not tell the file's size", id="empty"),
        pytest.param(silent, "did not answer in time", id="silent"),
    ],
)
def test_bad_answers_for_a_size(
    server: ReleaseServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: Callable[[Handler], None],
    why: str,
) -> None:
    if answer is silent:
        monkeypatch.setattr(release_pins, "READ_TIMEOUT", 0.3)
    server.answers[f"{server.top}/{NEW}/{NEW_NAME}"] = answer
    message = refused(tmp_path, [pin(server), pin(server, "3.12.14", GNU)])
    assert f"its size cannot be had: {why}" in message


def test_the_old_size_is_not_needed(server: ReleaseServer, tmp_path: Path) -> None:
    gone: Optional[dict[str, Any]] = pin(server, size=None)
    server.answers[f"{server.top}/{OLD}/cpython-3.13.15+{OLD}-{MUSL}"] = lambda h: h.send_error(410)
    assert gone is not None
    (row,) = compare(tmp_path, [gone])
    assert row["old"]["size"] is None
