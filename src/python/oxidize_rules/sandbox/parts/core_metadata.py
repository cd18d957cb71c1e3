"""What core metadata say of a package: who made it, where it lives, what it requires."""

from __future__ import annotations

import re
from contextlib import suppress
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from typing import Dict, Iterable, Mapping, Optional, Set

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

_LONGEST = 2000  # characters of a name, so that no pattern is long at it


def supplier(metadata: Message) -> Optional[str]:
    """The author's name, or else the maintainer's."""
    for who in ("Author", "Maintainer"):
        name = _field(metadata, who)
        if name and name.upper() != "UNKNOWN":
            return re.sub(r"\s*<[^<>]*@[^<>]*>", "", name) or name
        address = _field(metadata, f"{who}-Email")
        names = [
            one.strip().strip('"') for one in re.findall(r'("[^"]*"|[^<>,]+?)\s*<[^<>]*>', address)
        ]
        if any(names):
            return ", ".join(one for one in names if one)
    return None


def homepage(metadata: Message) -> Optional[str]:
    """By its own field, or else by the labels of the project's URLs."""
    found = str(metadata.get("Home-page") or "").strip()
    if found.startswith(("http://", "https://")):
        return found
    urls: Dict[str, str] = {}
    for line in map(str, metadata.get_all("Project-URL") or ()):
        label, _, url = line.partition(",")
        if url.strip().startswith(("http://", "https://")):
            urls.setdefault(re.sub("[^a-z]", "", label.lower()), url.strip())
    for label in ("homepage", "home", "repository", "source", "sourcecode", "github", "code"):
        if label in urls:
            return urls[label]
    return next(iter(urls.values()), None)


def requirements(metadata: Message) -> Iterable[Requirement]:
    """Those that can be read."""
    for line in metadata.get_all("Requires-Dist") or ():
        try:
            yield Requirement(str(line))
        except InvalidRequirement:
            continue


def needed_projects(required: Iterable[Requirement], environment: Mapping[str, str]) -> Set[str]:
    """The projects that it needs without extras."""
    found = set()
    for one in required:
        try:
            if one.marker is None or one.marker.evaluate({**environment, "extra": ""}):
                found.add(str(canonicalize_name(one.name)))
        except (UndefinedComparison, UndefinedEnvironmentName):
            found.add(str(canonicalize_name(one.name)))
    return found


def environment_of(python_version: str, machine: str) -> Dict[str, str]:
    """The values of markers (PEP 508) on the machine that the executable is for."""
    return {
        "implementation_name": "cpython",
        "implementation_version": python_version,
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": python_version,
        "python_version": ".".join(python_version.split(".")[:2]),
        "sys_platform": "linux",
    }


def _field(metadata: Message, name: str) -> str:
    """On one line. Old tools wrote names of other alphabets as mail does (RFC 2047)."""
    value = str(metadata.get(name) or "")[:_LONGEST]
    with suppress(HeaderParseError, LookupError, ValueError):
        value = str(make_header(decode_header(value)))
    return " ".join(value.split())
