"""Takes files out of a compiled component.

    python -m oxidize_rules.sandbox.images.prune --payload payload.o --manifest manifest.json
        --machine x86_64|aarch64 [--keep MODULES...] [--drop MODULES...]
        --output pruned.o --manifest-output pruned.json --native-output native.json

MODULES are globs as `sandbox/images/content.py` has them. With `--keep`, files that belong to a
module stay only if these globs mean it; those that `--drop` means go. What stays is copied, not
compiled again: all binaries share the compiled component, and a filter costs the time of a copy.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct

from oxidize_rules.sandbox.elf_object import Section, page_size, write_object
from oxidize_rules.sandbox.errors import run
from oxidize_rules.sandbox.images.component import write_json, write_native
from oxidize_rules.sandbox.images.content import filter_files, module_name
from oxidize_rules.sandbox.options import parse_options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from typing import Any

_CODE_ALIGNMENT = 16
# Of an ELF header: where the section headers are. Of a section header: its content's place, size.
_HEADERS_AT, _SECTION_SIZE = 40, 64
_CONTENT = struct.Struct("<QQ")
_CONTENT_AT = 24


class Payload:
    """The payload of an object that `sandbox/images/component.py` wrote: its first section."""

    def __init__(self, path: str) -> None:
        with open(path, "rb") as file:
            content = memoryview(file.read())
        (headers,) = struct.unpack_from("<Q", content, _HEADERS_AT)
        at, size = _CONTENT.unpack_from(content, headers + _SECTION_SIZE + _CONTENT_AT)
        self._data = content[at : at + size]

    def stored(self, row: Sequence[Any]) -> memoryview:
        """A file as it stands there, maybe compressed. `row`: of the manifest's `files`."""
        offset, size = row[1], row[2]
        if len(row) > 5 and row[5]:
            size = row[5]
        return self._data[offset : offset + size]


def prune(
    manifest: dict[str, Any], payload: Payload, dropped: Collection[str], machine: str
) -> tuple[dict[str, Any], Section]:
    """The manifest and the payload's section without the files `dropped`."""
    chunks: list[bytes | memoryview] = []
    rows = []
    position = 0
    for row in sorted(manifest["files"], key=lambda row: int(row[1])):
        path = row[0]
        if path in dropped:
            continue
        stored = payload.stored(row)
        if path.endswith(".dist-info/RECORD"):
            record = shortened_record(path, bytes(stored), dropped)
            digest = hashlib.sha256(record).hexdigest()[:16]
            row = [path, 0, len(record), row[3], digest, *row[5:]]
            stored = memoryview(record)
        alignment = _alignment(path, stored, machine)
        if position % alignment:
            chunks.append(bytes(-position % alignment))
            position += -position % alignment
        rows.append([path, position, *row[2:]])
        chunks.append(stored)
        position += len(stored)
    rows.sort(key=lambda row: str(row[0]).encode("utf-8", "surrogateescape"))
    native = [one for one in manifest["native"] if one["path"] not in dropped]
    modules = {module_name(path, manifest["path_entry"]) for path in dropped}
    symbol = manifest["symbol"]
    section = Section(
        symbol.replace("oxidize_payload_", ".rodata.oxidize."),
        chunks,
        alignment=page_size(machine) if native else _CODE_ALIGNMENT,
        symbols=[(symbol, 0, position)],
    )
    names = {name: value for name, value in manifest["names"].items() if name not in modules}
    return {**manifest, "files": rows, "native": native, "names": names}, section


def _alignment(path: str, content: memoryview, machine: str) -> int:
    """As `lay_out` in `sandbox/images/component.py` has it."""
    if content[:4] == b"\x7fELF":
        return page_size(machine)
    return _CODE_ALIGNMENT if path.endswith(".pyc") else 1


def shortened_record(path: str, content: bytes, dropped: Collection[str]) -> bytes:
    """The list of a wheel's installed files without those that are gone."""
    import csv

    root = os.path.dirname(os.path.dirname(path))
    text = content.decode("utf-8", "surrogateescape")
    lines = [
        line
        for line in text.splitlines(keepends=True)
        for row in csv.reader([line])
        if not row or os.path.normpath(os.path.join(root, row[0])) not in dropped
    ]
    return "".join(lines).encode("utf-8", "surrogateescape")


def main(argv: Sequence[str]) -> None:
    options = parse_options(
        argv,
        required=(
            *("payload", "manifest", "machine", "output", "manifest-output", "native-output"),
        ),
        lists=("keep", "drop"),
    )
    one, many = options.one, options.many
    machine = options.choice("machine", ("x86_64", "aarch64"))
    with open(one["manifest"], encoding="utf-8") as file:
        manifest = json.load(file)
    dropped = filter_files(
        [row[0] for row in manifest["files"]],
        manifest["path_entry"],
        keep=many["keep"] or None,
        drop=many["drop"],
    )
    pruned, section = prune(manifest, Payload(one["payload"]), dropped, machine)
    write_object(one["output"], machine, [section])
    write_json(one["manifest-output"], pruned)
    write_native(one["native-output"], manifest["component"], pruned["native"], machine)


if __name__ == "__main__":
    run(main)
