"""For tests: distributions through the real rules, with
`sandbox/distribution/testing_archives.py`'s archives.

`PANTS_PEX_CLI_URL_TEMPLATE` names the pex, as `build-support/test` sets it.
"""

from __future__ import annotations

import os
from typing import Any, Sequence

from pants.backend.python.util_rules import pex
from pants.backend.shell.target_types import ShellCommandTarget
from pants.core.target_types import FileTarget, GenericTarget
from pants.core.util_rules import source_files
from pants.testutil.rule_runner import RuleRunner

from oxidize_rules import distribution_targets, native_targets
from oxidize_rules.util_rules import (
    distribution,
    distribution_build,
    fetch,
    recipe,
    sandbox_program,
    source_archive,
    static_library,
    sysroot,
    tools_pex,
    zig,
)
from oxidize_rules.util_rules.testing_pex import pinned_pex


def declared(name: str, **fields: Any) -> str:
    """A `python_distribution_archive` target as a BUILD file has it, without the fields None."""
    written = "".join(f", {key}={value!r}" for key, value in fields.items() if value is not None)
    return f"python_distribution_archive(name={name!r}{written})\n"


def distribution_runner(*rules: object, options: Sequence[str] = ()) -> RuleRunner:
    """A runner with all that loading a distribution takes, and with further rules."""
    runner = RuleRunner(
        rules=[
            *distribution.rules(),
            *distribution_build.rules(),
            *fetch.rules(),
            *pex.rules(),
            *recipe.rules(),
            *sandbox_program.rules(),  # type: ignore[no-untyped-call]
            *source_archive.rules(),
            *source_files.rules(),
            *static_library.rules(),
            *sysroot.rules(),
            *tools_pex.rules(),
            *zig.rules(),
            *rules,
        ],
        target_types=[
            *distribution_targets.target_types(),
            *native_targets.target_types(),
            FileTarget,
            GenericTarget,
            ShellCommandTarget,
        ],
    )
    pinned = [] if "PANTS_PEX_CLI_KNOWN_VERSIONS" in os.environ else pinned_pex()
    runner.set_options([*pinned, *options], env_inherit=set(os.environ))
    return runner
