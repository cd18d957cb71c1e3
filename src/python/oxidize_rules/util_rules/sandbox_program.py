"""Sandbox programs: which files a process needs to run one, and how its failure is told.

A program is a module of `oxidize_rules.sandbox`. Only the modules that it names travel into the
sandbox, so that a change to one program reruns the steps of that program alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import read_binary
from typing import Tuple

from pants.engine.fs import CreateDigest, Digest, FileContent
from pants.engine.process import FallibleProcessResult

from oxidize_rules import sandbox
from oxidize_rules.compat import collect_rules, create_digest, rule
from oxidize_rules.sandbox.errors import EXIT_USER_ERROR

# Where programs stand in a sandbox: an immutable input of this name, and PYTHONPATH.
PROGRAMS_DIR = "__programs"


class OxidizeError(Exception):
    """A build that cannot go on, told to the user: address, field, found, expected, remedy."""


@dataclass(frozen=True)
class SandboxProgramRequest:
    """`modules`: names within `oxidize_rules.sandbox`, the program's own and what it imports."""

    modules: Tuple[str, ...]


@dataclass(frozen=True)
class SandboxProgram:
    """`digest` holds `oxidize_rules/sandbox/<module>.py`, to be put at `PROGRAMS_DIR`."""

    digest: Digest


@rule
async def prepare_sandbox_program(request: SandboxProgramRequest) -> SandboxProgram:
    modules = sorted({"errors", *request.modules})
    digest = await create_digest(
        CreateDigest(
            [
                FileContent("oxidize_rules/__init__.py", b""),
                FileContent("oxidize_rules/sandbox/__init__.py", b""),
                *(
                    FileContent(
                        f"oxidize_rules/sandbox/{module}.py",
                        read_binary(sandbox, f"{module}.py"),
                    )
                    for module in modules
                ),
            ]
        )
    )
    return SandboxProgram(digest)


def raise_on_failure(result: FallibleProcessResult, *, where: str, doing: str) -> None:
    """Turns a failed sandbox program into an error for the user.

    `where` is the target's address, `doing` names the step ("unpack the archive"). A user error
    of the program (see `sandbox/errors.py`) is shown as it is; anything else is a defect of ours
    and is shown whole.
    """
    if result.exit_code == 0:
        return
    message = result.stderr.decode(errors="replace").strip()
    if result.exit_code == EXIT_USER_ERROR:
        raise OxidizeError(f"{where}: {message}")
    output = result.stdout.decode(errors="replace").strip()
    raise OxidizeError(
        f"{where}: could not {doing}: exit code {result.exit_code}.\n{output}\n{message}"
    )


def rules():  # type: ignore[no-untyped-def]
    return collect_rules()
