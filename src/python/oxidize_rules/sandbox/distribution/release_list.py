"""What a release of python-build-standalone publishes: names of its archives, and its checksums.

A name is `cpython-<version>+<release>-<triple>-<flavour>.tar.zst` (or `.tar.gz`); the flavour is
`<build options>-full`, `install_only` or `install_only_stripped`. A release's list of checksums,
`SHA256SUMS`, has a line `<sha256>  <name>` for each of its files. A mirror keeps both as the
project does: `<base>/<release>/SHA256SUMS` and `<base>/<release>/<name>`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Mapping, Optional, Tuple
from urllib.parse import quote, unquote

from packaging.version import Version

LIST_NAME = "SHA256SUMS"
LATEST = "latest"
# Where GitHub has the files of a project's releases.
GITHUB_END = "/releases/download"

_NAME = re.compile(
    r"cpython-(?P<version>\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?)\+(?P<release>\d{8}(?:T\d{4})?)"
    r"-(?P<triple>(?:x86_64(?:_v[234])?|aarch64)-unknown-linux-(?:musl|gnu))"
    r"-(?P<flavour>[\w+]+(?:-full)?)\.tar\.(?P<compression>zst|gz)",
    re.ASCII,
)
_RELEASE = re.compile(r"\+(\d{8}(?:T\d{4})?)-", re.ASCII)
_LINE = re.compile(r"([0-9a-fA-F]{64}) [ *]([^\s/\\][^/\\]*)")
_URL = re.compile(r"(?P<base>https?://.+)/(?P<release>[^/]+)/(?P<name>[^/?#]+)")


class BadList(ValueError):
    """Not a release's list of checksums; the message goes on "the list ..."."""


@dataclass(frozen=True)
class Archive:
    """One archive for Linux, by its name."""

    name: str
    version: str
    release: str
    triple: str
    flavour: str

    @property
    def series(self) -> str:
        """Such as "3.13"."""
        return ".".join(self.version.split(".")[:2])

    @property
    def age(self) -> Tuple[Version, str]:
        """Grows with what is newer."""
        return Version(self.version), self.release


def parse_name(name: str) -> Optional[Archive]:
    """None for what is no archive of an interpreter for Linux on x86_64 or aarch64."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    flavour = match["flavour"]
    if match["compression"] == "gz":
        flavour += ".tar.gz"
    return Archive(name, match["version"], match["release"], match["triple"], flavour)


@dataclass(frozen=True)
class Place:
    """Where a release archive is: `base` is the URL of the folder with all releases. `escaped`:
    whether the URL writes the plus signs of the name as `%2B`."""

    base: str
    archive: Archive
    escaped: bool

    def url_of(self, archive: Archive, base: Optional[str] = None) -> str:
        name = quote(archive.name) if self.escaped else archive.name
        return f"{base or self.base}/{archive.release}/{name}"


def parse_url(url: str) -> Optional[Place]:
    """None for the URL of anything but an archive in the folder of its release."""
    match = _URL.fullmatch(url)
    if match is None:
        return None
    archive = parse_name(unquote(match["name"]))
    if archive is None or archive.release != unquote(match["release"]):
        return None
    return Place(match["base"], archive, "%2b" in match["name"].lower())


def list_url(base: str, release: str) -> str:
    """`release`: its tag, or `latest`, which GitHub has beside the folder of all releases."""
    if release == LATEST and base.endswith(GITHUB_END):
        return f"{base[: -len('/download')]}/{LATEST}/download/{LIST_NAME}"
    return f"{base}/{release}/{LIST_NAME}"


def parse_list(content: bytes, release: str) -> Mapping[str, str]:
    """sha256 by file name. Raises BadList unless the whole of it is a list of one release, which
    is `release` if that is a tag."""
    if not content.strip():
        raise BadList("is empty")
    if content.lstrip()[:1] == b"<":
        raise BadList("is a page of HTML or XML (of a proxy or a login?)")
    try:
        text = content.decode("ascii")
    except UnicodeDecodeError as error:
        raise BadList(f"is not text: byte {error.start} is {content[error.start]:#04x}") from error
    if not text.endswith("\n"):
        raise BadList("ends within a line")
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        match = _LINE.fullmatch(line)
        if match is None:
            if not line.strip():
                continue
            raise BadList(
                f"has the line {number} `{shortened(line)}`, where `<sha256>  <file name>` is "
                "expected"
            )
        sha256, name = match[1].lower(), match[2]
        if found.setdefault(name, sha256) != sha256:
            raise BadList(f"has two hashes for {name}")
    releases = {match[1] for match in map(_RELEASE.search, found) if match}
    if not releases:
        raise BadList("names no archive `cpython-<version>+<release>-...`")
    if len(releases) > 1 or (release != LATEST and releases != {release}):
        wanted = "one release" if release == LATEST else f"the release {release}"
        raise BadList(f"is of {', '.join(sorted(releases))}, expected {wanted}")
    return found


def shortened(line: str, length: int = 60) -> str:
    line = "".join(char if char.isprintable() else "?" for char in line)
    return line if len(line) <= length else f"{line[:length]}..."


def choose(
    listed: Mapping[str, str], pinned: Archive, series: Optional[str]
) -> Tuple[Optional[Archive], str]:
    """The newest archive of the list for the same triple, with the same flavour, of the pinned
    minor series or of `series`; without one, None and why.

    A pre-release is chosen only where one is pinned.
    """
    series = series or pinned.series
    archives = [archive for archive in map(parse_name, listed) if archive is not None]
    release = next(iter({archive.release for archive in archives}), "")
    of_series = [one for one in archives if one.triple == pinned.triple and one.series == series]
    fitting = [one for one in of_series if one.flavour == pinned.flavour]
    finished = [one for one in fitting if not Version(one.version).is_prerelease]
    if Version(pinned.version).is_prerelease:
        finished = fitting
    if finished:
        return max(finished, key=lambda archive: archive.age), ""
    if fitting:
        return None, f"of Python {series} the release {release} has pre-releases only"
    if of_series:
        flavours = ", ".join(sorted({one.flavour for one in of_series}))
        return None, (
            f"the release {release} has Python {series} for {pinned.triple} as {flavours}, but "
            f"not as {pinned.flavour}"
        )
    return None, f"the release {release} has no Python {series} for {pinned.triple}"
