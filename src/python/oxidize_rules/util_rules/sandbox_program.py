"""Sandbox programs: which files a process needs to run one, and how its failure is told.

A program is a module of `oxidize_rules.sandbox`. Only it and what it imports from there travel into
the sandbox, so that a change to one program reruns the steps of that program alone.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from importlib.resources import read_binary
from typing import Iterator, List, Set

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
    """`name`: a module within `oxidize_rules.sandbox`."""

    name: str


@dataclass(frozen=True)
class SandboxProgram:
    """`digest` holds `oxidize_rules/sandbox/<module>.py` of the program and of all that it imports,
    to be put at `PROGRAMS_DIR`."""

    digest: Digest


def imported_modules(source: bytes) -> Iterator[str]:
    """The modules of `oxidize_rules.sandbox` that a module imports, in functions too; not those
    that only type checkers see."""
    todo: List[ast.AST] = [ast.parse(source)]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            todo.extend(node.orelse)
            continue
        if isinstance(node, ast.ImportFrom) and node.module == sandbox.__name__:
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            package, _, name = node.module.rpartition(".")
            if package == sandbox.__name__:
                yield name
        todo.extend(ast.iter_child_nodes(node))


def needed_modules(program: str) -> List[FileContent]:
    """The program's module and all that it imports from the package, at any distance, by name."""
    found: List[FileContent] = []
    seen: Set[str] = set()
    todo = [program]
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        source = read_binary(sandbox, f"{name}.py")
        found.append(FileContent(f"oxidize_rules/sandbox/{name}.py", source))
        todo.extend(imported_modules(source))
    return sorted(found, key=lambda file: file.path)


@rule
async def prepare_sandbox_program(request: SandboxProgramRequest) -> SandboxProgram:
    digest = await create_digest(
        CreateDigest(
            [
                FileContent("oxidize_rules/__init__.py", b""),
                FileContent("oxidize_rules/sandbox/__init__.py", b""),
                *needed_modules(request.name),
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
