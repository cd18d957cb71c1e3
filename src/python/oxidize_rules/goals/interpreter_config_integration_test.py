"""What `interpreter_config` says takes effect, and what it does not say is isolated.

The targets are in `testprojects/startup/BUILD`.
"""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
from pathlib import Path
from typing import Any, Dict, List

import pytest

from oxidize_rules.goals.testing_binaries import Ended, Packaged, Text, package, start

IMAGE_PATH = [
    "/.oxidized/app",
    "/.oxidized/lib/python3.13",
    "/.oxidized/lib/python3.13/site-packages",
]
# What an isolated application is not to look at.
VARIABLES = {
    "PYTHONPATH": "/nonexistent/path",
    "PYTHONWARNINGS": "error",
    "PYTHONHASHSEED": "4",
    "PYTHONOPTIMIZE": "2",
    "PYTHONDEVMODE": "1",
    "PYTHONUTF8": "0",
    "PYTHONVERBOSE": "1",
    "PYTHONHOME": "/nonexistent/home",
    "PYTHONPROFILEIMPORTTIME": "1",
    "PYTHONINSPECT": "1",
    "PYTHONTRACEMALLOC": "5",
}


@pytest.fixture(scope="module")
def packages() -> Packaged:
    return package(("startup", "startup:configured", "startup:open"))


def values(command: List[Text], *expressions: str, **options: Any) -> List[Any]:
    """What the expressions are inside `testprojects/startup/configured.py`."""
    ended = start([*command, *expressions], **options)
    assert ended.code == 0, ended
    found = json.loads(ended.out)
    assert len(found) == len(expressions)
    return list(found)


# Nothing said: the isolated profile.


def profile(file: Path, *arguments: str, **options: Any) -> Dict[str, Any]:
    ended = start([file, "profile", *arguments], **options)
    assert (ended.code, ended.err) == (0, "")
    facts = json.loads(ended.out)
    assert isinstance(facts, dict)
    return facts


def test_the_isolated_profile(packages: Packaged, libc: str) -> None:
    file = packages("startup", libc)
    alone, among = profile(file), profile(file, env=VARIABLES, cwd="/tmp")
    expected = {
        "isolated": 1,
        "ignore_environment": 1,
        "no_user_site": 1,
        "no_site": 1,
        "safe_path": 1,
        "dont_write_bytecode": 1,
        "hash_randomization": 1,
        "optimize": 0,
        "verbose": 0,
        "inspect": 0,
        "dev_mode": 0,
    }
    for facts in (alone, among):
        assert {name: facts["flags"][name] for name in expected} == expected
        assert (facts["path"], facts["warnoptions"]) == (IMAGE_PATH, [])
    assert alone["flags"] == among["flags"]


@pytest.mark.parametrize("locale", ["", "C", "POSIX", "C.UTF-8", "xx_XX.ISO-8859-1"])
def test_arguments_are_utf8_in_any_locale(packages: Packaged, libc: str, locale: str) -> None:
    file = packages("startup", libc)
    facts = profile(file, "\u00e4\u20ac\U0001d11e", "a b", env={"LC_ALL": locale})
    assert facts["argv"] == [r"'\xe4\u20ac\U0001d11e'", "'a b'"]
    assert facts["stdout"][0] == facts["filesystem"][0] == "utf-8"
    # On glibc it depends on the locale, as for python3.
    assert facts["flags"]["utf8_mode"] == 1 or (libc == "gnu" and locale == "C.UTF-8")


def test_bytes_that_are_not_utf8(packages: Packaged, libc: str) -> None:
    for env in ({}, {"LC_ALL": "C"}, {"LC_ALL": "C.UTF-8"}):
        done = subprocess.run(
            [os.fsencode(packages("startup", libc)), b"profile", b"\xff\xe4"],
            env=env,
            capture_output=True,
            check=True,
        )
        assert json.loads(done.stdout)["argv"] == [r"'\udcff\udce4'"]


# What is said.

EFFECTS = {
    # Of the flags, those that are not asked for are as in the isolated profile.
    "sys.flags.bytes_warning": 1,
    "sys.flags.dev_mode": True,
    "sys.flags.hash_randomization": 1,  # a seed other than 0
    "sys.flags.ignore_environment": 1,
    "sys.flags.inspect": 1,
    "sys.flags.int_max_str_digits": 1000,
    "sys.flags.isolated": 1,
    "sys.flags.no_site": 0,
    "sys.flags.no_user_site": 1,
    "sys.flags.quiet": 1,
    "sys.flags.safe_path": True,
    "sys.flags.utf8_mode": 0,
    "sys.flags.warn_default_encoding": 1,
    "sys.dont_write_bytecode": False,
    "sys.pycache_prefix": "/nonexistent/cache",
    "sys.stdout.encoding": "iso8859-1",
    "sys.stdout.errors": "xmlcharrefreplace",
    "sys.stdout.write_through": True,
    "sys._xoptions": {"mine": "a=b", "importtime": True},
    "sys.warnoptions": [
        *("default", "default::BytesWarning"),  # by dev_mode, bytes_warning
        *("error::DeprecationWarning", "ignore:quiet one"),
    ],
    "warnings.warn('loud one', DeprecationWarning)": "DeprecationWarning: loud one",
    "warnings.warn('quiet one', UserWarning)": None,
    "len(str(10 ** 900))": 901,
    "str(10 ** 1100)[:1]": "ValueError: Exceeds the limit (1000 digits) for integer string "
    "conversion; use sys.set_int_max_str_digits() to increase the limit",
    "os.process_cpu_count()": 3,
    "__import__('faulthandler').is_enabled()": True,  # by dev_mode
    "__import__('tracemalloc').get_traceback_limit()": 3,
    "__import__('_imp').check_hash_based_pycs": "always",
    # Otherwise "frozen".
    "os.__spec__.origin": "/.oxidized/lib/python3.13/os.py",
    "'site' in sys.modules": True,
    "list(seeded.__code__.co_positions())[0][2:]": [None, None],
    "sys.prefix": "/.oxidized",
}


def test_effects(packages: Packaged, libc: str) -> None:
    file = packages("startup:configured", libc)
    found = dict(zip(EFFECTS, values([file], *EFFECTS, env=VARIABLES)))
    assert found == EFFECTS


OVERFLOW = """
import ctypes
give, take = ctypes.pythonapi.PyMem_Malloc, ctypes.pythonapi.PyMem_Free
give.restype, take.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
block = give(16)
ctypes.memset(block, 0, 17)
take(block)
"""


def test_development_mode_checks_memory(packages: Packaged, libc: str) -> None:
    """By `dev_mode`, and as with python3 by `-X dev` and the variable."""
    plain, configured = packages("startup", libc), packages("startup:configured", libc)
    inside = {"OXIDIZED_INTERPRETER": "1"}
    assert start([plain, "-c", OVERFLOW], env=inside).code == 0
    assert start([plain, "-X", "utf8", "-c", "'-X dev'" + OVERFLOW], env=inside).code == 0
    for file, options, env in (
        (configured, [], {}),
        (plain, ["-X", "dev"], {}),
        (plain, ["-Xdev"], {}),
        (plain, [], {"PYTHONDEVMODE": "1"}),
    ):
        ended = start([file, *options, "-c", OVERFLOW], env={**inside, **env})
        assert (ended.code, "bad trailing pad byte" in ended.err) == (-6, True), (options, env)


def test_a_seed(packages: Packaged, libc: str) -> None:
    file = packages("startup:configured", libc)
    seeds = {values([file], "seeded()")[0] for _ in range(3)}
    seeds |= set(values([file], "seeded()", env={"PYTHONHASHSEED": "0"}))
    assert len(seeds) == 1


def test_import_times_are_told(packages: Packaged, libc: str) -> None:
    ended = start([packages("startup:configured", libc), "1"])
    assert "import time: self [us]" in ended.err


def test_terminals_of_the_image(packages: Packaged, libc: str) -> None:
    file = packages("startup:configured", libc)
    curses = "[__import__('curses').setupterm('{}'), __import__('curses').tigetnum('colors')][1]"
    own = curses.format("oxidize-image")
    assert values([file], own) == [77]
    assert values([file], curses.format("xterm")) == [8]
    (missing,) = values([file], own, env={"TERMINFO_DIRS": "/nonexistent"})
    assert "could not find term" in missing


def test_paths_beside_the_executable(packages: Packaged, libc: str, folder: Path) -> None:
    """`$ORIGIN` is the folder of the file itself, whatever it is called by."""
    home = folder / "home"
    (home / "plugins").mkdir(parents=True)
    (home / "plugins/oxidize_plugin.py").write_text("where = __file__\n")
    # The image's own comes first.
    (home / "plugins/json.py").write_text("raise SystemExit('not this one')\n")
    shutil.copy(packages("startup:configured", libc), home / "app")
    (folder / "link").symlink_to("home/app")
    expected = [*IMAGE_PATH, f"{home}/plugins", f"{home}/../shared", "/opt/oxidize-test"]
    plugin = "__import__('oxidize_plugin').where"
    for program in (home / "app", folder / "link"):
        path, where = values([program], "sys.path", plugin)
        # `site` makes entries normal.
        assert [os.path.normpath(entry) for entry in path] == list(map(os.path.normpath, expected))
        assert where == f"{home}/plugins/oxidize_plugin.py"
    assert values(["./app"], "sys.path[3]", cwd=home) == [f"{home}/plugins"]
    # A process made from nothing has no folder; the absolute one stays.
    code = "import os, sys; f = os.memfd_create('x'); os.write(f, open(sys.argv[1], 'rb').read())"
    run = f"{code}; os.execve(f, ['x', 'sys.path'], {{}})"
    ended = start([shutil.which("python3") or "python3", "-c", run, home / "app"])
    assert json.loads(ended.out) == [[*IMAGE_PATH, "/opt/oxidize-test"]]


def on_terminal(command: List[Text], text: str) -> Ended:
    """Runs it with a terminal as standard input."""
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"TERM": "dumb"},
            encoding="utf-8",
        )
        os.write(ours, text.encode())
        out, err = process.communicate(timeout=60)
    finally:
        os.close(ours)
        os.close(theirs)
    return Ended(process.returncode, out, err)


def test_a_prompt_after_the_end(packages: Packaged, libc: str) -> None:
    """`inspect`: on a terminal only, as with python3."""
    file = packages("startup:configured", libc)
    ended = on_terminal([file, "1+1"], "print(show.__name__ * 2)\nexit(7)\n")
    assert ended.code == 7
    assert "[2]" in ended.out
    assert "showshow" in ended.out
    assert start([file, "1+1"], stdin="exit(7)\n").code == 0


def test_the_interpreter_inside(packages: Packaged, libc: str) -> None:
    """Children have the settings, but for the prompt; options do not add to them."""
    file = packages("startup:configured", libc)
    code = "import json, sys; print(json.dumps([sys.flags.bytes_warning, sys.flags.inspect]))"
    for options, expected in (([], [1, 0]), (["-b"], [1, 0]), (["-bb"], [2, 0]), (["-i"], [1, 1])):
        ended = start([file, *options, "-c", code], env={"OXIDIZED_INTERPRETER": "1"})
        assert json.loads(ended.out) == expected, options
    both = start(
        [file, "-X", "warn_default_encoding", "-c", "import sys; print(sys.warnoptions)"],
        env={"OXIDIZED_INTERPRETER": "1"},
    )
    assert both.out == f"{EFFECTS['sys.warnoptions']}\n"
    child = "__import__('subprocess').check_output([sys.executable, {}'-c', {!r}]).decode()"
    flags = "*__import__('subprocess')._args_from_interpreter_flags(), "
    alike = values([file], child.format("", code), child.format(flags, code))
    assert list(map(json.loads, alike)) == [[1, 0]] * 2


# The opposite of isolated.


def test_an_open_application(packages: Packaged, libc: str, tmp_path: Path) -> None:
    file = packages("startup:open", libc)
    (tmp_path / "oxidize_here.py").write_text("where = 'working directory'\n")
    (tmp_path / "path").mkdir()
    (tmp_path / "path/oxidize_there.py").write_text("where = 'PYTHONPATH'\n")
    user = tmp_path / "home/.local/lib/python3.13/site-packages"
    user.mkdir(parents=True)
    (user / "oxidize_user.py").write_text("where = 'user'\n")
    effects = {
        "sys.flags.isolated": 0,
        "sys.flags.ignore_environment": 0,
        "sys.flags.safe_path": False,
        "sys.flags.no_user_site": 0,
        "sys.flags.utf8_mode": 1,
        "sys.warnoptions": ["ignore::BytesWarning"],
        "__import__('oxidize_here').where": "working directory",
        "__import__('oxidize_there').where": "PYTHONPATH",
        "__import__('oxidize_user').where": "user",
        "[sys.path[0], sys.path[1]]": [str(tmp_path), str(tmp_path / "path")],
        # Without Python's handlers.
        "__import__('signal').getsignal(13)": 0,
    }
    env = {
        "HOME": str(tmp_path / "home"),
        "PYTHONPATH": str(tmp_path / "path"),
        "PYTHONUTF8": "1",
        "PYTHONWARNINGS": "ignore::BytesWarning",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    assert dict(zip(effects, values([file], *effects, env=env, cwd=tmp_path))) == effects
    assert values([file], "sys.path[0]", cwd="/") == ["/"]
