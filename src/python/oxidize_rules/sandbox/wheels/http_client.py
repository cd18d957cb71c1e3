"""Files behind HTTP, whole or in parts."""

from __future__ import annotations

import io
import re
import threading
from typing import BinaryIO, Iterator, Mapping, Optional, Sequence

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from oxidize_rules.sandbox.errors import UserError
from oxidize_rules.sandbox.fetch import CONNECT_TIMEOUT, READ_TIMEOUT, explain, new_session
from oxidize_rules.sandbox.fetch import without_password as shown

RETRIES = Retry(
    total=4, backoff_factor=0.3, status_forcelist=(429, 500, 502, 503, 504), raise_on_status=False
)
# A wheel's directory and metadata are most often within its last bytes.
TAIL = 1 << 16
CHUNK = 1 << 18
_WHOLE = {"Accept-Encoding": "identity"}


class Client:
    """May be used by several threads. Raises UserError where a place cannot be reached."""

    def __init__(self) -> None:
        self._local = threading.local()

    def get(
        self, url: str, headers: Mapping[str, str], *, stream: bool = False
    ) -> requests.Response:
        """The answer, whatever its status is."""
        try:
            return self._session().get(
                url, headers=headers, timeout=(CONNECT_TIMEOUT, READ_TIMEOUT), stream=stream
            )
        except (requests.RequestException, OSError) as error:
            raise _unreachable(url, error) from None

    def _session(self) -> requests.Session:
        session: Optional[requests.Session] = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = new_session()
            for scheme in ("https://", "http://"):
                session.mount(scheme, HTTPAdapter(max_retries=RETRIES))
        return session

    def content(self, url: str) -> Iterator[bytes]:
        """The file's content in pieces."""
        response = self.get(url, _WHOLE, stream=True)
        try:
            _expect(response, url, (200,))
            yield from response.iter_content(CHUNK)
        except requests.RequestException as error:
            raise _unreachable(url, error) from None
        finally:
            response.close()

    def part(self, url: str, start: int, end: int) -> bytes:
        """Bytes from `start` up to, not including, `end`."""
        response = self.get(url, {**_WHOLE, "Range": f"bytes={start}-{end - 1}"})
        _expect(response, url, (206,))
        return response.content

    def seekable(self, url: str) -> BinaryIO:
        """The file, of which only what is read is downloaded; whole where a server has no parts."""
        response = self.get(url, {**_WHOLE, "Range": f"bytes=-{TAIL}"}, stream=True)
        with response:
            _expect(response, url, (200, 206))
            content = response.content
            span = re.match(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
            if response.status_code == 200 or span is None:
                return io.BytesIO(content)
        return io.BufferedReader(_Ranges(self, url, int(span[2]), int(span[1]), content), TAIL)


def _expect(response: requests.Response, url: str, statuses: Sequence[int]) -> None:
    if response.status_code not in statuses:
        raise UserError(
            f"{shown(url)} answers HTTP {response.status_code} {response.reason}. To fix, check "
            "that the index still has this file."
        )


def _unreachable(url: str, error: Exception) -> UserError:
    return UserError(
        f"{shown(url)} cannot be reached: {explain(error)}. To fix, check the network "
        "(proxy variables, certificates) and `[python-repos]`."
    )


class _Ranges(io.RawIOBase):
    """A remote file as one to seek in; its end is there already."""

    def __init__(self, client: Client, url: str, size: int, tail_start: int, tail: bytes) -> None:
        self._client, self._url, self._size = client, url, size
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
            content = self._client.part(self._url, self._position, end)
        else:
            first = self._position - self._tail_start
            content = self._tail[first : first + len(buffer)]
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)
