"""The `python_distribution_archive` target: what executables are made from."""

from __future__ import annotations

import re
from typing import Optional, Tuple, Type

from pants.core.goals.package import OutputPathField
from pants.engine.addresses import Address
from pants.engine.target import (
    COMMON_TARGET_FIELDS,
    InvalidFieldException,
    InvalidTargetException,
    StringField,
    Target,
)
from pants.util.docutil import bin_name
from pants.util.strutil import help_text, softwrap

from oxidize_rules.compat import EnvironmentField
from oxidize_rules.download_fields import Sha256Field, SizeField

# What an executable's objects may be for. The micro-architecture levels of x86_64
# (`x86_64_v2-...`) are read as x86_64: their objects link the same way.
SUPPORTED_TRIPLES = (
    "x86_64-unknown-linux-musl",
    "x86_64-unknown-linux-gnu",
    "aarch64-unknown-linux-musl",
    "aarch64-unknown-linux-gnu",
)

_ARCHIVE = "python_distribution_archive"
_ARCHIVE_SUFFIX = ".tar.zst"


class ArchiveUrlField(StringField):
    alias = "url"
    help = help_text(
        """
        Where the archive is downloaded from (http or https). Needs `sha256`; give `size` too, so
        that a download can show its progress and stop when it is not the right file.

        Either this or `source` must be set.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[str], address: Address) -> Optional[str]:
        value = super().compute_value(raw_value, address)
        if value is not None and not re.match(r"https?://[^/]+/.", value):
            raise InvalidFieldException(
                softwrap(
                    f"""
                    The `{cls.alias}` field of the `python_distribution_archive` target {address}
                    is `{value}`, but an address that begins with `https://` or `http://` is
                    expected.

                    To fix, give the whole URL; for a file in the repository use the
                    `{ArchiveSourceField.alias}` field.
                    """
                )
            )
        return value


class ArchiveSourceField(StringField):
    alias = "source"
    help = help_text(
        """
        The archive itself: a file beside the BUILD file or below it (`"cpython.tar.zst"`), or the
        address of a target that makes one (`":python-build"`): a `python_distribution_build`, or a
        target with the archive as its one source file, such as `file`.

        Either this or `url` must be set.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[str], address: Address) -> Optional[str]:
        value = super().compute_value(raw_value, address)
        if value is None or value.startswith("//") or ":" in value:
            return value
        if value.startswith("/") or ".." in value.split("/") or not value.strip("./"):
            raise InvalidFieldException(
                softwrap(
                    f"""
                    The `{cls.alias}` field of the `python_distribution_archive` target {address}
                    is `{value}`, but a file beside the BUILD file or below it is expected, or the
                    address of a target.

                    To fix, put the file there, or name the address of a `file` target for it.
                    """
                )
            )
        return value


class ArchiveSha256Field(Sha256Field):
    target = _ARCHIVE
    help = help_text(
        """
        The archive's sha256 hash: 64 hexadecimal digits, lower case. Required with `url`; checked
        with `source` if set.
        """
    )


class ArchiveSizeField(SizeField):
    target = _ARCHIVE
    help = "The archive's size in bytes. Checked if set."


class ArchiveTargetTripleField(StringField):
    alias = "target_triple"
    valid_choices = SUPPORTED_TRIPLES
    help = help_text(
        """
        What the distribution runs on. If set, it must be what the archive's `PYTHON.json` says.
        """
    )


class PythonDistributionArchiveTarget(Target):
    alias = _ARCHIVE
    core_fields = (
        *COMMON_TARGET_FIELDS,
        OutputPathField,
        EnvironmentField,
        ArchiveUrlField,
        ArchiveSourceField,
        ArchiveSha256Field,
        ArchiveSizeField,
        ArchiveTargetTripleField,
    )
    help = help_text(
        f"""
        A Python distribution as python-build-standalone's *full* archives have it: interpreter,
        standard library, object files and licences, in a `{_ARCHIVE_SUFFIX}` with a `PYTHON.json`.

        An `oxidized_binary` is made from one. Example:

            python_distribution_archive(
                name="python3.13-musl",
                url="https://github.com/astral-sh/python-build-standalone/releases/download/...",
                sha256="...",
                size=36737124,
                target_triple="x86_64-unknown-linux-musl",
            )

        Formats 7 and 8 of `PYTHON.json` are read, for Linux on x86_64 and aarch64. Archives with
        LLVM bitcode (build option `lto`) need a toolchain whose LLVM is at least as new as the one
        that wrote them. `{bin_name()} package` writes the checked archive to `dist/`.
        """
    )

    def validate(self) -> None:
        url, source = self[ArchiveUrlField].value, self[ArchiveSourceField].value
        if bool(url) == bool(source):
            found = "both" if url else "neither"
            remedy = "remove one of them" if url else "set one of them"
            raise InvalidTargetException(
                softwrap(
                    f"""
                    The `{self.alias}` target {self.address} sets {found} of
                    `{ArchiveUrlField.alias}` and `{ArchiveSourceField.alias}`, but exactly one is
                    expected.

                    To fix, {remedy}.
                    """
                )
            )
        if url and not self[ArchiveSha256Field].value:
            raise InvalidTargetException(
                softwrap(
                    f"""
                    The `{self.alias}` target {self.address} has a `{ArchiveUrlField.alias}` but no
                    `{ArchiveSha256Field.alias}`: a download must be pinned.

                    To fix, add the hash from the release's `SHA256SUMS`.
                    """
                )
            )


def target_types() -> Tuple[Type[Target], ...]:
    return (PythonDistributionArchiveTarget,)
