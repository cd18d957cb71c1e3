"""Options of the plugin as a whole."""

from __future__ import annotations

from typing import Iterable

from pants.option.option_types import DictOption
from pants.option.subsystem import Subsystem
from pants.util.strutil import help_text, softwrap


class OxidizeSubsystem(Subsystem):
    options_scope = "oxidize"
    help = help_text(
        """
        Python applications as single native executables (the `oxidized_binary` target).
        """
    )

    default_distributions = DictOption[str](
        help=softwrap(
            """
            Which Python distribution serves a target triple when an `oxidized_binary` target does
            not say so in its `distribution` field: a dict from triple to address.

            For example `{"x86_64-unknown-linux-musl": "//toolchains:python3.13-musl"}`.
            """
        ),
    )


def rules() -> Iterable[object]:
    return OxidizeSubsystem.rules()
