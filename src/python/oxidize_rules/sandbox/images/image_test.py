from __future__ import annotations

import importlib
import importlib.machinery
import json
import random
import sys
import zlib
from importlib.machinery import EXTENSION_SUFFIXES, PathFinder
from pathlib import Path
from typing import Any, Mapping, Sequence

import pytest

from oxidize_rules.sandbox.errors import UserError
from oxidize_rules.sandbox.images import image
from oxidize_rules.sandbox.images.image import main, slots_for
from oxidize_rules.sandbox.images.image_reader import ImageReader, oxidize_hash

TAG = sys.implementation.cache_tag
EXTENSION = EXTENSION_SUFFIXES[0]
PATH = ["app", "lib", "lib/site-packages"]
INTERPRETER = [["entry.kind", "interpreter"], *(["path", entry] for entry in PATH)]


class Workspace:
    """Manifests, made by hand, and the image merged from them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifests: list[str] = []
        self.payloads: dict[str, bytes] = {}

    def add(
        self,
        name: str,
        files: Mapping[str, bytes | str],
        *,
        names: dict[str, list[str] | None] | None = None,
        executable: Sequence[str] = (),
        compressed: Sequence[str] = (),
    ) -> None:
        kind = name.partition(":")[0]
        symbol = f"oxidize_payload_{len(self.manifests):016x}"
        payload = b""
        rows = []
        for path, content in sorted(files.items()):
            data = content.encode() if isinstance(content, str) else content
            payload += b"\0"
            digest = f"{oxidize_hash(data):016x}"
            stored = zlib.compress(data) if path in compressed else data
            rows.append([path, len(payload), len(data), int(path in executable), digest])
            rows[-1].append(len(stored) if path in compressed else 0)
            payload += stored
        self.payloads[symbol] = payload
        manifest = self.folder / f"{len(self.manifests)}.json"
        manifest.write_text(
            json.dumps(
                {
                    **{"format": 2, "component": name, "kind": kind, "symbol": symbol},
                    **{"files": rows, "names": names or {}},
                }
            )
        )
        self.manifests.append(str(manifest))

    def build(self, settings: Sequence[Sequence[str]] = (), *more: str) -> ImageReader:
        (self.folder / "settings.json").write_text(json.dumps(list(settings or INTERPRETER)))
        main(
            [
                *("--manifest", *self.manifests),
                *("--settings", str(self.folder / "settings.json")),
                *("--machine", "x86_64", "--output", str(self.folder / "image.o")),
                *("--report", str(self.folder / "report.json")),
                *more,
            ]
        )
        return ImageReader(self.folder / "image.o", self.payloads)

    @property
    def report(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.folder / "report.json").read_text())
        return content


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def module(path: str, content: str = "") -> dict[str, bytes | str]:
    """A module's source and bytecode."""
    head, _, name = path.rpartition("/")
    return {path: content, f"{head}/__pycache__/{name[:-3]}.{TAG}.pyc": f"pyc of {content}"}


def test_compressed_files(workspace: Workspace) -> None:
    source = "value = 1\n" * 100
    workspace.add("folder:app", module("app/a.py", source), compressed=["app/a.py"])
    read = workspace.build()
    assert read.content(b"app/a.py") == source.encode()
    index = read.find_path(b"app/a.py")
    assert index is not None
    *_, stored, _, size = read.nodes[index]
    assert size == len(source)
    assert stored == len(zlib.compress(source.encode()))
    assert workspace.report["total"]["sources"] == stored


def test_files_and_modules(workspace: Workspace) -> None:
    workspace.add("folder:app", module("app/main.py", "m"), executable=["app/main.py"])
    workspace.add("folder:app/sub", {**module("app/sub/__init__.py"), "app/sub/a.json": "{}"})
    workspace.add("stdlib", {**module("lib/zlib2.py"), **module("lib/enc/__init__.py")})
    read = workspace.build([*INTERPRETER, ["config.utf8_mode", "true"], ["argv", "x"]])

    assert read.content(b"app/main.py") == b"m"
    assert read.content(b"app/sub/a.json") == b"{}"
    assert read.find_path(b"app/none") is None
    assert read.find_path(b"app/") is None
    main_node = read.find_path(b"app/main.py")
    data_node = read.find_path(b"app/sub/a.json")
    assert main_node is not None
    assert data_node is not None
    assert (read.nodes[main_node][5], read.nodes[data_node][5]) == (1, 0)

    assert read.module_names() == ["enc", "main", "sub", "zlib2"]
    assert read.module("main") == {
        "package": False,
        "source": "app/main.py",
        "code": f"app/__pycache__/main.{TAG}.pyc",
        "folder": "app",
    }
    assert read.module("sub") == {
        "package": True,
        "source": "app/sub/__init__.py",
        "code": f"app/sub/__pycache__/__init__.{TAG}.pyc",
        "folder": "app",
    }
    assert read.module("nothing") is None
    assert read.settings[-2:] == [("config.utf8_mode", "1"), ("argv", "x")]
    assert [value for key, value in read.settings if key == "path"] == PATH

    report = workspace.report
    assert report["components"]["folder:app"] == {"sources": 1, "bytecode": 8}
    assert report["components"]["folder:app/sub"] == {"sources": 0, "bytecode": 7, "data": 2}
    assert report["total"] == {"sources": 1, "bytecode": 8 + 7 * 3, "data": 2}
    assert (report["files"], report["modules"]) == (9, 4)
    assert report["index"] == len(read.data)
    assert report["warnings"] == []


def test_bytecode_beside_the_sources_place(workspace: Workspace) -> None:
    workspace.add("folder:app", {"app/a.pyc": "a", "app/p/__init__.pyc": "p", "app/p/b.pyc": "b"})
    read = workspace.build()
    assert read.module_names() == ["a", "p", "p.b"]
    assert read.module("p.b") == {
        "package": False,
        "source": None,
        "code": "app/p/b.pyc",
        "folder": "app/p",
    }


def test_the_optimization_level_chooses_the_bytecode(workspace: Workspace) -> None:
    cache = "app/__pycache__/a"
    both = {f"{cache}.{TAG}.pyc": "0", f"{cache}.{TAG}.opt-1.pyc": "1", "app/a.py": ""}
    workspace.add("folder:app", dict(both))
    for level, suffix in (("0", ""), ("1", ".opt-1")):
        found = workspace.build([*INTERPRETER, ["config.optimization_level", level]]).module("a")
        assert found is not None
        assert found["code"] == f"{cache}.{TAG}{suffix}.pyc"


def test_what_is_left_to_the_interpreter(workspace: Workspace) -> None:
    """Built-in modules, sources that did not compile, and what is no module of this Python."""
    workspace.add(
        "wheel:x",
        {
            **module("lib/sys.py"),
            **module("lib/_own.py"),
            **module("lib/plain.py"),
            **module("lib/fast.py"),
            "lib/fast.abi3.so": "",
            "lib/bad.py": "def",
            "lib/not-a-name.py": "",
            "lib/foreign.py": "",
            "lib/foreign.cpython-20-x.so": "",
        },
    )
    assert workspace.build([], "--builtin", "_own").module_names() == ["fast", "plain"]
    read = workspace.build()
    assert read.module_names() == ["_own", "fast", "plain"]
    assert read.extension_names() == ["fast"]


def test_extension_modules(workspace: Workspace) -> None:
    """What the target's CPython would load, the most specific name first."""
    tag = f"{TAG}{sys.abiflags}"
    workspace.add(
        "wheel:x",
        {
            **{f"lib/p/one.{tag}-x86_64-linux-{libc}.so": libc for libc in ("gnu", "musl")},
            **module("lib/p/one.py"),
            "lib/p/one.abi3.so": "",
            "lib/p/one.so": "",
            **module("lib/p/__init__.py"),
            f"lib/p/__init__.{tag}-x86_64-linux-musl.so": "",
            f"lib/p/two.{tag}-x86_64-linux-gnu.so": "",
            "lib/p/libc.so.1": "",
        },
    )
    read = workspace.build([], "--triple", "x86_64-unknown-linux-musl")
    assert read.module_names() == read.extension_names() == ["p", "p.one"]
    assert read.module("p") == {
        "package": True,
        "source": None,
        "code": f"lib/p/__init__.{tag}-x86_64-linux-musl.so",
        "folder": "lib",
    }
    assert read.module("p.one") == {
        "package": False,
        "source": None,
        "code": f"lib/p/one.{tag}-x86_64-linux-musl.so",
        "folder": "lib/p",
    }
    read = workspace.build([], "--triple", "x86_64-unknown-linux-gnu")
    assert read.extension_names() == ["p.one", "p.two"]


def path_finder_says(roots: Sequence[Path], name: str) -> tuple[str, object] | None:
    """What CPython's path finder finds for a dotted name: ("module", origin) or namespace."""
    path: list[str] | None = [str(root) for root in roots]
    found: tuple[str, object] | None = None
    for part in name.split("."):
        # By its last part alone: a finder looks at no more, but namespaces ask for their parents.
        spec = PathFinder.find_spec(part, path) if path is not None else None
        if spec is None:
            return None
        locations = spec.submodule_search_locations
        if spec.loader is None or spec.origin in (None, "namespace"):
            path = list(locations._path)  # type: ignore[union-attr]
            found = ("namespace", path)
        else:
            path = locations
            found = ("module" if path is None else "package", spec.origin)
    return found


def random_files(chooser: random.Random) -> dict[str, str]:
    """Modules, packages, folders and data with few names, so that they meet in all ways."""
    files = {}
    for _ in range(chooser.randint(1, 40)):
        depth = chooser.choice([0, 0, 1, 1, 2])
        folder = "".join(f"{chooser.choice('abcd')}/" for _ in range(depth))
        name = chooser.choice(
            [
                *("a.py", "b.py", "c.py", "__init__.py", "__init__.py", "d.pyc", "x.txt", "a.pyc"),
                *("a.so", "b.abi3.so", f"a{EXTENSION}", "__init__.so", "c.cpython-20-x.so"),
            ]
        )
        files[f"{chooser.choice(PATH)}/{folder}{name}"] = str(chooser.random())
    # A file may not stand where a folder does.
    return files


@pytest.mark.parametrize("seed", range(40))
def test_modules_are_those_that_the_path_finder_finds(workspace: Workspace, seed: int) -> None:
    """The oracle: CPython's own path finder on the same files on a disk."""
    chooser = random.Random(seed)
    files = random_files(chooser)
    disk = workspace.folder / "disk"
    manifest: dict[str, bytes | str] = {}
    for path, content in files.items():
        manifest.update(module(path, content) if path.endswith(".py") else {path: content})
    for path, data in manifest.items():
        (disk / path).parent.mkdir(parents=True, exist_ok=True)
        (disk / path).write_text(str(data))
    shares: list[dict[str, bytes | str]] = [{}, {}, {}]
    for path, data in manifest.items():
        chooser.choice(shares)[path] = data
    for number, share in enumerate(shares):
        workspace.add(f"wheel:{number}", share)
    read = workspace.build()

    for path, data in manifest.items():
        assert read.content(path.encode()) == str(data).encode()
    importlib.invalidate_caches()
    names = [
        ".".join(parts)
        for first in "abcd"
        for second in ("", "a", "b", "c", "d")
        for third in ("", "a", "b", "c", "d")
        for parts in [[part for part in (first, second, third) if part]]
        if second or not third
    ]
    roots = [disk / entry for entry in PATH]
    seen = set()
    for name in names:
        expected = path_finder_says(roots, name)
        found = read.module(name)
        if expected is None or expected[0] == "namespace":
            assert found is None, name
            continue
        assert found is not None, (name, expected)
        seen.add(name)
        origin = str(found["source"] or found["code"])
        assert str(disk / origin) == expected[1]
        assert found["package"] == (expected[0] == "package")
        head = Path(origin).parent.parent if found["package"] else Path(origin).parent
        assert found["folder"] == str(head)
    assert seen == set(read.module_names())


@pytest.mark.parametrize("seed", range(10))
def test_any_tree_can_be_looked_up(workspace: Workspace, seed: int) -> None:
    """Random names of any bytes, against a dictionary."""
    chooser = random.Random(seed)
    oracle: dict[str, bytes] = {}
    alphabet = "ab\u00e9\u4e2d\U0001f600\udcff .-_"
    for _ in range(chooser.randint(0, 300)):
        parts = [
            "".join(chooser.choice(alphabet) for _ in range(chooser.randint(1, 4))).strip(".")
            or "f"
            for _ in range(chooser.randint(1, 5))
        ]
        path = "/".join(parts)
        clash = any(
            other == path or other.startswith(f"{path}/") or path.startswith(f"{other}/")
            for other in oracle
        )
        if not clash:
            oracle[path] = bytes(chooser.choices(range(256), k=chooser.randint(0, 20)))
    workspace.add("wheel:x", dict(oracle))
    read = workspace.build()
    for path, content in oracle.items():
        assert read.content(path.encode("utf-8", "surrogateescape")) == content
        assert read.find_path(path.encode("utf-8", "surrogateescape") + b"?") is None
    folders = {path.rpartition("/")[0] for path in oracle}
    folders = {"/".join(f.split("/")[: n + 1]) for f in folders for n in range(f.count("/") + 1)}
    assert len(read.nodes) == len({*oracle, *folders, ""})


def test_hash_tables_with_many_collisions() -> None:
    slots = slots_for([3] * 100)
    assert len(slots) == 256
    assert sorted(slot for slot in slots if slot) == list(range(1, 101))
    assert slots_for([]) == [0]


def test_the_hash_goes_on_from_a_prefix() -> None:
    start = image.fnv(2166136261, b"lib/")
    assert image.finish(image.fnv(start, b"x.py")) == oxidize_hash(b"lib/x.py")


# Conflicts


def test_two_first_party_components_with_the_same_file(workspace: Workspace) -> None:
    workspace.add("folder:one/util", module("app/util.py", "1"))
    workspace.add("folder:two/util", module("app/util.py", "2"))
    with pytest.raises(UserError) as error:
        workspace.build()
    for word in ("two modules of one name", "app/util.py", "folder:one/util", "folder:two/util"):
        assert word in str(error.value)
    assert not (workspace.folder / "image.o").exists()


def test_the_same_file_with_the_same_content_is_no_conflict(workspace: Workspace) -> None:
    workspace.add("folder:one", module("app/p/__init__.py"))
    workspace.add("folder:two", module("app/p/__init__.py"))
    assert workspace.build().module_names() == ["p"]
    assert workspace.report["warnings"] == []


def test_module_beside_a_package(workspace: Workspace) -> None:
    workspace.add("folder:app", module("app/x.py"))
    workspace.add("folder:app/x", module("app/x/__init__.py"))
    with pytest.raises(UserError, match="two modules of one name: `x` is") as error:
        workspace.build()
    for word in ("app/x.py", "app/x/__init__.py", "folder:app/x", "Rename one"):
        assert word in str(error.value)


def test_a_wheel_may_have_a_module_beside_a_package(workspace: Workspace) -> None:
    workspace.add("wheel:w", {**module("lib/x.py"), **module("lib/x/__init__.py")})
    found = workspace.build().module("x")
    assert found is not None
    assert found["package"]


@pytest.mark.parametrize("path", ["x.py", "x/__init__.py"])
def test_first_party_against_a_wheel(workspace: Workspace, path: str) -> None:
    workspace.add("folder:app", module("app/x.py", "1"))
    workspace.add("wheel:x-1.0", module(f"lib/site-packages/{path}", "2"))
    with pytest.raises(UserError) as error:
        workspace.build()
    for word in ("`x`", "app/x.py", f"lib/site-packages/{path}", "folder:app", "wheel:x-1.0"):
        assert word in str(error.value)


def test_stray_tests_of_a_wheel_give_way(workspace: Workspace) -> None:
    workspace.add("folder:tests", module("app/tests/__init__.py", "1"))
    workspace.add("wheel:w", module("lib/site-packages/tests/__init__.py", "2"))
    found = workspace.build().module("tests")
    assert found is not None
    assert found["source"] == "app/tests/__init__.py"
    (warning,) = workspace.report["warnings"]
    assert "hides" in warning


def test_first_party_hides_the_standard_library_as_on_disk(workspace: Workspace) -> None:
    workspace.add("folder:app", {**module("app/queue2.py", "1"), **module("app/sys.py", "1")})
    workspace.add("stdlib", module("lib/queue2.py", "2"))
    found = workspace.build().module("queue2")
    assert found is not None
    assert found["source"] == "app/queue2.py"
    hidden, builtin = sorted(workspace.report["warnings"], key=lambda text: "sys" in text)
    assert "`queue2`" in hidden
    assert "`sys` is a built-in or frozen module" in builtin


def test_namespace_portions_come_from_everywhere(workspace: Workspace) -> None:
    workspace.add("folder:app/ns", module("app/ns/one.py"))
    workspace.add("wheel:w", module("lib/site-packages/ns/two.py"))
    assert workspace.build().module_names() == ["ns.one", "ns.two"]
    assert workspace.report["warnings"] == []


def test_a_namespace_folder_behind_a_package_is_told(workspace: Workspace) -> None:
    workspace.add("folder:app/ns", module("app/ns/one.py"))
    workspace.add("wheel:w", module("lib/site-packages/ns/__init__.py"))
    assert workspace.build().module_names() == ["ns"]
    (warning,) = workspace.report["warnings"]
    for word in ("app/ns", "folder:app/ns", "lib/site-packages/ns/__init__.py", "wheel:w"):
        assert word in warning


def test_two_wheels_with_the_same_file(workspace: Workspace) -> None:
    workspace.add("wheel:b", module("lib/x.py", "b"))
    workspace.add("wheel:a", module("lib/x.py", "a"))
    read = workspace.build()
    assert read.content(b"lib/x.py") == b"a"
    assert read.content(f"lib/__pycache__/x.{TAG}.pyc".encode()) == b"pyc of a"
    (warning,) = workspace.report["warnings"]
    assert "wheel:a is taken" in warning


@pytest.mark.parametrize("order", [("wheel:a", "wheel:b"), ("wheel:b", "wheel:a")])
def test_a_file_where_there_is_a_folder(workspace: Workspace, order: tuple[str, str]) -> None:
    workspace.add(order[0], {"lib/x": ""})
    workspace.add(order[1], {"lib/x/y": ""})
    with pytest.raises(UserError, match=r"`lib/x` is a file in .* and a folder in"):
        workspace.build()


def test_paths_that_linux_cannot_open(workspace: Workspace) -> None:
    workspace.add("folder:app", {"app/" + "x/" * 3000 + "y": ""})
    with pytest.raises(UserError, match="at most 4084 can be opened"):
        workspace.build()


# The entry point


def entry(kind: str, module_name: str, function: str = "") -> list[list[str]]:
    settings = [["entry.kind", kind], ["entry.module", module_name], *INTERPRETER[1:]]
    return [*settings, ["entry.function", function]] if function else settings


def application(workspace: Workspace) -> None:
    workspace.add(
        "folder:app",
        {
            **module("app/cli.py"),
            **module("app/pkg/__init__.py"),
            **module("app/pkg/sub.py"),
            **module("app/runs/__init__.py"),
            **module("app/runs/__main__.py"),
            **module("app/open.py"),
            **module("app/ns/__main__.py"),
        },
        names={"cli": ["main", "App"], "pkg": ["main"], "open": None, "pkg.sub": []},
    )


@pytest.mark.parametrize(
    "settings",
    [
        entry("module", "cli"),
        entry("module", "runs"),
        entry("module", "ns"),
        entry("module", "pkg.sub"),
        entry("module", "sys"),
        entry("function", "cli", "main"),
        entry("function", "cli", "App.run"),
        entry("function", "pkg", "sub.anything"),
        entry("function", "open", "anything"),
        entry("function", "runs", "anything"),
    ],
)
def test_entry_points_that_exist(workspace: Workspace, settings: list[list[str]]) -> None:
    application(workspace)
    workspace.build(settings)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (entry("module", "clj"), ["no module `clj`", "Did you mean cli"]),
        (entry("function", "pkg.sud", "main"), ["no module `pkg.sud`", "pkg.sub"]),
        (entry("function", "zzzzz", "main"), ["no module `zzzzz`", "dependencies"]),
        (entry("module", "pkg"), ["`pkg` is a package without `__main__`", "pkg:function"]),
        (entry("function", "cli", "mian"), ["has no `mian`", "Did you mean main?", "app/cli.py"]),
        (entry("function", "cli", "nothing.x"), ["has no `nothing`"]),
    ],
)
def test_entry_points_that_do_not(
    workspace: Workspace, settings: list[list[str]], words: list[str]
) -> None:
    application(workspace)
    with pytest.raises(UserError) as error:
        workspace.build(settings)
    for word in ["entry_point", *words]:
        assert word in str(error.value)
    assert not (workspace.folder / "image.o").exists()


def test_the_order_of_manifests_does_not_matter(workspace: Workspace) -> None:
    application(workspace)
    workspace.add("wheel:w", module("lib/w.py"))
    workspace.build()
    first = (workspace.folder / "image.o").read_bytes()
    workspace.manifests.reverse()
    workspace.build()
    assert (workspace.folder / "image.o").read_bytes() == first


def test_lists_may_come_from_files(workspace: Workspace) -> None:
    application(workspace)
    (workspace.folder / "list").write_text("\n".join(workspace.manifests) + "\n")
    (workspace.folder / "builtin").write_text("cli\n")
    workspace.manifests = [f"@{workspace.folder / 'list'}"]
    names = workspace.build([], "--builtin", f"@{workspace.folder / 'builtin'}").module_names()
    assert "cli" not in names
    assert "pkg" in names
