"""Tells before the link which modules cannot be imported, since something was left out.

Runs beside the image step and looks only at what components tell of imports: an edit that changes
no import and moves none does not rerun it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Iterable, Optional, Tuple

from pants.engine.addresses import Address
from pants.engine.fs import AddPrefix, CreateDigest, FileContent, MergeDigests
from pants.engine.process import Process
from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel

from oxidize_rules.compat import (
    add_prefix,
    collect_rules,
    concurrently,
    create_digest,
    execute_process,
    get_digest_contents,
    implicitly,
    merge_digests,
    rule,
)
from oxidize_rules.util_rules.component import IMPORTS_FILE, Component
from oxidize_rules.util_rules.content import Dropped
from oxidize_rules.util_rules.host_python import HostPythonRequest, find_host_python
from oxidize_rules.util_rules.inittab import LeftOutExtension
from oxidize_rules.util_rules.sandbox_program import (
    PROGRAMS_DIR,
    SandboxProgramRequest,
    prepare_sandbox_program,
    raise_on_failure,
)

# Modules of `oxidize_rules.sandbox` that make up the program.
_PROGRAM = (
    *("component", "content", "elf_object", "image", "import_check", "imports"),
    *("interpreter_config", "options", "settings", "tree"),
)
_CONTENT, _LIST, _REPORT = "content.json", "imports.txt", "report.json"


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
    program, python = await concurrently(
        prepare_sandbox_program(SandboxProgramRequest(_PROGRAM), **implicitly()),
        find_host_python(HostPythonRequest(request.distribution), **implicitly()),
    )
    folders = [f"imports/{component.symbol_id}" for component in request.components]
    imports = await concurrently(
        add_prefix(AddPrefix(component.imports, folder))
        for component, folder in zip(request.components, folders)
    )
    told = {
        "entry": request.entry,
        "dropped": [[one.component, one.field, one.modules] for one in request.dropped],
        "extensions": [[one.name, one.field, one.why] for one in request.extensions],
        "builtin": request.builtin,
        "left_out": request.left_out,
        "named": request.named,
    }
    lists = await create_digest(
        CreateDigest(
            [
                FileContent(_CONTENT, json.dumps(told, sort_keys=True).encode()),
                FileContent(
                    _LIST, "".join(f"{folder}/{IMPORTS_FILE}\n" for folder in folders).encode()
                ),
            ]
        )
    )
    result = await execute_process(
        Process(
            argv=(
                *python.argv("import_check"),
                *("--imports", f"@{_LIST}"),
                *("--content", _CONTENT),
                *("--output", _REPORT),
            ),
            env=python.env,
            input_digest=await merge_digests(MergeDigests([*imports, lists])),
            immutable_input_digests=FrozenDict(
                {**python.immutable_input_digests, PROGRAMS_DIR: program.digest}
            ),
            output_files=(_REPORT,),
            description=f"Check the imports of {request.address}",
            level=LogLevel.DEBUG,
        ),
        **implicitly(),
    )
    raise_on_failure(result, where=str(request.address), doing="check its imports")
    (report,) = await get_digest_contents(result.output_digest)
    return CheckedImports(tuple(json.loads(report.content)["warnings"]))


def rules() -> Iterable[object]:
    return collect_rules()
