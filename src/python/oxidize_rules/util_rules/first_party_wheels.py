"""The team's own distributions among a binary's dependencies: built, and embedded like wheels.

A `python_distribution` is what Pants' users have for code that needs a build, such as extension
modules. Pants lays out its sources (with a setup.py of its own, if `generate_setup` says so); they
become a source archive here, which takes the same way as a package's (util_rules/sdist.py).
"""

from __future__ import annotations

import io
import os.path
import tarfile
from dataclasses import dataclass
from typing import FrozenSet, Iterable, List, Mapping, Set, Tuple

from pants.backend.python.subsystems.setup import PythonSetup
from pants.backend.python.target_types import PythonProvidesField
from pants.backend.python.util_rules.interpreter_constraints import InterpreterConstraints
from pants.backend.python.util_rules.package_dists import DistBuildChrootRequest, ExportedTarget
from pants.engine.addresses import Address
from pants.engine.fs import CreateDigest, FileContent
from pants.engine.target import TransitiveTargetsRequest
from pants.util.logging import LogLevel

from oxidize_rules.compat import (
    collect_rules,
    concurrently,
    create_digest,
    generate_chroot,
    get_digest_contents,
    implicitly,
    rule,
    transitive_targets,
)
from oxidize_rules.util_rules.sandbox_program import OxidizeError
from oxidize_rules.util_rules.wheels import Sdist

_BUILD_FILES = ("pyproject.toml", "setup.py")


@dataclass(frozen=True)
class FirstPartyDistributionsRequest:
    """The `python_distribution` targets that the target at `address` depends on."""

    address: Address


@dataclass(frozen=True)
class FirstPartyDistributions:
    """`sdists` are sorted by address, which is their `project`.

    What is in them is not among the binary's own files: `files` are paths in the repository,
    `places` paths below source roots (where Pants writes the setup.py, it strips them).
    """

    sdists: Tuple[Sdist, ...] = ()
    files: FrozenSet[str] = frozenset()
    places: FrozenSet[str] = frozenset()


def pack(files: Mapping[str, bytes]) -> bytes:
    """A tar archive of the files, in a folder as sdists have it; equal files give equal bytes."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in sorted(files.items()):
            member = tarfile.TarInfo(f"source/{name}")
            member.size, member.mode = len(content), 0o644
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def below(folder: str, files: Iterable[Tuple[str, bytes]]) -> Mapping[str, bytes]:
    """Those below `folder`, without it: what lies elsewhere stays the binary's own."""
    return {
        os.path.relpath(path, folder or "."): content
        for path, content in files
        if not folder or path.startswith(f"{folder}/")
    }


@rule(desc="Find the `python_distribution` targets of a binary", level=LogLevel.DEBUG)
async def find_first_party_distributions(
    request: FirstPartyDistributionsRequest, python_setup: PythonSetup
) -> FirstPartyDistributions:
    closure = await transitive_targets(TransitiveTargetsRequest([request.address]), **implicitly())
    targets = sorted(
        (target for target in closure.closure if target.has_field(PythonProvidesField)),
        key=lambda target: target.address,
    )
    chroots = await concurrently(
        generate_chroot(
            DistBuildChrootRequest(
                ExportedTarget(target),
                InterpreterConstraints.create_from_targets([target], python_setup)
                or InterpreterConstraints(python_setup.interpreter_constraints),
            ),
            **implicitly(),
        )
        for target in targets
    )
    contents = await concurrently(get_digest_contents(chroot.digest) for chroot in chroots)
    archives: List[FileContent] = []
    files: Set[str] = set()
    places: Set[str] = set()
    for target, chroot, content in zip(targets, chroots, contents):
        folder = chroot.working_directory
        inside = below(folder, ((file.path, file.content) for file in content))
        if not any(name in inside for name in _BUILD_FILES):
            raise OxidizeError(
                f"{request.address}: it depends on {target.address}, which is built with its own "
                f"setup.py or pyproject.toml, but found neither among its files. To fix, let a "
                f"`resources` target have `{folder or '.'}/pyproject.toml`, and name it in the "
                f"`dependencies` field of {target.address}."
            )
        (files if folder else places).update(os.path.join(folder, name) for name in inside)
        archives.append(FileContent(f"{target.address.path_safe_spec}.tar", pack(inside)))
    digests = await concurrently(create_digest(CreateDigest([archive])) for archive in archives)
    return FirstPartyDistributions(
        tuple(
            Sdist(archive.path, digest, project=str(target.address), version="")
            for target, archive, digest in zip(targets, archives, digests)
        ),
        frozenset(files),
        frozenset(places - set(_BUILD_FILES)),
    )


def rules() -> Iterable[object]:
    return collect_rules()
