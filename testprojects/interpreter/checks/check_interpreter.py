"""The packaged interpreter as a `python3`: options, start, exit, children. Run by the binary."""

# ruff: noqa: PT009, PT027 (unittest is what the standard library in the image offers)

from __future__ import annotations

import builtins
import ctypes
import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

ROOT = "/.oxidized"


def python(
    *arguments: str, stdin: str = "", env: dict[str, str] | None = None, cwd: str | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        input=stdin,
        env=os.environ if env is None else env,
        cwd=cwd,
        capture_output=True,
        encoding="utf-8",
    )


class Options(unittest.TestCase):
    def output(self, *arguments: str, stdin: str = "", env: dict[str, str] | None = None) -> str:
        done = python(*arguments, stdin=stdin, env=env)
        self.assertEqual((done.returncode, done.stderr), (0, ""), arguments)
        return done.stdout.strip()

    def test_ways_to_give_a_program(self) -> None:
        self.assertEqual(self.output("-c", "import sys; print(sys.argv)", "a"), "['-c', 'a']")
        self.assertEqual(self.output(stdin="print(__name__)"), "__main__")
        self.assertEqual(self.output("-", "a", stdin="import sys; print(sys.argv)"), "['-', 'a']")
        self.assertIn("show this help", self.output("-m", "json.tool", "--help"))
        with tempfile.TemporaryDirectory() as folder:
            script = f"{folder}/script.py"
            with open(script, "w", encoding="utf-8") as stream:
                stream.write("import sys, side; print(sys.argv, __file__, side.value)")
            with open(f"{folder}/side.py", "w", encoding="utf-8") as stream:
                stream.write("value = 3")
            self.assertEqual(self.output(script, "x"), f"['{script}', 'x'] {script} 3")
            os.rename(script, f"{folder}/__main__.py")
            self.assertIn("__main__.py 3", self.output(folder))

    def test_version(self) -> None:
        version = ".".join(map(str, sys.version_info[:3]))
        self.assertEqual(self.output("-V"), f"Python {version}")
        self.assertIn(version, self.output("-VV"))
        self.assertIn("usage:", self.output("--help"))

    def test_flags(self) -> None:
        code = "import sys; print({})"
        self.assertEqual(self.output("-I", "-c", code.format("sys.flags.isolated")), "1")
        self.assertEqual(self.output("-O", "-c", code.format("sys.flags.optimize")), "1")
        self.assertEqual(self.output("-X", "dev", "-c", code.format("sys.flags.dev_mode")), "True")
        self.assertEqual(self.output("-Xa=b", "-c", code.format("sys._xoptions")), "{'a': 'b'}")
        self.assertEqual(
            self.output("-u", "-B", "-c", code.format("sys.dont_write_bytecode")), "True"
        )
        self.assertIn("import time", python("-X", "importtime", "-c", "import json").stderr)
        self.assertEqual(
            python("-W", "error", "-c", "import warnings; warnings.warn('x')").returncode, 1
        )
        self.assertEqual(python("-Z").returncode, 2)

    def test_environment(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            env = {**os.environ, "PYTHONPATH": f"{folder}:/no/such", "PYTHONOPTIMIZE": "2"}
            code = "import sys; print(sys.path[1:3], sys.flags.optimize)"
            self.assertEqual(self.output("-c", code, env=env), f"['{folder}', '/no/such'] 2")
            code = "import sys; print(sys.path[1:3], sys.flags.optimize)"
            self.assertNotIn(folder, self.output("-E", "-c", code, env=env))
            self.assertNotIn(folder, self.output("-I", "-c", code, env=env))
            # Every option counts beside the variable, and "a:" is a and the current folder.
            env["PYTHONPATH"] = "a:"
            code = "import sys; print(sys.path[1:3], sys.flags.warn_default_encoding)"
            option = ("-X", "warn_default_encoding")
            expected = f"['{os.getcwd()}/a', '{os.getcwd()}'] 1"
            self.assertEqual(self.output(*option, "-c", code, env=env), expected)
        env = {**os.environ, "PYTHONHOME": "/no/such", "PYTHONHASHSEED": "0"}
        code = "import json, sys; print(sys.prefix, sys.flags.hash_randomization)"
        self.assertEqual(self.output("-c", code, env=env), f"{ROOT} 0")
        env = {**os.environ, "PYTHONMALLOC": "malloc"}
        self.assertEqual(self.output("-c", "import json; print(1)", env=env), "1")

    def test_utf8_in_any_locale(self) -> None:
        for env in ({}, {"LC_ALL": "C"}, {"LC_ALL": "POSIX"}, {"LC_ALL": "C.UTF-8"}):
            code = "import sys; print(ascii(sys.argv[1]), sys.getfilesystemencoding())"
            self.assertEqual(
                self.output("-c", code, "ä€𝄞", env=env), r"'\xe4\u20ac\U0001d11e' utf-8"
            )
            self.assertEqual(self.output("-c", "print('ä€')", env=env), "ä€")

    def test_paths(self) -> None:
        self.assertEqual(
            {sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix}, {ROOT}
        )
        self.assertTrue(os.path.samefile(sys.executable, os.readlink("/proc/self/exe")))
        self.assertEqual(sys._stdlib_dir, os.path.dirname(os.__file__))  # type: ignore[attr-defined]
        import sysconfig

        self.assertEqual(sysconfig.get_paths()["stdlib"], os.path.dirname(os.__file__))

    def test_prompt(self) -> None:
        done = python(
            "-i", "-c", "x = 5", stdin="x + 1\nexit\nexit()\n", env={**os.environ, "TERM": "dumb"}
        )
        self.assertIn("6\n", done.stdout)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(python("-i", stdin="raise SystemExit(4)\n").returncode, 4)


class Builtins(unittest.TestCase):
    def test_what_site_gives(self) -> None:
        for name in ("exit", "quit", "copyright", "credits", "license", "help"):
            self.assertTrue(hasattr(builtins, name), name)
        code = "print(repr(exit)); print(repr(quit)); print(repr(help)); print(repr(license))"
        done = python("-c", code + "; copyright(); credits(); print(type(exit).__name__)")
        self.assertEqual(done.stderr, "")
        for text in ("Use exit() or Ctrl-D", "Use quit() or", "Type help()", "Type license()"):
            self.assertIn(text, done.stdout)
        self.assertIn("Python Software Foundation", done.stdout)
        self.assertTrue(done.stdout.endswith("Quitter\n"))

    def test_they_work(self) -> None:
        self.assertEqual(python("-c", "exit(7)").returncode, 7)
        self.assertEqual(python("-c", "q = quit; q(8)").returncode, 8)
        self.assertEqual(python("-c", "q = quit; repr(q); repr(quit); q('bye')").returncode, 1)
        self.assertEqual(python("-c", "exit = 5; print(exit)").stdout, "5\n")
        self.assertIn("dedent", python("-c", "import textwrap; help(textwrap.dedent)").stdout)
        self.assertIn(
            "builtins",
            python("-c", "import os; print(exit.__class__, exit.eof)").stdout.replace(
                "_sitebuiltins", "builtins"
            ),
        )

    def test_cheap(self) -> None:
        code = "import sys; print({'os', 'site', '_sitebuiltins', 're'} & set(sys.modules))"
        self.assertEqual(python("-I", "-c", code).stdout, "set()\n")


class Leaving(unittest.TestCase):
    def test_status(self) -> None:
        self.assertEqual(python("-c", "import sys; sys.exit(3)").returncode, 3)
        self.assertEqual(python("-c", "import sys; sys.exit('message')").returncode, 1)
        self.assertEqual(python("-c", "1/0").returncode, 1)
        self.assertEqual(python("-c", "import os; os.abort()").returncode, -signal.SIGABRT)
        self.assertEqual(python("/no/such/file").returncode, 2)
        self.assertEqual(python("-c", "raise KeyboardInterrupt").returncode, -signal.SIGINT)
        self.assertEqual(python("-c", "print(1)", stdin="").returncode, 0)

    def test_full_disk(self) -> None:
        if os.path.exists("/dev/full"):
            with open("/dev/full", "w", encoding="utf-8") as full:
                done = subprocess.run(
                    [
                        sys.executable,
                        "-c",
                        "import sys; sys.stdout = open(1, 'w', 100); print(1, end='')",
                    ],
                    stdout=full,
                    stderr=subprocess.DEVNULL,
                )
            self.assertEqual(done.returncode, 120)


class Starting(unittest.TestCase):
    CODE = "import sys, json; print(sys.executable)"

    def test_empty_environment(self) -> None:
        done = python("-c", self.CODE, env={})
        self.assertEqual((done.stdout.strip(), done.stderr), (sys.executable, ""))

    def test_symbolic_link_and_search(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            os.symlink(sys.executable, f"{folder}/py")
            out = subprocess.check_output([f"{folder}/py", "-c", self.CODE], encoding="utf-8")
            self.assertEqual(out.strip(), os.path.realpath(sys.executable))
            out = subprocess.check_output(
                ["py", "-c", self.CODE], env={"PATH": folder}, encoding="utf-8"
            )
            self.assertEqual(out.strip(), os.path.realpath(sys.executable))

    def test_deleted_file(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(sys.executable, f"{folder}/py")
            process = subprocess.Popen(
                [
                    f"{folder}/py",
                    "-c",
                    "import os; os.remove(__import__('sys').argv[1]);"
                    "import subprocess, sys, json; os.execv('/proc/self/exe', ['x', '-c',"
                    "'import sys, json; print(sys.executable)'])",
                    f"{folder}/py",
                ],
                stdout=subprocess.PIPE,
                encoding="utf-8",
            )
            self.assertEqual(process.communicate()[0].strip(), "/proc/self/exe")

    def test_by_descriptor(self) -> None:
        descriptor = os.open(sys.executable, os.O_RDONLY)
        pid = os.fork()
        if pid == 0:
            os.execve(descriptor, ["x", "-c", "import json"], {})
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)
        os.close(descriptor)

    def test_no_arguments_at_all(self) -> None:
        pid = os.fork()
        if pid == 0:
            os.dup2(os.open(os.devnull, os.O_RDWR), 0)
            os.execve(sys.executable, ["x"], {})
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)

    def test_closed_streams(self) -> None:
        done = subprocess.run(
            ["/bin/sh", "-c", 'exec "$0" -c "import json" <&- >&- 2>&-', sys.executable]
        )
        self.assertEqual(done.returncode, 0)


class Native(unittest.TestCase):
    def test_own_symbols(self) -> None:
        self.assertEqual(ctypes.pythonapi.Py_IsInitialized(), 1)
        version = ctypes.pythonapi.Py_GetVersion
        version.restype = ctypes.c_char_p
        self.assertEqual(version().decode(), sys.version)
        with self.assertRaises(AttributeError) as caught:
            getattr(ctypes.pythonapi, "no_such_function".strip())
        self.assertIn("no_such_function", str(caught.exception))
        self.assertEqual(ctypes.CDLL(None).Py_IsInitialized(), 1)

    def test_missing_library(self) -> None:
        with self.assertRaises(OSError) as caught:
            ctypes.CDLL("libno-such-thing.so")
        self.assertIn("libno-such-thing.so", str(caught.exception))

    def test_errno_of_threads(self) -> None:
        with self.assertRaises(FileNotFoundError) as caught:
            os.stat("/no/such")
        self.assertEqual(caught.exception.errno, errno.ENOENT)


if __name__ == "__main__":
    unittest.main()
