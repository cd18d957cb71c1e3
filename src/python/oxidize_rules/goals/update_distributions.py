"""`oxidize-update-distributions`: pins of release archives, moved to what a release publishes."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from pants.engine.addresses import Address, BuildFileAddressRequest
from pants.engine.console import Console
from pants.engine.fs import CreateDigest, FileContent, PathGlobs, Workspace
from pants.engine.goal import Goal, GoalSubsystem
from pants.engine.process import ProcessCacheScope
from pants.engine.target import Targets
from pants.option.option_types import BoolOption, StrOption
from pants.util.docutil import bin_name
from pants.util.logging import LogLevel
from pants.util.strutil import softwrap

from oxidize_rules.compat import (
    collect_rules,
    concurrently,
    create_digest,
    execute_process,
    find_build_file,
    get_digest_contents,
    goal_rule,
    implicitly,
    path_globs_to_digest,
    rule,
)
from oxidize_rules.distribution_targets import (
    ArchiveSha256Field,
    ArchiveSizeField,
    ArchiveUrlField,
    PythonDistributionArchiveTarget,
)
from oxidize_rules.util_rules.distribution import (
    DistributionArchiveFieldSet,
    download_name,
)
from oxidize_rules.util_rules.fetch import FetchRequest, fetch_file
from oxidize_rules.util_rules.pin_edits import Edited, PinEdit, Value, edit_pins
from oxidize_rules.util_rules.sandbox_program import OxidizeError, raise_on_failure
from oxidize_rules.util_rules.tools_pex import prepare_tool_process, sandbox_tool

_NAME = "oxidize-update-distributions"
_PINS, _RESULT = "pins.json", "compared.json"
_ALIAS = PythonDistributionArchiveTarget.alias


class UpdateDistributionsSubsystem(GoalSubsystem):
    name = _NAME
    help = softwrap(
        f"""
        Compare the archives that `{_ALIAS}` targets pin with a release of python-build-standalone,
        and rewrite their `{ArchiveUrlField.alias}`, `{ArchiveSha256Field.alias}` and
        `{ArchiveSizeField.alias}` in the BUILD files.

        A pin moves to the newest archive of the release with the same target triple, the same build
        options and the same minor version of Python. Exits with 1 if a pin could not be moved, and
        with `--check` if one is to be moved.
        """
    )

    check = BoolOption(
        default=False,
        help="Write nothing, and exit with 1 if the release has something newer than a pin.",
    )
    release = StrOption(
        default="latest",
        help=softwrap(
            """
            The release: `latest`, or its tag, such as `20261021`. With a tag pins move to that
            release even if it is older.
            """
        ),
    )
    base_url = StrOption(
        default=None,
        help=softwrap(
            """
            The folder with all releases, such as
            `https://mirror.example.org/python-build-standalone`: the list of checksums is read from
            `<base-url>/<release>/SHA256SUMS`, and pins that move have this address from then on.
            Without it each pin is compared with the list beside its own release.
            """
        ),
    )
    python = StrOption(
        default=None,
        help="The minor version of Python to move to, such as `3.14`. Default: each pin's own.",
    )
    verify = BoolOption(
        default=False,
        help=softwrap(
            """
            Download each new archive and compare it with its hash before anything is written.
            Builds take the download from the store afterwards.
            """
        ),
    )


class UpdateDistributionsGoal(Goal):
    subsystem_cls = UpdateDistributionsSubsystem
    environment_behavior = Goal.EnvironmentBehavior.LOCAL_ONLY


# -----------------------------------------------------------------------------------------------
# What a release has
# -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ComparedPinsRequest:
    """`pins`: JSON, as `sandbox/distribution/release_pins.py` reads it."""

    pins: str
    release: str
    base_url: Optional[str]
    python: Optional[str]


@dataclass(frozen=True)
class ComparedPins:
    """`content`: JSON, as `sandbox/distribution/release_pins.py` writes it."""

    content: str


@rule(desc="Compare pins with a release", level=LogLevel.DEBUG)
async def compare_pins(request: ComparedPinsRequest) -> ComparedPins:
    digest = await create_digest(CreateDigest([FileContent(_PINS, request.pins.encode())]))
    process = await prepare_tool_process(
        sandbox_tool(
            "distribution.release_pins",
            _PINS,
            _RESULT,
            f"--release={request.release}",
            *((f"--base-url={request.base_url}",) if request.base_url else ()),
            *((f"--python={request.python}",) if request.python else ()),
            description=f"Read the checksums of the release {request.release}",
            input_digest=digest,
            output_files=(_RESULT,),
            network=True,
            # What a release has may change, and what is the latest does.
            cache_scope=ProcessCacheScope.PER_SESSION,
        ),
        **implicitly(),
    )
    result = await execute_process(process, **implicitly())
    raise_on_failure(result, where=_NAME, doing="compare the pins with the release")
    contents = await get_digest_contents(result.output_digest)
    return ComparedPins(contents[0].content.decode())


# -----------------------------------------------------------------------------------------------
# The goal
# -----------------------------------------------------------------------------------------------


def pins_of(targets: Iterable[Any]) -> Tuple[DistributionArchiveFieldSet, ...]:
    """The targets with a download. Raises OxidizeError if there is none."""
    found = [
        DistributionArchiveFieldSet.create(target)
        for target in targets
        if DistributionArchiveFieldSet.is_applicable(target)
    ]
    pinned = tuple(fields for fields in found if fields.url.value)
    if not pinned:
        which = f"none of {len(found)} has a `{ArchiveUrlField.alias}`" if found else "none"
        raise OxidizeError(
            f"{_NAME}: expected `{_ALIAS}` targets, found {which}. To fix, name them, or the "
            f"folders they are in: `{bin_name()} {_NAME} ::`."
        )
    return pinned


def check_options(release: str, base_url: Optional[str], python: Optional[str]) -> None:
    """Raises OxidizeError."""
    if release != "latest" and not re.fullmatch(r"\d{8}(T\d{4})?", release, re.ASCII):
        raise OxidizeError(
            f"{_NAME}: `--release` is `{release}`, expected `latest` or the tag of a release, such "
            "as `20261021`. To fix, correct it."
        )
    if base_url is not None and not re.fullmatch(r"https?://[^/?#]+[^?#\s]*", base_url):
        raise OxidizeError(
            f"{_NAME}: `--base-url` is `{base_url}`, expected the address of a folder with "
            "releases that begins with `https://` or `http://`. To fix, correct it."
        )
    if python is not None and not re.fullmatch(r"\d+\.\d+", python, re.ASCII):
        raise OxidizeError(
            f"{_NAME}: `--python` is `{python}`, expected a minor version, such as `3.14`. To fix, "
            "correct it."
        )


def edit_of(fields: DistributionArchiveFieldSet, row: Mapping[str, Any]) -> PinEdit:
    """What is to be written for a row of `sandbox/distribution/release_pins.py`."""
    assert fields.url.value is not None
    assert fields.sha256.value is not None
    old, new = row["old"], row["new"]
    changed: Dict[str, Tuple[Value, Value]] = {
        fields.url.alias: (fields.url.value, new["url"]),
        fields.sha256.alias: (fields.sha256.value, new["sha256"]),
    }
    if fields.size.value is not None:
        changed[fields.size.alias] = (fields.size.value, new["size"])
    address = fields.address
    folder = address.spec_path.rpartition("/")[2]
    names: Tuple[Optional[str], ...] = (address.target_name,)
    if address.target_name == folder:
        names = (*names, None)
    old_base, new_base = (base_of(url) for url in (fields.url.value, new["url"]))
    words = (
        (old_base, new_base),
        (old["release"], new["release"]),
        (old["version"], new["version"]),
    )
    return PinEdit(names, changed, tuple(word for word in words if word[0] != word[1]))


def base_of(url: str) -> str:
    return url.rsplit("/", 2)[0]


def megabytes(size: Optional[int]) -> str:
    return "?" if size is None else f"{size / 1e6:.1f}"


def describe(row: Mapping[str, Any]) -> str:
    """The line about one pin."""
    where, old, new = row["where"], row["old"], row["new"]
    if old is None:
        return f"{where}: left out, because {row['why']}"
    version = f"{old['version']}+{old['release']}"
    if row["status"] == "absent":
        return f"{where}: {version} stays, because {row['why']}"
    if new is None:
        return f"{where}: {version} is current"
    older = " (older)" if row["status"] == "older" else ""
    return (
        f"{where}: {version} -> {new['version']}+{new['release']}{older}, "
        f"{megabytes(old['size'])} -> {megabytes(new['size'])} MB"
    )


@dataclass(frozen=True)
class BuildFile:
    """`places`: which of all pins stand in it."""

    path: str
    content: bytes
    places: Tuple[int, ...]


async def _build_files(addresses: Sequence[Address]) -> List[BuildFile]:
    found = await concurrently(
        find_build_file(
            BuildFileAddressRequest(address, description_of_origin=_NAME), **implicitly()
        )
        for address in addresses
    )
    places: Dict[str, List[int]] = {}
    for place, one in enumerate(found):
        places.setdefault(one.rel_path, []).append(place)
    digest = await path_globs_to_digest(PathGlobs(sorted(places)))
    contents = await get_digest_contents(digest)
    return [BuildFile(one.path, one.content, tuple(places[one.path])) for one in contents]


def edit_files(
    files: Iterable[BuildFile], edits: Sequence[PinEdit], addresses: Sequence[Address]
) -> Tuple[List[FileContent], List[str], List[str]]:
    """The files to write, and what to say of those that are refused and of comments."""
    written, refused, stale = [], [], []
    for file in files:
        edited: Edited = edit_pins(file.content, [edits[place] for place in file.places])
        if edited.content != file.content:
            written.append(FileContent(file.path, edited.content))
        refused += [
            f"{addresses[file.places[index]]} stays as it is: {why}. To fix, change it by hand in "
            f"{file.path}, or write literals."
            for index, why in sorted(edited.refused.items())
        ]
        stale += [f"{file.path}:{line}" for line in edited.stale]
    return written, refused, stale


@goal_rule
async def update_distributions(
    targets: Targets,
    options: UpdateDistributionsSubsystem,
    workspace: Workspace,
    console: Console,
) -> UpdateDistributionsGoal:
    check_options(options.release, options.base_url, options.python)
    pinned = pins_of(targets)
    pins = [
        {
            "where": str(fields.address),
            "url": fields.url.value,
            "sha256": fields.sha256.value,
            "size": fields.size.value,
        }
        for fields in pinned
    ]
    compared = await compare_pins(
        ComparedPinsRequest(json.dumps(pins), options.release, options.base_url, options.python),
        **implicitly(),
    )
    rows = json.loads(compared.content)
    for row in rows:
        console.print_stdout(describe(row))
    moving = [(fields, row) for fields, row in zip(pinned, rows) if row["new"]]
    if options.check or not moving:
        return UpdateDistributionsGoal(1 if moving else 0)
    if options.verify:
        await concurrently(
            fetch_file(
                FetchRequest(
                    where=str(fields.address),
                    filename=download_name(row["new"]["url"]),
                    urls=(row["new"]["url"],),
                    debian_path=None,
                    sha256=row["new"]["sha256"],
                    size=row["new"]["size"] if fields.size.value is not None else None,
                ),
                **implicitly(),
            )
            for fields, row in moving
        )
    addresses = [fields.address for fields, _ in moving]
    files = await _build_files(addresses)
    edits = [edit_of(fields, row) for fields, row in moving]
    written, refused, stale = edit_files(files, edits, addresses)
    if written:
        workspace.write_digest(await create_digest(CreateDigest(written)))
    for file in written:
        console.print_stdout(f"Wrote {file.path}")
    for place in stale:
        console.print_stdout(f"{place}: this comment tells an old version; it was left as it is")
    for message in refused:
        console.print_stderr(message)
    return UpdateDistributionsGoal(1 if refused else 0)


def rules() -> Iterable[object]:
    return collect_rules()
