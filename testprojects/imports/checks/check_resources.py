"""importlib.resources on packages of the image: a real tree of files. Run by the binary."""

# ruff: noqa: PT009, PT027 (unittest is what the standard library in the image offers)

from __future__ import annotations

import importlib
import importlib.resources as resources
import importlib.util
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import warnings
import zipfile
from importlib.resources.abc import Traversable
from importlib.resources.readers import MultiplexedPath

ROOT = "/.oxidized"
APP = f"{ROOT}/app"
SITE = f"{ROOT}/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"


class Files(unittest.TestCase):
    def test_kind(self) -> None:
        import imports_app

        for anchor in ("imports_app", imports_app):
            files = resources.files(anchor)
            self.assertIsInstance(files, pathlib.Path)
            self.assertIsInstance(files, Traversable)
            self.assertEqual(str(files), f"{APP}/imports_app")
        self.assertEqual(str(resources.files("imports_app.shapes")), f"{APP}/imports_app")

    def test_reading(self) -> None:
        files = resources.files("imports_extra")
        for path in (
            files / "texts" / "deep" / "two.txt",
            files.joinpath("texts", "deep", "two.txt"),
            files.joinpath("texts/deep/two.txt"),
            files.joinpath("texts").joinpath("deep/two.txt"),
        ):
            self.assertEqual(path.read_text(encoding="utf-8"), "second, ä\n")
            self.assertEqual(path.read_bytes(), "second, ä\n".encode())
            with path.open("rb") as stream:
                self.assertEqual(stream.read(3), b"sec")
            with path.open(encoding="utf-8") as stream:
                self.assertEqual(next(stream), "second, ä\n")
            self.assertEqual((path.name, path.is_file(), path.is_dir()), ("two.txt", True, False))

    def test_iterdir(self) -> None:
        files = resources.files("imports_extra")
        names = {one.name for one in files.iterdir()}
        expected = {"__init__.py", "__pycache__", "inner.zip", "plugin.py", "texts"}
        self.assertEqual(names, expected)
        self.assertEqual({one.name for one in (files / "texts").iterdir()}, {"one.txt", "deep"})
        self.assertEqual(list(files.rglob("two.*")), [files / "texts/deep/two.txt"])
        self.assertTrue((files / "texts").is_dir())

    def test_missing(self) -> None:
        path = resources.files("imports_app") / "missing.txt"
        self.assertFalse(path.exists() or path.is_file() or path.is_dir())
        for read in (path.read_text, path.read_bytes, path.open):
            with self.assertRaises(FileNotFoundError):
                read()
        with self.assertRaises(NotADirectoryError):
            (resources.files("imports_app") / "data.txt" / "more").read_bytes()
        with self.assertRaises(ModuleNotFoundError):
            resources.files("no_such_package")

    def test_sources_are_resources(self) -> None:
        text = (resources.files("imports_app") / "shapes.py").read_text("utf-8")
        self.assertIn("class Square", text)

    def test_folder_without_init(self) -> None:
        file = resources.files("imports_app").joinpath("nested/inner.txt")
        self.assertIn("without __init__", file.read_text())
        files = resources.files("imports_app.nested")
        self.assertIn("without __init__", (files / "inner.txt").read_text())

    def test_namespace_over_two_folders(self) -> None:
        files = resources.files("imports_space")
        self.assertIsInstance(files, MultiplexedPath)
        names = {one.name for one in files.iterdir()}
        self.assertLessEqual({"from_app.py", "from_wheel.py"}, names)
        self.assertIn('"wheel"', (files / "from_wheel.py").read_text())
        self.assertIn('"app"', files.joinpath("from_app.py").read_text())
        self.assertTrue(files.is_dir())


class AsFile(unittest.TestCase):
    def test_is_the_file_itself(self) -> None:
        """No copy: the path is the one in the image, and stays when the context ends."""
        files = resources.files("imports_extra")
        with tempfile.TemporaryDirectory() as folder:
            before, tempfile.tempdir = tempfile.tempdir, folder
            try:
                with resources.as_file(files / "texts" / "one.txt") as path:
                    self.assertIsInstance(path, pathlib.Path)
                    self.assertEqual(str(path), f"{SITE}/imports_extra/texts/one.txt")
                    self.assertEqual(path.read_text(), "first\n")
                    self.assertEqual(os.listdir(folder), [])
                with resources.as_file(files / "texts") as path:
                    self.assertEqual(sorted(os.listdir(path)), ["deep", "one.txt"])
                    self.assertEqual(os.listdir(folder), [])
            finally:
                tempfile.tempdir = before
        self.assertTrue(path.is_dir())

    def test_namespace(self) -> None:
        with resources.as_file(resources.files("imports_space") / "from_app.py") as path:
            self.assertEqual(str(path), f"{APP}/imports_space/from_app.py")


class Legacy(unittest.TestCase):
    """The functions before files(): some are deprecated, all have to work."""

    def setUp(self) -> None:
        catcher = warnings.catch_warnings()
        catcher.__enter__()
        self.addCleanup(catcher.__exit__, None, None, None)
        warnings.simplefilter("ignore", DeprecationWarning)

    def test_reading(self) -> None:
        text = "text beside the package\n"
        self.assertEqual(resources.read_text("imports_app", "data.txt"), text)
        self.assertEqual(resources.read_binary("imports_app", "data.txt"), text.encode())
        with resources.open_text("imports_app", "data.txt") as stream:
            self.assertEqual(stream.read(), text)
        with resources.open_binary("imports_app", "data.txt") as stream:
            self.assertEqual(stream.read(), text.encode())
        with resources.path("imports_app", "data.txt") as path:
            self.assertEqual(str(path), f"{APP}/imports_app/data.txt")
        with self.assertRaises(FileNotFoundError):
            resources.read_text("imports_app", "missing.txt")

    def test_is_resource_and_contents(self) -> None:
        self.assertTrue(resources.is_resource("imports_app", "data.txt"))
        for name in ("missing", "nested", "on"):
            self.assertFalse(resources.is_resource("imports_app", name), name)
        if hasattr(resources, "contents"):
            found = set(resources.contents("imports_app"))
            self.assertLessEqual({"data.txt", "nested", "on", "shapes.py"}, found)
            self.assertNotIn("nested/inner.txt", found)

    def test_reader(self) -> None:
        loader = importlib.util.find_spec("imports_app").loader
        reader = loader.get_resource_reader("imports_app")
        self.assertEqual(reader.resource_path("data.txt"), f"{APP}/imports_app/data.txt")
        self.assertTrue(reader.is_resource("data.txt"))
        self.assertFalse(reader.is_resource("nested"))
        with reader.open_resource("nested/inner.txt") as stream:
            self.assertEqual(stream.read(6), b"text i")
        self.assertEqual(str(reader.files()), f"{APP}/imports_app")

    def test_reader_of_what_is_no_package(self) -> None:
        """As on disk: a module's loader has one for its folder, and for no other name."""
        self.assertIsNone(importlib.util.find_spec("imports_app.missing"))
        loader = importlib.util.find_spec("imports_app.shapes").loader
        reader = loader.get_resource_reader("imports_app.shapes")
        self.assertTrue(reader.is_resource("data.txt"))
        for name in ("imports_app", "imports_app.missing"):
            with self.assertRaises(ImportError):
                loader.get_resource_reader(name)


class Others(unittest.TestCase):
    def test_zip_file_beside_the_image(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            with zipfile.ZipFile(f"{folder}/some.zip", "w") as archive:
                archive.writestr("zipped/__init__.py", "")
                archive.writestr("zipped/data.txt", "zip")
            code = (
                "import importlib.resources as r;"
                "print((r.files('zipped') / 'data.txt').read_text(),"
                " (r.files('imports_app') / 'data.txt').read_text())"
            )
            out = subprocess.check_output(
                [sys.executable, "-c", code],
                env={**os.environ, "PYTHONPATH": f"{folder}/some.zip"},
                encoding="utf-8",
            )
        self.assertEqual(out, "zip text beside the package\n\n")

    def test_from_threads(self) -> None:
        from concurrent.futures import ThreadPoolExecutor

        def read(_: int) -> str:
            return (resources.files("imports_extra") / "texts/one.txt").read_text()

        with ThreadPoolExecutor(8) as pool:
            self.assertEqual(set(pool.map(read, range(64))), {"first\n"})


if __name__ == "__main__":
    unittest.main()
