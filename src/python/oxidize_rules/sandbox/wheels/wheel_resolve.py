"""Finds which wheels and source archives a binary takes.

    wheel_resolve.py --request request.json --output resolution.json [--lock pex-lock.json]

The request is a JSON object; see `resolve_request.Request`. Which versions there are comes from the
lock file, else from the indexes and find-links (`wheel_finder.py`); what they require, from their
metadata (`wheel_metadata.py`). No package's code is run. The output is a JSON object with `wheels`
and `sdists`, lists of objects with `project`, `version`, `filename`, `url` and `sha256`, sorted by
file name; `ways` of a source archive are what else could be done. If packages cannot be had, the
message names all of them, not the first alone.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from packaging.requirements import Requirement
from packaging.version import InvalidVersion
from resolvelib import BaseReporter, ResolutionImpossible, Resolver

from oxidize_rules.sandbox.errors import UserError, run
from oxidize_rules.sandbox.wheels.pex_lock import parse_pex_lock
from oxidize_rules.sandbox.wheels.resolve_errors import (
    complaint,
    conflict,
    explain_unfit,
    no_fitting_file,
)
from oxidize_rules.sandbox.wheels.resolve_provider import Candidate, Provider
from oxidize_rules.sandbox.wheels.resolve_request import Request, parse_request
from oxidize_rules.sandbox.wheels.wheel_choice import Parsed, Release
from oxidize_rules.sandbox.wheels.wheel_finder import Finder
from oxidize_rules.sandbox.wheels.wheel_index import Places

MAX_ROUNDS = 20_000


@dataclass(frozen=True)
class Found:
    """A file of the binary, with its sha256. `ways`: what else could be done than build it."""

    parsed: Parsed
    ways: Tuple[str, ...]


def resolve(request: Request, places: Places, lock: Optional[str] = None) -> List[Found]:
    """The files of the binary, sorted by name. `lock`: the content of pex's lock file, if it is
    that. Raises UserError, and InvalidVersion of a lock file.
    """
    pex_lock = parse_pex_lock(lock, request.path_mappings) if lock is not None else None
    with Finder(request, places, pex_lock) as finder:
        candidates = _candidates(finder)
        complaints = (complaint(finder, one) for one in candidates)
        unfit = [one for one in complaints if one is not None]
        if unfit:
            raise UserError(no_fitting_file(request, unfit))
        found = [
            _found(finder, candidate.release, candidate.chosen)
            for candidate in candidates
            if candidate.release is not None and candidate.chosen is not None
        ]
        return sorted(found, key=lambda one: one.parsed.file.filename)


def _candidates(finder: Finder) -> List[Candidate]:
    """One for each project that the binary takes, sorted by name."""
    provider = Provider(finder)
    wanted = provider.applicable(finder.request.requirements, (), "the binary")
    resolver: Resolver[Requirement, Candidate, str] = Resolver(provider, BaseReporter())
    try:
        mapping = resolver.resolve(wanted, max_rounds=MAX_ROUNDS).mapping
    except ResolutionImpossible as error:
        raise UserError(conflict(finder, error.causes)) from None
    by_project = {candidate.project: candidate for candidate in mapping.values()}
    return [by_project[project] for project in sorted(by_project)]


def _found(finder: Finder, release: Release, chosen: Parsed) -> Found:
    sha256 = finder.metadata.hash_of(chosen.file)
    ways = () if chosen.is_wheel else explain_unfit(finder, release).ways
    return Found(replace(chosen, file=replace(chosen.file, sha256=sha256)), ways)


def _described(found: Found) -> Dict[str, Any]:
    parsed = found.parsed
    described: Dict[str, Any] = {
        "project": parsed.project,
        "version": str(parsed.version),
        "filename": parsed.file.filename,
        "url": parsed.file.url,
        "sha256": parsed.file.sha256,
    }
    return described if parsed.is_wheel else {**described, "ways": found.ways}


def main(argv: List[str]) -> None:
    parser = argparse.ArgumentParser(prog="wheel_resolve.py")
    parser.add_argument("--request", type=Path, required=True)
    parser.add_argument("--lock", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args(argv)
    request = parse_request(options.request.read_text())
    lock = options.lock.read_text() if options.lock else None
    try:
        found = resolve(request, Places(request.indexes, request.find_links), lock)
    except InvalidVersion as error:
        raise UserError(
            f"{request.lock} has a version that is none: {error}. To fix, write it anew."
        ) from None
    output: Dict[str, List[Dict[str, Any]]] = {"wheels": [], "sdists": []}
    for one in found:
        output["wheels" if one.parsed.is_wheel else "sdists"].append(_described(one))
    options.output.write_text(json.dumps(output, indent=1, sort_keys=True))


if __name__ == "__main__":
    run(main)
