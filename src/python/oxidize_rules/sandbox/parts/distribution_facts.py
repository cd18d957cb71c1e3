"""What a Python distribution consists of, and under which licences: facts for reports.

    python -m oxidize_rules.sandbox.parts.distribution_facts ROOT OUTPUT --texts FOLDER

ROOT is the content of a full archive's `python/`: PYTHON.json, `build/` and `licenses/`. FOLDER has
the texts of `oxidize_rules.texts`. OUTPUT becomes a folder as sandbox/parts/facts.py describes it,
with parts for the interpreter, for the code of others in its objects
(sandbox/parts/vendored_code.py), and for each static library (sandbox/parts/known_libraries.py).
Whether a part is in an executable is decided by its link; a part names the objects and archives to
look for.

A library that the tables do not know has what the metadata tells of the extension modules that
link it. What the metadata tells beyond the known libraries' licences is a part of its own, unless
it is known to be false: nothing that may be true is dropped.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import re
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Set, Tuple

from oxidize_rules.sandbox.distribution.distribution_metadata import links_of
from oxidize_rules.sandbox.errors import UserError, run
from oxidize_rules.sandbox.parts import facts
from oxidize_rules.sandbox.parts.facts import TEXT_ALONE, Texts, all_of, license_ref, new_part
from oxidize_rules.sandbox.parts.known_libraries import (
    FALSE_CLAIMS,
    LIBRARIES,
    FalseClaim,
    Library,
    known_library,
    library_name,
)
from oxidize_rules.sandbox.parts.licenses import BadExpression, parse
from oxidize_rules.sandbox.parts.vendored_code import VENDORED, Vendored

INCORPORATED = "cpython-incorporated-software.txt"
METADATA = "the distribution's PYTHON.json"
_PC_VERSION = re.compile(r"^Version:[ \t]*(\S+)[ \t]*$", re.MULTILINE)
_HEADING = re.compile(r"^(\S.*)\n(-{4,})$", re.MULTILINE)

Part = Dict[str, Any]


class Distribution:
    """PYTHON.json, and the files beside it. `fallback` is the folder of our texts."""

    def __init__(self, root: str, fallback: str) -> None:
        self.root, self.fallback = root, fallback
        with open(f"{root}/PYTHON.json", encoding="utf-8") as stream:
            self.metadata: Dict[str, Any] = json.load(stream)
        self.texts = Texts()
        self.objects = sorted(
            os.path.relpath(os.path.join(folder, name), root)
            for folder, _, names in os.walk(f"{root}/build")
            for name in names
            if name.endswith((".o", ".a"))
        )
        self.modules = {
            name: next((one for one in variants if one.get("variant") == "default"), variants[0])
            for name, variants in sorted(self.metadata["build_info"]["extensions"].items())
            if variants
        }

    def read(self, path: str) -> bytes:
        with open(f"{self.root}/{path}", "rb") as stream:
            return stream.read()

    def matching(self, patterns: Iterable[str]) -> List[str]:
        return [
            path
            for path in self.objects
            if any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)
        ]

    def text(self, names: Iterable[str]) -> Optional[bytes]:
        """The first of these files that the licenses folder has, or else our texts."""
        for folder in (f"{self.root}/licenses", self.fallback):
            for name in names:
                path = f"{folder}/{os.path.basename(name)}"
                if os.path.isfile(path):
                    with open(path, "rb") as stream:
                        return stream.read()
        return None

    def section(self, heading: str) -> Optional[bytes]:
        """What CPython's list of incorporated software has under a heading."""
        for name in (f"LICENSE.{INCORPORATED}", INCORPORATED):
            content = self.text([name])
            if content is None:
                continue
            text = content.decode("utf-8", "replace")
            headings = list(_HEADING.finditer(text))
            for number, match in enumerate(headings):
                if match.group(1).strip() == heading:
                    rest = headings[number + 1 :]
                    end = rest[0].start() if rest else len(text)
                    return (text[match.start() : end].rstrip() + "\n").encode()
        return None

    def linkers(self, archive: str) -> List[str]:
        """The extension modules that link an archive."""
        return [
            name for name, one in self.modules.items() if archive in links_of(one.get("links"))[0]
        ]

    def claims(self, module: str) -> List[str]:
        return [str(one) for one in self.modules[module].get("licenses") or ()]


def find_version(pattern: Optional[bytes], contents: Iterable[bytes]) -> Optional[str]:
    """The version that the pattern finds, if it is the only one."""
    if pattern is None:
        return None
    found = {match for content in contents for match in re.findall(pattern, content)}
    return found.pop().decode() if len(found) == 1 else None


def library_version(
    distribution: Distribution, row: Library, archives: Sequence[str]
) -> Optional[str]:
    """What its archives say, or pkg-config's file beside them."""
    found = find_version(row.version, (distribution.read(path) for path in archives))
    if found or not row.module:
        return found
    path = f"build/lib/pkgconfig/{row.module}.pc"
    if not os.path.isfile(f"{distribution.root}/{path}"):
        return None
    match = _PC_VERSION.search(distribution.read(path).decode("utf-8", "replace"))
    return match.group(1) if match else None


def numbers(version: Optional[str]) -> Optional[Tuple[int, ...]]:
    return tuple(int(one) for one in re.findall(r"\d+", version)) if version else None


def interpreter(distribution: Distribution, incorporated: Sequence[str]) -> Part:
    version = str(distribution.metadata["python_version"])
    texts = []
    licenses = [str(one) for one in distribution.metadata.get("licenses") or ()]
    path = distribution.metadata.get("license_path") or "LICENSE.cpython.txt"
    for name, content in (
        ("LICENSE", distribution.text([path])),
        (
            INCORPORATED,
            distribution.text([f"LICENSE.{INCORPORATED}"]) or distribution.text([INCORPORATED]),
        ),
    ):
        if content is not None:
            texts.append([name, distribution.texts.add(content)])
    minor = ".".join(version.split(".")[:2])
    return new_part(
        "interpreter:cpython",
        "CPython",
        version=version,
        license=all_of(licenses) or "Python-2.0",
        license_from=METADATA if licenses else f"LICENSE of CPython {minor}",
        texts=texts,
        purl=f"pkg:generic/cpython@{version}",
        supplier="Python Software Foundation",
        homepage="https://www.python.org",
        download=f"https://www.python.org/ftp/python/{version}/",
        objects=["build/*.o"],
        depends_on=sorted(incorporated),
    )


def vendored(distribution: Distribution, row: Vendored) -> Optional[Part]:
    """None where the distribution does not have it."""
    variables = distribution.metadata.get("python_config_vars") or {}
    objects = distribution.matching(row.objects)
    if not objects or (row.needs and str(variables.get(row.needs)) != "1"):
        return None
    text = distribution.section(row.section) if row.section else None
    if text is None and row.text:
        text = distribution.text([row.text])
    content = (distribution.read(path) for path in objects)
    return new_part(
        f"vendored:{row.name}",
        row.title,
        version=(version := find_version(row.version, content)),
        **_licensed(distribution, row.name, row.license, row.source, text, row.section or "notice"),
        homepage=row.homepage,
        purl=_purl(row.name, version),
        supplier=None,
        objects=list(row.objects),
        mixed=row.mixed,
    )


def _purl(name: str, version: Optional[str]) -> str:
    return f"pkg:generic/{name}" + (f"@{version}" if version else "")


def _licensed(
    distribution: Distribution,
    name: str,
    license: str,
    source: str,
    text: Optional[bytes],
    text_name: str,
) -> Dict[str, Any]:
    """The keys of a part that tell its licence."""
    texts = [[text_name, distribution.texts.add(text)]] if text is not None else []
    told: Dict[str, Any] = {"license": license, "license_from": source, "texts": texts}
    if license == TEXT_ALONE:
        told["license"] = None if text is None else license_ref(name, text)
        if text is not None:
            told["extracted"] = {told["license"]: texts[0][1]}
    return told


def license_of(row: Library, version: Optional[Tuple[int, ...]]) -> str:
    if version and row.older and version < row.older[0]:
        return row.older[1]
    if version and row.newer and version >= row.newer[0]:
        return row.newer[1]
    return row.license


def false_claims(
    library: str, version: Optional[Tuple[int, ...]], claims: Iterable[str]
) -> List[FalseClaim]:
    return [
        row
        for row in FALSE_CLAIMS
        if row.library == library and row.license in claims and row.is_false(version)
    ]


def known_part(distribution: Distribution, row: Library, archives: Sequence[str]) -> Part:
    version = library_version(distribution, row, archives)
    modules = sorted({name for path in archives for name in distribution.linkers(path)})
    claims = {claim for name in modules for claim in distribution.claims(name)}
    license = license_of(row, numbers(version))
    names = row.texts
    if row.name == "openssl" and license != row.license:
        names = ("LICENSE.openssl-1.1.txt",)
    told = _licensed(
        distribution, row.name, license, row.source, distribution.text(names), "LICENSE"
    )
    wrong = false_claims(row.name, numbers(version), claims)
    if wrong:
        reasons = "; ".join(f"{one.reason} ({one.source})" for one in wrong)
        told["license_from"] = f"corrected: {reasons}"
    return new_part(
        f"library:{row.name}",
        row.title,
        version=version,
        **told,
        purl=_purl(row.name, version),
        supplier=row.supplier,
        homepage=row.homepage,
        archives=sorted(archives),
        drop=row.hint,
    )


def unknown_part(
    distribution: Distribution, archive: str, claimed: Mapping[str, Sequence[str]]
) -> Part:
    """`claimed`: of each module, what it claims beyond the known libraries' licences."""
    modules = distribution.linkers(archive)
    claims = list(dict.fromkeys(claim for name in modules for claim in claimed[name]))
    paths = sorted(
        {
            str(path)
            for name in modules
            for path in distribution.modules[name].get("license_paths") or ()
            if os.path.isfile(f"{distribution.root}/{path}")
        }
    )
    name = library_name(archive)
    license, source, extracted = normalized(distribution, name, claims)
    if license is None and any(
        distribution.modules[module].get("license_public_domain") for module in modules
    ):
        source = f"{METADATA} says that it is in the public domain"
    return new_part(
        f"library:{name}",
        name,
        license=license,
        license_from=source,
        extracted=extracted,
        texts=[
            [os.path.basename(path), distribution.texts.add(distribution.read(path))]
            for path in paths
        ],
        purl=_purl(name, None),
        archives=[archive],
    )


def normalized(
    distribution: Distribution, name: str, claims: Sequence[str]
) -> Tuple[Optional[str], Optional[str], Dict[str, str]]:
    """Licence, where it is from, and extracted texts, of what a metadata file claims."""
    from license_expression import ExpressionError, get_spdx_licensing

    licensing = get_spdx_licensing()
    made: List[str] = []
    extracted: Dict[str, str] = {}
    for claim in claims:
        try:
            made.append(str(licensing.parse(claim, validate=True, strict=True)))
        except ExpressionError:
            identifier = license_ref(name, claim.encode())
            extracted[identifier] = distribution.texts.add(claim.encode())
            made.append(identifier)
    return all_of(made), METADATA if made else None, extracted


def extra_part(distribution: Distribution, module: str, claims: Sequence[str]) -> Part:
    """What the metadata claims of an extension module whose libraries are all known."""
    license, source, extracted = normalized(distribution, module, claims)
    objects = distribution.modules[module].get("objs") or ()
    return new_part(
        f"vendored:{module}",
        f"code in the extension module {module}",
        license=license,
        license_from=source,
        extracted=extracted,
        objects=sorted(str(path) for path in objects),
        mixed=True,
    )


def distribution_parts(distribution: Distribution) -> List[Part]:
    incorporated = [part for row in VENDORED if (part := vendored(distribution, row)) is not None]
    archives = [path for path in distribution.objects if path.endswith(".a")]
    known: Dict[str, List[str]] = {}
    unknown: List[str] = []
    for archive in archives:
        row = known_library(archive)
        if row is None:
            unknown.append(archive)
        else:
            known.setdefault(row.name, []).append(archive)
    rows = {row.name: row for row in LIBRARIES}
    libraries = [known_part(distribution, rows[name], known[name]) for name in sorted(known)]
    by_archive = {archive: part for part in libraries for archive in part["archives"]}
    claimed: Dict[str, Sequence[str]] = {}
    extra: List[Part] = []
    for module, one in distribution.modules.items():
        static, _ = links_of(one.get("links"))
        objects = {str(path) for path in one.get("objs") or ()}
        linked = [by_archive[path] for path in static if path in by_archive]
        linked += [
            part
            for part in incorporated
            if objects.intersection(distribution.matching(part["objects"]))
        ]
        told = _told(linked)
        claims = distribution.claims(module)
        wrong = {
            row.license
            for part in linked
            for row in false_claims(part["id"].partition(":")[2], numbers(part["version"]), claims)
        }
        claimed[module] = [
            claim
            for claim in dict.fromkeys(claims)
            if claim not in wrong and not identifiers(claim) <= told
        ]
        if claimed[module] and not any(path in unknown for path in static):
            extra.append(extra_part(distribution, module, claimed[module]))
    return [
        interpreter(distribution, [part["id"] for part in (*incorporated, *extra)]),
        *incorporated,
        *extra,
        *libraries,
        *(unknown_part(distribution, archive, claimed) for archive in unknown),
    ]


def identifiers(expression: str) -> Set[Tuple[str, str]]:
    """The licences of an expression, each with its exception ("" without one)."""
    try:
        rest = [parse(expression)]
    except BadExpression:
        return {(expression, "")}
    found = set()
    while rest:
        first, second = rest.pop()
        if isinstance(second, str):
            found.add((first, second))
        else:
            rest += second
    return found


def _told(parts: Iterable[Mapping[str, Any]]) -> Set[Tuple[str, str]]:
    return {name for part in parts if part["license"] for name in identifiers(part["license"])}


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="distribution_facts")
    parser.add_argument("root")
    parser.add_argument("output")
    parser.add_argument("--texts", required=True)
    options = parser.parse_args(argv)
    try:
        distribution = Distribution(options.root, options.texts)
        parts = distribution_parts(distribution)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"PYTHON.json does not have the shape that its format describes ({error!r}). Use an "
            "archive of python-build-standalone, or one that was written in its format."
        ) from error
    os.makedirs(options.output, exist_ok=True)
    facts.write(options.output, parts, distribution.texts)


if __name__ == "__main__":
    run(main)
