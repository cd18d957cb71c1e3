"""Packages of an application and of a wheel, alone and with folders on disk. Run by the binary."""

# ruff: noqa: PT009, PT027 (unittest is what the standard library in the image offers)

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import inspect
import os
import pathlib
import pickle
import pkgutil
import shutil
import subprocess
import sys
import tempfile
import textwrap
import unittest
import zipfile

ROOT = "/.oxidized"
APP = f"{ROOT}/app"
SITE = f"{ROOT}/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
FINDER = sys.meta_path[0]


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )


def run(*arguments: str, **environment: str) -> str:
    """Standard output of this executable, which has to end well and quietly."""
    done = python(*arguments, **environment)
    if done.returncode or done.stderr:
        raise AssertionError(f"{arguments}: {done}")
    return done.stdout.strip()


class OnDisk(unittest.TestCase):
    """With a folder that holds portions of packages."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def write(self, path: str, text: str) -> None:
        os.makedirs(os.path.dirname(f"{self.folder}/{path}"), exist_ok=True)
        with open(f"{self.folder}/{path}", "w", encoding="utf-8") as stream:
            stream.write(text)

    def inside(self, code: str, **environment: str) -> str:
        return run("-c", textwrap.dedent(code), self.folder, **environment)


class Namespace(OnDisk):
    PATH = (f"{APP}/imports_space", f"{SITE}/imports_space")

    def test_in_the_image_only(self) -> None:
        import imports_space
        import imports_space.from_app
        import imports_space.from_wheel

        self.assertEqual(tuple(imports_space.__path__), self.PATH)
        self.assertIsNone(imports_space.__spec__.origin)
        self.assertIsInstance(imports_space.__loader__, importlib.machinery.NamespaceLoader)
        self.assertIsNone(getattr(imports_space, "__file__", None))
        for name, root in (("from_app", APP), ("from_wheel", SITE)):
            module = importlib.import_module(f"imports_space.{name}")
            self.assertEqual(module.__file__, f"{root}/imports_space/{name}.py")
            self.assertIs(type(module.__loader__), importlib.machinery.SourceFileLoader)
        found = sorted(one.name for one in pkgutil.iter_modules(imports_space.__path__))
        self.assertEqual(found, ["from_app", "from_wheel"])

    CODE = """
        import imports_space, imports_space.from_disk, imports_space.from_app as app
        import imports_space.from_wheel as wheel
        print([where.replace({folder!r}, "DISK") for where in imports_space.__path__])
        print(imports_space.from_disk.VALUE, app.VALUE, wheel.VALUE)
    """

    def test_disk_before_and_behind(self) -> None:
        self.write("imports_space/from_disk.py", "VALUE = 'disk'")
        code = self.CODE.format(folder=self.folder)
        before = self.inside(code, PYTHONPATH=self.folder)
        path = ["DISK/imports_space", *self.PATH]
        self.assertEqual(before, f"{path}\ndisk app wheel")
        code = "import sys; sys.path.append(sys.argv[1])\n" + textwrap.dedent(code)
        behind = self.inside(code)
        self.assertEqual(behind, f"{path[1:] + path[:1]}\ndisk app wheel")

    def test_disk_hides_a_module_of_a_portion(self) -> None:
        self.write("imports_space/from_app.py", "VALUE = 'disk'")
        code = "import imports_space.from_app as app, imports_space.from_wheel as w;"
        code += "print(app.VALUE, w.VALUE)"
        self.assertEqual(self.inside(code, PYTHONPATH=self.folder), "disk wheel")
        code = f"import sys; sys.path.append({self.folder!r}); {code}"
        self.assertEqual(self.inside(code), "app wheel")

    def test_a_portion_that_comes_later(self) -> None:
        """The path of a namespace is computed anew when sys.path changes."""
        self.write("imports_space/from_disk.py", "VALUE = 'disk'")
        out = self.inside(
            """
            import sys, imports_space.from_app
            try:
                import imports_space.from_disk
            except ModuleNotFoundError:
                print("not yet")
            sys.path.insert(0, sys.argv[1])
            import imports_space.from_disk
            print(len(imports_space.__path__), imports_space.from_disk.VALUE)
            """
        )
        self.assertEqual(out, "not yet\n3 disk")

    def test_a_regular_package_wins(self) -> None:
        self.write("imports_space/__init__.py", "regular = True")
        code = "import imports_space; print(imports_space.regular, len(imports_space.__path__))"
        self.assertEqual(self.inside(code, PYTHONPATH=self.folder), "True 1")
        # Behind namespace portions, too: a portion is only taken where nothing else is found.
        code = f"import sys; sys.path.append({self.folder!r}); {code}"
        self.assertEqual(self.inside(code), "True 1")

    def test_a_regular_package_of_the_image_wins(self) -> None:
        self.write("imports_app/on_disk.py", "")
        code = "import imports_app; print(imports_app.__path__)"
        self.assertEqual(self.inside(code, PYTHONPATH=self.folder), f"['{APP}/imports_app']")

    def test_on_disk_only(self) -> None:
        self.write("disk_space/inner/leaf.py", "VALUE = 7")
        code = """
            import disk_space, disk_space.inner.leaf as leaf
            print(leaf.VALUE, type(disk_space.__path__).__name__)
        """
        self.assertEqual(self.inside(code, PYTHONPATH=self.folder), "7 _NamespacePath")

    def test_in_a_zip_file(self) -> None:
        with zipfile.ZipFile(f"{self.folder}/some.zip", "w") as archive:
            archive.writestr("imports_space/", "")
            archive.writestr("imports_space/zipped.py", "VALUE = 'zip'")
        code = """
            import imports_space.zipped as z, imports_space.from_app as a
            print(z.VALUE, a.VALUE)
        """
        self.assertEqual(self.inside(code, PYTHONPATH=f"{self.folder}/some.zip"), "zip app")

    def test_old_ways(self) -> None:
        """`pkgutil.extend_path`, for a package of the image that disk extends, and the reverse."""
        extend = "import pkgutil\n__path__ = pkgutil.extend_path(__path__, __name__)"
        self.write("first/old_space/__init__.py", extend)
        self.write("second/old_space/__init__.py", "")
        self.write("second/old_space/leaf.py", "VALUE = 5")
        code = "import old_space.leaf; print(old_space.leaf.VALUE, len(old_space.__path__))"
        out = run("-c", code, PYTHONPATH=f"{self.folder}/first:{self.folder}/second")
        self.assertEqual(out, "5 2")
        self.write("imports_app/__init__.py", "")
        self.write("imports_app/added.py", "VALUE = 6")
        code = (
            "import pkgutil, imports_app, sys; sys.path.append(sys.argv[1]);"
            "imports_app.__path__ = pkgutil.extend_path(imports_app.__path__, 'imports_app');"
            "import imports_app.added, imports_app.shapes; print(imports_app.added.VALUE)"
        )
        self.assertEqual(self.inside(code), "6")


class Search(OnDisk):
    def test_path(self) -> None:
        code = "import sys; print(sys.path[0], sys.path[-1])"
        self.assertEqual(run("-I", "-c", code), f"{APP} {SITE}")

    def test_disk_before_the_application(self) -> None:
        self.write("imports_app/__init__.py", "VALUE = 'disk'")
        code = "import imports_app; print(imports_app.VALUE)"
        self.assertEqual(self.inside(code, PYTHONPATH=self.folder), "disk")
        self.assertEqual(self.inside(f"import sys; sys.path.append(sys.argv[1]); {code}"), "1")

    def test_a_package_path_may_lead_to_disk(self) -> None:
        self.write("more/added.py", "VALUE = 3")
        self.write("more/shapes.py", "VALUE = 'disk'")
        code = """
            import imports_app, sys
            imports_app.__path__.append(sys.argv[1] + "/more")
            import imports_app.added, imports_app.shapes
            print(imports_app.added.VALUE, hasattr(imports_app.shapes, "VALUE"))
            imports_app.__path__.reverse()
            del sys.modules["imports_app.shapes"]
            import imports_app.shapes
            print(imports_app.shapes.VALUE)
        """
        self.assertEqual(self.inside(code), "3 False\ndisk")

    def test_pth_files_are_not_processed(self) -> None:
        self.assertTrue(os.path.exists(f"{SITE}/imports_extra.pth"))
        self.assertFalse(hasattr(sys, "imports_extra_pth"))
        self.assertNotIn(f"{SITE}/imports_extra_folder", sys.path)
        self.write("some.pth", "import sys; sys.from_disk = True\n")
        code = "import sys; print(hasattr(sys, 'from_disk'))"
        self.assertEqual(self.inside(code, PYTHONPATH=self.folder), "False")
        # Who wants them asks for them.
        code = f"import site, sys; site.addsitedir({SITE!r}); print(sys.imports_extra_pth)"
        self.assertEqual(self.inside(code), "True")


class PathHook(OnDisk):
    """Folders of the image are for CPython's own hook, which does as with the same on disk."""

    def setUp(self) -> None:
        super().setUp()
        shutil.copytree(f"{APP}/imports_app", f"{self.folder}/imports_app")
        self.bases = (f"{APP}/imports_app", f"{self.folder}/imports_app")
        hooks = {hook.__name__: hook for hook in sys.path_hooks if hasattr(hook, "__name__")}
        self.hook = hooks["path_hook_for_FileFinder"]

    def outcome(self, base: str, path: object) -> str:
        """What is below `base` in the path of the finder, or the error's name."""
        try:
            finder = self.hook(path)
        except Exception as error:
            return type(error).__name__
        self.assertTrue(finder.path.startswith(base), finder.path)
        return finder.path[len(base) :]

    def test_spellings(self) -> None:
        for suffix, expected in {
            "": "",
            "/on": "/on",
            "/nested": "/nested",  # a folder without modules
            # Slashes and dots mean what they mean to the system...
            "/": "/",
            "//on": "//on",
            "/on//": "/on//",
            "/.": "/.",
            "/..": "/..",
            "/on/../circle": "/on/../circle",
            # ...and only these: neither a backslash nor a dot in a name parts folders.
            **dict.fromkeys(("\\on", "/on\\", "\\..\\imports_app", "/\\on"), "ImportError"),
            **dict.fromkeys((".on", "/.on", "/on.", "/on..one", "/on.one"), "ImportError"),
            "/../../etc/passwd": "ImportError",
            **dict.fromkeys(("/missing", "/missing/deeper", "/on/missing"), "ImportError"),
            **dict.fromkeys(("/data.txt", "/on/one.py", "/on/one", "/on/tשo"), "ImportError"),
        }.items():
            for base in self.bases:
                self.assertEqual(self.outcome(base, base + suffix), expected, (base, suffix))

    def test_kinds_of_paths(self) -> None:
        for kind in (os.fsencode, pathlib.Path):
            inside, outside = (self.outcome(base, kind(base)) for base in self.bases)
            self.assertEqual(inside, outside, kind)
            self.assertTrue(inside.endswith("Error"), inside)
        # importlib's interface takes what has a path, and gives the hook text.
        finder = pkgutil.get_importer(pathlib.Path(f"{APP}/imports_app"))
        self.assertEqual(finder.path, f"{APP}/imports_app")
        # The folder above the application's, which has no modules; and the working folder.
        self.assertEqual(self.outcome(ROOT, ROOT), "")
        self.assertEqual(self.hook("").path, os.getcwd())

    def test_find_spec(self) -> None:
        """Only what is in the folder itself; the last part of a name is what is looked for."""
        for suffix, found in (
            ("", {"on": "/on/__init__.py", "shapes": "/shapes.py", "imports_app.on": None}),
            ("/on", {"one": "/on/one.py", "tשo": "/on/tשo.py", "imports_app.on.tשo": None}),
            ("/nested", {}),
        ):
            names = ["on.one.deeper", "one.two", "imports_app", "missing", "", *found]
            for base in self.bases:
                finder = self.hook(base + suffix)
                for name in names:
                    spec = finder.find_spec(name)
                    origin = found.get(name) or found.get(name.rpartition(".")[2])
                    self.assertEqual(spec and spec.origin, origin and base + origin, name)
                    if spec:
                        self.assertEqual(spec.name, name)
                        folder = origin.partition("/__init__.py")
                        below = [base + folder[0]] if folder[1] else None
                        self.assertEqual(spec.submodule_search_locations, below)

    def test_find_spec_takes_no_path(self) -> None:
        finder = self.hook(f"{APP}/imports_app")
        with self.assertRaises(TypeError):
            finder.find_spec("on", None, None)
        with self.assertRaises(TypeError):
            finder.find_spec("on", path=None)

    def test_on_sys_path(self) -> None:
        """The path finder sees a folder while it is on the path, and built-in modules nowhere."""
        find = importlib.machinery.PathFinder.find_spec
        self.assertIsNone(find("shapes"))
        sys.path.append(f"{APP}/imports_app")
        try:
            for one in (find, importlib.util.find_spec):
                self.assertEqual(one("shapes").origin, f"{APP}/imports_app/shapes.py")
        finally:
            sys.path.pop()
        self.assertIsNone(importlib.util.find_spec("shapes"))
        for name in ("_io", "pwd"):
            self.assertIsNone(find(name))
            self.assertEqual(importlib.util.find_spec(name).origin, "built-in")

    def test_relative_import_of_init(self) -> None:
        """`package.__init__` is a second module, as on disk: its name is not changed."""
        code = """
            import sys
            names = {"__name__": "imports_app.user", "__package__": "imports_app"}
            exec("from .__init__ import VALUE", names)
            loaded = [name for name in sys.modules if name.startswith("imports_app")]
            print(names["VALUE"], sorted(loaded), sys.modules["imports_app"].__file__)
        """
        for base, path in zip(self.bases, ("", self.folder)):
            expected = f"1 ['imports_app', 'imports_app.__init__'] {base}/__init__.py"
            self.assertEqual(self.inside(code, PYTHONPATH=path), expected)


class Modules(unittest.TestCase):
    def test_circular_imports(self) -> None:
        from imports_app.circle import first

        self.assertEqual(first.EARLY, (True, False))
        self.assertEqual(first.both(), "firstsecond")
        message = "partially initialized .*most likely due to a circular import"
        with self.assertRaisesRegex(ImportError, message) as caught:
            importlib.import_module("imports_app.circle.broken")
        self.assertEqual(caught.exception.path, f"{APP}/imports_app/circle/broken.py")
        self.assertNotIn("imports_app.circle.broken", sys.modules)

    def test_names_beyond_ascii(self) -> None:
        import imports_app.on
        from imports_app.on import drei_ä, tשo

        self.assertEqual((tשo.VALUE, drei_ä.VALUE), (2, 3))
        self.assertEqual(tשo.__file__, f"{APP}/imports_app/on/tשo.py")
        self.assertEqual(
            tשo.__spec__, sys.meta_path[0].find_spec(tשo.__name__, imports_app.on.__path__)
        )

    def test_iter_modules(self) -> None:
        import imports_app

        def names(path: list[str] | None, prefix: str = "") -> dict[str, bool]:
            return {one.name: one.ispkg for one in pkgutil.iter_modules(path, prefix)}

        self.assertEqual(
            names(imports_app.__path__),
            {"__main__": False, "circle": True, "on": True, "pickled": False, "shapes": False},
        )
        prefix = "imports_app.on."
        expected = {f"{prefix}{name}": False for name in ("drei_ä", "one", "tשo")}
        self.assertEqual(names([f"{APP}/imports_app/on"], prefix), expected)
        empty = [f"{APP}/imports_app/nested", f"{APP}/missing", f"{APP}/imports_app/data.txt"]
        self.assertEqual(names(empty), {})
        everything = names(None)
        packages = {"imports_app": True, "click": True, "json": True}
        self.assertLessEqual(packages.items(), everything.items())
        self.assertNotIn("imports_app.on", everything)
        info = next(iter(pkgutil.iter_modules(imports_app.__path__)))
        self.assertIsInstance(info, pkgutil.ModuleInfo)
        self.assertEqual(info.module_finder.path, f"{APP}/imports_app")
        # Only what the path leads to is listed: the finder of the image has no list of its own.
        code = "import pkgutil, sys; sys.path = []; print(len(list(pkgutil.iter_modules())))"
        self.assertEqual(run("-c", code), "0")

    def test_walk_packages(self) -> None:
        import imports_app

        walked = [one.name for one in pkgutil.walk_packages(imports_app.__path__, "imports_app.")]
        self.assertIn("imports_app.circle.first", walked)
        self.assertIn("imports_app.on.one", walked)

    def test_resolve_name(self) -> None:
        from imports_app import shapes

        self.assertIs(pkgutil.resolve_name("imports_app.shapes:Square.area"), shapes.Square.area)
        self.assertIs(pkgutil.resolve_name("imports_app.shapes.Square"), shapes.Square)

    def test_get_data(self) -> None:
        self.assertEqual(pkgutil.get_data("imports_app", "data.txt"), b"text beside the package\n")
        self.assertEqual(
            pkgutil.get_data("imports_extra", "texts/deep/two.txt"), "second, ä\n".encode()
        )
        with self.assertRaises(OSError):
            pkgutil.get_data("imports_app", "missing.txt")

    def test_get_importer(self) -> None:
        finder = pkgutil.get_importer(f"{APP}/imports_app")
        self.assertIsInstance(finder, importlib.machinery.FileFinder)
        self.assertEqual(finder.find_spec("shapes").origin, f"{APP}/imports_app/shapes.py")
        for name in ("imports_app", "no_such", "imports_app.shapes.more"):
            self.assertIsNone(finder.find_spec(name), name)
        for path in (f"{APP}/missing", f"{APP}/imports_app/data.txt", f"{APP}/imports_app/../no"):
            self.assertIsNone(pkgutil.get_importer(path), path)
        # One folder below another's name is not that folder.
        self.assertIsNone(pkgutil.get_importer(f"{APP}/imports_ap"))

    def test_path_finder_sees_what_is_on_its_path(self) -> None:
        find = importlib.machinery.PathFinder.find_spec
        spec = find("shapes", [f"{APP}/imports_app"])
        self.assertEqual(spec.origin, f"{APP}/imports_app/shapes.py")
        self.assertIsNone(find("shapes"))
        self.assertIsNone(find("shapes", [f"{APP}/imports_app/on"]))
        folder = "imports_app"
        for spelling in (f"{APP}//{folder}/", f"{APP}/./{folder}", f"{APP}/on/../{folder}"):
            expected = spelling.count("..") == 0  # `on` is no folder of app: as on disk
            self.assertEqual(find("shapes", [spelling]) is not None, expected, spelling)

    def test_extra_of_a_wheel(self) -> None:
        import imports_extra.plugin

        self.assertEqual(imports_extra.plugin.__file__, f"{SITE}/imports_extra/plugin.py")

    def test_lazy_loading(self) -> None:
        code = """
            import importlib.util, sys
            def lazy(name):
                spec = importlib.util.find_spec(name)
                spec.loader = importlib.util.LazyLoader(spec.loader)
                module = importlib.util.module_from_spec(spec)
                sys.modules[name] = module
                spec.loader.exec_module(module)
                return module
            import imports_app
            one = lazy("imports_app.circle.first")
            print("imports_app.circle.second" in sys.modules)
            print(one.VALUE, "imports_app.circle.second" in sys.modules)
        """
        self.assertEqual(run("-c", textwrap.dedent(code)), "False\nfirst True")

    def test_reload_keeps_the_object(self) -> None:
        import imports_app.shapes as shapes

        old, shapes.Square.side = shapes.Square, 5
        self.assertIs(importlib.reload(shapes), shapes)
        self.assertIsNot(shapes.Square, old)
        self.assertEqual(shapes.Square().area(), 1)


class Sources(unittest.TestCase):
    def test_of_each_kind(self) -> None:
        from imports_app import shapes

        for thing, first, last in (
            (shapes.area, "@decorated", "return width * height"),
            (shapes.Square, "class Square:", "return area(self.side, self.side)"),
            (shapes.Square.Corner, "class Corner:", "number = 4"),
            (shapes.Square.area, "def area(self)", "return area(self.side, self.side)"),
            (shapes.Square().area, "def area(self)", "return area(self.side, self.side)"),
            (shapes.make(), "def local(value):", "return value + 1"),
            (shapes.twice, "twice = lambda value", "# noqa: E731"),
            (shapes.later, "async def later", "return 1"),
        ):
            lines = textwrap.dedent(inspect.getsource(thing)).strip().splitlines()
            self.assertTrue(lines[0].startswith(first), lines)
            self.assertTrue(lines[-1].endswith(last), lines)
            self.assertEqual(inspect.getfile(thing), f"{APP}/imports_app/shapes.py")
            self.assertIs(inspect.getmodule(thing), shapes)
        with open(shapes.__file__, encoding="utf-8") as stream:
            self.assertEqual(inspect.getsource(shapes), stream.read())

    def test_warning(self) -> None:
        done = python("-W", "always", "-c", "import imports_app.shapes as s; s.warn()")
        line = '  warnings.warn("shapes are old", DeprecationWarning, stacklevel=1)\n'
        self.assertRegex(done.stderr, rf"^{APP}/imports_app/shapes.py:\d+: DeprecationWarning: ")
        self.assertTrue(done.stderr.endswith(line), done.stderr)

    def test_uncaught_exception(self) -> None:
        done = python("-c", "import imports_app.shapes as s; s.fail()")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(
            done.stderr,
            rf'  File "{APP}/imports_app/shapes.py", line \d+, in fail\n'
            r'    raise LookupError\("no such shape"\)\nLookupError: no such shape\n$',
        )


class Zip(unittest.TestCase):
    def test_file_in_the_image(self) -> None:
        """zipimport reads it where it lies."""
        code = """
            import sys
            sys.path.insert(0, sys.argv[1])
            import inspect, pkgutil, zipped_inside
            print(zipped_inside.where(), type(zipped_inside.__loader__).__name__)
            print(inspect.getsource(zipped_inside.where).splitlines()[0])
        """
        file = f"{SITE}/imports_extra/inner.zip"
        out = run("-c", textwrap.dedent(code), file)
        self.assertEqual(out, f"{file}/zipped_inside.py zipimporter\ndef where():")


class Running(unittest.TestCase):
    def test_package(self) -> None:
        expected = f"__main__ imports_app {APP}/imports_app/__main__.py imports_app.__main__ 1 True"
        self.assertEqual(run("-m", "imports_app", "x"), f"{expected} ['x']")

    def test_folder_of_a_package(self) -> None:
        """As on disk: relative imports have no package then."""
        self.assertIn("no known parent package", python(f"{APP}/imports_app").stderr)

    def test_file(self) -> None:
        code = f"import runpy; print(runpy.run_path('{APP}/imports_app/on/one.py')['VALUE'])"
        self.assertEqual(run("-c", code), "1")

    def test_pickle(self) -> None:
        from imports_app import shapes

        for thing in (shapes.Square, shapes.Square.Corner, shapes.area):
            self.assertIs(pickle.loads(pickle.dumps(thing)), thing)

    def test_pickle_to_children(self) -> None:
        for method in ("fork", "spawn", "forkserver"):
            out = run("-m", "imports_app.pickled", method)
            self.assertEqual(out, "Local(value=1) __main__\n[Local(value=6)]", method)

    def test_modules_of_the_image_are_pickled_by_name(self) -> None:
        code = """
            import multiprocessing, sys
            from imports_app import shapes
            if __name__ == "__main__":
                with multiprocessing.get_context("spawn").Pool(1) as pool:
                    print(pool.apply_async(shapes.area, (2, 3)).get(60))
                    print(type(pool.apply_async(shapes.Square).get(60)) is shapes.Square)
        """
        self.assertEqual(run("-c", textwrap.dedent(code)), "6\nTrue")


if __name__ == "__main__":
    unittest.main()
