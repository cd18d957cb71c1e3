"""Targets for what is built from source: archives of sources, C libraries, Python distributions."""

from __future__ import annotations

import re
from typing import Optional

from pants.core.goals.package import OutputPathField
from pants.engine.addresses import Address
from pants.engine.target import (
    COMMON_TARGET_FIELDS,
    Dependencies,
    InvalidFieldException,
    SingleSourceField,
    SpecialCasedDependencies,
    StringField,
    StringSequenceField,
    Target,
)
from pants.util.docutil import bin_name
from pants.util.strutil import help_text

from oxidize_rules.compat import EnvironmentField
from oxidize_rules.download_fields import Sha256Field, SizeField

# -----------------------------------------------------------------------------------------------
# `source_archive`
# -----------------------------------------------------------------------------------------------

_SOURCE_ARCHIVE = "source_archive"


class SourceUrlsField(StringSequenceField):
    alias = "urls"
    help = help_text(
        """
        Where the archive can be downloaded, best place first. A place that does not answer is not
        waited for; the next one is asked.
        """
    )


class SourceDebianPathField(StringField):
    alias = "debian"
    help = help_text(
        """
        The archive's path in Debian's source pool, such as
        `pool/main/b/bzip2/bzip2_1.0.8.orig.tar.gz`. It is asked for after the `urls`, on the
        mirrors that apt of the building machine is configured with.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[str], address: Address) -> Optional[str]:
        value = super().compute_value(raw_value, address)
        if value is not None and (not value.startswith("pool/") or ".." in value):
            raise InvalidFieldException(
                f"The `{cls.alias}` field of {address} is {value!r}, but a path within Debian's "
                "archive is expected. To fix, give it as `pool/main/<letter>/<package>/<file>`."
            )
        return value


class SourceSha256Field(Sha256Field):
    target = _SOURCE_ARCHIVE
    required = True
    value: str
    help = "The archive's sha256 hash, as 64 lower-case hexadecimal digits."


class SourceSizeField(SizeField):
    target = _SOURCE_ARCHIVE
    help = "The archive's size in bytes. A download that exceeds it is broken off."


class SourceArchiveTarget(Target):
    alias = _SOURCE_ARCHIVE
    core_fields = (
        *COMMON_TARGET_FIELDS,
        SourceUrlsField,
        SourceDebianPathField,
        SourceSha256Field,
        SourceSizeField,
    )
    help = help_text(
        """
        A tar archive of sources, pinned by hash.

        It is downloaded when a `static_library` or a `python_distribution_build` target needs it,
        from the first place that has it: the `urls`, then Debian's source pool.
        """
    )


# -----------------------------------------------------------------------------------------------
# `static_library`
# -----------------------------------------------------------------------------------------------


class SourceAddressField(StringField):
    alias = "source"
    required = True
    value: str
    help = "The address of the `source_archive` target with the sources."


class RecipeField(SingleSourceField):
    alias = "recipe"
    required = True
    expected_file_extensions = (".sh",)
    uses_source_roots = False
    help = help_text(
        """
        The shell script that builds, from `source/` (the unpacked sources) and `deps/` (include/
        and lib/ of the libraries it depends on), into `out/` (include/, lib/, licenses/).

        It runs with `sh -eu`. CC, CXX, AR, RANLIB, HOST_CC, CFLAGS, TARGET_TRIPLE, GNU_TRIPLE,
        BUILD_GNU_TRIPLE, JOBS and SOURCE_DATE_EPOCH are set. A line `# Needs: make perl` names
        programs of the building machine, which are checked first.
        """
    )


class StaticLibraryDependenciesField(Dependencies):
    help = "The `static_library` targets whose headers and archives the recipe reads."


class StaticLibraryTarget(Target):
    alias = "static_library"
    core_fields = (
        *COMMON_TARGET_FIELDS,
        SourceAddressField,
        RecipeField,
        StaticLibraryDependenciesField,
    )
    help = help_text(
        """
        A C library, built from source as a static archive.

        It is built once for each target triple and glibc floor that asks for it, in a step of its
        own, so that a change of one library does not build the others again.
        """
    )


# -----------------------------------------------------------------------------------------------
# `python_distribution_build`
# -----------------------------------------------------------------------------------------------


class BuildDependenciesField(Dependencies):
    pass


class BuildLibrariesField(SpecialCasedDependencies):
    alias = "libraries"
    help = help_text(
        """
        The `static_library` targets that the standard library's extension modules use. What they
        depend on is included.
        """
    )


class BuildTargetTripleField(StringField):
    alias = "target_triple"
    required = True
    value: str
    valid_choices = (
        "x86_64-unknown-linux-musl",
        "x86_64-unknown-linux-gnu",
        "aarch64-unknown-linux-musl",
        "aarch64-unknown-linux-gnu",
    )
    help = "What the distribution runs on."


class BuildGlibcFloorField(StringField):
    alias = "glibc_floor"
    help = help_text(
        """
        The oldest glibc that the distribution runs on, such as `2.17`. Required for a `-gnu`
        triple, and not allowed for a `-musl` one.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[str], address: Address) -> Optional[str]:
        value = super().compute_value(raw_value, address)
        if value is not None and not re.fullmatch(r"2\.[0-9]{1,2}", value):
            raise InvalidFieldException(
                f"The `{cls.alias}` field of {address} is {value!r}, but a version of glibc such "
                "as '2.17' is expected."
            )
        return value


class PythonDistributionBuildTarget(Target):
    alias = "python_distribution_build"
    core_fields = (
        *COMMON_TARGET_FIELDS,
        OutputPathField,
        EnvironmentField,
        SourceAddressField,
        RecipeField,
        BuildDependenciesField,
        BuildLibrariesField,
        BuildTargetTripleField,
        BuildGlibcFloorField,
    )
    help = help_text(
        f"""
        A Python distribution, built from source.

        The result is an archive in the format of python-build-standalone's full archives. Name
        this target as the `source` of a `python_distribution_archive` target to make executables
        with it; `{bin_name()} package` writes the archive itself to `dist/`.
        """
    )

    def validate(self) -> None:
        triple = self[BuildTargetTripleField].value
        floor = self[BuildGlibcFloorField].value
        if triple.endswith("-gnu") and floor is None:
            raise InvalidFieldException(
                f"{self.address}: `{BuildGlibcFloorField.alias}` is missing for {triple}. "
                "To fix, give the oldest glibc that is to be supported, such as '2.17'."
            )
        if triple.endswith("-musl") and floor is not None:
            raise InvalidFieldException(
                f"{self.address}: `{BuildGlibcFloorField.alias}` is {floor!r}, but {triple} does "
                "not use glibc. To fix, remove the field."
            )


def target_types() -> list[type[Target]]:
    return [SourceArchiveTarget, StaticLibraryTarget, PythonDistributionBuildTarget]
