"""importlib.metadata on wheels, eggs and first-party metadata in the image. Run by the binary."""

# ruff: noqa: PT009, PT027 (unittest is what the standard library in the image offers)

from __future__ import annotations

import base64
import email.message
import hashlib
import importlib.metadata
import importlib.metadata as metadata
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = "/.oxidized"
APP = f"{ROOT}/app"
SITE = f"{ROOT}/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
WHEEL = "imports.Extra_dist"


class Finding(unittest.TestCase):
    def test_all(self) -> None:
        names = {one.metadata["Name"] for one in metadata.distributions()}
        self.assertEqual(names, {"click", WHEEL, "old.style", "Dotted.Name_x"})
        found = iter(metadata.MetadataPathFinder.find_distributions())
        self.assertEqual({one.name for one in found}, names)

    def test_by_name_as_pep_503_has_it(self) -> None:
        for name in (WHEEL, "imports-extra-dist", "IMPORTS_EXTRA.DIST", "imports-_.extra--dist"):
            self.assertEqual(metadata.version(name), "1.2", name)
        for name in ("old.style", "old-style", "Old_Style"):
            self.assertEqual(metadata.version(name), "2.5", name)
        for name in ("Dotted.Name_x", "dotted-name-x", "dotted_name_x", "DOTTED.NAME.X"):
            self.assertEqual(metadata.version(name), "3.0", name)

    def test_missing(self) -> None:
        for name in ("imports", "imports-extra", "click8", "no-such-thing"):
            with self.assertRaises(metadata.PackageNotFoundError):
                metadata.version(name)
            with self.assertRaises(metadata.PackageNotFoundError):
                metadata.Distribution.from_name(name)
        with self.assertRaises(ValueError):
            metadata.Distribution.from_name("")

    def test_discover(self) -> None:
        discover = metadata.Distribution.discover
        context = metadata.DistributionFinder.Context
        self.assertEqual(len(list(discover())), 4)
        self.assertEqual([one.name for one in discover(name="Click")], ["click"])
        self.assertEqual([one.name for one in discover(context=context(name=WHEEL))], [WHEEL])
        self.assertEqual(list(discover(name="no-such-thing")), [])
        self.assertEqual(list(discover(path=[])), [])
        self.assertEqual({one.name for one in discover(path=[SITE])}, {"click", WHEEL})
        self.assertEqual({one.name for one in discover(path=[APP])}, {"old.style", "Dotted.Name_x"})
        with self.assertRaises(ValueError):
            list(discover(context=context(), name="click"))

    def test_by_context(self) -> None:
        """What a finder of distributions is asked for, as importlib asks it."""
        find = metadata.MetadataPathFinder.find_distributions
        context = metadata.DistributionFinder.Context
        self.assertEqual(len(list(find(context()))), 4)
        self.assertEqual([one.name for one in find(context(name="old.style"))], ["old.style"])
        self.assertEqual([one.name for one in find(context(name="OLD_Style"))], ["old.style"])
        self.assertEqual(list(find(context(name="no-such-thing"))), [])
        self.assertEqual(list(find(context(path=[f"{APP}/imports_app"]))), [])
        self.assertEqual(metadata.Distribution.from_name("click").name, "click")

    def test_at(self) -> None:
        one = metadata.Distribution.at(f"{SITE}/imports_extra_dist-1.2.dist-info")
        self.assertEqual((one.name, one.version), (WHEEL, "1.2"))
        one = metadata.PathDistribution.at(pathlib.Path(APP, "old_style-2.5.egg-info"))
        self.assertEqual((one.name, one.version), ("old.style", "2.5"))

    def test_on_disk_beside_the_image(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            os.mkdir(f"{folder}/click-99.dist-info")
            with open(f"{folder}/click-99.dist-info/METADATA", "w", encoding="utf-8") as stream:
                stream.write("Metadata-Version: 2.1\nName: click\nVersion: 99\n")
            code = "import importlib.metadata as m; print(m.version('click'))"
            for before, expected in (("", metadata.version("click")), (folder, "99")):
                out = subprocess.check_output(
                    [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": before}
                )
                self.assertEqual(out.decode().strip(), expected)


class Content(unittest.TestCase):
    def test_kind(self) -> None:
        one = metadata.distribution(WHEEL)
        self.assertIsInstance(one, metadata.PathDistribution)
        self.assertIsInstance(one.metadata, email.message.Message)
        self.assertIs(type(one.metadata), importlib.metadata._adapters.Message)
        self.assertEqual(one._normalized_name, "imports_extra_dist")
        self.assertEqual(one.metadata["Summary"], "A wheel with everything that metadata tell")
        self.assertEqual(one.metadata.json["requires_python"], ">=3.8")
        self.assertIn("Metadata-Version: ", one.read_text("METADATA"))
        self.assertIsNone(one.read_text("missing"))
        self.assertTrue(metadata.distribution("click").read_text("INSTALLER"))

    def test_description(self) -> None:
        one = metadata.metadata("dotted-name-x")
        self.assertEqual(one.get_payload(), "A description\nof two lines.\n")

    def test_egg(self) -> None:
        one = metadata.distribution("old-style")
        self.assertEqual(one.metadata["Summary"], "Metadata as setuptools wrote them before wheels")
        self.assertEqual(one.requires, ["six", 'seven>=7; extra == "extra"'])
        (entry,) = one.entry_points
        self.assertEqual((entry.name, entry.group), ("old", "console_scripts"))
        self.assertEqual(entry.value, "old_style:main")
        self.assertEqual(one.read_text("top_level.txt"), "old_style\n")

    def test_requires(self) -> None:
        self.assertEqual(
            set(metadata.requires(WHEEL)),
            {"click>=8", 'colorama; sys_platform == "win32"', 'rich; extra == "more"'},
        )
        self.assertIsNone(metadata.requires("dotted-name-x"))

    def test_entry_points(self) -> None:
        plugins = metadata.entry_points(group="imports.plugins")
        self.assertEqual(plugins.names, {"one", "two"})
        import imports_extra.plugin

        self.assertIs(plugins["one"].load(), imports_extra.plugin.One)
        self.assertEqual(plugins["one"].dist.name, WHEEL)
        self.assertEqual(plugins["one"].attr, "One")
        self.assertEqual(plugins["two"].extras, ["more"])
        with self.assertRaises(AttributeError):
            plugins["two"].load()
        (script,) = metadata.entry_points(group="console_scripts", name="imports-extra")
        self.assertEqual(script.value, "imports_extra:main")
        self.assertEqual(len(metadata.entry_points(group="no.such.group")), 0)
        self.assertEqual(len(metadata.distribution("dotted-name-x").entry_points), 0)
        self.assertIn("imports.plugins", metadata.entry_points().groups)

    def test_files(self) -> None:
        files = {str(file): file for file in metadata.files(WHEEL)}
        text = files["imports_extra/texts/deep/two.txt"]
        self.assertEqual(text.read_text(encoding="utf-8"), "second, ä\n")
        self.assertEqual(str(text.locate()), f"{SITE}/imports_extra/texts/deep/two.txt")
        self.assertEqual(text.size, os.stat(text.locate()).st_size)
        self.assertEqual(text.hash.mode, "sha256")
        self.assertIn("imports_extra.pth", files)
        # Everything of its list is there, and unchanged.
        for name, file in files.items():
            self.assertTrue(file.locate().is_file(), name)
        for name, file in files.items():
            if file.hash:
                found = hashlib.sha256(file.read_binary()).digest()
                text = base64.urlsafe_b64encode(found).decode().rstrip("=")
                self.assertEqual(text, file.hash.value, name)
        self.assertIsNone(metadata.files("dotted-name-x"))

    def test_files_of_an_egg(self) -> None:
        """As on disk: what is not there is left out of an egg's list."""
        self.assertEqual(metadata.files("old-style"), [])

    def test_locate_file(self) -> None:
        one = metadata.distribution("click")
        path = one.locate_file("click/__init__.py")
        self.assertEqual(str(path), f"{SITE}/click/__init__.py")
        self.assertTrue(path.is_file())

    def test_packages_distributions(self) -> None:
        found = metadata.packages_distributions()
        self.assertEqual(found["click"], ["click"])
        self.assertEqual(found["imports_extra"], [WHEEL])
        self.assertEqual(found["imports_space"], [WHEEL])
        self.assertEqual(found["old_style"], ["old.style"])


if __name__ == "__main__":
    unittest.main()
