"""Fields of `oxidized_binary`: where the executable runs, and the file itself."""

from __future__ import annotations

import re
from typing import Optional

from pants.engine.addresses import Address
from pants.engine.target import AsyncFieldMixin, BoolField, StringField, StringSequenceField
from pants.util.docutil import bin_name
from pants.util.strutil import help_text

from oxidize_rules.field_errors import invalid_field, nearest, one_of

MUSL_X86_64 = "x86_64-unknown-linux-musl"


GNU_X86_64 = "x86_64-unknown-linux-gnu"


# The triples that a binary can be made for.
TARGET_TRIPLES = (MUSL_X86_64, GNU_X86_64)


# When a static executable has a dynamic loader inside.
DYNAMIC_LOADING = ("auto", "always", "never")


_GLIBC_VERSION = re.compile(r"2\.(\d+)\Z")


_LOWEST_GLIBC_MINOR = 17


class TargetTripleField(StringField):
    alias = "target_triple"
    default = MUSL_X86_64
    help = help_text(
        f"""
        The system that the executable runs on.

          * `{MUSL_X86_64}` (default): statically linked, runs on any Linux, also in an empty
            container;
          * `{GNU_X86_64}`: runs on any Linux with glibc 2.17 or newer, or with the version that
            the `glibc_floor` field says.

        Make one executable for each by `target_triple=parametrize("{MUSL_X86_64}",
        "{GNU_X86_64}")`, or with shorter names by `parametrize(musl="{MUSL_X86_64}",
        gnu="{GNU_X86_64}")`.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[str], address: Address) -> str:
        value = super().compute_value(raw_value, address) or cls.default
        assert value is not None
        if value not in TARGET_TRIPLES:
            raise invalid_field(
                address,
                cls.alias,
                found=f"`{value}`",
                expected=f"the triples that a binary can be made for are {one_of(TARGET_TRIPLES)}",
                remedy=f"use one of them, perhaps `{nearest(value, TARGET_TRIPLES)}`",
            )
        return value


class BinaryDistributionField(StringField, AsyncFieldMixin):
    alias = "distribution"
    help = help_text(
        """
        The address of the Python distribution that the executable is made from: a
        `python_distribution_archive` for the same `target_triple`.

        If not defined, the option `[oxidize].default_distributions` says which distribution
        serves which triple.
        """
    )


class GlibcFloorField(StringField):
    alias = "glibc_floor"
    help = help_text(
        """
        The oldest glibc that the executable must run with, such as `"2.17"`. It means nothing for
        musl.

        If not defined, the floor of the distribution. Only wheels up to it are chosen
        (`manylinux_2_17`); the build fails, and names the symbol, if something in the executable
        needs a newer glibc.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[str], address: Address) -> Optional[str]:
        value = super().compute_value(raw_value, address)
        if value is None:
            return None
        match = _GLIBC_VERSION.match(value)
        if match is None or int(match.group(1)) < _LOWEST_GLIBC_MINOR:
            raise invalid_field(
                address,
                cls.alias,
                found=f"`{value}`",
                expected=f"it must be a glibc version from `2.{_LOWEST_GLIBC_MINOR}` on",
                remedy='write it as `"2.17"`, or leave the field off',
            )
        return value


class StripField(BoolField):
    alias = "strip"
    default = True
    help = help_text(
        """
        Whether the linker leaves out symbols that only debuggers and profilers read.
        """
    )


class DynamicLoadingField(StringField):
    alias = "dynamic_loading"
    default = "auto"
    valid_choices = DYNAMIC_LOADING
    help = help_text(
        f"""
        Whether a static executable has a dynamic loader inside. Only `{MUSL_X86_64}` has the
        choice: with glibc the machine's own loader starts the executable, so it is always there.

          * `auto` (default): if a wheel or a first-party folder has a native file;
          * `always`: also for shared libraries that are not inside, such as those that `ctypes`
            opens by their paths;
          * `never`: a smaller executable without any. The build fails if something inside needs it.

        The loader opens libraries straight from the executable and writes nothing. It costs the
        tables of the symbols that libraries may use, and less than a millisecond at start; the
        documentation has figures.
        """
    )


class DebugInfoField(BoolField):
    alias = "debug_info"
    default = False
    help = help_text(
        f"""
        Whether `{bin_name()} package` also writes a symbol file beside the executable, named like
        it with `.debug` at the end.

        Debuggers and profilers such as `gdb` and `perf` find it by the build id, which both files
        then have. It holds the names of functions, and source lines for those parts that were
        compiled with them. What the executable loads and how it behaves does not change.
        """
    )


class LinkArgsField(StringSequenceField):
    alias = "link_args"
    help = help_text(
        """
        Arguments for the linker (LLVM's `ld.lld`), put before the objects, such as
        `link_args=["--build-id=sha1"]`. For what the other fields cannot say.
        """
    )
