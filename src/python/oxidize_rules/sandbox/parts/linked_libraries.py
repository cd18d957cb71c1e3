"""Static libraries that show in the extension modules of a wheel that they are linked into."""

from __future__ import annotations


class LinkedIn:
    """A static library that shows in what it is linked into, by the bytes `marker`.

    The other attributes are those of a `Row` in bundled_libraries.py.
    """

    def __init__(self, marker: bytes, name: str, license: str, source: str, homepage: str) -> None:
        self.marker, self.name, self.license = marker, name, license
        self.source, self.homepage = source, homepage


LIBCXX = "libc++"
LINKED_IN = (
    LinkedIn(
        b"libc++abi: ",  # the beginning of its messages, which std::terminate() prints
        LIBCXX,
        "Apache-2.0 WITH LLVM-exception",
        "LICENSE.TXT of LLVM 9 and later",
        "https://libcxx.llvm.org",
    ),
)
