"""Built-in and frozen modules, and what `_oxidized` offers. Run by the packaged binary."""

# ruff: noqa: PT009, PT027 (unittest is what the standard library in the image offers)

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import inspect
import pickle
import sys
import types
import unittest
from importlib.machinery import SourceFileLoader, SourcelessFileLoader

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
        self.assertEqual(public, {"Finder"})
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

    def test_get_code_is_the_only_change_to_importlib(self) -> None:
        self.assertNotIn("get_code", vars(SourceFileLoader))
        for kind in (SourceFileLoader, SourcelessFileLoader):
            self.assertIs(kind.get_code.__self__, _oxidized)
            self.assertEqual(str(inspect.signature(kind.get_code)), "(self, fullname)")
            others = {
                name: function
                for one in kind.__mro__[:-1]
                for name, function in vars(one).items()
                if callable(function) and name != "get_code"
            }
            for name, function in others.items():
                self.assertIsInstance(function, types.FunctionType, name)

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
        self.assertEqual(first.loader, SourceFileLoader("colorsys", first.origin))
        self.assertEqual(first, importlib.machinery.PathFinder.find_spec("colorsys"))


if __name__ == "__main__":
    unittest.main()
