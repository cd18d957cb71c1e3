"""Every module of the image, not samples: as CPython's own finder has it. Run by the binary."""

# ruff: noqa: PT009 (unittest is what the standard library in the image offers)

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import linecache
import os
import pkgutil
import subprocess
import sys
import textwrap
import types
import unittest
from collections.abc import Iterator

STDLIB = f"/.oxidized/lib/python{sys.version_info[0]}.{sys.version_info[1]}"
FINDER, PATH_FINDER = sys.meta_path[0], importlib.machinery.PathFinder
FROZEN = importlib.machinery.FrozenImporter
# What specs are compared by, beside the loaders.
FIELDS = (
    *("name", "origin", "cached", "has_location", "parent"),
    *("loader_state", "submodule_search_locations"),
)
# They are changed once they have run, by a loader that differs until then.
AMENDED = {"ctypes.util", *(["platform"] if "musl" in sys.implementation._multiarch else [])}
# They fail from disk, too, on a Linux that lacks what they look for.
NOT_EVERYWHERE = {
    *("_ios_support", "asyncio.windows_events", "asyncio.windows_utils", "ctypes.wintypes"),
    *("encodings.mbcs", "encodings.oem", "multiprocessing.popen_spawn_win32"),
    *("_pyrepl._minimal_curses", "_pyrepl.windows_console", "dbm.gnu", "dbm.ndbm"),
}


def sources() -> Iterator[tuple[str, str]]:
    """Names and paths of all modules with source, folder by folder."""
    for folder, folders, files in os.walk(STDLIB):
        folders[:] = sorted({*folders} - {"__pycache__", "site-packages"})
        package = os.path.relpath(folder, STDLIB).replace("/", ".").strip(".")
        if package and "__init__.py" not in files:
            continue  # data
        for file in sorted(files):
            stem, extension = os.path.splitext(file)
            if extension != ".py":
                continue
            name = package if stem == "__init__" else f"{package}.{stem}".strip(".")
            yield name, f"{folder}/{file}"


def search_path(name: str, path: str) -> list[str]:
    """Where a module of that name and file is looked for."""
    folder = os.path.dirname(path)
    return [os.path.dirname(folder) if path.endswith("/__init__.py") else folder]


def nested(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from nested(constant)


class Strict(importlib.machinery.SourceFileLoader):
    """CPython's own, which may only read bytecode."""

    def source_to_code(self, data, path, **options):  # type: ignore[override]
        raise AssertionError(f"{path} had to be compiled")


class EveryModule(unittest.TestCase):
    everything: dict[str, str]
    modules: dict[str, str]  # those that our finder provides: neither frozen nor with odd names

    @classmethod
    def setUpClass(cls) -> None:
        cls.everything = dict(sources())
        cls.modules = {
            name: path
            for name, path in cls.everything.items()
            if FROZEN.find_spec(name) is None and name.replace(".", "").isidentifier()
        }

    def test_frozen_modules_are_left_to_their_importer(self) -> None:
        """It comes behind ours, and before the path finder's: as on disk, it provides them."""
        frozen = {name for name in self.everything if FROZEN.find_spec(name)}
        self.assertLessEqual({"abc", "io", "os", "site", "importlib.util"}, frozen)
        for name in frozen:
            path = self.everything[name]
            self.assertIsNone(FINDER.find_spec(name, search_path(name, path)), name)
            self.assertEqual(importlib.util.find_spec(name).origin, "frozen", name)
            self.assertEqual(PATH_FINDER.find_spec(name, search_path(name, path)).origin, path)

    def test_names_that_are_no_identifiers(self) -> None:
        """`import` cannot say them, import_module can: the path finder has the same files."""
        odd = {name for name in self.everything if not name.replace(".", "").isidentifier()}
        self.assertIn(f"_sysconfigdata__linux_{sys.implementation._multiarch}", odd)
        for name in odd:
            spec = importlib.util.find_spec(name)
            self.assertEqual(spec.origin, self.everything[name])
            self.assertEqual(Strict(name, spec.origin).get_code(name).co_filename, spec.origin)

    def test_there_are_many(self) -> None:
        self.assertGreater(len(self.modules), 400)
        for name in ("json", "json.decoder", "xml.etree.ElementTree", "concurrent"):
            self.assertIn(name, self.modules)

    def test_spec_is_the_path_finders(self) -> None:
        for name, path in self.modules.items():
            theirs = PATH_FINDER.find_spec(name, search_path(name, path))
            self.assertEqual(theirs.origin, path)
            ours = FINDER.find_spec(name, search_path(name, path))
            for field in FIELDS:
                self.assertEqual(getattr(ours, field), getattr(theirs, field), (name, field))
            self.assertIs(type(ours.loader), type(theirs.loader), name)
            # This one is changed after its import, by its loader.
            self.assertEqual(ours.loader == theirs.loader, name not in AMENDED, name)
            for loader in (ours.loader, theirs.loader):
                self.assertEqual((loader.name, loader.path), (name, path))
                self.assertEqual(loader.get_filename(name), path)
                self.assertEqual(loader.is_package(name), path.endswith("/__init__.py"), name)

    def test_found_from_another_folder_only_there(self) -> None:
        """The path decides, not the name alone."""
        for name, path in self.modules.items():
            folder = search_path(name, path)[0]
            for other in (f"{folder}/no_such", f"{folder}x", os.path.dirname(folder)):
                theirs = PATH_FINDER.find_spec(name, [other])
                ours = FINDER.find_spec(name, [other])
                self.assertIsNone(ours, (name, other))
                if theirs is not None:  # a namespace, or another module of that name
                    self.assertNotEqual(theirs.origin, path)

    def test_bytecode_is_the_sources(self) -> None:
        """CPython's loader takes the same bytecode: it never has to compile, which would cost each
        program that uses it. Names of files in it are the paths, in all functions."""
        for name, path in self.modules.items():
            code = FINDER.find_spec(name, search_path(name, path)).loader.get_code(name)
            self.assertEqual(Strict(name, path).get_code(name), code, name)
            self.assertEqual({each.co_filename for each in nested(code)}, {path})

    def test_every_source_has_lines(self) -> None:
        for name, path in self.modules.items():
            with open(path, "rb") as stream:
                count = len(stream.read().splitlines())
            # linecache has one more for a file without an end of line, and one for an empty one.
            self.assertLessEqual(abs(len(linecache.getlines(path)) - count), 1, name)
        linecache.clearcache()

    def test_no_bytecode_is_alone(self) -> None:
        tag = sys.implementation.cache_tag
        for folder, _, files in os.walk(STDLIB):
            if os.path.basename(folder) != "__pycache__" or "/site-packages" in folder:
                continue
            for file in files:
                stem, found, extension = file.partition(f".{tag}")
                self.assertTrue(found, f"{folder}/{file}")
                self.assertIn(extension, (".pyc", ".opt-1.pyc", ".opt-2.pyc"))
                source = f"{os.path.dirname(folder)}/{stem}.py"
                self.assertTrue(os.path.exists(source), source)
                with open(f"{folder}/{file}", "rb") as stream:
                    self.assertEqual(stream.read(4), importlib.util.MAGIC_NUMBER)

    def test_iter_modules_tells_the_same(self) -> None:
        for package in ("", "json", "email", "xml", "concurrent.futures", "importlib.resources"):
            folder = os.path.join(STDLIB, *package.split("."))
            listed = {one.name: one.ispkg for one in pkgutil.iter_modules([folder])}
            prefix = f"{package}." if package else ""
            expected = {
                name[len(prefix) :]: path.endswith("/__init__.py")
                for name, path in self.everything.items()
                if name.startswith(prefix) and "." not in name[len(prefix) :] and name != package
            }
            self.assertEqual(listed, expected, package)

    def test_all_are_imported(self) -> None:
        """What is not for another system is imported, with the attributes that its spec tells."""
        code = """
            import contextlib, importlib, io, json, sys, warnings
            warnings.simplefilter("ignore")
            failed, strange, found = {}, [], []
            finder, before = sys.meta_path[0], {*sys.modules}
            class Recording:
                def find_spec(*arguments):
                    found.append(finder.find_spec(*arguments[1:]))
                    return found[-1]
            sys.meta_path[0] = Recording()
            for name in json.loads(sys.stdin.read()):
                try:
                    with contextlib.redirect_stdout(io.StringIO()):
                        module = importlib.import_module(name)
                except ImportError as error:
                    failed[name] = str(error)
                    continue
                spec = module.__spec__
                fine = module.__name__ == spec.name == name and module.__loader__ is spec.loader
                fine &= module.__package__ == spec.parent
                if spec.has_location:
                    fine &= name in before or any(one is spec for one in found)
                    fine &= vars(spec.loader) == {"name": name, "path": module.__file__}
                    fine &= module.__file__ == spec.origin and module.__cached__ == spec.cached
                    fine &= spec.submodule_search_locations == getattr(module, "__path__", None)
                if not fine:
                    strange.append(name)
            print(json.dumps([failed, strange]))
        """
        # What runs a program, opens a browser, or needs Tk.
        left_out = {"__main__", "antigravity", "idlelib", "tkinter", "turtle", "turtledemo"}
        names = [name for name in self.modules if not left_out & {*name.split(".")}]
        done = subprocess.run(
            [sys.executable, "-I", "-c", textwrap.dedent(code)],
            input=json.dumps(names),
            capture_output=True,
            encoding="utf-8",
            timeout=120,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        failed, strange = json.loads(done.stdout)
        reasons = {name: failed[name] for name in failed.keys() - NOT_EVERYWHERE}
        self.assertEqual(reasons, {})
        # These say that they are others, on disk, too.
        others = {"_pydecimal", "importlib._bootstrap", "importlib._bootstrap_external"}
        self.assertEqual({*strange}, others)


if __name__ == "__main__":
    unittest.main()
