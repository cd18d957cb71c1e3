"""Compares pinned release archives with what a release of python-build-standalone publishes.

    python -m oxidize_rules.sandbox.distribution.release_pins PINS OUTPUT --release latest|TAG
        [--base-url URL] [--python 3.14]

PINS is JSON: a list of `{"where": address, "url", "sha256", "size": bytes or null}`. OUTPUT is a
list in the same order of objects with

    status    "current", "newer", "older" (only for a release that was asked for by its tag),
              "absent" (the release has nothing that fits) or "foreign" (no release archive)
    why       a sentence for "absent" and "foreign"
    old       {"version", "release", "size"}; null for "foreign"
    new       {"url", "sha256", "size", "version", "release"} for "newer" and "older", else null

A list is read for each folder of releases that the pins name, or from that of `--base-url`, which
the new URLs then name, too. Sizes are what servers answer to HEAD. Nothing is believed in part: a
list that is not wholly one, or a file without a size, ends the program with a message, and there is
no OUTPUT.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError

from oxidize_rules.sandbox.distribution.release_list import (
    GITHUB_END,
    LATEST,
    Archive,
    BadList,
    Place,
    choose,
    list_url,
    parse_list,
    parse_url,
)
from oxidize_rules.sandbox.errors import UserError, run
from oxidize_rules.sandbox.fetch import PlaceFailed, explain, new_session, without_password

# Seconds: for a connection, between two packets, and for a whole list.
CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 30.0
LIST_TIMEOUT = 120.0
# A list of 2026 has 150 kB.
MAX_LIST = 4 << 20
CHUNK = 1 << 16
AT_ONCE = 8
HTML = ("text/html", "application/xhtml+xml")


@dataclass(frozen=True)
class Pin:
    where: str
    url: str
    sha256: str
    size: Optional[int]


def open_url(
    session: requests.Session, method: str, url: str, headers: Mapping[str, str]
) -> requests.Response:
    """Follows redirects, but not from https to http. Raises PlaceFailed."""
    try:
        response = session.request(
            method,
            url,
            headers={"Accept-Encoding": "identity", **headers},
            allow_redirects=True,
            stream=True,
            timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
        )
    except (requests.RequestException, OSError) as error:
        if isinstance(error, requests.exceptions.Timeout):
            raise PlaceFailed("did not answer in time") from error
        raise PlaceFailed(explain(error)) from error
    if urlsplit(url).scheme == "https" and urlsplit(response.url).scheme != "https":
        response.close()
        raise PlaceFailed("leads to an address without https")
    return response


def read_list(url: str) -> bytes:
    """The whole of a list. Raises PlaceFailed."""
    started = time.monotonic()
    with new_session() as session, open_url(session, "GET", url, {}) as response:
        if response.status_code != 200:
            raise PlaceFailed(f"HTTP {response.status_code} {response.reason}")
        length = response.headers.get("Content-Length", "")
        if length.isdigit() and int(length) > MAX_LIST:
            raise PlaceFailed(f"has {length} bytes; a list has at most {MAX_LIST}")
        content = b""
        try:
            # What has come, without waiting for more: a trickle has to be noticed, too.
            while chunk := response.raw.read1(CHUNK):
                content += chunk
                if len(content) > MAX_LIST:
                    raise PlaceFailed(f"has more than {MAX_LIST} bytes, which no list has")
                if time.monotonic() - started > LIST_TIMEOUT:
                    raise PlaceFailed(f"was not read after {LIST_TIMEOUT:.0f} s")
        except (HTTPError, OSError) as error:
            raise PlaceFailed(f"broke off after {len(content)} bytes: {explain(error)}") from error
    if length.isdigit() and len(content) != int(length):
        raise PlaceFailed(f"broke off after {len(content)} of {length} bytes")
    return content


def read_size(url: str) -> int:
    """A file's size in bytes as its server tells it: to HEAD, or to a request for its first byte
    where it does not. Raises PlaceFailed."""
    with new_session() as session:
        with open_url(session, "HEAD", url, {}) as response:
            status, headers = f"HTTP {response.status_code} {response.reason}", response.headers
            good = response.status_code == 200
        length = headers.get("Content-Length", "")
        if good and length.isdigit() and int(length) > 0:
            return checked_size(int(length), headers)
        if not good and response.status_code not in (403, 405, 501):
            raise PlaceFailed(status)
        with open_url(session, "GET", url, {"Range": "bytes=0-0"}) as response:
            match = re.fullmatch(r"bytes 0-0/(\d+)", response.headers.get("Content-Range", ""))
            if response.status_code not in (200, 206):
                raise PlaceFailed(f"HTTP {response.status_code} {response.reason}")
            length = response.headers.get("Content-Length", "")
            if response.status_code == 206 and match is not None:
                return checked_size(int(match[1]), response.headers)
            if response.status_code == 200 and length.isdigit() and int(length) > 0:
                return checked_size(int(length), response.headers)
    raise PlaceFailed("does not tell the file's size")


def checked_size(size: int, headers: Mapping[str, str]) -> int:
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind in HTML:
        raise PlaceFailed("gives a page of HTML in its place")
    return size


def get_list(base: str, release: str) -> Mapping[str, str]:
    url = list_url(base, release)
    try:
        return parse_list(read_list(url), release)
    except PlaceFailed as error:
        found = str(error)
    except BadList as error:
        found = f"it {error}"
    hint = "check the network (proxy variables, certificates)"
    if release == LATEST and not base.endswith(GITHUB_END):
        hint += ", name a release by its tag in `--release`"
    raise UserError(
        f"the list of checksums {without_password(url)} cannot be used: {found}.\nNo pin was "
        f"changed. To fix, {hint}, or name a mirror in `--base-url`."
    )


def get_sizes(urls: List[str]) -> Dict[str, object]:
    """By URL: bytes, or the PlaceFailed."""

    def size_of(url: str) -> object:
        try:
            return read_size(url)
        except PlaceFailed as error:
            return error

    unique = list(dict.fromkeys(urls))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(unique, pool.map(size_of, unique)))


def status_of(pinned: Archive, found: Archive, release: str) -> str:
    if found.name == pinned.name:
        return "current"
    if found.age > pinned.age:
        return "newer"
    return "current" if release == LATEST else "older"


def compare(
    pins: List[Pin], release: str, base_url: Optional[str], series: Optional[str]
) -> List[Dict[str, Any]]:
    """Raises UserError if a list or a file's size cannot be had."""
    places = [parse_url(pin.url) for pin in pins]
    bases = dict.fromkeys(base_url or place.base for place in places if place is not None)
    lists = {base: get_list(base, release) for base in bases}
    rows = [
        compare_one(pin, place, release, base_url, series, lists)
        for pin, place in zip(pins, places)
    ]
    asked = [row["new"]["url"] for row in rows if row["new"]]
    asked += [
        pin.url for pin, row in zip(pins, rows) if row["new"] and row["old"] and pin.size is None
    ]
    sizes = get_sizes(asked)
    for pin, row in zip(pins, rows):
        if not row["new"]:
            continue
        size = sizes[row["new"]["url"]]
        if not isinstance(size, int):
            raise UserError(
                f"{pin.where}: {without_password(row['new']['url'])} is on the list of its "
                f"release, but its size cannot be had: {size}.\nNo pin was changed. To fix, try "
                "again, or name a mirror in `--base-url`."
            )
        row["new"]["size"] = size
        if pin.size is None:
            old = sizes[pin.url]
            row["old"]["size"] = old if isinstance(old, int) else None
    return rows


def compare_one(
    pin: Pin,
    place: Optional[Place],
    release: str,
    base_url: Optional[str],
    series: Optional[str],
    lists: Mapping[str, Mapping[str, str]],
) -> Dict[str, Any]:
    """The row of one pin, without sizes that have to be asked for."""
    row: Dict[str, Any] = {"where": pin.where, "why": "", "old": None, "new": None}
    if place is None:
        return {
            **row,
            "status": "foreign",
            "why": "its `url` is not `<base>/<release>/cpython-<version>+<release>-...`",
        }
    pinned, listed = place.archive, lists[base_url or place.base]
    row["old"] = {"version": pinned.version, "release": pinned.release, "size": pin.size}
    found, why = choose(listed, pinned, series)
    if found is None:
        return {**row, "status": "absent", "why": why}
    if listed.get(pinned.name, pin.sha256) != pin.sha256:
        raise UserError(
            f"{pin.where}: the release's list has another hash for the very file that is pinned, "
            f"{pinned.name}: found {listed[pinned.name]}, pinned {pin.sha256}.\nNo pin was "
            "changed. One of them is wrong: to fix, compare both with the release's own page, and "
            "correct `sha256` by hand, or leave that mirror."
        )
    status = status_of(pinned, found, release)
    if status != "current":
        row["new"] = {
            "url": place.url_of(found, base_url),
            "sha256": listed[found.name],
            "version": found.version,
            "release": found.release,
            "size": None,
        }
    return {**row, "status": status}


def main(argv: List[str]) -> None:
    parser = argparse.ArgumentParser(prog="release_pins")
    parser.add_argument("pins", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--release", default=LATEST)
    parser.add_argument("--base-url")
    parser.add_argument("--python")
    options = parser.parse_args(argv)
    pins = [Pin(**pin) for pin in json.loads(options.pins.read_text("utf-8"))]
    base_url = options.base_url.rstrip("/") if options.base_url else None
    rows = compare(pins, options.release, base_url, options.python)
    options.output.write_text(json.dumps(rows, indent=1, sort_keys=True) + "\n", "utf-8")


if __name__ == "__main__":
    run(main)
