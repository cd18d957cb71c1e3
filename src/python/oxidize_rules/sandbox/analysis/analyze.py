"""Analyses ELF files: what they are, what they need, how they are hardened, what is in them.

    python -m oxidize_rules.sandbox.analysis.analyze FILE... [--files-from LIST]
        [--output reports.json] [--max-glibc 2.17] [--deny-needed GLOB]... [--require relro,...]
        [--max-isa x86-64-v2]

Prints text, or writes all reports to `--output`: {"format": 1, "files": [report, ...]}, in the
files' order, with what is no ELF file as {"file", "size", "not_elf": words}. Exit code 0: fine; 1:
a rule is broken; 2: bad input. With `--output`, files that are no ELF files are no bad input.
"""

from __future__ import annotations

import bisect
import hashlib
import json
import mmap
import os
import stat
import sys
from typing import Any, Callable

from oxidize_rules.sandbox.analysis import (
    analyze_hardening,
    analyze_identity,
    analyze_isa,
    analyze_needs,
    analyze_sbom,
    analyze_size,
)
from oxidize_rules.sandbox.analysis.analyze_file import Bytes, ElfInput, NotElf, clean, other_format
from oxidize_rules.sandbox.analysis.analyze_image import Image, find_image
from oxidize_rules.sandbox.analysis.analyze_rules import Rules, check
from oxidize_rules.sandbox.analysis.analyze_strings import Strings
from oxidize_rules.sandbox.analysis.analyze_text import as_text
from oxidize_rules.sandbox.errors import UserError, run

FORMAT = 1
EXIT_BROKEN_RULE = 1
PROBLEMS_LIMIT = 50
# Native files of an image that are looked into, and their bytes.
NATIVE_LIMIT = 2000
NATIVE_BYTES_LIMIT = 1 << 30


def analyze(name: str, data: Bytes) -> dict[str, Any]:
    """The report of a file's content. Raises NotElf."""
    file = ElfInput(data)
    identity = analyze_identity.describe(file)
    needs = analyze_needs.describe(file, identity)
    hardening = analyze_hardening.describe(file, identity)
    isa = analyze_isa.describe(file, identity)
    image = find_image(file)
    strings = Strings()
    strings.add(data, _places(file, image))
    if image is not None:
        for path, content in image.texts(file):
            strings.add(content, lambda _, path=path: path)  # type: ignore[misc]
    found = strings.as_json()
    hardening["no_secrets"] = not found["secrets"]
    components = analyze_sbom.describe(file)
    problems = list(dict.fromkeys(file.problems))
    return {
        "file": name,
        "size": file.size,
        "sha256": hashlib.sha256(data).hexdigest(),
        "identity": identity,
        "needs": needs,
        "hardening": hardening,
        "isa": isa,
        **found,
        "image": None if image is None else _describe_image(file, image),
        "components": components,
        "sizes_by_component": analyze_size.component_tree(
            clean(os.path.basename(name)), file.size, components or ()
        ),
        "sizes": analyze_size.size_tree(file, clean(os.path.basename(name)), image),
        "problems": problems[:PROBLEMS_LIMIT],
    }


def _places(file: ElfInput, image: Image | None) -> Callable[[int], str]:
    """Names the place of an offset: a file of the image, else a section with the address."""
    areas = [
        (one["sh_offset"], one["sh_offset"] + one["sh_size"], name)
        for name, one in file.sections
        if one["sh_type"] not in ("SHT_NOBITS", "SHT_NULL") and one["sh_size"]
    ]
    areas.sort()
    starts = [one[0] for one in areas]
    files = sorted(
        (one.offset, one.offset + one.size, one.path)
        for one in (image.files if image else ())
        if one.size and not one.stored
    )
    file_starts = [one[0] for one in files]

    def where(offset: int) -> str:
        for begins, parts in ((file_starts, files), (starts, areas)):
            index = bisect.bisect_right(begins, offset) - 1
            if index >= 0 and offset < parts[index][1]:
                name = parts[index][2]
                if parts is files:
                    return name
                address = file.address(offset)
                return f"{name or 'section'} at {offset if address is None else address:#x}"
        return f"offset {offset:#x}"

    return where


def _describe_image(file: ElfInput, image: Image) -> dict[str, Any]:
    """The components, and what the native files in it need beyond the executable."""
    sizes: dict[str, list[int]] = {}
    native: list[dict[str, Any]] = []
    left = NATIVE_BYTES_LIMIT
    for one in image.files:
        entry = sizes.setdefault(image.components[one.component], [0, 0])
        entry[0] += 1
        entry[1] += one.bytes_in_file
        if one.stored or one.size < 64 or len(native) >= NATIVE_LIMIT:
            continue
        if file.content(one.offset, 4) == b"\x7fELF" and one.size <= left:
            left -= one.size
            native.append(_describe_native(one.path, file.content(one.offset, one.size)))
    settings: dict[str, list[str]] = {}
    for key, value in image.settings:
        settings.setdefault(key, []).append(value)
    return {
        "files": len(image.files),
        "modules": image.modules,
        "python": settings.get("python.version", [None])[0],
        "entry_point": ":".join(
            value
            for key in ("entry.module", "entry.function")
            for value in settings.get(key, [])[:1]
        ),
        "components": [
            {"name": name, "files": count, "size": size}
            for name, (count, size) in sorted(sizes.items(), key=lambda item: -item[1][1])
        ],
        "native": native,
    }


def _describe_native(path: str, content: bytes) -> dict[str, Any]:
    found: dict[str, Any] = {"path": path, "size": len(content)}
    try:
        inner = ElfInput(content)
    except NotElf as error:
        return {**found, "problem": str(error)}
    identity = analyze_identity.describe(inner)
    needs = analyze_needs.describe(inner, identity)
    isa = analyze_isa.describe(inner, identity)
    return {
        **found,
        "needed": [one["name"] for one in needs["needed"]],
        "glibc_floor": needs["glibc_floor"],
        "floor_because": needs["floor_because"][:5],
        "isa": isa.get("highest"),
        "chosen_at_run_time": isa.get("chosen_at_run_time"),
        "problems": inner.problems[:5],
    }


def analyze_file(path: str, name: str) -> dict[str, Any]:
    """The report of a file. Raises NotElf, and UserError where it cannot be read."""
    try:
        with open(path, "rb") as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise UserError(f"{name}: found no regular file, expected an ELF file.")
            if status.st_size == 0:
                raise NotElf("it is empty, not an ELF file")
            with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
                if bytes(data[:4]) != b"\x7fELF":
                    raise NotElf(f"it is {other_format(data)}, not an ELF file")
                return analyze(name, data)
    except OSError as error:
        raise UserError(f"{name}: cannot be read: {error.strerror}.") from error


def _paths(given: list[str], listed: str | None) -> list[str]:
    if listed:
        with open(listed, encoding="utf-8") as stream:
            given = [*given, *stream.read().splitlines()]
    if not given:
        raise UserError("found no file, expected at least one ELF file.")
    return given


def main(argv: list[str]) -> None:
    import argparse

    parser = argparse.ArgumentParser(prog="analyze")
    parser.add_argument("files", nargs="*", metavar="FILE")
    parser.add_argument("--files-from", help="a file with a path on each line")
    parser.add_argument("--output", help="where all reports are written, as JSON")
    parser.add_argument("--max-glibc")
    parser.add_argument("--deny-needed", action="append", default=[], metavar="GLOB")
    parser.add_argument("--require", action="append", default=[], metavar="NAME,...")
    parser.add_argument("--max-isa")
    options = parser.parse_args(argv)
    rules = Rules(
        max_glibc=options.max_glibc,
        deny_needed=options.deny_needed,
        require=[name for names in options.require for name in names.split(",")],
        max_isa=options.max_isa,
    )
    reports: list[dict[str, Any]] = []
    for path in _paths(options.files, options.files_from):
        try:
            reports.append(analyze_file(path, path))
        except NotElf as error:
            if not options.output:
                raise UserError(f"{path}: {error}.") from error
            size = os.path.getsize(path)
            reports.append({"file": path, "size": size, "not_elf": str(error)})
    if options.output:
        with open(options.output + ".part", "w", encoding="utf-8") as stream:
            json.dump({"format": FORMAT, "files": reports}, stream, indent=1)
        os.rename(options.output + ".part", options.output)
    else:
        sys.stdout.write("\n".join(as_text(report) for report in reports))
    broken = [line for one in reports if "not_elf" not in one for line in check(one, rules)]
    for line in broken:
        print(line, file=sys.stderr)
    if broken:
        sys.exit(EXIT_BROKEN_RULE)


if __name__ == "__main__":
    run(main)
