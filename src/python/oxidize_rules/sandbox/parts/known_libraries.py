"""Libraries that Python distributions link statically: their licences, by the archives' names.

The metadata of python-build-standalone's archives tells licences by extension module, not by
library, and some of what it tells is not so (`FALSE_CLAIMS`). An archive's name and its content
tell better what is linked.

Patterns of versions are searched in the archive's content: strings that the library has for its own
use (`OPENSSL_VERSION_TEXT`, `deflate_copyright`, `sqlite3_version`, ...). Where there is no such
string, a file of pkg-config beside the archive may tell it, which the distributions that we build
have (toolchains/README.md); else the version is not known.
"""

from __future__ import annotations

import os
import re

from oxidize_rules.sandbox.parts.facts import TEXT_ALONE

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself is not imported: it takes 5 ms
    from collections.abc import Callable


class Library:
    """One library.

    archives: a regular expression of archive names, without `lib` and `.a`
    license:  its licence; `older` is (first version that has it, the licence before), `newer` is
              (first version that has another, that one)
    texts:    names of files in the archive's licenses folder, the first that exists is taken; then
              of `oxidize_rules.texts`
    version:  a pattern with one group that finds the version in the archive's content
    module:   its name for pkg-config, `build/lib/pkgconfig/<module>.pc`
    hint:     what else helps to be without it
    source:   where the licence is told
    """

    def __init__(
        self,
        name: str,
        title: str,
        archives: str,
        license: str,
        source: str,
        *,
        texts: tuple[str, ...] = (),
        older: tuple[tuple[int, ...], str] | None = None,
        newer: tuple[tuple[int, ...], str] | None = None,
        version: bytes | None = None,
        module: str | None = None,
        supplier: str | None = None,
        homepage: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.name, self.title, self.archives = name, title, archives
        self.license, self.older, self.newer = license, older, newer
        self.texts, self.version, self.module = texts, version, module
        self.supplier, self.homepage = supplier, homepage
        self.hint, self.source = hint, source


_X11 = "LICENSE.libX11.txt"
_LIBEDIT_HINT = "use a distribution that links libedit in its place"

LIBRARIES = (
    Library(
        "bzip2",
        "bzip2",
        r"bz2",
        "bzip2-1.0.6",
        "LICENSE of bzip2 1.0.8",
        texts=("LICENSE.bzip2.txt",),
        version=rb"\b(\d+\.\d+\.\d+), \d{1,2}-[A-Z][a-z]{2}-\d{4}\0",
        homepage="https://sourceware.org/bzip2/",
    ),
    Library(
        "berkeley-db",
        "Berkeley DB",
        r"db(_\w+)?(-\d[\d.]*)?",
        "Sleepycat",
        "LICENSE of Berkeley DB 6.0.19 and 6.0.20",
        texts=("LICENSE.bdb.txt",),
        newer=((6, 0, 20), "AGPL-3.0-only"),
        version=rb"\bBerkeley DB (\d+\.\d+\.\d+)\b",
        supplier="Oracle",
    ),
    Library(
        "expat",
        "expat",
        r"expat",
        "MIT",
        "COPYING of expat",
        texts=("LICENSE.expat.txt",),
        version=rb"\bexpat_(\d+\.\d+\.\d+)\b",
        homepage="https://libexpat.github.io",
    ),
    Library(
        "gdbm",
        "GNU dbm",
        r"gdbm(_compat)?",
        "GPL-3.0-or-later",
        "COPYING and the sources of gdbm 1.23",
        texts=("LICENSE.gdbm.txt", "GPL-3.0.txt"),
        version=rb"\bGDBM version (\d+\.\d+(?:\.\d+)?)\b",
        supplier="Free Software Foundation",
        homepage="https://www.gnu.org/software/gdbm/",
    ),
    Library(
        "gettext",
        "GNU gettext (libintl)",
        r"intl",
        "LGPL-2.1-or-later",
        "the sources of gettext's libintl",
        supplier="Free Software Foundation",
        homepage="https://www.gnu.org/software/gettext/",
    ),
    Library(
        "libatomic",
        "gcc's libatomic",
        r"atomic",
        "GPL-3.0-or-later WITH GCC-exception-3.1",
        "the sources of gcc's libatomic",
        texts=("GCC-exception-3.1.txt",),
        supplier="Free Software Foundation",
    ),
    Library(
        "libedit",
        "libedit",
        r"edit",
        "BSD-3-Clause",
        "COPYING of libedit",
        texts=("LICENSE.libedit.txt",),
        module="libedit",
        homepage="https://thrysoee.dk/editline/",
    ),
    Library(
        "libffi",
        "libffi",
        r"ffi",
        "MIT",
        "LICENSE of libffi",
        texts=("LICENSE.libffi.txt",),
        module="libffi",
        homepage="https://sourceware.org/libffi/",
    ),
    Library(
        "libuuid",
        "libuuid",
        r"uuid",
        "BSD-3-Clause",
        "COPYING of libuuid",
        texts=("LICENSE.libuuid.txt",),
        module="uuid",
    ),
    Library(
        "libx11",
        "libX11",
        r"X11",
        "MIT AND X11",
        "COPYING of libX11",
        texts=(_X11,),
        homepage="https://www.x.org",
    ),
    Library(
        "libxau",
        "libXau",
        r"Xau",
        "MIT-open-group",
        "COPYING of libXau",
        texts=("LICENSE.libXau.txt",),
        homepage="https://www.x.org",
    ),
    Library(
        "libxcb",
        "libxcb",
        r"xcb",
        "X11",
        "COPYING of libxcb",
        texts=("LICENSE.libxcb.txt",),
        homepage="https://xcb.freedesktop.org",
    ),
    Library(
        "mpdecimal",
        "libmpdec",
        r"mpdec",
        "BSD-2-Clause",
        "COPYRIGHT.txt of mpdecimal",
        texts=("LICENSE.mpdecimal.txt",),
        version=rb"(?<![\w. ])([24]\.\d\.\d)\0",
        homepage="https://www.bytereef.org/mpdecimal/",
    ),
    Library(
        "ncurses",
        "ncurses",
        r"(n?curses|panel|form|menu|tinfo|tic)(t?w)?",
        "X11-distribute-modifications-variant",
        "COPYING of ncurses",
        texts=("LICENSE.ncurses.txt",),
        version=rb"\bncurses (\d+\.\d+\.\d+)\b",
        supplier="Thomas E. Dickey",
        homepage="https://invisible-island.net/ncurses/",
    ),
    Library(
        "openssl",
        "OpenSSL",
        r"ssl|crypto",
        "Apache-2.0",
        "LICENSE.txt of OpenSSL 3.0.0, LICENSE of OpenSSL 1.1.1",
        texts=("LICENSE.openssl-3.txt",),
        older=((3,), "OpenSSL"),
        version=rb"\bOpenSSL (\d+\.\d+\.\d+[a-z]?) \d{1,2} [A-Z][a-z]{2} \d{4}\0",
        supplier="The OpenSSL Project",
        homepage="https://www.openssl.org",
    ),
    Library(
        "readline",
        "GNU readline",
        r"readline|history",
        "GPL-3.0-or-later",
        "COPYING and the sources of readline 6.0 to 8.2",
        texts=("LICENSE.readline.txt", "GPL-3.0.txt"),
        supplier="Free Software Foundation",
        homepage="https://tiswww.case.edu/php/chet/readline/rltop.html",
        hint=_LIBEDIT_HINT,
    ),
    Library(
        "sqlite",
        "SQLite",
        r"sqlite3",
        "blessing",
        "the blessing at the head of SQLite's sources, in place of a licence",
        texts=("LICENSE.sqlite.txt",),
        version=rb"(?<![\w. ])(3\.\d+\.\d+)\0",
        homepage="https://www.sqlite.org",
    ),
    Library(
        "tcl",
        "Tcl",
        r"tcl(stub)?\d[\d.]*",
        "TCL",
        "license.terms of Tcl",
        texts=("LICENSE.tcl.txt",),
        homepage="https://www.tcl-lang.org",
    ),
    Library(
        "tix", "Tix", r"[Tt]ix[\d.]*", "TCL", "license.terms of Tix", texts=("LICENSE.tix.txt",)
    ),
    Library(
        "tk",
        "Tk",
        r"(tcl\d)?tk(stub)?\d[\d.]*",
        "TCL",
        "license.terms of Tk",
        texts=("LICENSE.tk.txt", "LICENSE.tcl.txt"),
        homepage="https://www.tcl-lang.org",
    ),
    Library(
        "xz",
        "liblzma",
        r"lzma",
        "0BSD",
        "COPYING of XZ Utils 5.6.0 (0BSD), and of 5.4.7 (public domain)",
        texts=("LICENSE.liblzma.txt",),
        older=((5, 6), TEXT_ALONE),
        version=rb"(?<![\w. ])(5\.\d+\.\d+)\0",
        homepage="https://tukaani.org/xz/",
    ),
    Library(
        "zlib",
        "zlib",
        r"z(-ng)?",
        "Zlib",
        "LICENSE of zlib, LICENSE.md of zlib-ng",
        texts=("LICENSE.zlib.txt", "LICENSE.zlib-ng.txt"),
        version=rb"\bdeflate (\d+\.\d+(?:\.\d+)*) Copyright ",
        homepage="https://zlib.net",
    ),
    Library(
        "zstd",
        "Zstandard",
        r"zstd",
        "BSD-3-Clause OR GPL-2.0-only",
        "LICENSE and COPYING of Zstandard: one may choose",
        texts=("LICENSE.zstd.txt", "zstd.txt"),
        supplier="Meta Platforms, Inc.",
        homepage="https://facebook.github.io/zstd/",
    ),
)


def library_name(archive: str) -> str:
    """`build/lib/libz.a` is `z`."""
    match = re.fullmatch(r"(?:lib)?(.+?)\.a", os.path.basename(archive))
    return match.group(1) if match else os.path.basename(archive)


def known_library(archive: str) -> Library | None:
    name = library_name(archive)
    return next((row for row in LIBRARIES if re.fullmatch(row.archives, name)), None)


class FalseClaim:
    """What the metadata of an archive says of an extension module, and is not so.

    It is one where the module links `library` and `is_false` of that library's version.
    """

    def __init__(
        self,
        library: str,
        license: str,
        is_false: Callable[[tuple[int, ...] | None], bool],
        reason: str,
        source: str,
    ) -> None:
        self.library, self.license, self.is_false = library, license, is_false
        self.reason, self.source = reason, source


_PBS = "python-build-standalone, pythonbuild/utils.py: add_licenses_to_extension_entry"

FALSE_CLAIMS = (
    FalseClaim(
        "openssl",
        "OpenSSL",
        lambda version: version is not None and version >= (3,),
        "the metadata has both OpenSSL 1.1's licence and OpenSSL 3's, because the names of the "
        "libraries are the same; the archive has version 3",
        _PBS,
    ),
    FalseClaim(
        "openssl",
        "Apache-2.0",
        lambda version: version is not None and version < (3,),
        "the metadata has both OpenSSL 1.1's licence and OpenSSL 3's, because the names of the "
        "libraries are the same; the archive has version 1",
        _PBS,
    ),
    FalseClaim(
        "xz",
        "0BSD",
        lambda version: version is not None and version < (5, 6),
        "liblzma before 5.6.0 is in the public domain",
        "COPYING of XZ Utils 5.4.7",
    ),
    FalseClaim(
        "berkeley-db",
        "Sleepycat",
        lambda version: version is not None and version >= (6, 0, 20),
        "Berkeley DB stands under the AGPL since 6.0.20",
        "LICENSE of Berkeley DB 6.0.20",
    ),
)
# Texts that the metadata names, and the archives do not have: ours stand in, or another file.
#   licenses/LICENSE.zlib-ng.txt: the archive is zlib's, whose text is there
#   licenses/LICENSE.zstd.txt: `oxidize_rules.texts` has it
# Source: python-build-standalone, pythonbuild/downloads.py (`license_file`), and its releases.
