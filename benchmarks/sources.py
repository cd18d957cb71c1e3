"""What reading a source inside an executable costs; run by an executable that is an interpreter.

    EXECUTABLE benchmarks/sources.py

One line for each kind of work: microseconds, the median of 200 runs.
"""

from __future__ import annotations

import _pydecimal
import inspect
import linecache
import os
import statistics
import textwrap
import time
import traceback
from typing import Callable


def read(path: str) -> Callable[[], object]:
    def work() -> object:
        with open(path, "rb") as stream:
            return stream.read()

    return work


def source(module: object) -> Callable[[], object]:
    def work() -> object:
        linecache.clearcache()
        return inspect.getsource(module)  # type: ignore[arg-type]

    return work


def show_traceback() -> object:
    linecache.clearcache()
    try:
        _pydecimal.Decimal("x")
    except ArithmeticError:
        return traceback.format_exc()
    return None


def median(work: Callable[[], object], runs: int = 200) -> float:
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e6


def main() -> None:
    for module in (textwrap, _pydecimal):
        path = module.__file__
        assert path
        size = os.stat(path).st_size
        print(f"read {path} ({size} bytes): {median(read(path)):.0f}")
        print(f"inspect.getsource({module.__name__}): {median(source(module)):.0f}")
    print(f"traceback of an error in _pydecimal: {median(show_traceback):.0f}")


if __name__ == "__main__":
    main()
