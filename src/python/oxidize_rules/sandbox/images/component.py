"""Turns one component of an executable into a payload object and a manifest.

    python -m oxidize_rules.sandbox.images.component --name NAME --root ROOT --input PATH --kind
        KIND --optimization 0|1|2 --sources yes|no --machine x86_64|aarch64
        [--compress yes|no] [--path-entry FOLDER] [--exclude GLOB...]
        [--leave-out MODULES... [--only MODULES...]] [--strict] --output payload.o
        --manifest manifest.json [--native native.json] [--imports imports.json]

A component is the standard library, one wheel, or one first-party folder. Its files are laid out
as an installation has them, below ROOT in the image: `x.py` and `__pycache__/x.<tag>.pyc`, compiled
by the Python that runs this program. Without sources there is `x.pyc` instead, as CPython's own
importer expects it. With `--compress yes` sources are stored in zlib's format (RFC 1950), where
that is smaller: imports do not read them.

KIND is `stdlib` (a tree, without what an executable has no use for), `wheel` (a `.whl`, or a folder
with its content), `tree` (a folder with all below it) or `folder` (a folder's own files only).
`--strict` makes a module that does not compile an error; without it the module goes in as source
alone, and importing it raises what it would raise on disk. `--path-entry` is the folder of the
image that stands on sys.path and that module names in the manifest begin at (default: ROOT).

native.json has what the manifest tells of native files (`component`, `native`), and `loadable`:
whether one is a library for the machine. Steps that look at libraries read it alone.

imports.json tells of each module its file and imports; `sandbox/images/import_check.py` has its
format.

GLOBs are relative to the input; one that matches a folder leaves out all below it; `*` stays
within a folder's name, `**/` stands for any folders. MODULES are globs of modules, as
`sandbox/images/content.py` has them, for a `stdlib`: without `--only`, those that `--leave-out`
means stay out; with it, only what both mean goes in. The manifest's format is told in
`docs/design.md`.
"""

from __future__ import annotations

import _imp
import hashlib
import importlib.util
import json
import marshal
import os
import sys

from oxidize_rules.sandbox.elf_object import Section, page_size, write_object
from oxidize_rules.sandbox.errors import UserError, run
from oxidize_rules.sandbox.images.tree import TreeFile, read_tree
from oxidize_rules.sandbox.options import parse_options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from types import CodeType
    from typing import Any, Optional, Union

    from oxidize_rules.sandbox.images.imports import Import

    # A failure to compile: line (0: unknown) and message.
    Failure = tuple[int, str]
    # Bytecode, names bound at the module's top level (None: cannot be known), failure, imports.
    Compiled = tuple[Optional[bytes], Optional[tuple[str, ...]], Optional[Failure], list[Import]]
    Buffer = Union[bytes, memoryview]

FORMAT = 2
IMAGE_ROOT = "/.oxidized"
KINDS = ("stdlib", "wheel", "tree", "folder")

# Names whose use at a module's top level means that the names it binds cannot be read off its code.
_DYNAMIC_NAMES = {"exec", "globals", "locals", "modules", "vars", "__dict__", "__getattr__"}

_CODE, _DATA, _SOURCE, _NATIVE = range(4)
_CODE_ALIGNMENT = 16
_COMPRESSION_LEVEL = 9
_CHECKED_BY_NOBODY = (1).to_bytes(4, "little")  # PEP 552: hash-based, never compared
_PARALLEL_FROM = 64  # modules; below it a second process costs more than it saves
# Before 3.11, one-character strings are marshalled in one of two ways, by the process's history.
_PARALLEL = sys.version_info >= (3, 11)
# `_imp.source_hash` wants the magic number as an integer.
_RAW_MAGIC = int.from_bytes(importlib.util.MAGIC_NUMBER, "little")


class ImageFile:
    """One file of the image. `path` is relative to the image's root; `group` orders the payload.

    stored: what the payload has of it: the content, or something smaller that it is made from.
    """

    __slots__ = ("content", "executable", "group", "path", "stored")

    def __init__(self, path: str, content: bytes, executable: bool, group: int) -> None:
        self.path = path
        self.content = content
        self.executable = executable
        self.group = group
        self.stored = content

    def compress(self) -> None:
        try:
            import zlib
        except ImportError:  # a distribution without it
            return
        smaller = zlib.compress(self.content, _COMPRESSION_LEVEL)
        if len(smaller) < len(self.content):
            self.stored = smaller

    @property
    def stored_size(self) -> int:
        """Of a compressed file, bytes in the payload; 0: it stands there as it is."""
        return 0 if self.stored is self.content else len(self.stored)


def payload_symbol(component: str) -> str:
    """The symbol of a component's payload."""
    return f"oxidize_payload_{hashlib.sha256(component.encode()).hexdigest()[:16]}"


def payload_section(component: str) -> str:
    """The section of a component's payload."""
    return f".rodata.oxidize.{hashlib.sha256(component.encode()).hexdigest()[:16]}"


# Input


def exclusion(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Whether a path matches one of the GLOBs (see the module's docstring)."""
    expressions = [_expression(pattern) for pattern in patterns]
    if not expressions:
        return lambda path: False
    import re

    match = re.compile("|".join(expressions)).fullmatch
    return lambda path: match(path) is not None


def _expression(pattern: str) -> str:
    import re

    pieces = re.split(r"(\*\*/|\*|\?)", pattern.rstrip("/"))
    special = {"**/": "(?:[^/]+/)*", "*": "[^/]*", "?": "[^/]"}
    return "(?:" + "".join(special.get(piece, re.escape(piece)) for piece in pieces) + ")"


def stdlib_exclusion(
    folder: str, left_out: Sequence[str], only: Sequence[str]
) -> Callable[[str], bool]:
    """What `--leave-out` and `--only` say of the standard library's files and folders."""
    from oxidize_rules.sandbox.images.content import STDLIB_REFUSE, module_matcher, place, select

    matches = module_matcher(left_out)
    if not only:
        refused = exclusion(STDLIB_REFUSE)
        return lambda path: refused(path) or matches(path) or matches(place(path))
    files = [
        os.path.relpath(os.path.join(parent, name), folder)
        for parent, _, names in os.walk(folder)
        for name in names
    ]
    chosen = select([file for file in files if matches(place(file))], only)
    chosen |= {file[:at] for file in chosen for at, sign in enumerate(file) if sign == "/"}
    return lambda path: path not in chosen


# Bytecode


def compile_module(source: bytes, path: str, optimization: int, want_names: bool) -> Compiled:
    """Compiles a module; `path` is relative to the image's root.

    The result depends on the arguments and the running Python alone. Marshalled code tells of
    each string whether it was interned or shared, and the compiler's own strings differ in that
    by what the process has interned before. So the module is compiled twice, and while the first
    code is there every name in the second is one that somebody has interned.
    """
    from oxidize_rules.sandbox.images.imports import find_imports

    filename = f"{IMAGE_ROOT}/{path}"
    try:
        first = compile(source, filename, "exec", dont_inherit=True, optimize=optimization)
        second = compile(source, filename, "exec", dont_inherit=True, optimize=optimization)
    except SyntaxError as error:
        return None, None, (error.lineno or 0, error.msg), []
    except (ValueError, OverflowError, RecursionError, MemoryError) as error:
        return None, None, (0, str(error) or type(error).__name__), []
    body = marshal.dumps(second)
    header = importlib.util.MAGIC_NUMBER + _CHECKED_BY_NOBODY
    names = top_level_names(first) if want_names else None
    bytecode = header + _imp.source_hash(_RAW_MAGIC, source) + body
    return bytecode, names, None, find_imports(first, source)


def top_level_names(code: CodeType) -> tuple[str, ...] | None:
    """Names that a module's code binds at its top level, sorted.

    None where that cannot be known: a star import, a module `__getattr__`, `globals()`, `exec`.
    """
    if not _DYNAMIC_NAMES.isdisjoint(code.co_names):
        return None
    names: set[str] = set()
    if not _add_bound_names(code, names, at_top=True):
        return None
    return tuple(sorted(names))


def _add_bound_names(code: CodeType, names: set[str], *, at_top: bool) -> bool:
    """Adds what `code`, and the functions within it, store as globals. False: cannot be known."""
    import opcode

    stores = {opcode.opmap["STORE_GLOBAL"]}
    if at_top:
        stores.add(opcode.opmap["STORE_NAME"])
    extended = opcode.opmap["EXTENDED_ARG"]
    star = opcode.opmap.get("IMPORT_STAR")
    intrinsic = opcode.opmap.get("CALL_INTRINSIC_1")
    instructions = code.co_code  # pairs of an operation and its argument; caches are zeros
    argument = 0
    for at in range(0, len(instructions), 2):
        operation = instructions[at]
        argument = argument << 8 | instructions[at + 1]
        if operation == extended:
            continue
        if operation in stores:
            names.add(code.co_names[argument])
        elif operation == star or (operation == intrinsic and argument == 2):
            return False
        argument = 0
    return all(
        _add_bound_names(constant, names, at_top=False)
        for constant in code.co_consts
        if hasattr(constant, "co_code")
    )


def compile_all(
    modules: Sequence[tuple[str, bytes]], optimization: int, want_names: bool
) -> list[Compiled]:
    """Compiles (path, source) pairs, on all of the process's cores if there are many of them."""
    import warnings

    def work(share: Sequence[tuple[str, bytes]]) -> list[Compiled]:
        return [compile_module(source, path, optimization, want_names) for path, source in share]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cores = len(os.sched_getaffinity(0)) if _PARALLEL else 1
        count = min(cores, len(modules) // _PARALLEL_FROM + 1)
        others = [_fork(work, modules[start::count]) for start in range(1, count)]
        shares = [work(modules[::count]), *(result() for result in others)]
    return [shares[index % count][index // count] for index in range(len(modules))]


def _fork(
    work: Callable[[Sequence[tuple[str, bytes]]], list[Compiled]],
    share: Sequence[tuple[str, bytes]],
) -> Callable[[], list[Compiled]]:
    """Starts `work(share)` in a child process; the function returned waits for its result."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reader)
            with os.fdopen(writer, "wb") as pipe:
                marshal.dump(work(share), pipe)
            status = 0
        except BaseException as error:  # whatever it is: the parent's work must not be done twice
            sys.excepthook(type(error), error, error.__traceback__)
        finally:
            os._exit(status)
    os.close(writer)

    def result() -> list[Compiled]:
        with os.fdopen(reader, "rb") as pipe:
            data = pipe.read()
        status = os.waitpid(child, 0)[1]
        if status:
            raise RuntimeError(f"a compiling process failed (wait status {status})")
        compiled: list[Compiled] = marshal.loads(data)
        return compiled

    return result


# Output


class Component:
    """What becomes of an input: files of the image, and what the manifest tells beside them."""

    def __init__(self) -> None:
        self.files: list[ImageFile] = []
        self.names: dict[str, list[str] | None] = {}
        self.imports: dict[str, list[object]] = {}
        self.dropped: list[str] = []
        self.uncompiled: dict[str, str] = {}

    def add_modules(
        self,
        sources: Sequence[TreeFile],
        *,
        optimization: int,
        keep_sources: bool,
        compress: bool,
        path_entry: str,
        want_names: bool,
    ) -> list[tuple[str, Failure]]:
        """Adds modules (paths relative to the image's root); returns the failures.

        path_entry: see the module's docstring. want_names: whether the manifest has the names that
        modules bind.
        """
        from oxidize_rules.sandbox.images.imports import resolve

        failures = []
        modules = [(file.path, file.content) for file in sources]
        results = compile_all(modules, optimization, want_names)
        for file, (bytecode, names, failure, imports) in zip(sources, results):
            if keep_sources or bytecode is None:
                source = ImageFile(file.path, file.content, file.executable, _SOURCE)
                if compress:
                    source.compress()
                self.files.append(source)
            if bytecode is not None:
                path = bytecode_path(file.path, optimization, keep_sources)
                self.files.append(ImageFile(path, bytecode, False, _CODE))
                name = module_name(file.path, path_entry)
                if name is not None:
                    is_package = file.path.endswith("/__init__.py")
                    self.imports[name] = [file.path, resolve(imports, name, is_package)]
                    if want_names:
                        self.names[name] = None if names is None else list(names)
            if failure is not None:
                failures.append((file.path, failure))
                self.uncompiled[file.path] = failure[1]
        return failures

    def add_other(self, file: TreeFile) -> None:
        """Adds a file that is no module's source (path relative to the image's root)."""
        group = _DATA
        if file.content[:4] == b"\x7fELF":
            group = _NATIVE
        elif file.path.endswith(".pyc"):
            # A module without source. Bytecode of another Python would crash the interpreter.
            if file.content[:4] != importlib.util.MAGIC_NUMBER:
                self.dropped.append(file.path)
                return
            group = _CODE
        self.files.append(ImageFile(file.path, file.content, file.executable, group))

    def native(self) -> list[dict[str, Any]]:
        """Descriptions of the ELF files (see `native_file.py`), sorted by path."""
        files = sorted(
            (file for file in self.files if file.group == _NATIVE), key=lambda file: file.path
        )
        if not files:
            return []  # as in most components: spare them the import
        from oxidize_rules.sandbox.images.native_file import describe

        return [describe(file.path, file.content) for file in files]


def bytecode_path(source: str, optimization: int, with_source: bool) -> str:
    """Where CPython looks for the bytecode of the module `source` (PEP 3147, PEP 488)."""
    folder, slash, name = source.rpartition("/")
    stem = name[: -len(".py")]
    if not with_source:
        return f"{folder}{slash}{stem}.pyc"
    level = f".opt-{optimization}" if optimization else ""
    return f"{folder}{slash}__pycache__/{stem}.{sys.implementation.cache_tag}{level}.pyc"


def module_name(path: str, path_entry: str) -> str | None:
    """The dotted name of the module `path`, both relative to the image's root; None: has none."""
    prefix = f"{path_entry}/" if path_entry else ""
    if not path.startswith(prefix):
        return None
    parts = path[len(prefix) : -len(".py")].split("/")
    if parts[-1] == "__init__":
        parts.pop()
    return ".".join(parts) if parts and all(part.isidentifier() for part in parts) else None


def lay_out(
    files: Sequence[ImageFile], machine: str
) -> tuple[list[Buffer], list[tuple[ImageFile, int]], int]:
    """Puts files one after the other: code, then data, sources, native libraries.

    Returns the payload's pieces, each file with its offset, and the payload's alignment. Code is
    16-byte aligned, and native libraries so that they can be mapped.
    """
    alignments = {_CODE: _CODE_ALIGNMENT, _NATIVE: page_size(machine)}
    chunks: list[Buffer] = []
    placed = []
    position = 0
    for file in sorted(files, key=lambda file: (file.group, _bytes(file.path))):
        padding = -position % alignments.get(file.group, 1)
        if padding:
            chunks.append(bytes(padding))
        position += padding
        placed.append((file, position))
        chunks.append(file.stored)
        position += len(file.stored)
    has_native = any(file.group == _NATIVE for file in files)
    return chunks, placed, alignments[_NATIVE] if has_native else _CODE_ALIGNMENT


def write_component(
    name: str,
    component: Component,
    machine: str,
    output: str,
    manifest: str,
    native_path: str = "",
    **more: object,
) -> None:
    """Writes payload object, manifest, and native.json if `native_path` is not empty.

    `more` goes into the manifest as it is.
    """
    chunks, placed, alignment = lay_out(component.files, machine)
    symbol = payload_symbol(name)
    size = sum(map(len, chunks))
    section = Section(
        payload_section(name), chunks, alignment=alignment, symbols=[(symbol, 0, size)]
    )
    placed.sort(key=lambda item: _bytes(item[0].path))
    native = component.native()
    content: dict[str, object] = {
        "format": FORMAT,
        "component": name,
        "symbol": symbol,
        "files": [
            [
                file.path,
                offset,
                len(file.content),
                int(file.executable),
                hashlib.sha256(file.content).hexdigest()[:16],
                file.stored_size,
            ]
            for file, offset in placed
        ],
        "names": component.names,
        "native": native,
        "dropped": sorted(component.dropped),
        "uncompiled": component.uncompiled,
        **more,
    }
    write_object(output, machine, [section])
    write_json(manifest, content)
    if native_path:
        write_native(native_path, name, native, machine)


def write_native(path: str, name: str, native: list[dict[str, Any]], machine: str) -> None:
    loadable = False
    if native:
        from oxidize_rules.sandbox.images.native_file import is_loadable

        loadable = any(is_loadable(one, machine) for one in native)
    write_json(path, {"component": name, "native": native, "loadable": loadable})


def write_imports(path: str, name: str, kind: str, component: Component, path_entry: str) -> None:
    modules = dict(component.imports)
    for file in component.files:
        if file.path.endswith((".so", ".pyc")) and "__pycache__" not in file.path:
            from oxidize_rules.sandbox.images import content

            module = content.module_name(file.path, path_entry)
            if module is not None:
                modules.setdefault(module, [file.path, []])
    write_json(path, {"component": name, "kind": kind, "modules": modules})


def write_json(path: str, content: object) -> None:
    write_text(path, json.dumps(content, sort_keys=True, separators=(",", ":")) + "\n")


def write_text(path: str, text: str) -> None:
    """Writes a whole file or none."""
    with open(f"{path}.partial", "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
    os.replace(f"{path}.partial", path)


def _bytes(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


# The program


def main(argv: Sequence[str]) -> None:
    options = parse_options(
        argv,
        required=(
            *("name", "root", "input", "optimization", "sources", "machine", "output", "manifest"),
        ),
        defaults={"kind": "", "compress": "no", "path-entry": "\0", "native": "", "imports": ""},
        flags=("strict",),
        lists=("exclude", "leave-out", "only"),
    )
    one = options.one
    source = one["input"]
    one["kind"] = one["kind"] or ("wheel" if source.endswith(".whl") else "tree")
    kind = options.choice("kind", KINDS)
    machine = options.choice("machine", ("x86_64", "aarch64"))
    optimization = int(options.choice("optimization", ("0", "1", "2")))
    keep_sources = options.choice("sources", ("yes", "no")) == "yes"
    compress = options.choice("compress", ("yes", "no")) == "yes"
    root = one["root"].strip("/")
    path_entry = root if one["path-entry"] == "\0" else one["path-entry"].strip("/")

    component = Component()
    more: dict[str, object] = {"kind": kind, "path_entry": path_entry}
    wheel = None
    only = options.many["only"]
    excluded = exclusion(options.many["exclude"])
    if kind == "stdlib":
        excluded = stdlib_exclusion(source, options.many["leave-out"], only)
    if kind == "wheel":
        from oxidize_rules.sandbox.images.wheel import installed_record, read_wheel

        wheel = read_wheel(source, root)
        component.dropped += wheel.dropped
        more["tags"] = wheel.tags
        prefix = f"{root}/" if root else ""
        inputs = [
            TreeFile(file.path, file.content, file.executable)
            for file in wheel.files
            if not any(
                map(excluded, _ancestry(file.path[file.path.startswith(prefix) and len(prefix) :]))
            )
        ]
    else:
        inputs = read_tree(source, recursive=kind != "folder", excluded=excluded)
        for file in inputs:
            file.path = f"{root}/{file.path}" if root else file.path
    inputs = [file for file in inputs if "__pycache__" not in file.path.split("/")]
    if kind == "stdlib" and not only:
        check_stdlib(source, [file.path for file in inputs])

    failures = component.add_modules(
        [file for file in inputs if file.path.endswith(".py")],
        optimization=optimization,
        keep_sources=keep_sources,
        compress=compress,
        path_entry=path_entry,
        want_names=kind != "stdlib",
    )
    if failures and "strict" in one and one["strict"]:
        refuse(failures, source, root)
    for file in inputs:
        if not file.path.endswith(".py"):
            component.add_other(file)
    if wheel is not None:
        rows = [
            (file.path, hashlib.sha256(file.content).digest(), len(file.content))
            for file in component.files
        ]
        record = installed_record(wheel, root, rows)
        component.add_other(TreeFile(record.path, record.content, record.executable))
    write_component(
        one["name"],
        component,
        machine,
        one["output"],
        one["manifest"],
        native_path=one["native"],
        **more,
    )
    if one["imports"]:
        write_imports(one["imports"], one["name"], kind, component, path_entry)


def _ancestry(path: str) -> Iterator[str]:
    """`a/b/c`: `a`, `a/b`, `a/b/c`."""
    at = path.find("/")
    while at >= 0:
        yield path[:at]
        at = path.find("/", at + 1)
    yield path


def check_stdlib(source: str, paths: Iterable[str]) -> None:
    """Refuses a folder that is not the standard library of the running Python."""
    names = {path.rpartition("/")[2] for path in paths}
    if "os.py" not in names or not any(name.startswith("_sysconfigdata_") for name in names):
        raise UserError(
            f"`{source}` is no complete standard library: it has no `os.py` or no "
            "`_sysconfigdata_*.py`. Check that the distribution's archive is complete."
        )


def refuse(failures: Sequence[tuple[str, Failure]], source: str, root: str) -> None:
    """Raises the error for modules that do not compile."""
    version = ".".join(map(str, sys.version_info[:2]))
    lines = []
    for path, (line, message) in failures:
        relative = path[len(root) + 1 :] if root else path
        place = f"{source}/{relative}" + (f", line {line}" if line else "")
        lines.append(f"{place}: {message}")
    what = "a module does" if len(lines) == 1 else f"{len(lines)} modules do"
    raise UserError(
        f"{what} not compile with Python {version}: "
        + "\n".join(lines)
        + "\nMend the code, or take the file out of the binary's dependencies."
    )


if __name__ == "__main__":
    run(main)
