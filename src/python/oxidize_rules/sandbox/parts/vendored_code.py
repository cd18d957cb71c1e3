"""Code of others inside CPython's own objects: what it is, and by which objects it is known.

Sources: "Licenses and Acknowledgements for Incorporated Software" in CPython's Doc/license.rst
(3.10 to 3.14), and the notices at the head of the source files where that section has none. Only
what is compiled and linked stands here; notices of modules in Python, and of CPython's tests, are
part of the interpreter's own texts.
"""

from __future__ import annotations

from oxidize_rules.sandbox.parts.facts import TEXT_ALONE


class Vendored:
    """One piece of code.

    objects:  glob patterns of the object files that have it
    mixed:    whether these have CPython's own code as well, so that its size cannot be told
    section:  its heading in Doc/license.rst
    text:     a file of `oxidize_rules.texts` with its notice, where that section has none
    version:  a pattern that finds its version in the objects' content
    needs:    a variable of the build (`python_config_vars`) that has to be "1"
    source:   where licence and place are told
    """

    def __init__(
        self,
        name: str,
        title: str,
        license: str,
        objects: tuple[str, ...],
        source: str,
        *,
        mixed: bool = False,
        section: str | None = None,
        text: str | None = None,
        version: bytes | None = None,
        needs: str | None = None,
        homepage: str | None = None,
    ) -> None:
        self.name, self.title, self.license = name, title, license
        self.objects, self.mixed = objects, mixed
        self.section, self.text = section, text
        self.version, self.needs = version, needs
        self.homepage, self.source = homepage, source


_DOC = "CPython's Doc/license.rst, section "

VENDORED = (
    Vendored(
        "audioop",
        "g771.c of SoX, in audioop",
        TEXT_ALONE,
        ("build/Modules/audioop.o",),
        _DOC + "Audioop (until 3.12)",
        mixed=True,
        section="Audioop",
        text="audioop.txt",
    ),
    Vendored(
        "blake2",
        "BLAKE2 reference code",
        "CC0-1.0",
        ("build/Modules/_blake2/blake2?_impl.o",),
        "the notice in CPython's Modules/_blake2/impl/blake2b.c (until 3.13; then HACL* has it)",
        text="blake2.txt",
        homepage="https://www.blake2.net",
    ),
    Vendored(
        "cfuhash",
        "cfuhash",
        "BSD-3-Clause",
        ("build/Python/hashtable.o", "build/Modules/hashtable.o"),
        _DOC + "cfuhash",
        mixed=True,
        section="cfuhash",
    ),
    Vendored(
        "dtoa",
        "David Gay's dtoa and strtod",
        "dtoa",
        ("build/Python/dtoa.o",),
        _DOC + "strtod and dtoa",
        section="strtod and dtoa",
        homepage="https://www.netlib.org/fp/",
    ),
    Vendored(
        "expat",
        "expat",
        "MIT",
        ("build/Modules/expat/*.o",),
        _DOC + "expat",
        section="expat",
        version=rb"\bexpat_(\d+\.\d+\.\d+)\b",
        homepage="https://libexpat.github.io",
    ),
    Vendored(
        "global-unbounded-sequences",
        "Global Unbounded Sequences (FreeBSD)",
        "BSD-2-Clause",
        ("build/Python/qsbr.o",),
        _DOC + "Global Unbounded Sequences (from 3.13)",
        section="Global Unbounded Sequences (GUS)",
    ),
    Vendored(
        "hacl-star",
        "HACL*",
        "MIT",
        ("build/Modules/_hacl/*.o",),
        "the notices in CPython's Modules/_hacl/*.c (from 3.12)",
        text="hacl-star.txt",
        homepage="https://hacl-star.github.io",
    ),
    Vendored(
        "libmpdec",
        "libmpdec",
        "BSD-2-Clause",
        ("build/Modules/_decimal/libmpdec/*.o",),
        _DOC + "libmpdec",
        section="libmpdec",
        version=rb"(?<![\w. ])([24]\.\d\.\d)\0",
        homepage="https://www.bytereef.org/mpdecimal/",
    ),
    Vendored(
        "mersenne-twister",
        "Mersenne Twister (mt19937ar)",
        "BSD-3-Clause",
        ("build/Modules/_randommodule.o",),
        _DOC + "Mersenne Twister",
        mixed=True,
        section="Mersenne Twister",
    ),
    Vendored(
        "mimalloc",
        "mimalloc",
        "MIT",
        ("build/Objects/obmalloc.o",),
        _DOC + "mimalloc (from 3.13, which includes it into obmalloc.c)",
        mixed=True,
        section="mimalloc",
        needs="WITH_MIMALLOC",
        homepage="https://microsoft.github.io/mimalloc/",
    ),
    Vendored(
        "pysqlite",
        "pysqlite",
        "Zlib",
        ("build/Modules/_sqlite/*.o",),
        "the notices in CPython's Modules/_sqlite/*.c",
        text="pysqlite.txt",
    ),
    Vendored(
        "siphash",
        "SipHash24",
        "MIT",
        ("build/Python/pyhash.o",),
        _DOC + "SipHash24",
        mixed=True,
        section="SipHash24",
    ),
    Vendored(
        "zstd-bindings",
        "Zstandard bindings (pyzstd)",
        "BSD-3-Clause",
        ("build/Modules/_zstd/*.o",),
        _DOC + "Zstandard bindings (from 3.14)",
        section="Zstandard bindings",
    ),
)
