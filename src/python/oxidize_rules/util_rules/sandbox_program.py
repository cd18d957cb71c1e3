"""Sandbox programs: which files a process needs to run one, and how its failure is told.

A program is a module below `oxidize_rules.sandbox`. Only it and what it imports from there travel
into the sandbox, so that a change to one program reruns the steps of that program alone.
"""

from __future__ import annotations

import ast
import functools
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Dict, Iterator, List, Tuple

from pants.engine.fs import CreateDigest, Digest, FileContent
from pants.engine.process import FallibleProcessResult

from oxidize_rules import sandbox
from oxidize_rules.compat import collect_rules, create_digest, rule
from oxidize_rules.sandbox.errors import EXIT_USER_ERROR

# Where programs stand in a sandbox: an immutable input of this name, and PYTHONPATH.
PROGRAMS_DIR = "__programs"
_PACKAGE = f"{sandbox.__name__}."
_FOLDER = Path(sandbox.__file__ or "").parent


class OxidizeError(Exception):
    """A build that cannot go on, told to the user: address, field, found, expected, remedy."""


@dataclass(frozen=True)
class SandboxProgramRequest:
    """`name`: a module, without `oxidize_rules.sandbox`, as `wheels.wheel_resolve`."""

    name: str


@dataclass(frozen=True)
class SandboxProgram:
    """`digest` holds the files of the program and of all that it imports below `oxidize_rules`, to
    be put at `PROGRAMS_DIR`."""

    digest: Digest


def imported_modules(source: bytes) -> Iterator[str]:
    """The modules below `oxidize_rules.sandbox` that a module imports, in functions too; not those
    that only type checkers see. A name of a package that is imported may be no module."""
    todo: List[ast.AST] = [ast.parse(source)]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            todo.extend(node.orelse)
            continue
        if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith(_PACKAGE):
            name = f"{node.module}."[len(_PACKAGE) :]
            yield from (f"{name}{alias.name}" for alias in node.names)
            if name:
                yield name.rstrip(".")
        # An expression has no statements in it.
        todo.extend(one for one in ast.iter_child_nodes(node) if not isinstance(one, ast.expr))


@functools.cache
def _read_module(path: Path) -> Tuple[bytes, Tuple[str, ...]]:
    """A file's content, and what it imports: programs have most of their modules in common."""
    source = path.read_bytes()
    return source, tuple(imported_modules(source))


def needed_modules(program: str) -> List[FileContent]:
    """The program's module and all that it imports below `oxidize_rules.sandbox`, at any distance,
    with the packages that they are in. Sorted by path."""
    found: Dict[str, bytes] = {}
    todo = [program]
    while todo:
        name = todo.pop()
        path = f"{name.replace('.', '/')}.py"
        if path in found or not _FOLDER.joinpath(path).is_file():
            continue
        found[path], imported = _read_module(_FOLDER / path)
        todo.extend(imported)
    if not found:
        raise ValueError(f"there is no sandbox program {program!r}")
    files = {PurePosixPath("oxidize_rules/sandbox", path): found[path] for path in found}
    # What packages say of themselves is for people.
    packages = {folder for path in files for folder in path.parents if folder.name}
    files.update({folder / "__init__.py": b"" for folder in packages})
    return [FileContent(str(path), files[path]) for path in sorted(files)]


@rule
async def prepare_sandbox_program(request: SandboxProgramRequest) -> SandboxProgram:
    digest = await create_digest(CreateDigest(needed_modules(request.name)))
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
