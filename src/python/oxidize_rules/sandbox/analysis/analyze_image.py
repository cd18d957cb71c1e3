"""The image inside one of our executables, found in the file without its symbols.

`runtime/image.h` has the structure. The index is found by its magic number and believed only if
all of its tables lie inside the file. Components are told by what the tree says: a payload with a
dist-info folder is that wheel, one below lib/python3.x the standard library, `app` the
application.
"""

from __future__ import annotations

import re
import struct
import zlib
from typing import Iterator

from oxidize_rules.sandbox.analysis.analyze_file import READ_ERRORS, ElfInput, clean

MAGIC = struct.pack("<I", 0x3149584F)
HEADER = struct.Struct("<16I")
NODE = struct.Struct("<IHHIHHIIIIQQ")
DIRECTORY, FILE = 1, 2
CANDIDATES_LIMIT = 10_000
# Of these, such whose header is in order, which are then read whole.
READ_LIMIT = 16
PAYLOAD_LIMIT = 100_000
NODE_LIMIT = 2_000_000
PATH_LIMIT = 4096
# Sources are decompressed for a look at them: each, and all together, at most.
TEXT_LIMIT = 16 << 20
TEXTS_LIMIT = 512 << 20
SETTINGS_LIMIT = 10_000

_STDLIB = re.compile(r"lib/python3\.\d+/")
_SITE = re.compile(r"lib/python3\.\d+/site-packages/")
_DIST_INFO = re.compile(r"lib/python3\.\d+/site-packages/([^/]+)-([^/-]+)\.dist-info/")


class ImageFile:
    """A file of the image: where its bytes stand in the executable, and how many they are."""

    __slots__ = ("component", "executable", "offset", "path", "size", "stored")

    def __init__(
        self, path: str, offset: int, size: int, stored: int, executable: bool, component: int
    ) -> None:
        self.path, self.offset, self.size, self.stored = path, offset, size, stored
        self.executable, self.component = executable, component

    @property
    def bytes_in_file(self) -> int:
        return self.stored or self.size


class Image:
    """`components` are names by number; `index` is (offset, size) of the tables in the file."""

    def __init__(
        self,
        index: tuple[int, int],
        files: list[ImageFile],
        components: list[str],
        settings: list[tuple[str, str]],
        modules: int,
    ) -> None:
        self.index, self.files, self.components = index, files, components
        self.settings, self.modules = settings, modules

    def texts(self, file: ElfInput) -> Iterator[tuple[str, bytes]]:
        """(path, content) of the files that are compressed; the others stand in the file."""
        left = TEXTS_LIMIT
        for one in self.files:
            if not one.stored or one.size > TEXT_LIMIT or one.size > left:
                continue
            left -= one.size
            try:
                content = zlib.decompressobj().decompress(
                    file.content(one.offset, one.stored), one.size
                )
            except zlib.error:
                file.problems.append(f"`{one.path}` of its image is damaged")
                continue
            yield one.path, content


def find_image(file: ElfInput) -> Image | None:
    """The image, if it has one. What only looks like one is passed over."""
    at, looked, read = file.data.find(MAGIC), 0, 0
    while at >= 0 and looked < CANDIDATES_LIMIT and read < READ_LIMIT:
        looked += 1
        words = _header(file, at)
        if words is not None:
            read += 1
            try:
                image = _read(file, at, words)
            except READ_ERRORS:
                image = None
            if image is not None:
                return image
        at = file.data.find(MAGIC, at + 1)
    return None


def _header(file: ElfInput, at: int) -> tuple[int, ...] | None:
    """The header's numbers, if all tables lie inside the index, and the index inside the file."""
    if at % 4 or at + HEADER.size > file.size:
        return None
    words = HEADER.unpack_from(file.data, at)
    size, strings_at, strings_size, nodes_at, node_count = words[1:6]
    payloads_at, payload_count, settings_at, setting_count = words[12:16]
    if not HEADER.size < size <= file.size - at:
        return None
    for start, length in (
        (strings_at, strings_size),
        (nodes_at, node_count * NODE.size),
        (payloads_at, payload_count * 8),
        (settings_at, setting_count * 8),
    ):
        if start < HEADER.size or start + length > size:
            return None
    if not 0 < node_count <= NODE_LIMIT or payload_count > PAYLOAD_LIMIT:
        return None
    return words


def _read(file: ElfInput, at: int, words: tuple[int, ...]) -> Image | None:
    """The image whose index stands there; None, or an error of reading, where it is none."""
    size, strings_at, strings_size, nodes_at, node_count = words[1:6]
    modules = words[9]
    payloads_at, payload_count, settings_at, setting_count = words[12:16]
    strings = file.content(at + strings_at, strings_size)

    def text(offset: int, length: int | None = None) -> str:
        end = strings.index(b"\0", offset) if length is None else offset + length
        if end > len(strings) or end - offset > PATH_LIMIT:
            raise ValueError("a text beyond the table of texts")
        return clean(strings[offset:end], PATH_LIMIT)

    payloads = []
    for number in range(payload_count):
        place = at + payloads_at + 8 * number
        (distance,) = struct.unpack_from("<q", file.data, place)
        address = file.address(place)
        if address is None:
            return None
        payloads.append(address + distance)
    nodes = list(NODE.iter_unpack(file.content(at + nodes_at, node_count * NODE.size)))
    if nodes[0][4] != DIRECTORY or nodes[0][1]:
        return None
    files = []
    starts: dict[int, int] = {}
    for path, length, _, _, kind, executable, _, _, payload, stored, offset, node_size in nodes:
        if kind == DIRECTORY:
            continue
        if kind != FILE or (payload >= payload_count and node_size):
            return None
        name = text(path, length)
        if not node_size:
            files.append(ImageFile(name, 0, 0, 0, bool(executable), payload))
            continue
        if payload not in starts:
            starts[payload] = file.offset(payloads[payload])
        place = starts[payload] + offset
        if place + (stored or node_size) > file.size:
            return None
        files.append(ImageFile(name, place, node_size, stored, bool(executable), payload))
    settings = []
    for key, value in struct.iter_unpack(
        "<II", file.content(at + settings_at, 8 * min(setting_count, SETTINGS_LIMIT))
    ):
        settings.append((text(key), text(value)))
    components = _names(files, payload_count)
    return Image((at, size), files, components, settings, modules)


def _names(files: list[ImageFile], count: int) -> list[str]:
    """Names of the components, of what lies in them."""
    found: dict[int, dict[str, str]] = {}
    for one in files:
        marks = found.setdefault(one.component, {})
        info = _DIST_INFO.match(one.path)
        if info:
            marks.setdefault("wheel", f"{info.group(1)} {info.group(2)}")
        elif _SITE.match(one.path):
            marks.setdefault("site", one.path.split("/")[3])
        elif _STDLIB.match(one.path):
            marks.setdefault("stdlib", "standard library")
        elif one.path.startswith("lib/"):
            marks.setdefault("library", f"library {one.path.split('/')[-1]}")
        else:
            marks.setdefault("app", "/".join(one.path.split("/")[:2]))
    names = []
    for number in range(count):
        marks = found.get(number, {})
        first = next(
            (marks[one] for one in ("wheel", "stdlib", "site", "library", "app") if one in marks),
            f"component {number}",
        )
        names.append(first)
    return names
