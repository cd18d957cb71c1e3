from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Optional, Tuple

import pytest
from pants.engine.addresses import Address
from pants.engine.fs import EMPTY_DIGEST

from oxidize_rules.util_rules.compression import archive_to_decompress
from oxidize_rules.util_rules.inittab import Inittab, LinkParts, OwnedFile
from oxidize_rules.util_rules.link import LinkRequest, link_program_request
from oxidize_rules.util_rules.runtime import RuntimeObjects

ZLIB = "build/lib/libz.a"


def extension(*archives: str) -> Any:
    return SimpleNamespace(static_libraries=archives)


WITH_ZLIB: Any = SimpleNamespace(extensions=(extension("build/lib/libbz2.a"), extension(ZLIB)))
WITHOUT: Any = SimpleNamespace(extensions=(extension("build/lib/libbz2.a"),))


@pytest.mark.parametrize(
    ("compress", "sources", "distribution", "expected"),
    [
        (True, True, WITH_ZLIB, ZLIB),
        (False, True, WITH_ZLIB, None),
        (True, False, WITH_ZLIB, None),
        (True, True, WITHOUT, None),
    ],
)
def test_what_decompresses(
    compress: bool, sources: bool, distribution: Any, expected: Optional[str]
) -> None:
    fields: Any = SimpleNamespace(
        compress=SimpleNamespace(value=compress), include_sources=SimpleNamespace(value=sources)
    )
    assert archive_to_decompress(fields, distribution) == expected


def linked(zlib: Optional[str], archives: Tuple[str, ...]) -> Any:
    owned = tuple(OwnedFile(path, "the extension module `x`") for path in archives)
    return link_program_request(
        LinkRequest("//app:bin", Address("toolchains"), None, "bin", (), zlib=zlib),
        Inittab(EMPTY_DIGEST, "inittab.o", LinkParts((), (), owned, ())),
        RuntimeObjects(
            EMPTY_DIGEST, ("runtime/inflate.o", "runtime/main.o", "runtime/no_inflate.o"), (), ()
        ),
    )


def test_the_archive_is_linked_once_and_only_where_it_is_needed() -> None:
    place = f"__distribution/{ZLIB}"
    for archives in ((), (ZLIB,)):
        request = linked(ZLIB, archives)
        assert [path for path, _ in request["static_libraries"]] == [place]
        objects = [path for path, _ in request["objects"]]
        assert objects == ["runtime/inflate.o", "runtime/main.o", "inittab.o"]
    request = linked(None, ())
    assert request["static_libraries"] == []
    objects = [path for path, _ in request["objects"]]
    assert objects == ["runtime/main.o", "runtime/no_inflate.o", "inittab.o"]
