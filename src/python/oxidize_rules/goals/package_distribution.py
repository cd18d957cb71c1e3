"""`package` for `python_distribution_archive` targets: the archive itself, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable

from pants.core.goals.package import (
    BuiltPackage,
    BuiltPackageArtifact,
    OutputPathField,
    PackageFieldSet,
)
from pants.engine.fs import CreateDigest, FileEntry
from pants.engine.unions import UnionRule
from pants.util.logging import LogLevel

from oxidize_rules.compat import (
    collect_rules,
    create_digest,
    get_digest_entries,
    implicitly,
    rule,
)
from oxidize_rules.distribution_targets import ArchiveSourceField, ArchiveUrlField
from oxidize_rules.util_rules.distribution import (
    DistributionArchiveRequest,
    PythonDistributionRequest,
    get_distribution_archive,
    load_python_distribution,
)


@dataclass(frozen=True)
class PackageDistributionFieldSet(PackageFieldSet):
    required_fields = (ArchiveUrlField, ArchiveSourceField)

    output_path: OutputPathField


@rule(desc="Package a `python_distribution_archive` target", level=LogLevel.DEBUG)
async def package_distribution_archive(field_set: PackageDistributionFieldSet) -> BuiltPackage:
    # Loading it is the check: what is packaged can be built with.
    distribution = await load_python_distribution(
        PythonDistributionRequest(field_set.address), **implicitly()
    )
    archive = await get_distribution_archive(
        DistributionArchiveRequest(field_set.address), **implicitly()
    )
    output = field_set.output_path.value_or_default(file_ending="tar.zst")
    entries = await get_digest_entries(archive.digest)
    digest = await create_digest(
        CreateDigest(
            [FileEntry(output, one.file_digest) for one in entries if isinstance(one, FileEntry)]
        )
    )
    described = f"  Python {distribution.python_version}, {distribution.target_triple}"
    return BuiltPackage(digest, (BuiltPackageArtifact(output, extra_log_lines=(described,)),))


def rules() -> Iterable[object]:
    return [*collect_rules(), UnionRule(PackageFieldSet, PackageDistributionFieldSet)]
