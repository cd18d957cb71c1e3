"""Children of an application: `sys.executable` is a Python to them, without any call by it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from oxidize_rules.goals.testing_binaries import Ended, Packaged, output, start

VARIABLE = "OXIDIZED_INTERPRETER"
# What `testprojects/cli`'s command `children` tells: exit code and output of each child.
EXPECTED = {
    "-c": "0 ['-x', 'y'] cli_app 0",
    "cluster": "0 [] cli_app 1",
    "options": "0 1 True ['default', 'ignore']",
    "-m": "3 ",
    "-m of the standard library": "0 November 2026",
    "script": "0 ['one'] True",
    "script by line": "0 by its first line",
    "folder": "0 a folder",
    "nested": "0 b'2\\n'",
    "environment": "0 [] cli_app 0",
    "python": "0 called python",
    "shell": "42",
    "posix_spawn": "7",
    "workers": ["0 a", "0 b"],
    "error": "ModuleNotFoundError: No module named 'no_such_thing'",
    "itself": "5 ",
    "itself by name": "6 ",
    "application": "4 ",
    "no interpreter": "Error: No such option '-c'.",
}


@pytest.mark.parametrize("how", ["by its path", "by PATH", "relative"])
def test_children_of_an_application(packages: Packaged, libc: str, how: str) -> None:
    file = packages("cli", libc)
    names = {"by its path": str(file), "by PATH": file.name, "relative": f"./{file.name}"}
    env = {"PATH": f"{file.parent}:/usr/bin:/bin"}
    text = output(["/bin/sh", "-c", 'exec "$0" children', names[how]], env=env, cwd=file.parent)
    assert json.loads(text) == EXPECTED


def test_the_application_comes_first(packages: Packaged, libc: str) -> None:
    """Its arguments are its own: nobody but its child is taken for `python3`."""
    file = packages("cli", libc)
    for env in ({}, {VARIABLE: "0"}, {VARIABLE: "/other/executable"}, {VARIABLE: ""}):
        ended = start([file, "-c", "print(1)"], env=env)
        assert (ended.code, ended.out) == (2, ""), (env, ended)
        assert "No such option" in ended.err
    assert start([file, "-c", "print(1)"], env={VARIABLE: "1"}) == Ended(0, "1\n", "")
    assert start([file, "-c", "print(1)"], env={VARIABLE: str(file)}) == Ended(0, "1\n", "")


@pytest.mark.parametrize("value", ["", "0", "1", "{file}"])
def test_no_code_by_arguments_alone(
    packages: Packaged, libc: str, folder: Path, value: str
) -> None:
    """multiprocessing's own command is for its children, and a set-user-id program has none."""
    file = packages("cli", libc)
    command = ["-c", "from multiprocessing.spawn import x; print('run')"]
    env = {VARIABLE: value.format(file=file)} if value else {}
    if value in ("", "0"):
        assert "No such option" in start([file, *command], env=env).err
    if os.geteuid() != 0:
        pytest.skip("only root can make a set-user-id program for another user")
    copy = folder / "copy"
    shutil.copy(file, copy)
    os.chown(copy, 65534, 65534)
    copy.chmod(0o4755)
    env = {VARIABLE: value.format(file=copy)} if value else {}
    ended = start([copy, *command], env=env)
    assert (ended.code, ended.out) == (2, "")
    assert "No such option" in ended.err


def test_an_interpreter_asked_for_has_interpreters_as_children(
    packages: Packaged, libc: str
) -> None:
    code = (
        "import subprocess, sys;"
        "print(subprocess.check_output([sys.executable, '-c', 'print(5)'], text=True))"
    )
    assert output([packages("cli", libc), "-c", code], env={VARIABLE: "1"}) == "5\n\n"


def test_another_application_is_not_a_python(packages: Packaged, libc: str, folder: Path) -> None:
    """A copy stands for an application that this one starts."""
    file = packages("cli", libc)
    other = folder / "other"
    shutil.copy(file, other)
    code = (
        "import subprocess, sys;"
        "done = subprocess.run([sys.argv[1], '-c', 'print(5)'], capture_output=True, text=True);"
        "print(done.returncode, done.stderr.splitlines()[-1])"
    )
    text = output([file, "-c", code, other], env={VARIABLE: "1"})
    assert text == "2 Error: No such option '-c'.\n"


# multiprocessing, with everything that is pickled in `__main__`.

DEFAULT_METHOD = "fork"  # of Python 3.13; from 3.14 on it is "forkserver"
PROCESSES = """\
method: {method}
pool: ([Point(x=1, y=1), Point(x=2, y=2), Point(x=3, y=3)], {{7}}, "OwnError('told')")
executor: ([0, 1, 4, 9], 'broken')
queue: ([0, 1, 2, 3], True, 6)
shared_memory: (0, b'from the child')
manager: {{'a': 1}}
exit_codes: [3, 1, 1, -9]
threads: [0, 1, 2]
pickle: (Point(x=1, y=2), '__main__')
"""


@pytest.mark.parametrize(
    ("project", "method"),
    [
        *(("processes", method) for method in ("", "fork", "spawn", "forkserver", "cleared")),
        *(("processes:arguments", method) for method in ("spawn", "forkserver")),
    ],
)
def test_multiprocessing(packages: Packaged, libc: str, project: str, method: str) -> None:
    """With an entry point; and without one, where `argv` makes the interpreter run the program."""
    file = packages(project, libc)
    ended = start([file, *filter(None, [method])])
    used = {"": DEFAULT_METHOD, "cleared": "spawn"}.get(method, method)
    assert (ended.code, ended.out) == (0, PROCESSES.format(method=used)), ended
    # What the children have said, and nothing else.
    assert "OwnError: seen\n" in ended.err
    assert 'File "/.oxidized/app/main.py", line' in ended.err
    assert "text\n" in ended.err
    assert "resource_tracker" not in ended.err


def test_leaked_shared_memory_is_removed(packages: Packaged, libc: str) -> None:
    ended = start([packages("processes", libc), "leak"])
    name = ended.out.strip()
    assert name
    assert "resource_tracker: There appear to be 1 leaked shared_memory objects" in ended.err
    assert not Path("/dev/shm", name).exists()
