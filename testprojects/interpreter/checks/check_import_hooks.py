"""Hooks of applications, importlib's tools, zip files. Run by the packaged binary."""

# ruff: noqa: PT009, PT027 (unittest is what the standard library in the image offers)

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import pkgutil
import py_compile
import subprocess
import sys
import tempfile
import textwrap
import unittest
import zipfile
import zipimport
from types import ModuleType

ROOT = "/.oxidized"
STDLIB = f"{ROOT}/lib/python{sys.version_info[0]}.{sys.version_info[1]}"


def run(code: str, *arguments: str, **environment: str) -> str:
    """Standard output of this executable with that code."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
    )
    return done.stdout.strip()


class Recorder(importlib.abc.MetaPathFinder):
    """Finds nothing but notes what it is asked for; `answers` replace modules."""

    def __init__(self, **answers: str) -> None:
        self.asked: list[str] = []
        self.answers = answers

    def find_spec(self, fullname, path=None, target=None):
        self.asked.append(fullname)
        if fullname in self.answers:
            return importlib.util.spec_from_loader(fullname, Maker(self.answers[fullname]))
        return None


class Maker(importlib.abc.Loader):
    def __init__(self, value: str) -> None:
        self.value = value

    def exec_module(self, module: ModuleType) -> None:
        module.value = self.value


class Hooks(unittest.TestCase):
    def setUp(self) -> None:
        self.meta_path, self.hooks = list(sys.meta_path), list(sys.path_hooks)
        self.path = list(sys.path)
        sys.modules.pop("colorsys", None)

    def tearDown(self) -> None:
        sys.meta_path[:], sys.path_hooks[:], sys.path[:] = self.meta_path, self.hooks, self.path
        sys.path_importer_cache.clear()
        sys.modules.pop("colorsys", None)

    def test_before_ours(self) -> None:
        hook = Recorder(colorsys="theirs")
        sys.meta_path.insert(0, hook)
        self.assertEqual(importlib.import_module("colorsys").value, "theirs")
        self.assertIn("colorsys", hook.asked)

    def test_behind_all(self) -> None:
        hook = Recorder(colorsys="theirs", no_such_module_yet="made")
        sys.meta_path.append(hook)
        self.assertFalse(hasattr(importlib.import_module("colorsys"), "value"))
        self.assertEqual(importlib.import_module("no_such_module_yet").value, "made")
        self.assertEqual(hook.asked, ["no_such_module_yet"])
        del sys.modules["no_such_module_yet"]

    def test_ours_taken_out(self) -> None:
        """CPython's own finder does the same work on the virtual files."""
        del sys.meta_path[0]
        module = importlib.import_module("colorsys")
        self.assertEqual(module.__file__, f"{STDLIB}/colorsys.py")
        self.assertEqual(module.__cached__, importlib.util.cache_from_source(module.__file__))
        self.assertIs(type(module.__loader__), importlib.machinery.SourceFileLoader)

    def test_wrapped(self) -> None:
        """Tools such as tracers put a finder of theirs in the place of each."""

        class Wrapper(importlib.abc.MetaPathFinder):
            def __init__(self, inner: object) -> None:
                self.inner, self.found = inner, 0

            def find_spec(self, fullname, path=None, target=None):
                spec = self.inner.find_spec(fullname, path, target)
                self.found += spec is not None
                return spec

        sys.meta_path[:] = [Wrapper(finder) for finder in sys.meta_path]
        importlib.import_module("colorsys")
        self.assertEqual(sys.meta_path[0].found, 1)

    def test_path_hook(self) -> None:
        class Entry(importlib.abc.PathEntryFinder):
            def __init__(self, path: str) -> None:
                if path != "scheme://place":
                    raise ImportError("not mine", path=path)

            def find_spec(self, fullname, target=None):
                if fullname == "colorsys":
                    return importlib.util.spec_from_loader(fullname, Maker("by scheme"))
                return None

        sys.path_hooks.insert(0, Entry)
        sys.path.append("scheme://place")
        self.assertFalse(hasattr(importlib.import_module("colorsys"), "value"))
        del sys.modules["colorsys"]
        sys.path.insert(0, sys.path.pop())
        self.assertEqual(importlib.import_module("colorsys").value, "by scheme")

    def test_import_replaced(self) -> None:
        import builtins

        seen = []
        original = builtins.__import__

        def tracing(name, *arguments, **keywords):
            seen.append(name)
            return original(name, *arguments, **keywords)

        builtins.__import__ = tracing
        try:
            import colorsys  # noqa: F401
        finally:
            builtins.__import__ = original
        self.assertEqual(seen, ["colorsys"])

    def test_a_path_hook_that_claims_the_image(self) -> None:
        """A hook before FileFinder is asked by PathFinder; the modules of the image stay ours."""

        def claim(path: str) -> object:
            raise ImportError("never")

        sys.path_hooks.insert(0, claim)
        sys.path_importer_cache.clear()
        self.assertEqual(importlib.import_module("colorsys").__file__, f"{STDLIB}/colorsys.py")
        self.assertIn("colorsys", {one.name for one in pkgutil.iter_modules([STDLIB])})


class ImportlibTools(unittest.TestCase):
    def test_find_spec(self) -> None:
        self.assertEqual(
            importlib.util.find_spec("json.decoder").origin, f"{STDLIB}/json/decoder.py"
        )
        self.assertEqual(importlib.util.find_spec(".decoder", "json").name, "json.decoder")
        self.assertIsNone(importlib.util.find_spec("no_such_module"))
        with self.assertRaises(ModuleNotFoundError):
            importlib.util.find_spec("no_such_module.inner")
        with self.assertRaises(ModuleNotFoundError):
            importlib.util.find_spec("colorsys.inner")

    def test_module_from_spec(self) -> None:
        spec = importlib.util.find_spec("json")
        self.assertIsNone(spec.loader.create_module(spec))
        module = importlib.util.module_from_spec(spec)
        self.assertIsNot(module, sys.modules.get("json"))
        self.assertEqual(module.__file__, f"{STDLIB}/json/__init__.py")
        self.assertEqual((module.__package__, module.__path__), ("json", [f"{STDLIB}/json"]))
        self.assertIs(module.__loader__, spec.loader)
        self.assertIs(module.__spec__, spec)
        self.assertIsNone(spec.loader.exec_module(module))
        self.assertEqual(module.dumps([1]), "[1]")

    def test_spec_from_file_location(self) -> None:
        """The recipe for "import this file" under another name, with a file of the image."""
        spec = importlib.util.spec_from_file_location("colours", f"{STDLIB}/colorsys.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self.assertEqual((module.__name__, module.rgb_to_hls(1, 1, 1)[1]), ("colours", 1))
        spec = importlib.util.spec_from_file_location("package", f"{STDLIB}/json/__init__.py")
        self.assertEqual(spec.submodule_search_locations, [f"{STDLIB}/json"])
        loader = importlib.machinery.SourceFileLoader("colours", f"{STDLIB}/colorsys.py")
        self.assertIn("def rgb_to_hls", loader.get_source("colours"))

    def test_source_file_loader_reads_the_bytecode(self) -> None:
        loader = importlib.machinery.SourceFileLoader("colorsys", f"{STDLIB}/colorsys.py")
        ours = importlib.util.find_spec("colorsys").loader
        self.assertEqual(loader.get_code("colorsys"), ours.get_code("colorsys"))
        self.assertEqual(loader.path_stats(loader.path)["size"], os.stat(loader.path).st_size)

    def test_loaders_of_the_image_write_nothing(self) -> None:
        loader = importlib.util.find_spec("colorsys").loader
        loader.set_data(f"{STDLIB}/__pycache__/new.pyc", b"")  # as on a read-only disk: silently
        self.assertFalse(os.path.exists(f"{STDLIB}/__pycache__/new.pyc"))

    def test_resource_reader(self) -> None:
        spec = importlib.util.find_spec("json")
        reader = spec.loader.get_resource_reader("json")
        self.assertIn("decoder.py", set(reader.contents()))
        self.assertTrue(reader.is_resource("decoder.py"))
        self.assertFalse(reader.is_resource("missing"))
        self.assertFalse(reader.is_resource("__pycache__"))
        self.assertEqual(str(reader.resource_path("decoder.py")), f"{STDLIB}/json/decoder.py")
        with reader.open_resource("decoder.py") as stream:
            self.assertIn(b"class JSONDecoder", stream.read())
        with self.assertRaises(FileNotFoundError):
            reader.open_resource("missing")

    def test_invalidate_caches_sees_what_came_to_disk(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            out = run(
                """
                import importlib, os, sys
                folder = sys.argv[1]
                sys.path.insert(0, folder)
                import colorsys
                for name in ("late_module", "late_module"):
                    try:
                        print(importlib.import_module(name).__file__ == f"{folder}/late_module.py")
                    except ModuleNotFoundError:
                        print("not yet")
                    with open(f"{folder}/late_module.py", "w") as stream:
                        stream.write("")
                    os.utime(folder, (1, 1))
                    importlib.invalidate_caches()
                print(importlib.reload(colorsys) is colorsys)
                """,
                folder,
            )
        self.assertEqual(out.split("\n"), ["not yet", "True", "True"])

    def test_reload_after_a_file_came_to_disk(self) -> None:
        """reload() searches again: what stands earlier on the path now is what runs."""
        with tempfile.TemporaryDirectory() as folder:
            out = run(
                """
                import colorsys, importlib, sys
                with open(f"{sys.argv[1]}/colorsys.py", "w") as stream:
                    stream.write("mine = 1")
                sys.path.insert(0, sys.argv[1])
                importlib.reload(colorsys)
                print(colorsys.mine, colorsys.__file__ == f"{sys.argv[1]}/colorsys.py")
                """,
                folder,
            )
        self.assertEqual(out, "1 True")

    def test_failed_import_leaves_nothing(self) -> None:
        code = """
            import sys
            class Stop(Exception): pass
            def fail(event, arguments):
                if event == "exec" and arguments[0].co_filename.endswith("colorsys.py"):
                    raise Stop
            sys.addaudithook(fail)
            try:
                import colorsys
            except Stop:
                print("colorsys" in sys.modules)
        """
        self.assertEqual(run(code), "False")

    def test_audit_events(self) -> None:
        """`import` and `exec` are told as for any import."""
        code = """
            import sys
            seen = []
            sys.addaudithook(lambda event, arguments: seen.append((event, arguments))
                             if event in ("import", "exec") else None)
            import colorsys
            print([a[0] for e, a in seen if e == "import" and a[0] == "colorsys"])
            print([a[0].co_filename for e, a in seen if e == "exec"])
        """
        self.assertEqual(run(code), f"['colorsys']\n['{STDLIB}/colorsys.py']")


class DotInit(unittest.TestCase):
    def test_as_on_disk(self) -> None:
        """`package.__init__` is a module of its own to CPython, and so it is here."""
        code = "import json.__init__ as one, json; print(one.__name__, one.__file__, one is json)"
        self.assertEqual(run(code), f"json.__init__ {STDLIB}/json/__init__.py False")


class Zip(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = f"{folder.name}/some.zip"
        text = "def where():\n    return __file__\nvalue = 5\n"
        source = f"{folder.name}/only_bytecode.py"
        with open(source, "w", encoding="utf-8") as stream:
            stream.write(text)
        compiled = py_compile.compile(source, f"{folder.name}/only_bytecode.pyc", doraise=True)
        with zipfile.ZipFile(self.file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("zipped.py", text)
            archive.writestr("zipped_package/__init__.py", "")
            archive.writestr("zipped_package/inner.py", text)
            archive.writestr("zipped_package/data.txt", "zipped data")
            archive.write(compiled, "only_bytecode.pyc")
            archive.writestr("colorsys.py", "zipped = True\n")

    def test_from_disk(self) -> None:
        code = """
            import sys
            import zipped, zipped_package.inner, only_bytecode, colorsys, textwrap
            import importlib.resources, inspect, pkgutil
            file = sys.argv[1]
            print(type(zipped.__loader__).__name__, zipped.__file__ == file + "/zipped.py")
            print(zipped_package.inner.where() == file + "/zipped_package/inner.py")
            print(only_bytecode.value, only_bytecode.__loader__.get_source("only_bytecode"))
            print(zipped_package.__loader__.is_package("zipped_package"))
            print(inspect.getsource(zipped.where).splitlines()[0])
            print(pkgutil.get_data("zipped_package", "data.txt"))
            with importlib.resources.as_file(
                importlib.resources.files("zipped_package") / "data.txt") as path:
                print(path.read_text(), str(path).startswith(file))
            print(hasattr(colorsys, "zipped"), textwrap.__file__)
        """
        out = run(code, self.file, PYTHONPATH=self.file).splitlines()
        self.assertEqual(out[0], "zipimporter True")
        self.assertEqual(out[1:4], ["True", "5 None", "True"])
        self.assertEqual(out[4:6], ["def where():", "b'zipped data'"])
        self.assertEqual(out[6:], ["zipped data False", f"True {STDLIB}/textwrap.py"])

    def test_behind_the_image(self) -> None:
        sys.path.append(self.file)
        sys.modules.pop("colorsys", None)
        try:
            self.assertEqual(importlib.import_module("colorsys").__file__, f"{STDLIB}/colorsys.py")
            self.assertEqual(importlib.import_module("zipped").value, 5)
        finally:
            sys.path.remove(self.file)
            sys.modules.pop("zipped", None)

    def test_run(self) -> None:
        with zipfile.ZipFile(self.file, "a") as archive:
            archive.writestr(
                "__main__.py", "import zipped, colorsys; print(zipped.value, __name__)"
            )
        done = subprocess.run([sys.executable, self.file], stdout=subprocess.PIPE, check=True)
        self.assertEqual(done.stdout, b"5 __main__\n")

    def test_each_kind_of_module(self) -> None:
        """Source, bytecode, or both; a module, a package, and a module in that."""
        text = "value = 42\n"
        folder = os.path.dirname(self.file)
        with open(f"{folder}/text.py", "w", encoding="utf-8") as stream:
            stream.write(text)
        with open(
            py_compile.compile(
                f"{folder}/text.py",
                f"{folder}/text.pyc",
                doraise=True,
                # As it is, bytecode would be of another date than a source of today.
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            ),
            "rb",
        ) as stream:
            contents = {"py": text.encode(), "pyc": stream.read()}
        cases = [
            (f"{kind}_{'_'.join(endings)}", kind, endings)
            for kind in ("module", "package")
            for endings in (("py",), ("pyc",), ("py", "pyc"))
        ]
        with zipfile.ZipFile(self.file, "a") as archive:
            for name, kind, endings in cases:
                for ending in endings:
                    file = name if kind == "module" else f"{name}/__init__"
                    archive.writestr(f"{file}.{ending}", contents[ending])
                    if kind == "package":
                        archive.writestr(f"{name}/inner.{ending}", contents[ending])
        importer = zipimport.zipimporter(self.file)
        sys.path.insert(0, self.file)
        self.addCleanup(sys.path.remove, self.file)
        for name, kind, endings in cases:
            package = kind == "package"
            spec = importer.find_spec(name)
            origin = f"{self.file}/{name}{'/__init__' if package else ''}.{endings[-1]}"
            self.assertEqual((spec.name, spec.origin, spec.loader), (name, origin, importer))
            self.assertIsNone(spec.loader_state)
            self.assertIsNotNone(spec.cached)
            below = [f"{self.file}/{name}"] if package else None
            self.assertEqual(spec.submodule_search_locations, below)
            self.assertEqual(importer.is_package(name), package)
            self.assertEqual(importer.get_source(name), text if "py" in endings else None)
            self.assertEqual(importer.get_code(name).co_names, ("value",))
            module = importlib.import_module(name)
            self.addCleanup(sys.modules.pop, name)
            self.assertEqual((module.__file__, module.value), (origin, 42))
            self.assertEqual(module.__package__, name if package else "")
            self.assertEqual(module.__loader__.archive, self.file)
            if package:
                inner = importlib.import_module(f"{name}.inner")
                self.addCleanup(sys.modules.pop, inner.__name__)
                self.assertEqual(inner.__file__, f"{self.file}/{name}/inner.{endings[-1]}")
                self.assertEqual((inner.value, inner.__package__), (42, name))
                self.assertIsNone(inner.__spec__.submodule_search_locations)
        for method in (importer.get_code, importer.get_source, importer.is_package):
            with self.assertRaises(zipimport.ZipImportError):
                method("missing")

    def test_importer_by_hand(self) -> None:
        importer = zipimport.zipimporter(self.file)
        spec = importer.find_spec("zipped")
        self.assertEqual(spec.origin, f"{self.file}/zipped.py")
        self.assertIsNone(importer.find_spec("no_such"))
        with self.assertRaises(zipimport.ZipImportError):
            zipimport.zipimporter(f"{STDLIB}/textwrap.py")
        with self.assertRaises(zipimport.ZipImportError):
            zipimport.zipimporter(f"{STDLIB}/json")


if __name__ == "__main__":
    unittest.main()
