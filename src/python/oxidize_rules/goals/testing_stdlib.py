"""CPython's own tests, one file at a time: run by an executable and by its distribution on disk."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import tempfile
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, Iterable, List, Mapping, Sequence, Tuple

# One file; the longest (test_asyncio's, multiprocessing's) take two minutes on a busy core.
FILE_TIMEOUT = 900
JOBS = 2
PASSED, SKIPPED, FAILED = "passed", "skipped", "failed"
TIMED_OUT = 124
# Of an object in the arguments of a subtest, which are a part of its id.
_ADDRESS = re.compile(r"\b0x[0-9a-f]+")


@dataclass(frozen=True)
class FileResult:
    """What `-m test NAME` came to: its exit code, and each test's outcome by its id.

    A file that is skipped as a whole has no tests and code 0. `output` is what was printed.
    """

    code: int
    outcomes: Mapping[str, str]
    output: str

    def ids(self, outcome: str) -> List[str]:
        return sorted(name for name, one in self.outcomes.items() if one == outcome)

    def brief(self) -> str:
        """`code passed skipped failed digest`: equal texts mean equal results."""
        listed = "\n".join(f"{name} {one}" for name, one in sorted(self.outcomes.items()))
        counts = " ".join(str(len(self.ids(kind))) for kind in (PASSED, SKIPPED, FAILED))
        return f"{self.code} {counts} {hashlib.sha256(listed.encode()).hexdigest()[:8]}"


def list_files(python: Sequence[str]) -> List[str]:
    """The names of all test files that this Python has."""
    done = subprocess.run(
        [*python, "-m", "test", "--list-tests"], capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def _obey_interrupts() -> None:
    """A program that a shell starts in the background is born ignoring Ctrl-C, and so are its
    children; tests of signals expect otherwise."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)


def run_file(python: Sequence[str], name: str) -> FileResult:
    """Runs one test file in an empty folder, with an environment that says little."""
    with tempfile.TemporaryDirectory(prefix="oxidize-stdlib-") as folder:
        report = Path(folder, "report.xml")
        home = Path(folder, "home")
        home.mkdir()
        process = subprocess.Popen(
            [*python, "-m", "test", "--timeout", str(FILE_TIMEOUT), "--junit-xml", report, name],
            cwd=home,
            env={
                "PATH": "/usr/local/bin:/usr/bin:/bin",
                "HOME": str(home),
                "TMPDIR": str(home),
                "LC_ALL": "C.UTF-8",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="backslashreplace",
            start_new_session=True,
            preexec_fn=_obey_interrupts,
        )
        try:
            output, _ = process.communicate(timeout=FILE_TIMEOUT)
            code = process.returncode
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, code = process.communicate()[0], TIMED_OUT
        return FileResult(code, read_report(report), output)


def read_report(path: Path) -> Dict[str, str]:
    """The outcome of each test by its id, from a report of `--junit-xml`; {} if there is none."""
    if not path.exists():
        return {}
    outcomes = {}
    for case in ElementTree.parse(path).iter("testcase"):
        kinds = {child.tag for child in case}
        outcome = PASSED
        if kinds & {"error", "failure"} or case.get("outcome") == "UNEXPECTED_SUCCESS":
            outcome = FAILED
        elif "skipped" in kinds:
            outcome = SKIPPED
        name = case.get("name")
        if name:
            outcomes[_ADDRESS.sub("0x", name)] = outcome
    return outcomes


def run_files(
    python: Sequence[str],
    names: Iterable[str],
    told: Callable[[str, FileResult], None] = lambda name, result: None,
) -> Dict[str, FileResult]:
    """Runs the files, JOBS at a time. `told` is called after each, in no order."""

    def run(name: str) -> Tuple[str, FileResult]:
        result = run_file(python, name)
        told(name, result)
        return name, result

    with ThreadPoolExecutor(JOBS) as pool:
        return dict(pool.map(run, names))


def differences(inside: FileResult, disk: FileResult) -> Dict[str, Tuple[str, str]]:
    """Tests whose outcomes differ: by id, (inside, on disk). `-` says that it was not run, and
    the id `exit code` stands for the whole file."""
    found = {
        name: (inside.outcomes.get(name, "-"), disk.outcomes.get(name, "-"))
        for name in sorted({*inside.outcomes, *disk.outcomes})
        if inside.outcomes.get(name) != disk.outcomes.get(name)
    }
    if inside.code != disk.code:
        found["exit code"] = (str(inside.code), str(disk.code))
    return found
