"""However a program ends, it ends as under `python3` of the same distribution from disk.

`testprojects/startup/endings.py` has the programs. Each runs from disk, in an application and in
the interpreter; exit status and all output have to be the same.
"""

from __future__ import annotations

import ast
import functools
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Tuple

import pytest

from oxidize_rules.goals.testing_binaries import LIBCS, Ended, Packaged, package
from oxidize_rules.goals.testing_disk import unpack_distribution
from oxidize_rules.goals.testing_pants import REPOSITORY

SCRIPT = REPOSITORY / "testprojects/startup/endings.py"
# What a target with `entry_point="endings.py:main"` does.
CALL = "import sys, endings\nsys.exit(endings.main())\n"
PATH = {"PATH": "/usr/bin:/bin"}

# How the standard streams are: what a shell would write behind the command.
STREAMS = {
    "pipes": "",
    "no-stdin": "<&-",
    "no-stdout": ">&-",
    "no-stderr": "2>&-",
    "none": "<&- >&- 2>&-",
    "full": "> /dev/full",
    "full-stderr": "2> /dev/full",
    "folder": "< /",
}
# With other streams than pipes, these cases; with pipes, all.
ABOUT_STREAMS = (
    *("returns", "error", "exit_text", "exit_3", "interrupt", "much_text", "flushed_text"),
    *("text_on_stderr", "streams", "descriptors", "reads_stdin", "input_at_the_end", "unraisable"),
    *("closes_stdout", "stdout_is_none", "atexit_that_fails", "thread_fails", "fork_and_fail"),
)


@functools.cache
def cases() -> Tuple[str, ...]:
    """The names that endings.py itself says it has, asked of it under this Python."""
    code = f"import runpy; print(list(runpy.run_path({str(SCRIPT)!r})['CASES']))"
    # Where this Python is too old to know a name, that is inside a function.
    done = subprocess.run(
        [sys.executable, "-I", "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    return tuple(ast.literal_eval(done.stdout))


def normal(text: str, *roots: Path) -> str:
    """Without what has to differ: where files are, addresses, process numbers."""
    for root in roots:
        text = text.replace(str(root), "<root>")
    text = re.sub(r"<root>(/lib)?|/\.oxidized(/app|/lib)?", "<root>", text)
    text = re.sub(r"0x[0-9a-f]{6,}", "<address>", text)
    return re.sub(r"(\(pid=|0x)\d+", r"\1<number>", text)


def without_module_frames(text: str) -> str:
    """A function's caller is not a frame of Python in the executable, which makes one more."""
    text = re.sub(r"repeated \d+ more times", "repeated", text)
    return re.sub(
        r'^([ |]*)  File "[^"]*", line \d+,? in <module>\n(?:\1    .*\n)*', "", text, flags=re.M
    )


def end(command: List[str], name: str, streams: str) -> Ended:
    script = f'exec "$@" {STREAMS[streams]}'
    done = subprocess.run(
        ["/bin/sh", "-c", script, "sh", *command, name],
        cwd="/",
        env=PATH,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
    )
    out, err = (text.decode("utf-8", "backslashreplace") for text in (done.stdout, done.stderr))
    return Ended(done.returncode, out, err)


def ended_by_broken_pipe(command: List[str], name: str) -> Ended:
    """With a reader of its output that has gone before it began."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [*command, name],
            cwd="/",
            env=PATH,
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=subprocess.PIPE,
            timeout=60,
        )
    finally:
        os.close(writing)
    return Ended(done.returncode, "", done.stderr.decode("utf-8", "backslashreplace"))


@pytest.fixture(scope="module")
def packages() -> Packaged:
    return package(("startup", "startup:function", "interpreter"))


@pytest.fixture(scope="module", params=LIBCS)
def python(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Tuple[str, Path]:
    """The C library, and the distribution's `python3` from disk."""
    return request.param, unpack_distribution(tmp_path_factory.mktemp("disk"), request.param)


Run = Tuple[str, str]
ALL_STREAMS = (*STREAMS, "broken-pipe")
STREAM_RUNS = [(name, streams) for streams in ALL_STREAMS for name in ABOUT_STREAMS]


def every_case() -> List[Run]:
    return [(name, "pipes") for name in cases()]


def differences(
    runs: Iterable[Run], disk: Callable[[Run], Ended], ours: Callable[[Run], Ended]
) -> Dict[Run, Tuple[Ended, Ended]]:
    wanted = sorted(set(runs))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        pairs = zip(pool.map(disk, wanted), pool.map(ours, wanted))
        return {run: pair for run, pair in zip(wanted, pairs) if pair[0] != pair[1]}


def runner(command: List[str], *roots: Path, frames: bool = True) -> Callable[[Run], Ended]:
    def run(what: Run) -> Ended:
        name, streams = what
        if streams == "broken-pipe":
            ended = ended_by_broken_pipe(command, name)
        else:
            ended = end(command, name, streams)
        err = normal(ended.err, *roots)
        return Ended(ended.code, ended.out, err if frames else without_module_frames(err))

    return run


def show(found: Dict[Run, Tuple[Ended, Ended]]) -> str:
    return "\n".join(f"{run}\n  disk: {one}\n  ours: {two}" for run, (one, two) in found.items())


@pytest.fixture(scope="module")
def script_on_disk(python: Tuple[str, Path]) -> Callable[[Run], Ended]:
    """Runs the script with the distribution's own interpreter; remembers how it ended."""
    file = python[1]
    command = [str(file), "-I", "-S", str(SCRIPT)]
    return functools.lru_cache(maxsize=None)(runner(command, file.parents[1], SCRIPT.parent))


def test_a_module(
    packages: Packaged, python: Tuple[str, Path], script_on_disk: Callable[[Run], Ended]
) -> None:
    ours = runner([str(packages("startup", python[0]))])
    found = differences([*every_case(), *STREAM_RUNS], script_on_disk, ours)
    assert not found, show(found)


def test_a_script_of_the_interpreter(
    packages: Packaged, python: Tuple[str, Path], script_on_disk: Callable[[Run], Ended]
) -> None:
    command = [str(packages("interpreter", python[0])), "-I", "-S", str(SCRIPT)]
    found = differences(STREAM_RUNS, script_on_disk, runner(command, SCRIPT.parent))
    assert not found, show(found)


def test_a_function(packages: Packaged, python: Tuple[str, Path], tmp_path: Path) -> None:
    libc, file = python
    (tmp_path / "call.py").write_text(CALL)
    (tmp_path / "endings.py").symlink_to(SCRIPT)
    command = [str(file), "-S", "-B", str(tmp_path / "call.py")]
    disk = runner(command, file.parents[1], tmp_path, frames=False)
    ours = runner([str(packages("startup:function", libc))], frames=False)
    # What differs from a module is the same code for every C library.
    runs = every_case() if libc == "musl" else [(name, "pipes") for name in ABOUT_STREAMS]
    found = differences([*runs, ("returns", "full"), ("error", "none")], disk, ours)
    assert not found, show(found)


def test_the_cases_do_what_they_are_for(packages: Packaged) -> None:
    """A comparison alone would not see that nothing runs."""
    run = runner([str(packages("startup", "musl"))])

    def ours(name: str, streams: str) -> Ended:
        return run((name, streams))

    assert len(cases()) > 90
    assert ours("returns", "pipes") == Ended(0, "done\n", "")
    assert ours("exit_257", "pipes") == Ended(1, "leaving\n", "")
    assert ours("exit_text", "pipes") == Ended(1, "leaving\n", "a message: \u00e4\u20ac\n")
    assert ours("interrupt", "pipes").code == -2
    assert ours("killed_by_SIGTERM", "pipes") == Ended(-15, "before\n", "")
    assert ours("pipe_signal", "pipes") == Ended(0, "alive\n", "")
    full = ours("returns", "full")
    assert full.code == 120
    assert "OSError: [Errno 28] No space left on device" in full.err
    broken = ours("returns", "broken-pipe")
    assert broken.code == 120
    assert "BrokenPipeError: [Errno 32] Broken pipe" in broken.err
    assert ours("reads_stdin", "no-stdin") == Ended(0, "None\n", "")
