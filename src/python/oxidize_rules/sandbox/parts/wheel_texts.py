"""What a wheel says in words: its metadata, and files with licences, notices and names."""

from __future__ import annotations

import posixpath
import re
from email.message import Message
from email.parser import Parser

# Files with terms or names that have to be passed on, by the beginnings of their names.
LICENSE_FILE = re.compile(
    r"(?i)(?:.*\.)?((un)?licen[cs]es?|copying|copyright|notices?|authors|patents|"
    r"(third|3rd)[-_ ]?part(y|ies))(?![a-z])"
)
_CODE = (
    *(".py", ".pyc", ".pyi", ".pyx", ".pxd", ".pxi", ".so", ".a", ".o", ".c", ".cc", ".cpp", ".h"),
    *(".hpp", ".rs", ".js", ".css", ".json", ".toml", ".yml", ".yaml", ".xml", ".ini", ".cfg"),
    *(".png", ".svg", ".csv", ".mo", ".po", ".in", ".gz", ".zip"),
)
TEXT_SIZE = 4 << 20  # A licence is not longer.


def parse_metadata(content: bytes) -> Message:
    """Core metadata, such as a file METADATA has it: the headers alone."""
    return Parser().parsestr(content.decode("utf-8", "replace"), headersonly=True)


def as_text(content: bytes) -> str:
    return content.decode("utf-8", "replace")


def is_license_file(path: str, content: bytes) -> bool:
    """By its name, wherever it lies: code that is called so is none."""
    name = posixpath.basename(path)
    return bool(
        LICENSE_FILE.match(name)
        and not name.lower().endswith(_CODE)
        and len(content) <= TEXT_SIZE
        and b"\0" not in content[:4096]
    )
