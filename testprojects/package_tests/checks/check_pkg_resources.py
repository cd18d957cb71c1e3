"""setuptools' pkg_resources: its ordinary ways do for the image. Run by the packaged binary."""

# ruff: noqa: PT009, PT027 (unittest is what the standard library in the image offers)

from __future__ import annotations

import io
import os
import shutil
import sys
import tempfile
import unittest
import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import pkg_resources

ROOT = "/.oxidized"
APP = f"{ROOT}/app"
SITE = f"{ROOT}/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
PACKAGE, NAME = "setuptools", "setuptools"


class Provider(unittest.TestCase):
    def setUp(self) -> None:
        self.provider = pkg_resources.get_provider(PACKAGE)

    def test_kind(self) -> None:
        self.assertIs(type(self.provider), pkg_resources.DefaultProvider)
        self.assertEqual(self.provider.module_path, f"{SITE}/{PACKAGE}")
        with self.assertRaises(ModuleNotFoundError):
            pkg_resources.get_provider("no_such_package")

    def test_resources(self) -> None:
        path = f"{SITE}/{PACKAGE}/__init__.py"
        with open(path, "rb") as stream:
            content = stream.read()
        self.assertTrue(pkg_resources.resource_exists(PACKAGE, "__init__.py"))
        self.assertFalse(pkg_resources.resource_exists(PACKAGE, "missing"))
        self.assertEqual(pkg_resources.resource_string(PACKAGE, "__init__.py"), content)
        with pkg_resources.resource_stream(PACKAGE, "__init__.py") as stream:
            self.assertIsInstance(stream, io.BufferedReader)
            self.assertEqual(stream.read(), content)
        # The file itself: nothing is unpacked.
        self.assertEqual(pkg_resources.resource_filename(PACKAGE, "__init__.py"), path)
        for function in (pkg_resources.resource_string, pkg_resources.resource_stream):
            with self.assertRaises(FileNotFoundError):
                function(PACKAGE, "missing")

    def test_of_a_package_in_a_package(self) -> None:
        inner = f"{PACKAGE}.command"
        self.assertTrue(pkg_resources.resource_exists(inner, "bdist_egg.py"))
        self.assertFalse(pkg_resources.resource_exists(inner, "missing"))
        content = pkg_resources.resource_string(PACKAGE, "command/bdist_egg.py")
        with pkg_resources.resource_stream(inner, "bdist_egg.py") as stream:
            self.assertEqual(stream.read(), content)
        with self.assertRaises(ModuleNotFoundError):
            pkg_resources.resource_exists("no_such_package", "bdist_egg.py")

    def test_folders(self) -> None:
        listed = pkg_resources.resource_listdir(PACKAGE, "command")
        self.assertEqual(sorted(listed), sorted(os.listdir(f"{SITE}/{PACKAGE}/command")))
        self.assertIn("bdist_egg.py", listed)
        for folder in ("command", "command/", "_vendor/wheel"):
            self.assertTrue(pkg_resources.resource_isdir(PACKAGE, folder), folder)
        # A backslash does not part folders on this system.
        for other in ("__init__.py", "missing", "command\\", "_vendor\\wheel"):
            self.assertFalse(pkg_resources.resource_isdir(PACKAGE, other), other)
        self.assertIn("__init__.py", self.provider.resource_listdir("_vendor/wheel/"))
        self.assertTrue(pkg_resources.resource_exists(PACKAGE, "command/bdist_egg.py"))


class Distributions(unittest.TestCase):
    def test_found(self) -> None:
        for only in (False, True):
            found = {one.project_name for one in pkg_resources.find_distributions(SITE, only=only)}
            self.assertLess({NAME, "pytest", "click"}, found)
            self.assertNotIn("scripted", found)
        found = {one.project_name for one in pkg_resources.find_distributions(APP)}
        self.assertEqual(found, {"scripted"})

    def test_folders_are_searched_as_on_disk(self) -> None:
        """What lies in a folder itself is found, with and without `only`."""
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(f"{SITE}/{PACKAGE}", f"{folder}/{PACKAGE}")
            for path in ("", "/_vendor", "/command", "/_vendor/wheel", "/no_such", "/_vendor/no"):
                for only in (False, True):
                    inside, on_disk = (
                        [
                            (str(one), one.location.replace(base, ""))
                            for one in pkg_resources.find_distributions(base + path, only=only)
                        ]
                        for base in (f"{SITE}/{PACKAGE}", f"{folder}/{PACKAGE}")
                    )
                    self.assertEqual(inside, on_disk, path)
                    self.assertEqual(bool(inside), path == "/_vendor", path)

    def test_without_path_hooks(self) -> None:
        hooks = list(sys.path_hooks)
        sys.path_hooks.clear()
        sys.path_importer_cache.pop(f"{SITE}/{PACKAGE}/_vendor", None)
        try:
            found = list(pkg_resources.find_distributions(f"{SITE}/{PACKAGE}/_vendor"))
        finally:
            sys.path_hooks[:] = hooks
            sys.path_importer_cache.pop(f"{SITE}/{PACKAGE}/_vendor", None)
        self.assertEqual(found, [])

    def test_metadata(self) -> None:
        one = pkg_resources.get_distribution(NAME)
        self.assertEqual(one.location, SITE)
        self.assertTrue(one.has_metadata("METADATA"))
        self.assertFalse(one.has_metadata("missing"))
        with self.assertRaises(FileNotFoundError):
            one.get_metadata("missing")
        text = one.get_metadata("METADATA")
        self.assertTrue(text.startswith("Metadata-Version: "), text[:80])
        lines = one.get_metadata_lines("METADATA")
        self.assertEqual(next(iter(lines)), text.splitlines()[0])
        self.assertIn("Name: setuptools", list(lines))
        self.assertIn("RECORD", one.metadata_listdir(""))
        self.assertEqual(one.metadata_listdir("licenses"), ["LICENSE"])
        self.assertEqual(one.metadata_listdir("licenses/"), ["LICENSE"])
        with self.assertRaises(FileNotFoundError):  # as on disk
            one.metadata_listdir("missing")
        for folder, expected in (
            ("licenses", True),
            ("licenses/", True),
            ("licenses\\", False),
            ("METADATA", False),
            ("missing", False),
        ):
            self.assertEqual(one.metadata_isdir(folder), expected, folder)
        self.assertEqual(pkg_resources.require(NAME)[0].version, one.version)
        with self.assertRaises(pkg_resources.DistributionNotFound):
            pkg_resources.get_distribution("no-such-thing")

    def test_entry_points(self) -> None:
        entry = pkg_resources.get_entry_info(NAME, "distutils.commands", "bdist_egg")
        self.assertEqual(entry.load().__module__, "setuptools.command.bdist_egg")
        names = {one.name for one in pkg_resources.iter_entry_points("distutils.commands")}
        self.assertLessEqual({"bdist_egg", "sdist"}, names)

    def test_egg(self) -> None:
        one = pkg_resources.get_distribution("scripted")
        self.assertEqual((one.version, one.location), ("1.0", APP))
        parse = pkg_resources.Requirement.parse
        self.assertEqual(one.requires(), [parse("click>=8")])
        self.assertEqual(one.requires(["more"]), [parse("click>=8"), parse("jinja2")])

    def test_run_script(self) -> None:
        place = f"{APP}/scripted-1.0.egg-info/scripts/greet"
        names = {"word": "hello"}
        pkg_resources.get_distribution("scripted").run_script("greet", names)
        self.assertEqual(names["told"], f"{place}, hello")
        for name in (NAME, "scripted"):
            with self.assertRaises(pkg_resources.ResolutionError):
                pkg_resources.get_distribution(name).run_script("missing", {})


if __name__ == "__main__":
    unittest.main()
