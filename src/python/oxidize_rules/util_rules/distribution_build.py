"""Builds a Python distribution from source and writes it as an archive.

CPython's recipe runs in one process, as the libraries' recipes do; a second process writes the
archive (`sandbox/distribution/distribution_archive.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable

from pants.core.goals.package import (
    BuiltPackage,
    BuiltPackageArtifact,
    OutputPathField,
    PackageFieldSet,
)
from pants.engine.addresses import Address, UnparsedAddressInputs
from pants.engine.fs import (
    AddPrefix,
    CreateDigest,
    Digest,
    FileEntry,
    MergeDigests,
)
from pants.engine.target import (
    FieldSet,
    InferDependenciesRequest,
    InferredDependencies,
    WrappedTargetRequest,
)
from pants.engine.unions import UnionRule
from pants.util.logging import LogLevel

from oxidize_rules.compat import (
    add_prefix,
    collect_rules,
    concurrently,
    create_digest,
    execute_process,
    get_digest_entries,
    implicitly,
    merge_digests,
    resolve_target,
    resolve_unparsed_address_inputs,
    rule,
)
from oxidize_rules.native_targets import (
    BuildGlibcFloorField,
    BuildLibrariesField,
    BuildTargetTripleField,
    PythonDistributionBuildTarget,
    RecipeField,
    SourceAddressField,
)
from oxidize_rules.util_rules.recipe import RecipeRequest, run_recipe
from oxidize_rules.util_rules.sandbox_program import OxidizeError, raise_on_failure
from oxidize_rules.util_rules.static_library import StaticLibrariesRequest, build_static_libraries
from oxidize_rules.util_rules.tools_pex import prepare_tool_process, sandbox_tool

ARCHIVE = "distribution.tar.zst"


@dataclass(frozen=True)
class PythonDistributionBuildFieldSet(PackageFieldSet):
    required_fields = (SourceAddressField, RecipeField, BuildTargetTripleField)

    source: SourceAddressField
    recipe: RecipeField
    libraries: BuildLibrariesField
    target_triple: BuildTargetTripleField
    glibc_floor: BuildGlibcFloorField
    output_path: OutputPathField


@dataclass(frozen=True)
class BuiltDistributionRequest:
    address: Address


@dataclass(frozen=True)
class BuiltDistribution:
    """`path`: the archive's, within `digest`."""

    digest: Digest
    path: str


@rule(desc="Build a Python distribution", level=LogLevel.DEBUG)
async def build_distribution(request: BuiltDistributionRequest) -> BuiltDistribution:
    wrapped = await resolve_target(
        WrappedTargetRequest(request.address, description_of_origin="a `source` field"),
        **implicitly(),
    )
    if not PythonDistributionBuildFieldSet.is_applicable(wrapped.target):
        raise OxidizeError(
            f"{request.address} is a `{wrapped.target.alias}` target, but a "
            f"`{PythonDistributionBuildTarget.alias}` target is expected."
        )
    field_set = PythonDistributionBuildFieldSet.create(wrapped.target)
    triple = field_set.target_triple.value
    floor = field_set.glibc_floor.value
    addresses = await resolve_unparsed_address_inputs(
        field_set.libraries.to_unparsed_address_inputs(), **implicitly()
    )
    libraries = await build_static_libraries(
        StaticLibrariesRequest(tuple(addresses), triple, floor), **implicitly()
    )
    built = await run_recipe(
        RecipeRequest(
            request.address,
            field_set.source,
            field_set.recipe,
            libraries.digest,
            triple,
            floor,
        ),
        **implicitly(),
    )
    tree, deps = await concurrently(
        add_prefix(AddPrefix(built.digest, "out")),
        add_prefix(AddPrefix(libraries.digest, "deps")),
    )
    inputs = await merge_digests(MergeDigests([tree, deps]))
    process = await prepare_tool_process(
        sandbox_tool(
            "distribution.distribution_archive",
            "--build=out",
            "--libraries=deps",
            f"--target-triple={triple}",
            *((f"--glibc-floor={floor}",) if floor else ()),
            f"--output={ARCHIVE}",
            description=f"Write the archive of {request.address}",
            input_digest=inputs,
            output_files=(ARCHIVE,),
        ),
        **implicitly(),
    )
    result = await execute_process(process, **implicitly())
    raise_on_failure(result, where=str(request.address), doing="write the distribution's archive")
    return BuiltDistribution(result.output_digest, ARCHIVE)


@rule(desc="Package a Python distribution", level=LogLevel.DEBUG)
async def package_distribution(field_set: PythonDistributionBuildFieldSet) -> BuiltPackage:
    built = await build_distribution(BuiltDistributionRequest(field_set.address), **implicitly())
    output = field_set.output_path.value_or_default(file_ending="tar.zst")
    entries = await get_digest_entries(built.digest)
    digest = await create_digest(
        CreateDigest(
            [
                FileEntry(output, entry.file_digest)
                for entry in entries
                if isinstance(entry, FileEntry)
            ]
        )
    )
    return BuiltPackage(digest, (BuiltPackageArtifact(output),))


# -----------------------------------------------------------------------------------------------
# Dependencies: a `source` field names a target, so that changes of it are seen.
# -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SourceDependencyFieldSet(FieldSet):
    required_fields = (SourceAddressField,)

    source: SourceAddressField


class InferSourceDependencyRequest(InferDependenciesRequest):  # type: ignore[type-arg]
    infer_from = SourceDependencyFieldSet


@rule
async def infer_source_dependency(request: InferSourceDependencyRequest) -> InferredDependencies:
    field_set = request.field_set
    addresses = await resolve_unparsed_address_inputs(
        UnparsedAddressInputs(
            [field_set.source.value],
            owning_address=field_set.address,
            description_of_origin=f"the `source` field of {field_set.address}",
        ),
        **implicitly(),
    )
    return InferredDependencies(addresses)


def rules() -> Iterable[Any]:
    return [
        *collect_rules(),
        UnionRule(PackageFieldSet, PythonDistributionBuildFieldSet),
        UnionRule(InferDependenciesRequest, InferSourceDependencyRequest),
    ]
