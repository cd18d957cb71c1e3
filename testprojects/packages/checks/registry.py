"""The checks by package, and what they share."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

THREADS = 4

Check = Callable[[], "str | None"]
CHECKS: dict[str, Check] = {}
# Packages whose native code is in another: that one's wheel says what it needs.
NATIVE_PART = {
    "polars": "polars-runtime-32",
    "psycopg": "psycopg-binary",
    "pydantic": "pydantic-core",
}


def check(package: str) -> Callable[[Check], Check]:
    """Registers a function that uses `package` (its name in the index).

    The function raises when something is wrong, and may give a short note for the table.
    """

    def register(function: Check) -> Check:
        if package in CHECKS:
            raise ValueError(f"two checks of {package}")
        CHECKS[package] = function
        return function

    return register


def equal(found: object, expected: object) -> None:
    if found != expected:
        raise AssertionError(f"{found!r} is not {expected!r}")


def true(value: object, what: str) -> None:
    if not value:
        raise AssertionError(f"not so: {what}")


@contextmanager
def raises(kind: type[BaseException], text: str = "") -> Iterator[None]:
    """The body has to raise an exception of this kind with this text in its message."""
    try:
        yield
    except kind as error:
        true(text.lower() in str(error).lower(), f"{text!r} stands in {error!r}")
    else:
        raise AssertionError(f"no {kind.__name__}")


def native(*modules: ModuleType) -> None:
    """Each is an extension module of a wheel: inside an executable, at its place in the image."""
    for module in modules:
        file = str(getattr(module, "__file__", None))
        true(file.endswith(".so"), f"{module.__name__} is an extension module: {file}")
        if sys.prefix == "/.oxidized":
            true(file.startswith("/.oxidized/lib/python3.13/site-packages/"), f"{file} is embedded")


def in_threads(function: Callable[[int], object], count: int = THREADS) -> list[object]:
    """Calls `function(0)` .. `function(count - 1)` at once; what they gave, in this order."""
    results: list[object] = [None] * count
    failed: list[BaseException] = []

    def run(number: int) -> None:
        try:
            results[number] = function(number)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return results


def in_fork(function: Callable[[], object]) -> None:
    """Calls `function` in a forked child, which must not raise."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            function()
            code = 0
        finally:
            os._exit(code)
    equal(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)


def command(*arguments: str) -> list[str]:
    """The command line that starts this program again, from an executable or from sources."""
    own = len(sys.orig_argv) - len(sys.argv) + 1
    return [sys.executable, *sys.orig_argv[1:own], *arguments]
