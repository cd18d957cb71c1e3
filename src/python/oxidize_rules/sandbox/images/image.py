"""Merges the components of an executable and its settings into the image's index object.

    python -m oxidize_rules.sandbox.images.image --manifest A.json B.json ...
        --settings settings.json --machine x86_64|aarch64 --output image.o [--report report.json]
        [--builtin NAME...] [--triple TRIPLE]

The structures are those of `runtime/image.h`. Lists may be given as `@file`, one item a line.
`--builtin` names the extension modules linked into the executable, and `--triple` is what extension
modules are for, if they differ from those of the Python that runs this program.

Modules are found as CPython's path finder finds them: along sys.path, a package before a module,
an extension module before a source, the first folder that has one; namespace packages are the
folders without `__init__` of that name. The report tells sizes in bytes by component and kind, and
warnings.
"""

from __future__ import annotations

import _imp
import json
import struct
import sys

from oxidize_rules.sandbox.elf_object import Section, write_object
from oxidize_rules.sandbox.errors import UserError, run
from oxidize_rules.sandbox.images.interpreter_config import close_names
from oxidize_rules.sandbox.images.settings import check_settings
from oxidize_rules.sandbox.options import parse_options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

FORMAT = 2
SYMBOL = "oxidize_image"
SECTION = ".rodata.oxidize.image"
ROOT = "/.oxidized"

MAGIC = 0x3149584F
NONE = 0xFFFFFFFF
DIRECTORY, FILE = 1, 2
PACKAGE, EXTENSION = 1, 2
HEADER = struct.Struct("<16I")
NODE = struct.Struct("<IHHIHHIIIIQQ")
MODULE = struct.Struct("<IHHIIII")
SETTING = struct.Struct("<II")

# Linux's PATH_MAX, less the image's root, a slash and the NUL.
PATH_LIMIT = 4096 - len(ROOT) - 2

# Always in the interpreter's core, whatever extension modules a binary has.
CORE_BUILTINS = (
    *("_ast", "_imp", "_string", "_tokenize", "_warnings"),
    *("builtins", "gc", "marshal", "sys"),
)
# Top-level names that wheels bring by mistake: there the project's own package wins, as on disk.
_STRAY_PACKAGES = {"benchmarks", "docs", "examples", "scripts", "test", "tests"}

_MASK = 0xFFFFFFFF
_FNV_START, _FNV_PRIME = 2166136261, 16777619


class Component:
    """A component's manifest. `kind` is stdlib, wheel, tree or folder."""

    def __init__(self, manifest: dict[str, Any]) -> None:
        self.name: str = manifest["component"]
        self.symbol: str = manifest["symbol"]
        self.files: list[tuple[str, int, int, int, str, int]] = manifest["files"]
        self.names: dict[str, list[str] | None] = manifest.get("names") or {}
        self.kind: str = manifest.get("kind", "")

    @property
    def first_party(self) -> bool:
        return self.kind in ("folder", "tree")


class Node:
    """A file or folder of the image. `stored`: see `struct oxidize_node`."""

    __slots__ = (
        *("children", "component", "digest", "executable", "index", "offset", "path", "size"),
        "stored",
    )

    def __init__(self, path: str) -> None:
        self.path = path
        self.component = -1
        self.offset = 0
        self.size = 0
        self.stored = 0
        self.executable = 0
        self.digest = ""
        self.children: dict[str, Node] | None = None
        self.index = -1


class Module:
    """A module that the path finder would find. One of `source` and `code` may be missing.

    Of an extension module `code` is the library, and there is no source.
    """

    __slots__ = ("code", "extension", "folder", "name", "package", "source")

    def __init__(
        self,
        name: str,
        package: bool,
        source: Node | None,
        code: Node | None,
        folder: Node,
        *,
        extension: bool = False,
    ) -> None:
        self.extension = extension
        self.name = name
        self.package = package
        self.source = source
        self.code = code
        self.folder = folder

    @property
    def file(self) -> Node:
        node = self.source or self.code
        assert node is not None
        return node


# Merging files


class Tree:
    """All files of the image, merged from components in the given order."""

    def __init__(self, components: Sequence[Component]) -> None:
        self.components = components
        self.warnings: list[str] = []
        self.root = Node("")
        self.root.children = {}
        self._folders = {"": self.root}
        for number, component in enumerate(components):
            self._add_component(number, component)

    def find(self, path: str) -> Node | None:
        """The folder of that path."""
        return self._folders.get(path)

    def _add_component(self, number: int, component: Component) -> None:
        folders = self._folders
        for path, offset, size, executable, digest, stored in component.files:
            head, _, name = path.rpartition("/")
            folder = folders.get(head)
            if len(path) > 1000:
                _check_length(path, component)
            if folder is None:
                folder = self._add_folder(head, component)
            children = folder.children
            assert children is not None
            node = children.get(name)
            if node is None:
                node = children[name] = Node(path)
                node.component = number
                node.offset = offset
                node.size = size
                node.stored = stored
                node.executable = executable
                node.digest = digest
            else:
                self._merge(node, component, size, executable, digest)

    def _add_folder(self, path: str, component: Component) -> Node:
        """The folder of that path, with the folders it stands in."""
        missing = []
        while path not in self._folders:
            missing.append(path)
            path = path.rpartition("/")[0]
        folder = self._folders[path]
        for path in reversed(missing):
            assert folder.children is not None
            name = path.rpartition("/")[2]
            if name in folder.children:
                first = self.components[folder.children[name].component]
                raise UserError(
                    f"`{path}` is a file in {first.name} and a folder in {component.name}. "
                    "Rename one of them."
                )
            node = folder.children[name] = self._folders[path] = Node(path)
            node.children = {}
            folder = node
        return folder

    def _merge(
        self, node: Node, component: Component, size: int, executable: int, digest: str
    ) -> None:
        """A second file, or a file where there is a folder."""
        path = node.path
        if node.children is not None:
            raise UserError(
                f"`{path}` is a file in {component.name} and a folder in another component. "
                "Rename one of them."
            )
        if node.size == size and node.digest == digest:
            node.executable |= executable
            return
        first = self.components[node.component]
        if first.first_party and component.first_party:
            source = source_path(path)
            what = "two modules of one name" if source.endswith(".py") else "two files of one name"
            raise UserError(
                f"{what}: `{source}` comes from {first.name} and from {component.name}, with "
                "different content. Rename one of them, or take one out of the dependencies."
            )
        if not path.endswith(".pyc"):
            self.warnings.append(
                f"`{path}` comes from {first.name} and from {component.name}, with different "
                f"content; the one of {first.name} is taken."
            )


def source_path(path: str) -> str:
    """Where the source of bytecode stands; other paths as they are (PEP 3147)."""
    if not path.endswith(".pyc"):
        return path
    folder, _, name = path.rpartition("/")
    if folder == "__pycache__" or folder.endswith("/__pycache__"):
        return f"{folder[: -len('__pycache__')]}{name.partition('.')[0]}.py"
    return path[:-1]


def _check_length(path: str, component: Component) -> None:
    length = len(encode(path))
    if length > PATH_LIMIT:
        raise UserError(
            f"a path of {component.name} is {length} bytes long; at most {PATH_LIMIT} can be "
            f"opened: `{path[:80]}...`. Shorten its folders' names."
        )


def load_components(paths: Iterable[str]) -> list[Component]:
    """Reads manifests. The order of the result, by kind and name, decides who wins in conflicts."""
    components = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            manifest = json.load(file)
        if manifest.get("format") != FORMAT:
            raise ValueError(f"{path}: format {manifest.get('format')!r}, expected {FORMAT}")
        components.append(Component(manifest))
    components.sort(key=lambda c: (not c.first_party, c.kind != "wheel", c.name))
    for one, other in zip(components, components[1:]):
        if one.name == other.name:
            raise ValueError(f"the component {one.name} is given twice")
    return components


# Finding modules


class Candidate:
    """What a folder has under one name. CPython prefers them in this order."""

    __slots__ = ("extension", "module", "package", "subfolder")

    def __init__(self) -> None:
        self.package: Module | None = None
        self.extension: Module | None = None
        self.module: Module | None = None
        self.subfolder: Node | None = None  # without __init__: a portion of a namespace package


def frozen_modules() -> list[str]:
    """Names of the modules frozen into the running Python."""
    names = getattr(_imp, "_frozen_module_names", None)  # CPython 3.11 and newer
    if names is None:
        return ["_frozen_importlib", "_frozen_importlib_external", "zipimport"]
    return list(names())


class Modules:
    """The modules reachable along sys.path.

    modules:  by dotted name, what the importer serves
    others:   dotted names of what it leaves to CPython's own finders, because it was not compiled,
              with the file
    left_out: built-in and frozen modules
    """

    def __init__(
        self,
        tree: Tree,
        path: Sequence[str],
        builtin: Iterable[str] = sys.builtin_module_names,
        optimization: int = 0,
        extension_suffixes: Sequence[str] = (),
    ) -> None:
        self.modules: dict[str, Module] = {}
        self.others: dict[str, Node] = {}
        self.left_out = {*builtin, *CORE_BUILTINS, *frozen_modules()}
        self._tree = tree
        self._entries = {entry.strip("/") for entry in path}
        tag = sys.implementation.cache_tag
        levels = {0: f".{tag}.pyc", 1: f".{tag}.opt-1.pyc", 2: f".{tag}.opt-2.pyc"}
        self._suffixes = (levels.pop(optimization), *levels.values())
        self._extension_suffixes = tuple(extension_suffixes or _imp.extension_suffixes())
        folders = [tree.find(entry.strip("/")) for entry in path]
        self._visit("", [folder for folder in folders if folder is not None])

    def __contains__(self, name: str) -> bool:
        return name in self.modules or name in self.others or name in self.left_out

    def _visit(self, prefix: str, folders: Sequence[Node]) -> None:
        """Adds the modules found in `folders`: those of a package, or of the top level."""
        taken: dict[str, Module] = {}
        bare: list[tuple[str, Node]] = []
        for folder in folders:
            for name, candidate in self._scan(folder, prefix).items():
                found = candidate.package or candidate.extension or candidate.module
                if candidate.subfolder is not None:
                    bare.append((name, candidate.subfolder))
                if found is None:
                    continue
                if candidate.package is not None and candidate.module is not None:
                    self._check_beside(candidate.package, candidate.module)
                if name in taken:
                    self._check_hidden(prefix + name, taken[name], found)
                else:
                    taken[name] = found
        portions: dict[str, list[Node]] = {}
        for name, subfolder in bare:
            if name in taken:
                self._check_hidden_folder(prefix + name, taken[name], subfolder)
            else:
                portions.setdefault(name, []).append(subfolder)
        for name, found in taken.items():
            self._add(prefix + name, found)
        for name, nodes in portions.items():
            self._visit(f"{prefix}{name}.", nodes)

    def _add(self, name: str, found: Module) -> None:
        if name in self.left_out:
            if self._component(found).first_party:
                self._tree.warnings.append(
                    f"`{found.file.path}` of {self._component(found).name} can never be "
                    f"imported: `{name}` is a built-in or frozen module of the interpreter."
                )
            return
        if found.code is None:
            self.others[name] = found.file
        else:
            self.modules[name] = found
        if found.package:
            home = self._tree.find(found.file.path.rpartition("/")[0])
            assert home is not None
            self._visit(f"{name}.", [home])

    def _scan(self, folder: Node, prefix: str) -> dict[str, Candidate]:
        """What there is in a folder, by name."""
        found: dict[str, Candidate] = {}
        children = folder.children
        assert children is not None
        for name, node in children.items():
            if node.children is not None:
                if not name.isidentifier() or name == "__pycache__" or node.path in self._entries:
                    continue
                candidate = found.setdefault(name, Candidate())
                candidate.package = self._extension(
                    prefix + name, node, "__init__", folder
                ) or self._module(prefix + name, node, "__init__", folder)
                if candidate.package is None:
                    candidate.subfolder = node
                continue
            stem, _, suffix = name.partition(".")
            if stem == "__init__" or not stem.isidentifier():
                continue
            if suffix in ("py", "pyc"):
                module = self._module(prefix + stem, folder, stem, folder)
                found.setdefault(stem, Candidate()).module = module
            elif f".{suffix}" in self._extension_suffixes:
                extension = self._extension(prefix + stem, folder, stem, folder)
                found.setdefault(stem, Candidate()).extension = extension
        return found

    def _extension(self, name: str, home: Node, stem: str, folder: Node) -> Module | None:
        """The extension module `stem`.* in the folder `home`."""
        assert home.children is not None
        for suffix in self._extension_suffixes:
            file = home.children.get(stem + suffix)
            if file is not None and file.children is None:
                return Module(name, stem == "__init__", None, file, folder, extension=True)
        return None

    def _module(self, name: str, home: Node, stem: str, folder: Node) -> Module | None:
        """The module whose files are `stem`.* in the folder `home`."""
        assert home.children is not None
        source = home.children.get(f"{stem}.py")
        code = None
        if source is None:
            code = home.children.get(f"{stem}.pyc")
        else:
            cache = home.children.get("__pycache__")
            if cache is not None and cache.children is not None:
                for suffix in self._suffixes:
                    code = cache.children.get(stem + suffix)
                    if code is not None:
                        break
        file = source or code
        if file is None or file.children is not None:
            return None
        return Module(name, stem == "__init__", source, code, folder)

    def _component(self, found: Module | Node) -> Component:
        node = found.file if isinstance(found, Module) else found
        while node.children is not None:
            node = next(iter(node.children.values()))
        return self._tree.components[node.component]

    def _check_beside(self, package: Module, module: Module) -> None:
        """`x/__init__.py` and `x.py` in one folder."""
        one, other = self._component(package), self._component(module)
        if one.first_party and other.first_party:
            raise UserError(
                f"two modules of one name: `{package.name}` is `{package.file.path}` of {one.name} "
                f"and `{module.file.path}` of {other.name}; Python would never import the second. "
                "Rename one of them, or take one out of the dependencies."
            )

    def _check_hidden(self, name: str, first: Module, second: Module) -> None:
        """A module that an earlier folder of sys.path hides."""
        one, other = self._component(first), self._component(second)
        if not one.first_party:
            return
        found = (
            f"`{name}` is `{first.file.path}` of {one.name} "
            f"and `{second.file.path}` of {other.name}"
        )
        if other.kind == "stdlib" or (other.kind == "wheel" and name in _STRAY_PACKAGES):
            self._tree.warnings.append(f"{found}; the first hides the second, as on disk.")
            return
        raise UserError(
            f"two modules of one name: {found}. "
            "Rename yours, or take one of them out of the dependencies."
        )

    def _check_hidden_folder(self, name: str, first: Module, folder: Node) -> None:
        """Modules in a folder without `__init__` that a module or package of its name hides."""
        one, other = self._component(first), self._component(folder)
        assert folder.children is not None
        modules = [child for child in folder.children if child.endswith((".py", ".pyc"))]
        if modules and (one.first_party or other.first_party):
            self._tree.warnings.append(
                f"modules in `{folder.path}` of {other.name} may be out of reach: `{name}` is "
                f"`{first.file.path}` of {one.name}. As on disk, an `__init__.py` is missing "
                "in the one, or one too many in the other."
            )


def extension_suffixes(triple: str) -> tuple[str, ...]:
    """Endings of extension modules' names, as CPython for that triple has and prefers them."""
    machine, *_, libc = triple.split("-")
    tag = f"{sys.implementation.cache_tag}{sys.abiflags}"
    return (f".{tag}-{machine}-linux-{libc}.so", ".abi3.so", ".so")


def check_entry(settings: Sequence[tuple[str, str]], modules: Modules, tree: Tree) -> None:
    """Refuses an entry point that is not in the image."""
    one = dict(settings)
    kind = one["entry.kind"]
    if kind == "interpreter":
        return
    name = one["entry.module"]
    known = sorted({*modules.modules, *modules.others})
    is_package = name in modules.modules and modules.modules[name].package
    main = f"{name}.__main__"
    if kind == "module" and main in modules:
        return
    if name not in modules:
        raise UserError(
            f"entry_point: there is no module `{name}` in the binary.{close_names(name, known)} "
            "Give the path of a file in the target's folder, or a module that is among its "
            "dependencies."
        )
    if kind == "module" and is_package:
        raise UserError(
            f"entry_point: `{name}` is a package without `__main__`, so it cannot be run. "
            f"Give a function of it (`{name}:function`), or one of its modules."
        )
    if kind == "function":
        _check_function(name, one["entry.function"], modules, tree)


def _check_function(name: str, function: str, modules: Modules, tree: Tree) -> None:
    first = function.partition(".")[0]
    module = modules.modules.get(name)
    if module is None or f"{name}.{first}" in modules:
        return
    names = tree.components[module.file.component].names.get(name)
    if names is None or first in names:
        return
    raise UserError(
        f"entry_point: the module `{name}` (`{module.file.path}`) has no `{first}`."
        f"{close_names(first, names)} Give a function that the module defines or imports at its "
        "top level."
    )


# The index


def encode(text: str) -> bytes:
    """A path's or name's bytes, as the kernel has them."""
    return text.encode("utf-8", "surrogateescape")


def fnv(state: int, data: bytes) -> int:
    """Goes on with FNV-1a (32 bits)."""
    for byte in data:
        state = (state ^ byte) * _FNV_PRIME & _MASK
    return state


def finish(state: int) -> int:
    """The final mix of `oxidize_hash`."""
    state ^= state >> 16
    state = state * 0x7FEB352D & _MASK
    return state ^ state >> 15


def slots_for(hashes: Sequence[int]) -> list[int]:
    """The hash table of entries 0, 1, ... (see `runtime/image.h`)."""
    count = 1
    while count < 2 * len(hashes):
        count *= 2
    slots = [0] * count
    mask = count - 1
    for index, value in enumerate(hashes, 1):
        at = value & mask
        while slots[at]:
            at = (at + 1) & mask
        slots[at] = index
    return slots


class Strings:
    """NUL-terminated strings, each once."""

    def __init__(self) -> None:
        self.data = bytearray(1)  # offset 0 is the empty string
        self._known = {b"": 0}

    def add(self, text: bytes) -> int:
        at = self._known.get(text)
        if at is None:
            at = self._known[text] = len(self.data)
            self.data += text
            self.data.append(0)
        return at


def write_index(
    tree: Tree,
    modules: Iterable[Module],
    settings: Iterable[tuple[str, str]],
) -> tuple[bytearray, list[tuple[int, str]]]:
    """The image's tables, and where in them the distance to which payload symbol belongs."""
    strings = Strings()
    nodes, path_slots = _node_table(tree, strings)
    module_table, module_slots = _module_table(modules, strings)
    setting_table = b"".join(
        SETTING.pack(strings.add(encode(key)), strings.add(encode(value)))
        for key, value in settings
    )
    symbols = [component.symbol for component in tree.components]
    tables: list[tuple[bytes | bytearray, int]] = [
        (nodes, len(nodes) // NODE.size),
        (_words(path_slots), len(path_slots)),
        (module_table, len(module_table) // MODULE.size),
        (_words(module_slots), len(module_slots)),
        (bytes(8 * len(symbols)), len(symbols)),
        (setting_table, len(setting_table) // SETTING.size),
    ]
    data = bytearray(HEADER.size)
    places = []
    for table, count in tables:
        data += bytes(-len(data) % 8)
        places += [len(data), count]
        data += table
    payloads_at = places[8]
    strings_at = len(data)
    data += strings.data
    if len(data) > NONE:
        raise UserError("the image's index is larger than 4 GiB. Take files out of the binary.")
    HEADER.pack_into(data, 0, MAGIC, len(data), strings_at, len(strings.data), *places)
    return data, [(payloads_at + 8 * number, symbol) for number, symbol in enumerate(symbols)]


def _words(values: Sequence[int]) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


def _node_table(tree: Tree, strings: Strings) -> tuple[bytearray, list[int]]:
    """Nodes, parents before children, the children of a folder side by side; and their hash table.

    The hash of a path goes on from that of its folder.
    """
    order: list[tuple[Node, bytes, int, int]] = [(tree.root, b"", 0, _FNV_START)]
    hashes = []
    table = bytearray()
    position = 0
    while position < len(order):
        node, path, parent, state = order[position]
        node.index = position
        name_start = path.rfind(b"/") + 1
        at = strings.add(path)
        children = node.children
        if children is None:
            table += NODE.pack(
                *(at, len(path), name_start, parent, FILE, node.executable, 0, 0),
                *(node.component, node.stored, node.offset, node.size),
            )
        else:
            first = len(order)
            start = path + b"/" if path else b""
            inner = fnv(state, b"/") if path else state
            for name, child in sorted(
                [(encode(key), value) for key, value in children.items()], key=_name
            ):
                order.append((child, start + name, position, fnv(inner, name)))
            table += NODE.pack(
                *(at, len(path), name_start, parent, DIRECTORY, 0, first, len(children)),
                *(0, 0, 0, 0),
            )
        hashes.append(finish(state))
        position += 1
    return table, slots_for(hashes)


def _name(item: tuple[bytes, Node]) -> bytes:
    return item[0]


def _module_table(modules: Iterable[Module], strings: Strings) -> tuple[bytearray, list[int]]:
    table = bytearray()
    hashes = []
    for module in sorted(modules, key=lambda module: encode(module.name)):
        name = encode(module.name)
        assert module.code is not None
        table += MODULE.pack(
            strings.add(name),
            len(name),
            (PACKAGE if module.package else 0) | (EXTENSION if module.extension else 0),
            NONE if module.source is None else module.source.index,
            module.code.index,
            module.folder.index,
            0,
        )
        hashes.append(finish(fnv(_FNV_START, name)))
    return table, slots_for(hashes)


# Report


def file_kind(path: str) -> str:
    """What a file counts as in the report."""
    if path.endswith(".pyc"):
        return "bytecode"
    if path.endswith(".py"):
        return "sources"
    name = path.rpartition("/")[2]
    return "native" if name.endswith(".so") or ".so." in name else "data"


def make_report(tree: Tree, modules: Modules, index_size: int) -> dict[str, object]:
    """Sizes in bytes, as stored, by component and kind of file; counts, and warnings."""
    sizes: dict[str, dict[str, int]] = {component.name: {} for component in tree.components}
    files = 0
    folders = [tree.root]
    while folders:
        children = folders.pop().children
        assert children is not None
        for node in children.values():
            if node.children is not None:
                folders.append(node)
                continue
            files += 1
            by_kind = sizes[tree.components[node.component].name]
            kind = file_kind(node.path)
            by_kind[kind] = by_kind.get(kind, 0) + (node.stored or node.size)
    total: dict[str, int] = {}
    for by_kind in sizes.values():
        for kind, size in by_kind.items():
            total[kind] = total.get(kind, 0) + size
    return {
        "components": sizes,
        "total": total,
        "index": index_size,
        "files": files,
        "modules": len(modules.modules),
        "warnings": tree.warnings,
    }


# The program


def main(argv: Sequence[str]) -> None:
    options = parse_options(
        argv,
        required=("settings", "machine", "output"),
        defaults={"report": "", "triple": ""},
        lists=("manifest", "builtin"),
    )
    machine = options.choice("machine", ("x86_64", "aarch64"))
    with open(options.one["settings"], encoding="utf-8") as file:
        settings = check_settings(json.load(file))
    tree = Tree(load_components(options.many["manifest"]))
    path = [value for key, value in settings if key == "path"]
    optimization = int(dict(settings).get("config.optimization_level", "0"))
    builtin = options.many["builtin"] or sys.builtin_module_names
    triple = options.one["triple"]
    suffixes = extension_suffixes(triple) if triple else ()
    modules = Modules(tree, path, builtin, optimization, suffixes)
    check_entry(settings, modules, tree)
    data, relocations = write_index(tree, modules.modules.values(), settings)
    section = Section(
        SECTION,
        [data],
        alignment=16,
        symbols=[(SYMBOL, 0, len(data))],
        relocations=relocations,
    )
    write_object(options.one["output"], machine, [section])
    if options.one["report"]:
        from oxidize_rules.sandbox.images.component import write_text

        report = make_report(tree, modules, len(data))
        write_text(options.one["report"], json.dumps(report, sort_keys=True, indent=1) + "\n")


if __name__ == "__main__":
    run(main)
