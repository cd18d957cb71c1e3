"""The team's own files of a binary, grouped by folder, at their places below `app/`."""

from __future__ import annotations

import os.path
from collections import defaultdict
from dataclasses import dataclass
from pathlib import PurePath
from typing import Dict, FrozenSet, Iterable, List, Optional, Tuple

from pants.backend.python.target_types import PythonSourceField
from pants.backend.python.util_rules.ancestor_files import AncestorFilesRequest
from pants.core.target_types import FileSourceField, ResourceSourceField
from pants.engine.addresses import Address
from pants.engine.fs import Digest, DigestSubset, MergeDigests, PathGlobs, RemovePrefix
from pants.engine.target import (
    HydrateSourcesRequest,
    SourcesField,
    TransitiveTargetsRequest,
)
from pants.source.source_root import SourceRootsRequest

from oxidize_rules.compat import (
    collect_rules,
    concurrently,
    digest_subset_to_digest,
    find_ancestor_files,
    get_source_roots,
    hydrate_sources,
    implicitly,
    merge_digests,
    remove_prefix,
    rule,
    transitive_targets,
)
from oxidize_rules.util_rules.sandbox_program import OxidizeError

_SOURCES_TYPES = (PythonSourceField, ResourceSourceField)


@dataclass(frozen=True)
class FirstPartyRequest:
    """The files that the target at `address` depends on, directly or not.

    Without those that a wheel of the team brings: `built_files` are paths in the repository,
    `built_places` paths below source roots (see first_party_wheels.py).
    """

    address: Address
    built_files: FrozenSet[str] = frozenset()
    built_places: FrozenSet[str] = frozenset()


@dataclass(frozen=True)
class FirstPartyFolder:
    """The files of one folder. `path` is the folder below its source root, "" at the root.

    `digest` holds `files`, which are paths below the source root, such as `app/cli/main.py`.
    `root` is their source root, or "" if they come from several.
    """

    path: str
    root: str
    files: Tuple[str, ...]
    digest: Digest


@dataclass(frozen=True)
class FirstPartySources:
    """`folders` are sorted by path. `ignored`: `file` targets, which are not below `app/`."""

    folders: Tuple[FirstPartyFolder, ...]
    ignored: Tuple[Address, ...]

    def files(self) -> Tuple[str, ...]:
        return tuple(file for folder in self.folders for file in folder.files)

    def modules(self) -> Tuple[str, ...]:
        """Names of the modules and regular packages among the files."""
        return tuple(module for file in self.files() if (module := _module_of(file)) is not None)


def _module_of(file: str) -> Optional[str]:
    stem, extension = os.path.splitext(file)
    if extension != ".py":
        return None
    parts = stem.split("/")
    if parts[-1] == "__init__":
        parts.pop()
    return ".".join(parts) if parts and all(part.isidentifier() for part in parts) else None


@dataclass(frozen=True)
class _Origin:
    """Where the file at some place in the image comes from."""

    root: str
    path: str
    address: Optional[Address]
    digest: Digest


def _common_root(roots: Iterable[str]) -> str:
    first, *others = sorted(set(roots))
    return "" if others or first == "." else first


def _same_place(where: Address, stripped: str, first: _Origin, second: _Origin) -> OxidizeError:
    return OxidizeError(
        f"{where}: two files of its dependencies have the same place in the executable, "
        f"`{stripped}`: `{first.path}` of {first.address or 'no target'} and `{second.path}` of "
        f"{second.address or 'no target'}. Each file needs a place of its own below its source "
        "root. To fix, rename one of them, move it into another package, or leave one of the two "
        "targets out of the `dependencies` field (`!!` before an address excludes it)."
    )


def _check_modules(where: Address, origins: Dict[str, _Origin]) -> None:
    """`x.py` beside `x/__init__.py`: Python would import only the package."""
    for stripped, origin in origins.items():
        stem, extension = os.path.splitext(stripped)
        package = origins.get(f"{stem}/__init__.py")
        if extension == ".py" and package is not None:
            raise OxidizeError(
                f"{where}: two modules of its dependencies have the same name, "
                f"`{stem.replace('/', '.')}`: the module `{origin.path}` of {origin.address} and "
                f"the package `{package.path}` of {package.address}. Only the package could be "
                "imported. To fix, rename one of them or drop one of the two dependencies."
            )


@dataclass(frozen=True)
class FolderRequest:
    """(source root, path in the repository, digest that holds it) for each file of one folder."""

    files: Tuple[Tuple[str, str, Digest], ...]


@dataclass(frozen=True)
class FolderFiles:
    """The files of one folder, without their source roots."""

    digest: Digest


@rule
async def collect_folder(request: FolderRequest) -> FolderFiles:
    by_root: Dict[str, List[Tuple[str, Digest]]] = defaultdict(list)
    for root, path, digest in request.files:
        by_root[root].append((path, digest))
    everything = await concurrently(
        merge_digests(MergeDigests(sorted({digest for _, digest in files}, key=str)))
        for _, files in sorted(by_root.items())
    )
    selected = await concurrently(
        digest_subset_to_digest(DigestSubset(digest, PathGlobs([path for path, _ in files])))
        for (_, files), digest in zip(sorted(by_root.items()), everything)
    )
    stripped = await concurrently(
        remove_prefix(RemovePrefix(digest, "" if root == "." else root))
        for (root, _), digest in zip(sorted(by_root.items()), selected)
    )
    return FolderFiles(await merge_digests(MergeDigests(stripped)))


@rule(desc="Find the first-party files of an `oxidized_binary` target")
async def find_first_party_sources(request: FirstPartyRequest) -> FirstPartySources:
    closure = await transitive_targets(TransitiveTargetsRequest([request.address]), **implicitly())
    targets = [target for target in closure.closure if target.has_field(SourcesField)]
    hydrated = await concurrently(
        hydrate_sources(
            HydrateSourcesRequest(
                target[SourcesField], for_sources_types=_SOURCES_TYPES, enable_codegen=True
            ),
            **implicitly(),
        )
        for target in targets
    )
    found: List[Tuple[str, Optional[Address], Digest]] = [
        (file, target.address, sources.snapshot.digest)
        for target, sources in zip(targets, hydrated)
        for file in sources.snapshot.files
        if not file.endswith(".pyi") and file not in request.built_files
    ]
    # A package whose `__init__.py` is empty has no inferred dependency on it.
    ancestors = await find_ancestor_files(
        AncestorFilesRequest(
            input_files=tuple(sorted({file for file, _, _ in found})),
            requested=("__init__.py",),
        )
    )
    found.extend((file, None, ancestors.snapshot.digest) for file in ancestors.snapshot.files)
    roots = await get_source_roots(SourceRootsRequest.for_files({file for file, _, _ in found}))

    origins: Dict[str, _Origin] = {}
    for file, address, digest in found:
        root = roots.path_to_root[PurePath(file)].path
        stripped = os.path.relpath(file, root)
        if address is None and stripped in origins:
            continue
        if stripped in request.built_places:
            continue
        origin = _Origin(root, file, address, digest)
        # Two targets may own one file, which is then one file.
        known = origins.setdefault(stripped, origin)
        if known.path != file:
            raise _same_place(request.address, stripped, known, origin)
    _check_modules(request.address, origins)

    by_folder: Dict[str, List[str]] = defaultdict(list)
    for stripped in sorted(origins):
        by_folder[os.path.dirname(stripped)].append(stripped)
    digests = await concurrently(
        collect_folder(
            FolderRequest(
                tuple(
                    (origins[file].root, origins[file].path, origins[file].digest) for file in files
                )
            ),
            **implicitly(),
        )
        for _, files in sorted(by_folder.items())
    )
    return FirstPartySources(
        tuple(
            FirstPartyFolder(
                path,
                _common_root(origins[file].root for file in files),
                tuple(files),
                folder.digest,
            )
            for (path, files), folder in zip(sorted(by_folder.items()), digests)
        ),
        ignored=tuple(
            sorted(
                target.address
                for target in closure.closure
                if target.has_field(FileSourceField)
                and target[FileSourceField].file_path not in request.built_files
            )
        ),
    )


def rules() -> Iterable[object]:
    return collect_rules()
