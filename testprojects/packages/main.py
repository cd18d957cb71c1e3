"""Uses packages with native code, and says of each what came of it.

    main.py [--one-process] [--json] [--list] [PACKAGE ...]

Without packages: all. Each is used in a process of its own, unless `--one-process` is given.
Prints a line for each: `NAME VERSION ok SECONDS s`, or the error and its traceback; with `--json`,
an object a line: package, version, wheel (the oldest C library that its wheel is for, as
"musllinux_1_2", or "any"), ok, seconds, note (of the check), error. Exit code 1 if one failed.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import re
import subprocess
import sys
import time
import traceback
from dataclasses import asdict, dataclass

from checks import CHECKS, NATIVE_PART, command

TIMEOUT = 300.0


@dataclass
class Result:
    package: str
    version: str
    wheel: str
    ok: bool
    seconds: float
    note: str
    error: str

    def line(self) -> str:
        end = "ok" if self.ok else "FAILED"
        note = f" ({self.note})" if self.note else ""
        error = f"\n{self.error}" if self.error else ""
        return f"{self.package} {self.version} {end} {self.seconds:.2f} s{note}{error}"


def wheel_platform(package: str) -> str:
    """The oldest platform that the package's wheel is for, without the machine."""
    lines = (importlib.metadata.distribution(package).read_text("WHEEL") or "").splitlines()
    tags = [line.split("-")[-1] for line in lines if line.startswith("Tag:")]
    tags = [tag.replace("manylinux2014", "manylinux_2_17") for tag in tags]
    found = [re.match(r"any$|(many|musl)linux_\d+_\d+", tag) for tag in tags]
    platforms = [match[0] for match in found if match]
    return min(platforms, key=lambda name: [int(n) for n in name.split("_")[1:]], default="?")


def use(package: str) -> Result:
    """Runs a check in this process."""
    start = time.perf_counter()
    note, error, version, wheel = "", "", "?", "?"
    try:
        version = importlib.metadata.version(package)
        wheel = wheel_platform(NATIVE_PART.get(package, package))
        note = CHECKS[package]() or ""
    except Exception:
        error = traceback.format_exc()
    return Result(package, version, wheel, not error, time.perf_counter() - start, note, error)


def use_in_process(package: str) -> Result:
    """Runs a check in a process of its own, which may as well crash."""
    start = time.perf_counter()
    try:
        done = subprocess.run(
            command("--one-process", "--json", package),
            capture_output=True,
            text=True,
            errors="backslashreplace",
            timeout=TIMEOUT,
        )
        end = f"exit code {done.returncode}\n{done.stdout[-5000:]}\n{done.stderr[-5000:]}"
        if done.returncode in (0, 1) and done.stdout:
            result = Result(**json.loads(done.stdout.splitlines()[-1]))
            if result.ok == (done.returncode == 0):
                return result
    except subprocess.TimeoutExpired:
        end = f"not finished after {TIMEOUT} s"
    return Result(package, "?", "?", False, time.perf_counter() - start, "", end)


def main() -> int:
    parser = argparse.ArgumentParser(prog="packages", description=__doc__.split("\n")[0])
    parser.add_argument("packages", nargs="*", metavar="PACKAGE")
    parser.add_argument("--one-process", action="store_true", help="use all in this process")
    parser.add_argument("--json", action="store_true", help="print JSON lines")
    parser.add_argument("--list", action="store_true", help="print the packages' names and end")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.packages) - set(CHECKS))
    if unknown:
        parser.error(f"no check for {', '.join(unknown)}; there are: {', '.join(sorted(CHECKS))}")
    if arguments.list:
        print("\n".join(sorted(CHECKS)))
        return 0
    code = 0
    for package in arguments.packages or sorted(CHECKS):
        result = use(package) if arguments.one_process else use_in_process(package)
        code = code if result.ok else 1
        print(json.dumps(asdict(result)) if arguments.json else result.line(), flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
