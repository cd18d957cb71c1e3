"""Pages of package indexes and of find-links: the files of projects that they list.

An index is a "simple repository" (PEP 503, its JSON form PEP 691).
"""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass
from typing import List, Optional
from urllib.parse import unquote, urljoin

JSON_FORMAT = "application/vnd.pypi.simple.v1+json"
ACCEPT = f"{JSON_FORMAT}, application/vnd.pypi.simple.v1+html;q=0.3, text/html;q=0.2"
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


def filename_of(url: str) -> str:
    return unquote(url.partition("#")[0].partition("?")[0].rpartition("/")[2])


_SHA256 = re.compile(r"(?:.*&)?sha256=([0-9a-fA-F]{64})(?:&|$)")


def sha256_of(fragment: str) -> Optional[str]:
    match = _SHA256.match(fragment)
    return match[1].lower() if match else None


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
                url=target if target.startswith(("http://", "https://")) else urljoin(base, target),
                sha256=sha256_of(fragment),
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
