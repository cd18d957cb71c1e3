"""Tells before the link which modules cannot be imported, since something was left out.

Runs beside the image step and looks only at what components tell of imports: an edit that changes
no import and moves none does not rerun it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Iterable, Optional, Tuple

from pants.engine.addresses import Address
from pants.engine.fs import FileContent
from pants.util.logging import LogLevel

from oxidize_rules.compat import collect_rules, get_digest_contents, implicitly, rule
from oxidize_rules.util_rules import component_program
from oxidize_rules.util_rules.component import IMPORTS_FILE, Component
from oxidize_rules.util_rules.component_program import (
    ComponentProgramRequest,
    ToldFiles,
    run_component_program,
)
from oxidize_rules.util_rules.content import Dropped
from oxidize_rules.util_rules.inittab import LeftOutExtension

_CONTENT, _REPORT = "content.json", "report.json"


@dataclass(frozen=True)
class CheckImportsRequest:
    """What is in a binary, `components` and `builtin` extension modules; and what is not.

    `entry`: the module that it runs. `left_out`: globs of what of the standard library is left out
    by default. `named`: whether the standard library has only what `include_stdlib` names.
    """

    address: Address
    distribution: Address
    components: Tuple[Component, ...]
    entry: Optional[str]
    dropped: Tuple[Dropped, ...]
    extensions: Tuple[LeftOutExtension, ...]
    builtin: Tuple[str, ...]
    left_out: Tuple[str, ...]
    named: bool


@dataclass(frozen=True)
class CheckedImports:
    warnings: Tuple[str, ...]


@rule(desc="Check imports of what was left out", level=LogLevel.DEBUG)
async def check_imports(request: CheckImportsRequest) -> CheckedImports:
    content = {
        "entry": request.entry,
        "dropped": [[one.component, one.field, one.modules] for one in request.dropped],
        "extensions": [[one.name, one.field, one.why] for one in request.extensions],
        "builtin": request.builtin,
        "left_out": request.left_out,
        "named": request.named,
    }
    result = await run_component_program(
        ComponentProgramRequest(
            address=request.address,
            distribution=request.distribution,
            program="images.import_check",
            told=ToldFiles(
                "--imports",
                "imports",
                IMPORTS_FILE,
                tuple((one.symbol_id, one.imports) for one in request.components),
            ),
            files=(FileContent(_CONTENT, json.dumps(content, sort_keys=True).encode()),),
            arguments=("--content", _CONTENT, "--output", _REPORT),
            outputs=(_REPORT,),
            description=f"Check the imports of {request.address}",
            doing="check its imports",
        ),
        **implicitly(),
    )
    (report,) = await get_digest_contents(result.digest)
    return CheckedImports(tuple(json.loads(report.content)["warnings"]))


def rules() -> Iterable[object]:
    return [*collect_rules(), *component_program.rules()]
