"""Tools that look at modules and run them, in the image. Run by the packaged binary."""

# ruff: noqa: PT009, PT027 (unittest is what the standard library in the image offers)

from __future__ import annotations

import bdb
import cProfile
import dis
import doctest
import inspect
import io
import json.decoder
import linecache
import modulefinder
import os
import pstats
import pyclbr
import runpy
import subprocess
import sys
import tempfile
import textwrap
import tokenize
import trace
import traceback
import types
import unittest
import warnings

ROOT = "/.oxidized"
STDLIB = f"{ROOT}/lib/python{sys.version_info[0]}.{sys.version_info[1]}"
TEXTWRAP = f"{STDLIB}/textwrap.py"


def python(
    *arguments: str, stdin: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **environment},
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )


def lines_of(path: str) -> list[str]:
    with open(path, encoding="utf-8") as stream:
        return stream.readlines()


class Inspect(unittest.TestCase):
    def test_source_of_each_kind(self) -> None:
        text = "".join(lines_of(TEXTWRAP))
        for thing in (textwrap.TextWrapper, textwrap.dedent, textwrap.TextWrapper._split):
            source = inspect.getsource(thing)
            self.assertIn(source, text)
            self.assertTrue(source.lstrip().startswith(("class ", "def ")), source)
        self.assertEqual(inspect.getsource(textwrap), text)
        self.assertEqual(inspect.getsourcefile(textwrap.dedent), TEXTWRAP)
        self.assertEqual(inspect.getfile(textwrap.TextWrapper), TEXTWRAP)
        self.assertEqual(inspect.getfile(textwrap.dedent.__code__), TEXTWRAP)
        self.assertIs(inspect.getmodule(textwrap.TextWrapper), textwrap)
        self.assertIs(inspect.getmodule(textwrap.dedent.__code__), textwrap)
        self.assertEqual(inspect.getmodulename(TEXTWRAP), "textwrap")

    def test_source_of_a_lambda_and_a_property(self) -> None:
        import calendar
        import pathlib

        self.assertIn("lambda", inspect.getsource(calendar._localized_month._months[0]))
        self.assertIn("def parts", inspect.getsource(pathlib.PurePath.parts.fget))

    def test_source_of_frozen_modules(self) -> None:
        """Their bytecode is in the interpreter, their source in the image; functions of theirs say
        `<frozen os>`, unless they are asked for as files, all as with an installation."""
        self.assertIn("def makedirs", inspect.getsource(os))
        self.assertEqual(inspect.getsourcefile(os), f"{STDLIB}/os.py")
        code = "import inspect, os; print(inspect.getsource(os.makedirs).split('(')[0])"
        self.assertEqual(python("-X", "frozen_modules=off", "-c", code).stdout, "def makedirs\n")

    def test_lines_and_documentation(self) -> None:
        lines, start = inspect.getsourcelines(textwrap.dedent)
        self.assertEqual(lines_of(TEXTWRAP)[start - 1], lines[0])
        self.assertIn("Remove any common leading whitespace", inspect.getdoc(textwrap.dedent) or "")
        self.assertEqual(str(inspect.signature(textwrap.indent)), "(text, prefix, predicate=None)")

    def test_frame(self) -> None:
        def raising() -> types.FrameType:
            try:
                json.loads("{")
            except ValueError as error:
                self.assertIsNotNone(error.__traceback__)
                return inspect.getinnerframes(error.__traceback__)[-1].frame
            raise AssertionError

        frame = inspect.getframeinfo(raising())
        self.assertEqual(frame.filename, f"{STDLIB}/json/decoder.py")
        self.assertEqual(lines_of(frame.filename)[frame.lineno - 1], frame.code_context[0])

    def test_built_in_has_none(self) -> None:
        import zlib

        for thing in (sys, zlib, len):
            with self.assertRaises((OSError, TypeError)):
                inspect.getsource(thing)

    def test_command(self) -> None:
        done = python("-m", "inspect", "textwrap:dedent")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout.strip(), inspect.getsource(textwrap.dedent).strip())


class Lines(unittest.TestCase):
    def test_linecache(self) -> None:
        linecache.clearcache()
        expected = lines_of(TEXTWRAP)
        self.assertEqual(linecache.getlines(TEXTWRAP), expected)
        self.assertEqual(linecache.getline(TEXTWRAP, len(expected) + 1), "")
        linecache.checkcache()
        self.assertIn(TEXTWRAP, linecache.cache)
        linecache.clearcache()
        self.assertTrue(linecache.lazycache(TEXTWRAP, vars(textwrap)))
        self.assertEqual(linecache.getline(TEXTWRAP, 1), expected[0])

    def test_traceback_of_an_uncaught_exception(self) -> None:
        done = python("-c", "import json; json.loads('[1,')")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(
            done.stderr, rf'File "{STDLIB}/json/decoder.py", line \d+, in raw_decode\n    \S'
        )
        self.assertIn("^^^", done.stderr)  # columns (PEP 657) need the line and the table

    def test_traceback_by_the_interpreter_itself(self) -> None:
        """Where the traceback module cannot be used, C code opens the file itself."""
        code = "import sys, json; sys.modules['traceback'] = None; json.loads('[1,')"
        done = python("-c", code)
        self.assertRegex(
            done.stderr, rf'File "{STDLIB}/json/decoder.py", line \d+, in raw_decode\n    \S'
        )

    def test_stack_summary(self) -> None:
        try:
            json.loads("[")
        except ValueError as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
        self.assertEqual(last.filename, f"{STDLIB}/json/decoder.py")
        self.assertEqual(last.line, lines_of(last.filename)[last.lineno - 1].strip())

    def test_warning_has_its_line(self) -> None:
        code = """
            import warnings
            warnings.simplefilter("always")
            import textwrap
            def warn(*arguments):
                warnings.warn("look here", stacklevel=2)
            textwrap.TextWrapper._split_chunks = warn
            textwrap.wrap("text")
        """
        done = python("-c", textwrap.dedent(code))
        self.assertRegex(
            done.stderr, rf"{TEXTWRAP}:\d+: UserWarning: look here\n  \S.*split_chunks"
        )

    def test_formatted_warning(self) -> None:
        text = warnings.formatwarning(UserWarning("so"), UserWarning, TEXTWRAP, 1)
        self.assertEqual(text, f"{TEXTWRAP}:1: UserWarning: so\n  {lines_of(TEXTWRAP)[0]}")

    def test_faulthandler(self) -> None:
        code = (
            "import faulthandler, textwrap, sys;"
            "textwrap.TextWrapper._split_chunks ="
            " lambda *a: faulthandler.dump_traceback(sys.stderr);"
            "textwrap.wrap('x')"
        )
        self.assertRegex(python("-c", code).stderr, rf'File "{TEXTWRAP}", line \d+ in wrap')

    def test_tokenize(self) -> None:
        with tokenize.open(TEXTWRAP) as stream:
            self.assertEqual(stream.encoding, "utf-8")
            self.assertEqual(stream.read(), "".join(lines_of(TEXTWRAP)))


class Debuggers(unittest.TestCase):
    def test_pdb_steps_with_source(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            script = f"{folder}/script.py"
            with open(script, "w", encoding="utf-8") as stream:
                stream.write("import textwrap\ntextwrap.indent('a', '-')\nprint('over')\n")
            commands = "b textwrap.indent\nc\nw\nl\nn\np prefix\nr\nll\nc\nq\n"
            done = python("-m", "pdb", script, stdin=commands, HOME=folder)
        self.assertIn("Breakpoint 1 at " + TEXTWRAP, done.stdout)
        line = inspect.getsourcelines(textwrap.indent)[1]
        self.assertRegex(done.stdout, rf"{line}.*def indent\(text, prefix, predicate=None\):")
        self.assertRegex(done.stdout, rf"> {TEXTWRAP}\(\d+\)indent\(\)\n-> if predicate is None:")
        self.assertIn("\n(Pdb) '-'\n", done.stdout)
        self.assertIn("over", done.stdout)
        self.assertEqual(done.stderr, "")

    def test_post_mortem(self) -> None:
        code = "import json, pdb, sys\ntry: json.loads('[')\nexcept ValueError: pdb.post_mortem()"
        done = python("-c", code, stdin="p idx\nl\nq\n")
        self.assertIn(f"> {STDLIB}/json/decoder.py(", done.stdout)
        self.assertIn("->", done.stdout)

    def test_breakpoint_by_file_and_line(self) -> None:
        line = inspect.getsourcelines(textwrap.indent)[1]
        debugger = bdb.Bdb()
        self.assertIn("does not exist", debugger.set_break(TEXTWRAP, 10**6) or "")
        self.assertIsNone(debugger.set_break(TEXTWRAP, line))
        self.assertTrue(debugger.get_break(TEXTWRAP, line))
        debugger.clear_all_breaks()

    def test_settrace(self) -> None:
        seen = set()

        def tracer(frame, event, argument):
            if frame.f_code.co_filename == TEXTWRAP:
                seen.add((frame.f_code.co_name, event))
            return tracer

        before = sys.gettrace()
        sys.settrace(tracer)
        try:
            textwrap.indent("a\nb", "-")
        finally:
            sys.settrace(before)
        self.assertLessEqual({("indent", "call"), ("indent", "line"), ("indent", "return")}, seen)

    def test_setprofile(self) -> None:
        seen = []
        sys.setprofile(lambda frame, event, argument: seen.append((event, frame.f_code.co_name)))
        try:
            textwrap.indent("a", "-")
        finally:
            sys.setprofile(None)
        self.assertIn(("call", "indent"), seen)

    def test_monitoring(self) -> None:
        tool, events = sys.monitoring.PROFILER_ID, sys.monitoring.events
        lines = set()
        sys.monitoring.use_tool_id(tool, "check")
        try:
            sys.monitoring.register_callback(
                tool, events.LINE, lambda code, line: lines.add((code.co_filename, line))
            )
            sys.monitoring.set_local_events(tool, textwrap.indent.__code__, events.LINE)
            textwrap.indent("a", "-")
        finally:
            sys.monitoring.free_tool_id(tool)
        self.assertTrue(lines)
        self.assertEqual({path for path, _ in lines}, {TEXTWRAP})

    def test_trace_counts_lines(self) -> None:
        tracer = trace.Trace(count=True, trace=False)
        tracer.runfunc(textwrap.indent, "a", "-")
        counts = tracer.results().counts
        self.assertTrue([place for place in counts if place[0] == TEXTWRAP], counts)

    def test_trace_writes_its_report_elsewhere(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            tracer = trace.Trace(count=True, trace=False)
            tracer.runfunc(textwrap.indent, "a", "-")
            tracer.results().write_results(coverdir=folder, show_missing=True)
            self.assertIn("def indent", "".join(lines_of(f"{folder}/textwrap.cover")))

    def test_profile(self) -> None:
        profile = cProfile.Profile()
        profile.runcall(textwrap.indent, "a\nb", "-")
        stream = io.StringIO()
        pstats.Stats(profile, stream=stream).print_stats()
        self.assertIn(f"{TEXTWRAP}:", stream.getvalue())


class Looking(unittest.TestCase):
    def test_dis(self) -> None:
        stream = io.StringIO()
        dis.dis(textwrap.dedent, file=stream)
        self.assertIn("RETURN_VALUE", stream.getvalue())
        code = textwrap.__spec__.loader.get_code("textwrap")
        fresh = compile("".join(lines_of(TEXTWRAP)), TEXTWRAP, "exec", dont_inherit=True)
        places = [list(one.co_positions()) for one in (code, fresh)]
        self.assertEqual(places[0], places[1])
        names = [[one.opname for one in dis.get_instructions(each)] for each in (code, fresh)]
        self.assertEqual(names[0], names[1])
        self.assertEqual(python("-m", "dis", TEXTWRAP).returncode, 0)

    def test_doctest(self) -> None:
        import colorsys

        finder = doctest.DocTestFinder(exclude_empty=False)
        (test,) = [one for one in finder.find(textwrap) if one.name == "textwrap.dedent"]
        self.assertEqual(test.filename, TEXTWRAP)
        self.assertIn("any common", lines_of(TEXTWRAP)[test.lineno])
        self.assertEqual(doctest.testmod(colorsys).failed, 0)

    def test_pyclbr(self) -> None:
        found = pyclbr.readmodule_ex("textwrap")
        self.assertEqual(found["TextWrapper"].file, TEXTWRAP)
        self.assertEqual(found["dedent"].lineno, inspect.getsourcelines(textwrap.dedent)[1])

    def test_pydoc(self) -> None:
        done = python("-m", "pydoc", "textwrap", PAGER="cat", TERM="dumb")
        self.assertIn(f"FILE\n    {TEXTWRAP}", done.stdout)
        self.assertEqual(done.stderr, "")

    def test_modulefinder(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            script = f"{folder}/script.py"
            with open(script, "w", encoding="utf-8") as stream:
                stream.write("import textwrap, json, no_such_thing\n")
            finder = modulefinder.ModuleFinder()
            finder.run_script(script)
        self.assertEqual(finder.modules["json.decoder"].__file__, f"{STDLIB}/json/decoder.py")
        self.assertIn("textwrap", finder.modules)
        self.assertEqual(finder.any_missing_maybe()[0].count("no_such_thing"), 1)

    def test_compileall_and_py_compile_into_another_folder(self) -> None:
        import py_compile

        with tempfile.TemporaryDirectory() as folder:
            target = py_compile.compile(TEXTWRAP, f"{folder}/textwrap.pyc", doraise=True)
            self.assertGreater(os.path.getsize(target), 1000)


class Running(unittest.TestCase):
    def test_run_module(self) -> None:
        names = runpy.run_module("colorsys", run_name="__other__")
        self.assertEqual((names["__name__"], names["__package__"]), ("__other__", ""))
        self.assertEqual(names["__file__"], f"{STDLIB}/colorsys.py")
        self.assertEqual(names["__spec__"].name, "colorsys")
        self.assertEqual(names["__cached__"], names["__spec__"].cached)
        with self.assertRaises(ImportError):
            runpy.run_module("no_such_module")
        with self.assertRaises(ImportError):  # a package without __main__
            runpy.run_module("concurrent")

    def test_run_path(self) -> None:
        names = runpy.run_path(f"{STDLIB}/colorsys.py", {"given": 1})
        self.assertEqual((names["given"], names["__name__"]), (1, "<run_path>"))
        self.assertEqual(names["__file__"], f"{STDLIB}/colorsys.py")
        # A compiled file, as `python x.pyc`.
        self.assertIn("rgb_to_hls", runpy.run_path(names["rgb_to_hls"].__code__.co_filename))
        import colorsys

        self.assertIn("rgb_to_hls", runpy.run_path(colorsys.__cached__))

    def test_package_with_a_main(self) -> None:
        done = python("-m", "unittest", "--help")
        self.assertIn("usage:", done.stdout)
        done = python("-m", "json.tool", stdin='{"a": 1}')
        self.assertEqual(done.stdout, '{\n    "a": 1\n}\n')
        done = python(f"{STDLIB}/json/tool.py", "--compact", stdin='{"a": 1}')
        self.assertEqual(done.stdout, '{"a":1}\n', done.stderr)

    def test_folder_of_the_image_with_a_main(self) -> None:
        """Its __main__ runs as a program that is no package: there is nothing it is relative to."""
        done = python(f"{STDLIB}/unittest", "--help")
        self.assertIn(f'File "{STDLIB}/unittest/__main__.py", line', done.stderr)
        self.assertIn("attempted relative import with no known parent package", done.stderr)

    def test_import_time(self) -> None:
        done = python("-X", "importtime", "-c", "import json.decoder")
        self.assertRegex(done.stderr, r"import time: +\d+ \| +\d+ \|     json.decoder\n")
        self.assertRegex(done.stderr, r"import time: +\d+ \| +\d+ \|   json\n")

    def test_verbose(self) -> None:
        done = python("-v", "-c", "import colorsys")
        loader = "_frozen_importlib_external.SourceFileLoader"
        self.assertRegex(done.stderr, rf"import 'colorsys' # <{loader} object at")

    def test_optimized(self) -> None:
        """-O and -OO compile what the image has no bytecode for; lines stay right."""
        code = (
            "import colorsys, sys, textwrap, json;"
            "print(__debug__, textwrap.dedent.__doc__ is None, colorsys.__cached__);"
            "json.loads('[')"
        )
        for option, level in (("-O", 1), ("-OO", 2)):
            done = python(option, "-c", code)
            cached = f"{STDLIB}/__pycache__/colorsys.{sys.implementation.cache_tag}.opt-{level}.pyc"
            self.assertEqual(done.stdout.strip(), f"False {level == 2} {cached}")
            self.assertRegex(done.stderr, rf'File "{STDLIB}/json/decoder.py", line \d+.*\n    \S')

    def test_repr(self) -> None:
        self.assertEqual(repr(textwrap), f"<module 'textwrap' from '{TEXTWRAP}'>")


if __name__ == "__main__":
    unittest.main()
