"""Reads lld's link map: which objects and archive members are in a linked file, and how large.

The map (`--Map`) is a table with a line for each output section, below it one for each input
section that was kept, and below these the symbols; columns are told apart by their indentation:

         VMA   LMA  Size Align Out     In      Symbol
         270   270   100     8 .text
         270   270    80     8         lib/libz.a(adler32.o):(.text.adler32)
         270   270     0     1                 adler32

What `--gc-sections` has thrown away is not in it. What lld makes itself stands under `<internal>`,
also strings and constants that it has merged, whose origin can no longer be told.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself is not imported: it takes 5 ms
    from collections.abc import Iterable

# Address, size, and the name of an input section's file or that of an output section. All columns
# have fixed widths: a map has a line for each symbol, and this passes them by the fastest.
_LINE = re.compile(rb"^(.{16}) .{16} (.{8}) .{5} (?: {8}(\S.*):\(|(\S+)$)", re.MULTILINE)
_INTERNAL = b"<internal>"
_MEMBER = re.compile(r"(.+\.a)\(([^()]+)\)")
# Output sections that have no content in the file.
_EMPTY = re.compile(rb"\.t?bss(\..*)?|\.relro_padding")


class LinkMap:
    """`sizes`: of each (file, archive member or ""), its bytes in the linked file.

    `unsized` are files whose code is in others' (bitcode): they are there, how large is not known.
    """

    def __init__(self, sizes: dict[tuple[str, str], int]) -> None:
        self.sizes = sizes
        self.unsized: set[str] = set()
        self.files: dict[str, int] = {}
        for (file, _), size in sizes.items():
            self.files[file] = self.files.get(file, 0) + size

    def add_bitcode(self, compiled: str, objects: Iterable[str], why_extract: str) -> None:
        """Tells what bitcode was linked. The map has only what lld compiled it to.

        compiled:    what the names of these objects begin with
        objects:     those that are bitcode; whether something of them stayed is not known
        why_extract: what lld wrote (`--why-extract`): a line for each archive member that it took
        """
        for file in [one for one in self.files if one.startswith(compiled)]:
            del self.files[file]
        members = (line.split("\t")[1] for line in why_extract.splitlines()[1:] if "\t" in line)
        taken = {_name(one) for one in members}
        self.unsized.update(file for file, member in taken if (file, member) not in self.sizes)
        self.unsized.update(objects)
        for file in self.unsized:
            self.files.setdefault(file, 0)


def parse(content: bytes) -> LinkMap:
    """The map of what is loaded: sections without an address (`.comment`) do not count.

    Raises ValueError for what is no map of lld.
    """
    if not content.lstrip().startswith(b"VMA "):
        raise ValueError("this is no link map of lld")
    raw: dict[bytes, int] = {}
    empty = False
    for address, size, file, output in _LINE.findall(content):
        if output:
            empty = _EMPTY.fullmatch(output) is not None
        elif not address.endswith(b" 0"):
            raw[file] = raw.get(file, 0) + (0 if empty else int(size, 16))
    raw.pop(_INTERNAL, None)
    return LinkMap({_name(file.decode()): size for file, size in raw.items()})


def _name(text: str) -> tuple[str, str]:
    """`lib/libz.a(adler32.o)` is a member; a path alone is a file."""
    match = _MEMBER.fullmatch(text)
    return (match.group(1), match.group(2)) if match else (text, "")
