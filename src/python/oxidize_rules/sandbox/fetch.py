"""Downloads one file of known sha256 from the first of several places that has it.

    fetch.py --sha256 HEX [--size BYTES] --output NAME [--url URL]... [--debian-path pool/main/...]

Places are the URLs in their order, then Debian's source pool on the mirrors that this machine's apt
is configured with (`--debian-path`; the format of /etc/apt/sources.list and of *.sources is told in
sources.list(5)). A place that does not answer within `HEAD_START` seconds is not waited for: the
next one is asked beside it, and the first that answers is used. A broken connection is resumed with
`Range`. The output appears only when size and hash are right.

Proxies come from the usual variables (HTTPS_PROXY, NO_PROXY, ...), certificates from
REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE or SSL_CERT_FILE. `file:` URLs are read from the disk.
stdout tells how the download goes on; stderr is kept for the message of a failure.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import queue
import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Callable, Iterable, Iterator, Optional, Sequence
from urllib.parse import unquote, urlsplit, urlunsplit

import requests

from oxidize_rules.sandbox.errors import UserError, run

APT_DIR = Path("/etc/apt")
CONNECT_TIMEOUT = 10.0  # Seconds.
READ_TIMEOUT = 60.0
HEAD_START = 3.0
RESUMES = 6
BACK_OFF = 0.5  # Seconds before the first resume; doubled for each further one.
PROGRESS_INTERVAL = 5.0
CHUNK = 1 << 18
# A file without a stated size may not be larger than this.
MAX_SIZE = 4 << 30


class PlaceFailed(Exception):
    """One place cannot give the file. The message says why."""


@dataclass(frozen=True)
class Wanted:
    """`size` in bytes, where it is known."""

    name: str
    sha256: str
    size: Optional[int]

    @property
    def max_size(self) -> int:
        return MAX_SIZE if self.size is None else self.size


@dataclass
class Answer:
    """A place that answered: `body` can be read once; it may end early."""

    url: str
    body: Iterator[bytes]
    total: Optional[int]
    close: Callable[[], None]


def apt_mirrors(apt_dir: Path = APT_DIR) -> list[str]:
    """Base URLs of the Debian archives that apt uses, in the order of its files, each once."""
    found: list[str] = []
    one_line = [apt_dir / "sources.list", *sorted(apt_dir.glob("sources.list.d/*.list"))]
    for path in one_line:
        for line in _lines(path):
            match = re.match(r"deb(?:-src)?\s+(?:\[[^]]*\]\s+)?(\S+)\s", line)
            if match:
                found.append(match[1])
    for path in sorted(apt_dir.glob("sources.list.d/*.sources")):
        for stanza in _stanzas(_lines(path)):
            if stanza.get("enabled", "yes").lower() not in ("no", "false", "0"):
                found.extend(stanza.get("uris", "").split())
    mirrors = (url for source in found for url in _mirror_urls(source))
    debian = (url.rstrip("/") for url in mirrors if "debian" in urlsplit(url).path)
    return list(dict.fromkeys(debian))


def _lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return []
    return [line for line in lines if not line.lstrip().startswith("#")]


def _stanzas(lines: Iterable[str]) -> Iterator[dict[str, str]]:
    """Deb822: `Name: value` lines, continued by lines that begin with a blank."""
    stanza: dict[str, str] = {}
    name = ""
    for line in (*lines, ""):
        if not line.strip():
            if stanza:
                yield stanza
            stanza, name = {}, ""
        elif line[0].isspace():
            if name:
                stanza[name] += f" {line.strip()}"
        else:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            stanza[name] = value.strip()


def _mirror_urls(source: str) -> list[str]:
    """A source's own URL, or those in the list that a `mirror+file:` source names."""
    if source.startswith("mirror+file:"):
        listed = _lines(Path(urlsplit(source[len("mirror+") :]).path))
        return [line.split()[0] for line in listed if line.strip()]
    return [source] if source.startswith(("http://", "https://")) else []


def debian_urls(path: str, mirrors: Sequence[str]) -> list[str]:
    """Where `path` (`pool/main/...`) stands on each mirror; security archives call it otherwise."""
    relative = re.sub(r"^pool/(updates/)?", "", path.strip("/"))
    return [
        f"{mirror}/pool/{'updates/' if 'security' in urlsplit(mirror).path else ''}{relative}"
        for mirror in mirrors
    ]


def new_session() -> requests.Session:
    session = requests.Session()
    bundle = os.environ.get("SSL_CERT_FILE")
    named = any(name in os.environ for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"))
    if bundle and not named and os.path.exists(bundle):
        session.verify = bundle
    return session


def explain(error: Exception) -> str:
    """One line without the library's object names."""
    if isinstance(error, requests.exceptions.ProxyError):
        return f"the proxy refused or did not answer ({_root_cause(error)})"
    if isinstance(error, requests.exceptions.SSLError):
        return f"TLS failed ({_root_cause(error)})"
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return f"no answer within {CONNECT_TIMEOUT:.0f} s"
    if isinstance(error, requests.exceptions.ReadTimeout):
        return f"no data for {READ_TIMEOUT:.0f} s"
    return _root_cause(error)


def _root_cause(error: BaseException) -> str:
    while True:
        reason = getattr(error, "reason", None) or (error.args[0] if error.args else None)
        if not isinstance(reason, BaseException):
            break
        error = reason
    return re.sub(r"<[^>]*>:? ?", "", str(error)).strip() or type(error).__name__


def ask(url: str, offset: int = 0) -> Answer:
    """Opens `url`, from `offset` on. The answer's `total` is the whole file's size in bytes."""
    if url.startswith("file:"):
        return _ask_disk(url, offset)
    headers = {"Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
    session = new_session()
    try:
        response = session.get(
            url, headers=headers, stream=True, timeout=(CONNECT_TIMEOUT, READ_TIMEOUT)
        )
    except (requests.RequestException, OSError) as error:
        session.close()
        raise PlaceFailed(explain(error)) from error

    def close() -> None:
        response.close()
        session.close()

    if response.status_code not in (200, 206):
        close()
        raise PlaceFailed(f"HTTP {response.status_code} {response.reason}")
    length = response.headers.get("Content-Length", "")
    total = int(length) if length.isdigit() else None
    body = response.iter_content(CHUNK)
    if response.status_code == 206:
        sent = re.match(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        if sent is None or int(sent[1]) != offset:
            close()
            raise PlaceFailed("answered a resumed download with another part of the file")
        total = None if total is None else total + offset
    elif offset:
        # It does not know `Range`: what we have is sent again.
        body = skipping(body, offset)
    return Answer(url, body, total, close)


def _ask_disk(url: str, offset: int) -> Answer:
    path = unquote(urlsplit(url).path)
    try:
        file = Path(path).open("rb")  # noqa: SIM115 (closed with the answer)
    except OSError as error:
        raise PlaceFailed(error.strerror or str(error)) from error
    file.seek(offset)
    return Answer(url, iter(lambda: file.read(CHUNK), b""), os.path.getsize(path), file.close)


def skipping(body: Iterator[bytes], count: int) -> Iterator[bytes]:
    for chunk in body:
        if count < len(chunk):
            yield chunk[count:]
        count = max(0, count - len(chunk))


class Progress:
    """Tells on stdout how far a download is, every few seconds."""

    def __init__(self, wanted: Wanted, url: str) -> None:
        self.name, self.host = wanted.name, urlsplit(url).hostname or "disk"
        self.started = self.told = time.monotonic()

    def tell(self, done: int, total: Optional[int]) -> None:
        now = time.monotonic()
        if now - self.told < PROGRESS_INTERVAL:
            return
        self.told = now
        of = f" of {total / 1e6:.1f}" if total else ""
        rate = done / 1e6 / (now - self.started)
        print(
            f"{self.name}: {done / 1e6:.1f}{of} MB from {self.host}, {rate:.1f} MB/s",
            flush=True,
        )


def download(answer: Answer, wanted: Wanted, file: BinaryIO) -> None:
    """Writes the body to `file`, resuming at the same URL, and checks size and hash."""
    digest, done, failures = hashlib.sha256(), 0, 0
    progress = Progress(wanted, answer.url)
    total = answer.total
    while True:
        before, reason = done, "the connection ended early"
        if wanted.size is not None and total is not None and total != wanted.size:
            answer.close()
            raise PlaceFailed(f"size differs: found {total} bytes, expected {wanted.size}")
        try:
            for chunk in answer.body:
                done += len(chunk)
                if done > wanted.max_size:
                    limit = "expected" if wanted.size is not None else "at most allowed"
                    raise PlaceFailed(
                        f"size differs: found more than {done - len(chunk)} bytes, {limit} "
                        f"{wanted.max_size}"
                    )
                file.write(chunk)
                digest.update(chunk)
                progress.tell(done, total)
        except requests.RequestException as error:
            reason = explain(error)
        finally:
            answer.close()
        expected_end = wanted.size if wanted.size is not None else total
        if expected_end is None and reason == "the connection ended early":
            break
        if expected_end is not None and done >= expected_end:
            break
        failures = 1 if done > before else failures + 1
        answer = _resume(answer.url, done, failures, reason)
        total = answer.total if answer.total is not None else total
    if digest.hexdigest() != wanted.sha256:
        raise PlaceFailed(
            f"sha256 differs: found {digest.hexdigest()}, expected {wanted.sha256}"
            + (f" (size {done} bytes)" if wanted.size is None else "")
        )


def _resume(url: str, done: int, failures: int, reason: str) -> Answer:
    """Asks again for the rest, a few times; `failures` counts attempts that brought nothing."""
    while failures <= RESUMES:
        time.sleep(BACK_OFF * 2 ** (failures - 1))
        try:
            return ask(url, done)
        except PlaceFailed as error:
            reason = str(error)
            failures += 1
    raise PlaceFailed(f"broke off after {done} bytes and could not be resumed: {reason}")


def first_answer(
    places: list[str], failed: dict[str, str], opened: Callable[[str], Answer] = ask
) -> Optional[Answer]:
    """The first place that answers, tried in order, each with a head start before the next.

    Removes from `places` what was used or has failed; failures go to `failed`.
    """
    answers: queue.Queue[tuple[str, object]] = queue.Queue()
    waiting = list(places)
    running: set[str] = set()
    over = threading.Event()

    def work(url: str) -> None:
        try:
            answer = opened(url)
        except PlaceFailed as error:
            answers.put((url, error))
            return
        if over.is_set():
            answer.close()
        else:
            answers.put((url, answer))

    while waiting or running:
        if waiting:
            url = waiting.pop(0)
            running.add(url)
            threading.Thread(target=work, args=(url,), daemon=True).start()
        try:
            url, outcome = answers.get(timeout=HEAD_START if waiting else None)
        except queue.Empty:
            continue
        running.discard(url)
        places.remove(url)
        if isinstance(outcome, Answer):
            over.set()
            return outcome
        failed[url] = str(outcome)
    return None


def fetch(urls: Sequence[str], wanted: Wanted, output: Path) -> None:
    """Writes the file to `output`, or raises `UserError` with what each place said."""
    places, failed = list(dict.fromkeys(urls)), {}  # type: list[str], dict[str, str]
    partial = output.with_name(f"{output.name}.part")
    try:
        while places:
            answer = first_answer(places, failed)
            if answer is None:
                break
            try:
                with open(partial, "wb") as file:
                    download(answer, wanted, file)
            except PlaceFailed as error:
                failed[answer.url] = str(error)
                print(f"{wanted.name}: {without_password(answer.url)}: {error}", flush=True)
                continue
            os.replace(partial, output)
            return
    finally:
        partial.unlink(missing_ok=True)
    raise UserError(failure_message(wanted, failed))


def without_password(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def failure_message(wanted: Wanted, failed: dict[str, str]) -> str:
    lines = "".join(f"\n  * {without_password(url)}: {why}" for url, why in failed.items())
    if any("differs: " in why for why in failed.values()):
        return (
            f"{wanted.name} was downloaded, but it is not the file that is expected:{lines}\n"
            "To fix, compare the target's `sha256` and `size` with what the project publishes; if "
            "they are right, the place holds another file."
        )
    if not failed:
        return (
            f"{wanted.name} cannot be downloaded: no URL is given, and apt on this machine names "
            "no Debian mirror (/etc/apt/sources.list, /etc/apt/sources.list.d).\n"
            "To fix, give `urls`."
        )
    return (
        f"{wanted.name} cannot be downloaded; every place was tried:{lines}\n"
        "To fix, check the network (proxy variables, certificates), or name a mirror in `url` or "
        "`urls`."
    )


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="fetch.py")
    parser.add_argument("--url", action="append", default=[])
    parser.add_argument("--debian-path")
    parser.add_argument("--sha256", required=True)
    parser.add_argument("--size", type=int)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--apt-dir", type=Path, default=APT_DIR)
    options = parser.parse_args(argv)
    if not re.fullmatch("[0-9a-f]{64}", options.sha256):
        raise UserError(
            f"`sha256` is {options.sha256!r}; 64 lower-case hexadecimal digits are expected."
        )
    urls = list(options.url)
    if options.debian_path:
        urls += debian_urls(options.debian_path, apt_mirrors(options.apt_dir))
    wanted = Wanted(options.output.name, options.sha256, options.size)
    fetch(urls, wanted, options.output)


if __name__ == "__main__":
    run(main)
