"""Built-in and frozen modules, and what `_oxidized` offers. Run by the packaged binary."""

# ruff: noqa: PT009, PT027 (unittest is what the standard library in the image offers)

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import pickle
import sys
import unittest

import _oxidized

FINDER = sys.meta_path[0]
BUILTIN, FROZEN = importlib.machinery.BuiltinImporter, importlib.machinery.FrozenImporter


class BuiltIn(unittest.TestCase):
    def test_spec(self) -> None:
        spec = importlib.util.find_spec("_io")
        self.assertEqual((spec.name, spec.origin), ("_io", "built-in"))
        self.assertIs(spec.loader, BUILTIN)
        self.assertIsNone(spec.loader_state)
        self.assertIsNone(spec.submodule_search_locations)
        self.assertFalse(spec.has_location)
        self.assertIsNone(spec.cached)

    def test_loader(self) -> None:
        loader = importlib.util.find_spec("_io").loader
        self.assertIsNone(loader.get_code("_io"))
        self.assertIsNone(loader.get_source("_io"))
        self.assertFalse(loader.is_package("_io"))
        self.assertFalse(hasattr(loader, "get_filename"))

    def test_extensions_of_the_standard_library(self) -> None:
        """They are linked in: no file, and the same specs as those of the core."""
        for name in ("_json", "_ssl", "_sqlite3", "_ctypes", "zlib", "unicodedata"):
            module = importlib.import_module(name)
            self.assertIs(module.__spec__.loader, BUILTIN, name)
            self.assertIn(name, sys.builtin_module_names)
            self.assertFalse(hasattr(module, "__file__"), name)

    def test_every_built_in_module_is_found(self) -> None:
        for name in sys.builtin_module_names:
            self.assertIsNone(FINDER.find_spec(name), name)
            self.assertIs(BUILTIN.find_spec(name).loader, BUILTIN, name)

    def test_frozen(self) -> None:
        import os
        import zipimport

        self.assertIs(zipimport.__spec__.loader, FROZEN)
        self.assertIs(os.__spec__.loader, FROZEN)
        self.assertTrue(os.__file__.endswith("/os.py"))
        self.assertIs(importlib.util.find_spec("__hello__").loader, FROZEN)


class Surface(unittest.TestCase):
    """What the module offers. A change of it is a change of an interface: think before."""

    def test_names(self) -> None:
        public = {name for name in dir(_oxidized) if not name.startswith("_")}
        self.assertEqual(public, {"Finder", "SourceLoader", "SourcelessLoader"})
        self.assertIs(_oxidized.__spec__.loader, BUILTIN)

    def test_finder(self) -> None:
        own = {name for name in vars(_oxidized.Finder) if not name.startswith("_")}
        self.assertEqual(own, {"find_spec", "invalidate_caches"})
        self.assertIs(type(FINDER), _oxidized.Finder)
        another = _oxidized.Finder()
        self.assertEqual(another.find_spec("colorsys").origin, FINDER.find_spec("colorsys").origin)
        for wrong in ("/some/where", None):
            with self.assertRaises(TypeError):
                _oxidized.Finder(wrong)
        with self.assertRaises(TypeError):

            class Below(_oxidized.Finder):
                pass

    def test_loaders(self) -> None:
        for kind, base in (
            (_oxidized.SourceLoader, importlib.machinery.SourceFileLoader),
            (_oxidized.SourcelessLoader, importlib.machinery.SourcelessFileLoader),
        ):
            self.assertTrue(issubclass(kind, base))
            self.assertEqual({n for n in vars(kind) if not n.startswith("_")}, {"get_code"})
            for arguments in ((), ("name",), ("name", "/path", "more")):
                with self.assertRaises(TypeError):
                    kind(*arguments)
            loader = kind("name", "/path/name.py")
            self.assertEqual((loader.name, loader.path), ("name", "/path/name.py"))

    def test_a_loader_can_be_made_below_ours(self) -> None:
        class Counting(_oxidized.SourceLoader):
            asked = 0

            def get_code(self, fullname: str) -> object:
                type(self).asked += 1
                return super().get_code(fullname)

        found = FINDER.find_spec("colorsys")
        spec = importlib.util.spec_from_loader("colorsys", Counting("colorsys", found.origin))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self.assertEqual(module.rgb_to_hls(1, 1, 1)[1], 1)
        self.assertEqual(Counting.asked, 1)

    def test_specs_and_loaders_are_pickled(self) -> None:
        spec = FINDER.find_spec("colorsys")
        for value in (spec.loader, spec):
            again = pickle.loads(pickle.dumps(value))
            self.assertEqual(again, value)
        self.assertEqual(again.loader.get_code("colorsys"), spec.loader.get_code("colorsys"))

    def test_loaders_are_compared_as_importlibs(self) -> None:
        first, second = FINDER.find_spec("colorsys"), FINDER.find_spec("colorsys")
        self.assertEqual(first, second)
        self.assertEqual(hash(first.loader), hash(second.loader))
        self.assertNotEqual(first.loader, FINDER.find_spec("textwrap").loader)


if __name__ == "__main__":
    unittest.main()
