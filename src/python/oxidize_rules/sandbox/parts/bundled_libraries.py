"""Well-known native libraries that wheels bring along: their licences, by the names of their files.

`auditwheel` copies what a wheel's extension modules need into `<project>.libs/`, and puts part of a
hash into the file's name (`libquadmath-96973f99.so.0.0.0`). A wheel may tell what they are in a
SBOM (PEP 770, `wheel_sboms.py`); most do not, or tell no licence.
"""

from __future__ import annotations

import re

_FILE = re.compile(
    r"(?P<stem>lib.+?)(?:-[0-9a-f]{8})*\.so(?:\.(?P<version>[0-9]+(?:\.[0-9]+)*))?\Z"
)
_FOLDERS = (".libs", ".dylibs")


class Row:
    """stems:   a regular expression of file names without hash and `.so`
    name:    the project's name, as other tables and advisories have it
    license: SPDX; None where it depends on how the library was built
    source:  where that is told
    aliases: what SBOMs call it beside its name and its file's name
    older:   (first numbers after `.so` that `license` holds for, what held before: None if unknown)
    numbers: whether the numbers of the file's name are the release's
    """

    def __init__(
        self,
        stems: str,
        name: str,
        license: str,
        source: str,
        *,
        aliases: tuple[str, ...] = (),
        older: tuple[tuple[int, ...], str | None] | None = None,
        numbers: bool = False,
        homepage: str | None = None,
    ) -> None:
        self.stems = re.compile(stems)
        self.name, self.license, self.source = name, license, source
        self.aliases, self.older, self.numbers = aliases, older, numbers
        self.homepage = homepage

    def license_of(self, version: str | None) -> str | None:
        """Of a file with these numbers in its name."""
        if self.older is None:
            return self.license
        first, before = self.older
        if version is None:
            return None
        return self.license if tuple(map(int, version.split("."))) >= first else before


_GCC = "GPL-3.0-or-later WITH GCC-exception-3.1"
_GCC_SOURCE = "COPYING3 and COPYING.RUNTIME of gcc 4.4 and later"

ROWS = (
    # gcc's runtime libraries
    Row(
        r"lib(gcc_s|gfortran|gomp|stdc\+\+|atomic|itm|asan|ubsan|objc)",
        "gcc",
        _GCC,
        _GCC_SOURCE,
        aliases=("libgcc", "libgfortran", "libgomp", "libstdc++", "libatomic"),
        homepage="https://gcc.gnu.org",
    ),
    Row(
        r"libquadmath",
        "libquadmath",
        "LGPL-2.1-or-later",
        "libquadmath/COPYING.LIB and the sources of gcc's libquadmath",
        homepage="https://gcc.gnu.org",
    ),
    Row(
        r"lib(omp|iomp5|c\+\+|c\+\+abi|unwind)",
        "llvm",
        "Apache-2.0 WITH LLVM-exception",
        "LICENSE.TXT of LLVM 8 and later",
    ),
    # Numbers
    Row(
        r"lib(scipy_)?openblas(64_)?(p)?(-r\d.*)?",
        "openblas",
        "BSD-3-Clause",
        "LICENSE of OpenBLAS; it includes LAPACK, which has the same licence",
        aliases=("scipy-openblas", "scipy-openblas64", "scipy-openblas32"),
        homepage="https://www.openblas.net",
    ),
    Row(r"lib(blas|cblas|lapack|lapacke)", "lapack", "BSD-3-Clause", "LICENSE of LAPACK"),
    Row(r"libgmp", "gmp", "GPL-2.0-or-later OR LGPL-3.0-or-later", "README of GMP 6"),
    Row(r"libmpfr", "mpfr", "LGPL-3.0-or-later", "COPYING.LESSER of MPFR 3 and 4"),
    Row(r"libmpc", "mpc", "LGPL-3.0-or-later", "COPYING.LESSER of MPC 1"),
    Row(
        r"libtbb(malloc)?(_proxy)?",
        "onetbb",
        "Apache-2.0",
        "LICENSE.txt of oneTBB",
        aliases=("tbb",),
    ),
    # Cryptography and network
    Row(
        r"lib(ssl|crypto)",
        "openssl",
        "Apache-2.0",
        "LICENSE.txt of OpenSSL 3.0.0, LICENSE of OpenSSL 1.1.1",
        older=((3,), "OpenSSL"),
        homepage="https://openssl-library.org",
    ),
    Row(r"libsodium", "libsodium", "ISC", "LICENSE of libsodium"),
    Row(r"libcurl", "curl", "curl", "COPYING of curl"),
    Row(r"libssh2", "libssh2", "BSD-3-Clause", "COPYING of libssh2"),
    Row(r"libnghttp[23]", "nghttp2", "MIT", "COPYING of nghttp2 and nghttp3"),
    Row(r"libcares", "c-ares", "MIT", "LICENSE.md of c-ares"),
    Row(r"libuv", "libuv", "MIT", "LICENSE of libuv"),
    Row(r"libevent(_.*)?", "libevent", "BSD-3-Clause", "LICENSE of libevent"),
    Row(r"libzmq", "zeromq", "MPL-2.0", "LICENSE of libzmq 4.3.5", older=((5, 2, 5), None)),
    Row(r"libpq", "postgresql", "PostgreSQL", "COPYRIGHT of PostgreSQL", aliases=("libpq",)),
    Row(
        r"lib(ldap|ldap_r|lber)",
        "openldap",
        "OLDAP-2.8",
        "LICENSE of OpenLDAP",
        aliases=("openldap",),
    ),
    Row(
        r"libsasl2",
        "cyrus-sasl",
        "BSD-Attribution-HPND-disclaimer",
        "COPYING of Cyrus SASL 2.1",
        aliases=("cyrus-sasl-lib",),
    ),
    Row(
        r"lib(krb5|krb5support|k5crypto|gssapi_krb5|gssrpc)",
        "krb5",
        "MIT",
        "NOTICE of MIT Kerberos",
        aliases=("krb5-libs",),
    ),
    Row(
        r"libcom_err", "e2fsprogs", "MIT", "NOTICE and lib/et of e2fsprogs", aliases=("libcom_err",)
    ),
    Row(
        r"libkeyutils",
        "keyutils",
        "LGPL-2.0-or-later",
        "the sources of keyutils' library",
        aliases=("keyutils-libs",),
    ),
    Row(r"libcrypt", "libxcrypt", "LGPL-2.1-or-later", "COPYING.LIB of libxcrypt and of glibc"),
    # Compression
    Row(r"libz", "zlib", "Zlib", "LICENSE of zlib", numbers=True, homepage="https://zlib.net"),
    Row(r"libz-ng", "zlib-ng", "Zlib", "LICENSE.md of zlib-ng", numbers=True),
    Row(r"libbz2", "bzip2", "bzip2-1.0.6", "LICENSE of bzip2", numbers=True),
    Row(
        r"liblzma",
        "xz",
        "0BSD",
        "COPYING of XZ Utils 5.6.0; before, liblzma was in the public domain",
        aliases=("liblzma", "xz-libs"),
        older=((5, 6), None),
        numbers=True,
        homepage="https://tukaani.org/xz/",
    ),
    Row(
        r"libzstd",
        "zstd",
        "BSD-3-Clause OR GPL-2.0-only",
        "LICENSE, COPYING and README.md of Zstandard",
        numbers=True,
    ),
    Row(r"liblz4", "lz4", "BSD-2-Clause", "lib/LICENSE of LZ4", numbers=True),
    Row(r"libsnappy", "snappy", "BSD-3-Clause", "COPYING of Snappy", numbers=True),
    Row(r"libbrotli(common|dec|enc)", "brotli", "MIT", "LICENSE of Brotli", numbers=True),
    Row(r"lib(aec|sz)", "libaec", "BSD-2-Clause", "LICENSE.txt of libaec"),
    Row(r"libblosc2?", "c-blosc", "BSD-3-Clause", "LICENSE.txt of C-Blosc"),
    # Images and text
    Row(
        r"lib(jpeg|turbojpeg)",
        "libjpeg-turbo",
        "BSD-3-Clause AND IJG AND Zlib",
        "LICENSE.md of libjpeg-turbo 3",
        aliases=("libjpeg",),
    ),
    Row(r"libpng\d*", "libpng", "libpng-2.0", "LICENSE of libpng 1.6.36", older=((16, 36), None)),
    Row(r"libtiff", "libtiff", "libtiff", "LICENSE.md of LibTIFF"),
    Row(
        r"lib(webp|webpdemux|webpmux|webpdecoder|sharpyuv)",
        "libwebp",
        "BSD-3-Clause",
        "COPYING of libwebp",
    ),
    Row(r"libopenjp2", "openjpeg", "BSD-2-Clause", "LICENSE of OpenJPEG", numbers=True),
    Row(
        r"liblcms2",
        "lcms2",
        "MIT",
        "LICENSE of Little CMS 2",
        aliases=("littlecms2", "little cms 2"),
    ),
    Row(
        r"libfreetype",
        "freetype",
        "FTL OR GPL-2.0-or-later",
        "LICENSE.TXT of FreeType 2",
        aliases=("freetype2",),
    ),
    Row(r"libharfbuzz(-subset)?", "harfbuzz", "MIT-Modern-Variant", "COPYING of HarfBuzz"),
    Row(r"libraqm", "raqm", "MIT", "COPYING of Raqm"),
    Row(r"libfribidi", "fribidi", "LGPL-2.1-or-later", "COPYING of FriBidi"),
    Row(r"libimagequant", "libimagequant", "GPL-3.0-or-later", "COPYRIGHT of libimagequant"),
    Row(r"libavif", "libavif", "BSD-2-Clause", "LICENSE of libavif", numbers=False),
    Row(r"libdav1d", "dav1d", "BSD-2-Clause", "COPYING of dav1d"),
    Row(r"libaom", "aom", "BSD-2-Clause", "LICENSE of libaom"),
    Row(r"libyuv", "libyuv", "BSD-3-Clause", "LICENSE of libyuv"),
    # X
    Row(r"libX11(-xcb)?", "libx11", "MIT AND X11", "COPYING of libX11"),
    Row(r"libXau", "libxau", "MIT-open-group", "COPYING of libXau"),
    Row(r"libXdmcp", "libxdmcp", "MIT-open-group", "COPYING of libXdmcp"),
    Row(r"libxcb(-.*)?", "libxcb", "X11", "COPYING of libxcb"),
    # Data
    Row(r"libhdf5(_.*)?", "hdf5", "BSD-3-Clause", "COPYING of HDF5"),
    Row(r"libgeos(_c)?", "geos", "LGPL-2.1-only", "COPYING of GEOS"),
    Row(r"libproj", "proj", "MIT", "COPYING of PROJ"),
    Row(r"libgdal", "gdal", "MIT", "LICENSE.TXT of GDAL"),
    Row(r"libsqlite3", "sqlite", "blessing", "LICENSE.md of SQLite"),
    Row(r"libxml2", "libxml2", "MIT", "Copyright of libxml2"),
    Row(r"libe?xslt", "libxslt", "MIT", "Copyright of libxslt"),
    Row(r"libexpat", "expat", "MIT", "COPYING of expat"),
    Row(r"libyaml(-.*)?", "libyaml", "MIT", "License of LibYAML"),
    Row(r"libprotobuf(-lite)?", "protobuf", "BSD-3-Clause", "LICENSE of Protocol Buffers"),
    # Systems
    Row(r"libffi", "libffi", "MIT", "LICENSE of libffi"),
    Row(r"libuuid", "libuuid", "BSD-3-Clause", "COPYING.BSD-3-Clause of util-linux"),
    Row(
        r"lib(ncurses|tinfo|panel|form|menu)w?",
        "ncurses",
        "X11-distribute-modifications-variant",
        "COPYING of ncurses",
    ),
    Row(r"libedit", "libedit", "BSD-3-Clause", "COPYING of libedit"),
    Row(r"libreadline", "readline", "GPL-3.0-or-later", "COPYING of readline 6 and later"),
    Row(r"libpcre(posix|cpp|16|32)?", "pcre", "BSD-3-Clause", "LICENCE of PCRE 8"),
    Row(r"libglib-2\.0", "glib", "LGPL-2.1-or-later", "COPYING of GLib"),
)


class BundledFile:
    """A native library in a wheel, by its path.

    stem:    its name without hash and `.so`, such as `libscipy_openblas64_`
    numbers: those after `.so`, such as `5.0.0`, or None
    row:     what is known of it, or None
    """

    def __init__(self, path: str, stem: str, numbers: str | None, row: Row | None) -> None:
        self.path, self.stem, self.numbers, self.row = path, stem, numbers, row


def bundled_file(path: str) -> BundledFile | None:
    """None for what is no library that was brought along: that is everything that lies elsewhere,
    unless its name is well known."""
    folder, _, name = path.rpartition("/")
    match = _FILE.match(name)
    if match is None:
        return None
    row = next((one for one in ROWS if one.stems.fullmatch(match["stem"])), None)
    if row is None and not any(part.endswith(_FOLDERS) for part in folder.split("/")):
        return None
    return BundledFile(path, match["stem"], match["version"], row)


def said(name: str) -> str:
    """A name so that its spellings are one: `libXau`, `FreeType`, `Little CMS 2`."""
    plain = re.sub("[^a-z0-9+]", "", name.lower())
    return plain[3:] if plain.startswith("lib") and len(plain) > 3 else plain


def find(name: str) -> list[Row]:
    """The rows that a name of a SBOM can mean."""
    return [row for row in ROWS if said(name) in {said(one) for one in (row.name, *row.aliases)}]
