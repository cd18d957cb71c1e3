"""What a wheel consists of, and under which licences: facts for reports.

    python -m oxidize_rules.sandbox.wheel_facts WHEEL OUTPUT --component NAME --python-version 3.13
        --machine x86_64 --texts FOLDER [--first-party ADDRESS] [--source FILE]

OUTPUT becomes a folder as sandbox/facts.py describes it. Its parts:

- the wheel itself, `wheel:<project>` (with `--first-party`: `first-party:<address>`), by its
  metadata (core metadata 2.4) and its licence files;
- `bundled:<project>/<name>` for each native library that it brings along, by the wheel's own SBOMs
  (PEP 770), or by the tables of `bundled_libraries.py`;
- the same for static libraries that extension modules show to have in them (`LINKED_IN` there), and
  for everything else that its SBOMs tell of, such as the crates in an extension module, and for
  packages of others that lie in it (`_vendor/`), by their metadata or licence files.

A component of a SBOM that is only needed for the build is left out, and one that is optional unless
a file shows that it is there. A part without a licence file gets the text of its licence from
FOLDER (that of `oxidize_rules.texts`), if that text names no holder of rights. `--source` is the
source archive that the wheel was built from: its sha256 is told in place of the wheel's.
"""

from __future__ import annotations

import argparse
import hashlib
import posixpath
import re
from contextlib import suppress
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Set, Tuple

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from oxidize_rules.sandbox import bundled_libraries, facts, wheel_sboms
from oxidize_rules.sandbox.bundled_libraries import BundledFile, Row
from oxidize_rules.sandbox.errors import run
from oxidize_rules.sandbox.facts import Texts, new_part
from oxidize_rules.sandbox.known_libraries import LIBRARIES
from oxidize_rules.sandbox.license_expressions import all_of
from oxidize_rules.sandbox.license_statement import Statement, state, state_of_name
from oxidize_rules.sandbox.vendored_packages import Files, Vendored, find_vendored
from oxidize_rules.sandbox.wheel import read_wheel
from oxidize_rules.sandbox.wheel_sboms import EXCLUDED, OPTIONAL, Component
from oxidize_rules.sandbox.wheel_texts import TEXT_SIZE, as_text, is_license_file, parse_metadata

Part = Dict[str, Any]
_LONGEST = 2000  # characters of a name, so that no pattern is long at it
# Texts that are the same for every work under them, by the beginnings of SPDX' identifiers.
_STANDARD_TEXTS = {
    "Apache-2.0": "Apache-2.0.txt",
    "GCC-exception-3.1": "GCC-exception-3.1.txt",
    "GPL-2.0": "GPL-2.0.txt",
    "GPL-3.0": "GPL-3.0.txt",
    "LGPL-2.1": "LGPL-2.1.txt",
    "LGPL-3.0": "LGPL-3.0.txt",
    "LLVM-exception": "LLVM-exception.txt",
    "MPL-2.0": "MPL-2.0.txt",
}


class WheelFacts:
    """`files` by their path in an installation; `dist_info` is the metadata folder's."""

    def __init__(self, files: Files, dist_info: str, component: str) -> None:
        self.files = files
        self.dist_info = dist_info
        self.component = component
        self.metadata = parse_metadata(files[f"{dist_info}/METADATA"])
        self.name = str(self.metadata.get("Name") or dist_info.split("-")[0]).strip()
        self.project = canonicalize_name(self.name)
        self.version = str(self.metadata.get("Version") or "").strip() or None
        self.purl = f"pkg:pypi/{self.project}" + (f"@{self.version}" if self.version else "")
        self.texts = Texts()
        self.vendored = find_vendored(files, dist_info)
        self.elsewhere = {path for one in self.vendored for path, _ in one.texts}
        self.requirements = list(_requirements(self.metadata))

    def add_standard_texts(self, parts: Iterable[Part], folder: str) -> None:
        for part in parts:
            if part["texts"] or not part["license"]:
                continue
            words = re.findall(r"[A-Za-z0-9.+:-]+", part["license"])
            names = {re.sub(r"(-only|-or-later|\+)$", "", word) for word in words}
            if "LGPL-3.0" in names:
                names.add("GPL-3.0")  # Which it adds permissions to.
            for name in sorted(names & _STANDARD_TEXTS.keys()):
                with open(f"{folder}/{_STANDARD_TEXTS[name]}", "rb") as stream:
                    part["texts"].append([_STANDARD_TEXTS[name], self.texts.add(stream.read())])

    def parts(self, environment: Mapping[str, str], first_party: Optional[str]) -> List[Part]:
        bundled = self._bundled()
        own = self._own(first_party)
        own["depends_on"] = sorted(
            {
                *(part["id"] for part in bundled),
                *(f"wheel:{one}" for one in _needed(self.requirements, environment)),
            }
            - {own["id"]}
        )
        return [own, *bundled]

    # -- The wheel itself ------------------------------------------------------------------------

    def _own(self, first_party: Optional[str]) -> Part:
        found = self._license_files()
        inside = f"{self.dist_info}/"
        stating = [path for path in found if path.startswith(inside)] or [
            path for path in found if path.count("/") <= 1
        ]
        statement = state(
            self.name,
            self.metadata,
            [(self._shown(one), as_text(self.files[one])) for one in stating],
        )
        part = new_part(
            f"first-party:{first_party}" if first_party else f"wheel:{self.project}",
            self.name,
            version=self.version,
            purl=None if first_party else self.purl,
            supplier=_supplier(self.metadata),
            homepage=_homepage(self.metadata),
            texts=[[self._shown(one), self.texts.add(self.files[one])] for one in found],
            component=self.component,
        )
        self._license(part, statement)
        return part

    def _license_files(self) -> List[str]:
        """Those that the metadata names, and all that are called so."""
        named = {
            f"{self.dist_info}/{folder}{file}"
            for file in map(str, self.metadata.get_all("License-File") or ())
            for folder in ("licenses/", "license_files/", "")
        }
        found = {
            path
            for path, content in self.files.items()
            if path in named or is_license_file(path, content)
        }
        in_licenses = {
            path
            for path, content in self.files.items()
            if path.startswith((f"{self.dist_info}/licenses/", f"{self.dist_info}/license_files/"))
            and len(content) <= TEXT_SIZE
        }
        return sorted((found | in_licenses) - self.elsewhere)

    def _shown(self, path: str) -> str:
        """A licence file's name for people."""
        for folder in ("licenses", "license_files"):
            start = f"{self.dist_info}/{folder}/"
            if path.startswith(start):
                return path[len(start) :]
        return path[len(self.dist_info) + 1 :] if path.startswith(f"{self.dist_info}/") else path

    def _license(self, part: Part, statement: Statement) -> None:
        part["license"] = statement.expression
        part["license_from"] = statement.origin or None
        part["extracted"] = {
            ref: self.texts.add(text.encode("utf-8", "surrogateescape"))
            for ref, text in statement.extracted.items()
        }

    # -- What it brings along --------------------------------------------------------------------

    def _bundled(self) -> List[Part]:
        documents = [
            (posixpath.basename(path), content)
            for path, content in self.files.items()
            if path.startswith(f"{self.dist_info}/sboms/")
        ]
        components = [one for one in wheel_sboms.read(documents) if one.scope != EXCLUDED]
        found: List[Part] = []
        told: Set[int] = set()
        for stem, files in _by_name(self.files).items():
            matching = [one for one in components if _is_same(one, files[0])]
            told.update(map(id, matching))
            found.append(self._library(stem, files, matching))
        _share_versions(found)
        found += self._linked_in(components)
        for one in self.vendored:
            matching = [component for component in components if _is_package(component, one)]
            told.update(map(id, matching))
            # Where only SBOMs know a package's version, they may tell of several copies.
            versions = {one.version, *([] if one.version else [two.version for two in matching])}
            for version in sorted(filter(None, versions)) or (None,):
                found.append(self._package(one, version, matching))
        seen = set()
        # Of those that are there twice, the one that tells a licence.
        for component in sorted(components, key=lambda one: not one.licenses):
            key = (component.name, component.version)
            if id(component) in told or key in seen or self._is_no_part(component):
                continue
            seen.add(key)
            found.append(self._component(component))
        return _with_ids(self.project, _unique(found))

    def _is_no_part(self, component: Component) -> bool:
        """Whether it is the wheel itself, a requirement of it, or perhaps not there."""
        if component.scope == OPTIONAL:
            return True
        purl = component.purl or component.reference
        base = re.split("[?#]", purl, maxsplit=1)[0].lower()
        if base.replace("_", "-") == self.purl.lower():
            # What it tells of its own extension modules is under the wheel's licence.
            return "#" not in purl or self._stated(component) in (self._stated_own(), None)
        if base.startswith("pkg:pypi/") and component.version is None:
            name = base[len("pkg:pypi/") :].partition("@")[0]
            return any(one.name == canonicalize_name(name) for one in _named(self.requirements))
        return False

    def _stated_own(self) -> Optional[str]:
        return state(self.name, self.metadata, []).expression

    def _stated(self, component: Component) -> Optional[str]:
        return all_of(state_of_name(component.name, one).expression for one in component.licenses)

    def _library(self, stem: str, files: Sequence[BundledFile], told: Sequence[Component]) -> Part:
        row = files[0].row
        versions = [one.version for one in told if one.version]
        numbers = next((one.numbers for one in files if one.numbers), None)
        if not versions and row and row.numbers and numbers and numbers.count(".") > 0:
            versions = [numbers]
        versions = versions or _versions_within([self.files[one.path] for one in files], row)
        licensed = next((one for one in told if one.licenses), None)
        part = new_part(
            f"bundled:{stem}",
            row.name if row else (told[0].name if told else stem),
            version=versions[0] if versions else None,
            homepage=row.homepage if row else None,
            component=self.component,
            files=sorted(one.path for one in files),
            size=sum(len(self.files[one.path]) for one in files),
        )
        if licensed:
            self._of_component(part, licensed)
        elif row:
            self._of_row(part, row, numbers)
        for one in told:
            for key in ("purl", "supplier", "homepage", "download"):
                part[key] = part[key] or getattr(one, key)
            if one.sha256 and not part["hashes"]:
                part["hashes"] = {"sha256": one.sha256}
        return part

    def _linked_in(self, told: Iterable[Component]) -> List[Part]:
        """Static libraries in extension modules, unless SBOMs tell of them."""
        known = {_said(one.name) for one in told}
        found = []
        for one in bundled_libraries.LINKED_IN:
            files = [
                path
                for path, content in self.files.items()
                if content[:4] == b"\x7fELF"
                and one.marker in content
                and bundled_libraries.bundled_file(path) is None
            ]
            if files and _said(one.name) not in known:
                part = new_part(
                    f"bundled:{one.name}",
                    one.name,
                    license=one.license,
                    license_from=one.source,
                    homepage=one.homepage,
                    component=self.component,
                    files=sorted(files),
                )
                found.append(part)
        return found

    def _of_component(self, part: Part, component: Component) -> None:
        origin = f"the SBOM `{component.document}` in its wheel"
        statements = [state_of_name(component.name, one) for one in component.licenses]
        extracted: Dict[str, str] = {}
        for one in statements:
            extracted.update(one.extracted)
        self._license(
            part,
            Statement(
                all_of(one.expression for one in statements),
                origin if component.licenses else f"{origin}, which tells no licence",
                extracted,
            ),
        )

    def _of_row(self, part: Part, row: Row, numbers: Optional[str]) -> None:
        part["license"] = row.license_of(numbers)
        part["license_from"] = row.source if part["license"] else None

    def _package(self, one: Vendored, version: Optional[str], told: Sequence[Component]) -> Part:
        purl: Optional[str] = None
        if one.pypi:
            purl = f"pkg:pypi/{canonicalize_name(one.name)}" + (f"@{version}" if version else "")
        else:
            purl = next((other.purl for other in told if other.version == version), None)
        part = new_part(
            f"bundled:{canonicalize_name(one.name)}",
            one.name,
            version=version,
            purl=purl,
            supplier=_supplier(one.metadata),
            homepage=_homepage(one.metadata),
            texts=[
                list(text)
                for text in sorted(
                    {(_below(path, one.place), self.texts.add(text)) for path, text in one.texts}
                )
            ],
            component=self.component,
        )
        self._license(part, one.statement)
        return part

    def _component(self, component: Component) -> Part:
        part = new_part(
            f"bundled:{_plain(component.name)}",
            component.name,
            version=component.version,
            purl=component.purl,
            supplier=component.supplier,
            homepage=component.homepage,
            download=component.download,
            hashes={"sha256": component.sha256} if component.sha256 else {},
            component=self.component,
        )
        self._of_component(part, component)
        if part["license"] is None:
            for row in bundled_libraries.find(component.name, _said)[:1]:
                self._of_row(part, row, component.version)
        return part


def _field(metadata: Message, name: str) -> str:
    """On one line. Old tools wrote names of other alphabets as mail does (RFC 2047)."""
    value = str(metadata.get(name) or "")[:_LONGEST]
    with suppress(HeaderParseError, LookupError, ValueError):
        value = str(make_header(decode_header(value)))
    return " ".join(value.split())


def _supplier(metadata: Message) -> Optional[str]:
    """The author's name, or else the maintainer's."""
    for who in ("Author", "Maintainer"):
        name = _field(metadata, who)
        if name and name.upper() != "UNKNOWN":
            return re.sub(r"\s*<[^<>]*@[^<>]*>", "", name) or name
        address = _field(metadata, f"{who}-Email")
        names = [
            one.strip().strip('"') for one in re.findall(r'("[^"]*"|[^<>,]+?)\s*<[^<>]*>', address)
        ]
        if any(names):
            return ", ".join(one for one in names if one)
    return None


def _homepage(metadata: Message) -> Optional[str]:
    found = str(metadata.get("Home-page") or "").strip()
    if found.startswith(("http://", "https://")):
        return found
    urls: Dict[str, str] = {}
    for line in map(str, metadata.get_all("Project-URL") or ()):
        label, _, url = line.partition(",")
        if url.strip().startswith(("http://", "https://")):
            urls.setdefault(re.sub("[^a-z]", "", label.lower()), url.strip())
    for label in ("homepage", "home", "repository", "source", "sourcecode", "github", "code"):
        if label in urls:
            return urls[label]
    return next(iter(urls.values()), None)


def _requirements(metadata: Message) -> Iterable[Requirement]:
    for line in metadata.get_all("Requires-Dist") or ():
        try:
            yield Requirement(str(line))
        except InvalidRequirement:
            continue


class _Named:
    def __init__(self, requirement: Requirement) -> None:
        self.name = canonicalize_name(requirement.name)


def _named(requirements: Iterable[Requirement]) -> List[_Named]:
    return [_Named(one) for one in requirements]


def _needed(requirements: Iterable[Requirement], environment: Mapping[str, str]) -> Set[str]:
    """The projects that it needs without extras."""
    found = set()
    for one in requirements:
        try:
            if one.marker is None or one.marker.evaluate({**environment, "extra": ""}):
                found.add(str(canonicalize_name(one.name)))
        except (UndefinedComparison, UndefinedEnvironmentName):
            found.add(str(canonicalize_name(one.name)))
    return found


def environment_of(python_version: str, machine: str) -> Dict[str, str]:
    """The values of markers (PEP 508) on the machine that the executable is for."""
    return {
        "implementation_name": "cpython",
        "implementation_version": python_version,
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": python_version,
        "python_version": ".".join(python_version.split(".")[:2]),
        "sys_platform": "linux",
    }


def _by_name(files: Files) -> Dict[str, List[BundledFile]]:
    """Native libraries by their names; two of a name are one part if their numbers say no more."""

    def number(one: BundledFile) -> str:
        exact = one.row is not None and one.row.numbers
        return (one.numbers or "") if exact else (one.numbers or "").split(".")[0]

    found: Dict[str, List[BundledFile]] = {}
    for path, content in sorted(files.items()):
        one = bundled_libraries.bundled_file(path) if content[:4] == b"\x7fELF" else None
        if one is not None:
            found.setdefault(one.stem, []).append(one)
    result: Dict[str, List[BundledFile]] = {}
    for stem, several in found.items():
        alone = len({number(one) for one in several}) == 1
        for one in several:
            result.setdefault(stem if alone else f"{stem}.so.{number(one)}", []).append(one)
    return result


def _below(path: str, place: str) -> str:
    """A text's name: where it lies in the package's folder, or its own."""
    if place and path.startswith(f"{place}/"):
        return path[len(place) + 1 :]
    return posixpath.basename(path)


def _is_package(component: Component, package: Vendored) -> bool:
    if canonicalize_name(component.name) != canonicalize_name(package.name):
        return False
    return component.version is not None and package.version in (None, component.version)


def _versions_within(contents: Sequence[bytes], row: Optional[Row]) -> List[str]:
    """The release that a well-known library says in its own content, if all of it says the same."""
    pattern = next((one.version for one in LIBRARIES if row and one.name == row.name), None)
    if pattern is None:
        return []
    found = {match for content in contents for match in re.findall(pattern, content)}
    return [match.decode() for match in found] if len(found) == 1 else []


def _share_versions(parts: Iterable[Part]) -> None:
    """Libraries of one project are of one release: `libssl` does not tell it, `libcrypto` does."""
    versions: Dict[str, Set[str]] = {}
    for part in parts:
        if part["version"]:
            versions.setdefault(part["name"], set()).add(part["version"])
    for part in parts:
        known = versions.get(part["name"], set())
        if part["version"] is None and len(known) == 1:
            part["version"] = next(iter(known))


def _said(name: str) -> str:
    """A name so that its spellings are one: `libXau`, `FreeType`, `Little CMS 2`."""
    plain = re.sub("[^a-z0-9+]", "", name.lower())
    return plain[3:] if plain.startswith("lib") and len(plain) > 3 else plain


def _is_same(component: Component, file: BundledFile) -> bool:
    for name in component.name.split(" / "):
        rows = bundled_libraries.find(name, _said)
        if (file.row in rows) if file.row and rows else _said(name) == _said(file.stem):
            return True
    return False


def _plain(name: str) -> str:
    """A name as it can stand in an id."""
    return re.sub("[^A-Za-z0-9+@._-]+", "-", name).strip("-") or "unnamed"


def _unique(parts: Iterable[Part]) -> List[Part]:
    """Each once: a wheel may have several copies of a package, with texts of their own."""
    found: Dict[Tuple[str, Optional[str], Optional[str]], Part] = {}
    for part in parts:
        same = found.setdefault((part["id"], part["version"], part["license"]), part)
        same["texts"] = sorted({tuple(text): text for text in [*same["texts"], *part["texts"]]})
        same["texts"] = [list(text) for text in same["texts"]]
    return list(found.values())


def _with_ids(project: str, parts: List[Part]) -> List[Part]:
    """The parts with `bundled:<project>/<name>`, each its own: with the version if there are two of
    a name, then with a number."""
    names: Dict[str, List[Part]] = {}
    for part in parts:
        names.setdefault(part["id"].partition(":")[2], []).append(part)
    used: Set[str] = set()
    for name, several in sorted(names.items()):
        for part in several:
            version = part["version"] if len(several) > 1 else None
            identifier = f"bundled:{project}/{name}" + (f"@{_plain(version)}" if version else "")
            number = 1
            while identifier in used:
                number += 1
                identifier = f"bundled:{project}/{name}.{number}"
            used.add(identifier)
            part["id"] = identifier
    return parts


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
    options = parser.parse_args(argv)
    wheel = read_wheel(options.wheel, "")
    found = WheelFacts(
        {file.path: file.content for file in wheel.files}, wheel.dist_info, options.component
    )
    parts = found.parts(
        environment_of(options.python_version, options.machine), options.first_party
    )
    found.add_standard_texts(parts, options.texts)
    if not options.first_party:
        with open(options.source or options.wheel, "rb") as stream:
            digest = hashlib.sha256(stream.read()).hexdigest()
        parts[0]["hashes"] = {"sha256": digest}
    facts.write(options.output, parts, found.texts)


if __name__ == "__main__":
    run(main)
