"""What a wheel consists of, and under which licences: facts for reports.

    python -m oxidize_rules.sandbox.parts.wheel_facts WHEEL OUTPUT --component NAME --python-version
        3.13 --machine x86_64 --texts FOLDER [--first-party ADDRESS] [--source FILE]
        [--include-stdlib GLOB]... [--id-name NAME] [--linked NAME=VERSION]...

OUTPUT becomes a folder as sandbox/parts/facts.py describes it. Its parts:

- the wheel itself, `wheel:<project>` (with `--first-party`: `first-party:<address>`), by its
  metadata (core metadata 2.4) and its licence files;
- `bundled:<project>/<name>` for each native library that it brings along, by the wheel's own SBOMs
  (PEP 770), or by the tables of `bundled_libraries.py`;
- the same for static libraries that extension modules show to have in them, by the table of
  `linked_libraries.py`, for everything else that its SBOMs tell of, such as the crates in an
  extension module, and for packages of others that lie in it (`_vendor/`), by their metadata or
  licence files.

A component of a SBOM that is only needed for the build is left out, and one that is optional unless
a file shows that it is there. A part without a licence file gets the text of its licence from
FOLDER (that of `oxidize_rules.texts`), if that text names no holder of rights. `--source` is the
source archive that the wheel was built from: its sha256 is told in place of the wheel's.

With `--include-stdlib` the wheel is a file of the standard library, and not installed: ensurepip's
pip. It requires nothing then. GLOBs are those of the field that bring it. `--id-name` stands in ids
for the project's name, where another part has that.

`--linked` tells the versions of libraries that the toolchain links into modules, of a wheel that
was built with it: the names are those of `linked_libraries.py`.
"""

from __future__ import annotations

import argparse
import hashlib
import os
from typing import Any, Dict, List, Mapping, Optional, Sequence

from oxidize_rules.sandbox.errors import run
from oxidize_rules.sandbox.images.wheel import read_wheel
from oxidize_rules.sandbox.parts import facts
from oxidize_rules.sandbox.parts.bundled_parts import bundled_parts
from oxidize_rules.sandbox.parts.core_metadata import environment_of, needed_projects
from oxidize_rules.sandbox.parts.standard_texts import add_standard_texts
from oxidize_rules.sandbox.parts.vendored_packages import find_vendored
from oxidize_rules.sandbox.parts.wheel_contents import WheelContents
from oxidize_rules.sandbox.parts.wheel_part import wheel_part


def find_parts(
    wheel: WheelContents, environment: Optional[Mapping[str, str]], first_party: Optional[str]
) -> List[Dict[str, Any]]:
    """The wheel itself, then what it brings along.

    environment: values of markers (PEP 508); None for a wheel that is not installed
    """
    vendored = find_vendored(wheel.files, wheel.dist_info)
    bundled = bundled_parts(wheel, vendored)
    own = wheel_part(wheel, {path for one in vendored for path, _ in one.texts}, first_party)
    needed = () if environment is None else needed_projects(wheel.requirements, environment)
    own["depends_on"] = sorted(
        {
            *(part["id"] for part in bundled),
            *(f"wheel:{one}" for one in needed),
        }
        - {own["id"]}
    )
    return [own, *bundled]


def tell_of_file(parts: Sequence[Dict[str, Any]], size: int, globs: Sequence[str]) -> None:
    """The wheel, the first of `parts`, is a file of `size` bytes, in the standard library by
    `globs`."""
    named = ", ".join(f"`{glob}`" for glob in globs)
    parts[0]["size"] = size
    parts[0]["brought_by"] = f"{named} in `include_stdlib`"
    parts[0]["drop"] = f"take {named} out of `include_stdlib`"
    for part in parts[1:]:
        # Compressed in that file, they are no files of the image, and have no size of their own.
        for key in ("size", "files"):
            part.pop(key, None)


def main(argv: List[str]) -> None:
    parser = argparse.ArgumentParser(prog="wheel_facts")
    parser.add_argument("wheel")
    parser.add_argument("output")
    parser.add_argument("--component", required=True)
    parser.add_argument("--python-version", required=True)
    parser.add_argument("--machine", required=True)
    parser.add_argument("--texts", required=True)
    parser.add_argument("--first-party")
    parser.add_argument("--source")
    parser.add_argument("--include-stdlib", action="append")
    parser.add_argument("--id-name")
    parser.add_argument("--linked", action="append", default=[])
    options = parser.parse_args(argv)
    wheel = read_wheel(options.wheel, "")
    contents = WheelContents(
        {file.path: file.content for file in wheel.files},
        wheel.dist_info,
        options.component,
        options.id_name,
        dict(one.split("=", 1) for one in options.linked),
    )
    environment = environment_of(options.python_version, options.machine)
    parts = find_parts(
        contents, None if options.include_stdlib else environment, options.first_party
    )
    add_standard_texts(parts, contents.texts, options.texts)
    if not options.first_party:
        with open(options.source or options.wheel, "rb") as stream:
            digest = hashlib.sha256(stream.read()).hexdigest()
        parts[0]["hashes"] = {"sha256": digest}
    if options.include_stdlib:
        tell_of_file(parts, os.path.getsize(options.wheel), options.include_stdlib)
    facts.write(options.output, parts, contents.texts)


if __name__ == "__main__":
    run(main)
