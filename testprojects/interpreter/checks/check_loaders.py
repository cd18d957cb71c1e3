"""Loaders are importlib's classes, changed in what reads an unchanged one. Run by the binary."""

# ruff: noqa: PT009, PT027 (unittest is what the standard library in the image offers)

from __future__ import annotations

import importlib.machinery
import importlib.util
import py_compile
import sys
import tempfile
import types
import unittest
import unittest.mock
from collections.abc import Callable
from importlib.machinery import SourceFileLoader, SourcelessFileLoader
from pathlib import Path

FINDER = sys.meta_path[0]
NAME = "colorsys"
SOURCE = FINDER.find_spec(NAME).origin
CACHED = FINDER.find_spec(NAME).cached

opened: list[str] = []


def remember(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open":
        opened.append(str(arguments[0]))


sys.addaudithook(remember)


def files_of(work: Callable[[], object]) -> list[str]:
    opened.clear()
    work()
    return opened[:]


class Memory(unittest.TestCase):
    """An unchanged loader of a module in the image opens no file, whoever made it."""

    def test_the_finders(self) -> None:
        loader = FINDER.find_spec(NAME).loader
        self.assertEqual(files_of(lambda: loader.get_code(NAME)), [])

    def test_another(self) -> None:
        loader = SourceFileLoader(NAME, SOURCE)
        self.assertEqual(files_of(lambda: loader.get_code(NAME)), [])
        self.assertEqual(loader.get_code(NAME), FINDER.find_spec(NAME).loader.get_code(NAME))

    def test_import(self) -> None:
        sys.modules.pop(NAME, None)
        self.assertEqual(files_of(lambda: importlib.import_module(NAME)), [])


class Changed(unittest.TestCase):
    """Whoever changes what a loader reads by is asked, as by importlib's own `get_code`."""

    def assert_reads(self, loader: SourceFileLoader) -> None:
        self.assertEqual(files_of(lambda: loader.get_code(NAME)), [CACHED])

    def test_class_below(self) -> None:
        class Below(SourceFileLoader):
            pass

        self.assert_reads(Below(NAME, SOURCE))

    def test_class_below_with_its_own_content(self) -> None:
        class Below(SourceFileLoader):
            def get_data(self, path: str) -> bytes:
                if path == CACHED:
                    raise OSError
                return b"mine = 1"

        module = types.ModuleType(NAME)
        Below(NAME, SOURCE).exec_module(module)
        self.assertEqual(module.mine, 1)

    def test_class_below_that_compiles(self) -> None:
        """As a checker of types does it: what it compiles has another cached file."""
        seen = []

        class Below(SourceFileLoader):
            def source_to_code(self, data, path, **options):  # type: ignore[override]
                seen.append(path)
                return super().source_to_code(data, path, **options)

        self.assert_reads(Below(NAME, SOURCE))
        own = "importlib._bootstrap_external.cache_from_source"
        with unittest.mock.patch(own, lambda path: f"{path}.own"):
            Below(NAME, SOURCE).get_code(NAME)
        self.assertEqual(seen, [SOURCE])

    def test_class_below_with_another_between(self) -> None:
        class Other(importlib.machinery.SourceFileLoader.__mro__[2]):
            def get_code(self, fullname: str) -> object:
                return (fullname, super().get_code(fullname))

        class Below(SourceFileLoader, Other):
            pass

        name, code = Below(NAME, SOURCE).get_code(NAME)
        self.assertEqual((name, code.co_filename), (NAME, SOURCE))

    def test_class_itself(self) -> None:
        for attribute in ("get_data", "get_filename", "path_stats"):
            loader = SourceFileLoader(NAME, SOURCE)
            with (
                unittest.mock.patch.object(
                    SourceFileLoader, attribute, autospec=True, side_effect=EOFError(attribute)
                ),
                self.assertRaisesRegex(EOFError, attribute),
            ):
                loader.get_code(NAME)
            self.assertEqual(files_of(lambda loader=loader: loader.get_code(NAME)), [])

    def test_one_loader(self) -> None:
        loader = SourceFileLoader(NAME, SOURCE)
        loader.get_data = lambda path: b"" if path == CACHED else b"mine = 1"
        self.assertIn("mine", loader.get_code(NAME).co_names)

    def test_its_path(self) -> None:
        loader = FINDER.find_spec(NAME).loader
        loader.path = FINDER.find_spec("textwrap").origin
        self.assertEqual(loader.get_code(NAME).co_filename, loader.path)

    def test_get_code_of_the_class(self) -> None:
        real = SourceFileLoader.get_code
        with unittest.mock.patch.object(SourceFileLoader, "get_code", lambda *all: (1, real(*all))):
            number, code = FINDER.find_spec(NAME).loader.get_code(NAME)
        self.assertEqual((number, code.co_filename), (1, SOURCE))


class Arguments(unittest.TestCase):
    def test_as_of_a_function(self) -> None:
        loader = FINDER.find_spec(NAME).loader
        code = loader.get_code(NAME)
        for other in (
            loader.get_code(fullname=NAME),
            loader.get_code(None),
            SourceFileLoader.get_code(loader, NAME),
            SourceFileLoader.get_code(self=loader, fullname=NAME),
        ):
            self.assertEqual(other, code)
        for arguments in ((), (NAME, NAME)):
            with self.assertRaisesRegex(TypeError, r"get_code\(\)"):
                loader.get_code(*arguments)
        for name in ("textwrap", "no\udcff", 5):
            with self.assertRaisesRegex(ImportError, "cannot handle"):
                loader.get_code(name)

    def test_a_class_that_is_not_for_the_file(self) -> None:
        with self.assertRaisesRegex(ImportError, "bad magic number"):
            SourcelessFileLoader(NAME, SOURCE).get_code(NAME)
        with self.assertRaises((SyntaxError, ValueError)):
            SourceFileLoader(NAME, CACHED).get_code(NAME)

    def test_files_on_disk(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f"{NAME}.py")
            path.write_text("mine = 1", encoding="utf-8")
            code = SourceFileLoader(NAME, str(path)).get_code(NAME)
            self.assertEqual(code.co_filename, str(path))
            compiled = py_compile.compile(str(path), f"{path}c")
            assert compiled
            self.assertEqual(SourcelessFileLoader(NAME, compiled).get_code(NAME), code)

    def test_another_name_for_a_file_of_the_image(self) -> None:
        self.assertEqual(SourceFileLoader("other", SOURCE).get_code("other").co_filename, SOURCE)


class Platform(unittest.TestCase):
    def test_c_library(self) -> None:
        """On musl nothing is guessed from what the executable's data mention."""
        import platform

        musl = "musl" in sys.implementation._multiarch
        self.assertEqual(platform.libc_ver()[0], "" if musl else "glibc")
        self.assertEqual("glibc" in platform.platform(), not musl)
        self.assertEqual(platform.libc_ver(__file__), ("", ""))


class CtypesUtil(unittest.TestCase):
    """A module that is changed after its import."""

    def test_its_loader_is_as_others(self) -> None:
        import ctypes.util

        self.assertEqual(ctypes.util.find_library.__module__, "_oxidized_ctypes")
        theirs = importlib.machinery.PathFinder.find_spec("ctypes.util", ctypes.__path__)
        self.assertEqual(ctypes.util.__spec__, theirs)
        again = importlib.reload(ctypes.util)
        self.assertEqual(again.find_library.__module__, "_oxidized_ctypes")
        self.assertEqual(again.__spec__, theirs)

    def test_run_again(self) -> None:
        import ctypes

        spec = FINDER.find_spec("ctypes.util", ctypes.__path__)
        run = spec.loader.exec_module
        for _ in range(2):
            module = importlib.util.module_from_spec(spec)
            run(module)
            self.assertEqual(module.find_library.__module__, "_oxidized_ctypes")


if __name__ == "__main__":
    unittest.main()
