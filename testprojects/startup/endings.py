"""Programs that end in every way: the first argument names one. The same file is run from disk."""

# ruff: noqa: B904, F821, SIM115 (that is what is tried here; Python is 3.11 or newer)

from __future__ import annotations

import atexit
import io
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any, Callable, Dict, NoReturn

CASES: Dict[str, Callable[[], Any]] = {}


def case(function: Callable[[], Any]) -> Callable[[], Any]:
    CASES[function.__name__] = function
    return function


def leaving(name: str, code: Any) -> None:
    """A case that raises SystemExit with that code."""

    def leave() -> NoReturn:
        print("leaving")
        raise SystemExit(code)

    CASES[f"exit_{name}"] = leave


class Text:
    def __str__(self) -> str:
        return "text of an object"


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("has no text")


for number in (0, 3, 255, 256, 257, -1, -255, 2**31, 2**32 + 5, 2**63, 2**70, -(2**70)):
    leaving(str(number), number)
for name, code in {
    "none": None,
    "true": True,
    "false": False,
    "float": 2.5,
    "text": "a message: \u00e4\u20ac",
    "empty_text": "",
    "surrogate": "a\udcff\ud800b",
    "bytes": b"bytes",
    "tuple": (1, "two"),
    "list": [],
    "object": Text(),
    "unprintable": Unprintable(),
    "nested": SystemExit(4),
}.items():
    leaving(name, code)


@case
def returns() -> None:
    print("done")


@case
def exit_by_subclass() -> None:
    class Leave(SystemExit):
        code = 9

    raise Leave(3)


@case
def exit_without_code() -> None:
    error = SystemExit(3)
    del error.code
    raise error


@case
def exit_after_exception() -> None:
    try:
        raise ValueError("first")
    except ValueError:
        sys.exit("second")


# Exceptions that nobody catches.


@case
def error() -> None:
    print("before")
    raise ValueError("a \u00e4 b\nsecond line")


@case
def error_chain() -> None:
    try:
        try:
            raise KeyError("one")
        except KeyError as first:
            raise ValueError("two") from first
    except ValueError:
        raise RuntimeError("three")


@case
def error_group() -> None:
    raise ExceptionGroup("several", [ValueError(1), ExceptionGroup("inner", [TypeError("x")])])


@case
def error_with_notes() -> None:
    problem = ValueError("noted")
    problem.add_note("the first note\nin two lines")
    raise problem


@case
def error_in_code() -> None:
    exec(compile("x = 1\nif x = 2:\n    pass\n", "<code>", "exec"))


@case
def error_of_own_class() -> None:
    class Mine(Exception):
        pass

    raise Mine("mine", 1)


@case
def error_unprintable() -> None:
    class Mine(Exception):
        def __str__(self) -> str:
            raise RuntimeError("has no text")

    raise Mine


@case
def error_deep() -> None:
    def deeper(level: int) -> None:
        if level == 0:
            raise ValueError("deep")
        deeper(level - 1)

    deeper(50)


@case
def error_recursion() -> None:
    def deeper() -> None:
        deeper()

    deeper()


@case
def error_import() -> None:
    import no_such_module  # type: ignore[import-not-found] # noqa: F401


@case
def error_base() -> None:
    raise BaseException("base")


@case
def error_generator_exit() -> None:
    raise GeneratorExit


@case
def error_memory() -> None:
    raise MemoryError


@case
def no_traceback() -> None:
    sys.tracebacklimit = 0
    raise ValueError("short")


@case
def broken_stderr_object() -> None:
    sys.stderr = Unprintable()  # type: ignore[assignment]
    raise ValueError("seen by nobody")


@case
def no_stderr() -> None:
    sys.stderr = None  # type: ignore[assignment]
    raise ValueError("seen by nobody")


# Hooks.


@case
def hook() -> None:
    sys.excepthook = lambda kind, value, trace: print("hooked", kind.__name__, value)
    raise ValueError("x")


@case
def hook_that_fails() -> None:
    def fail(*_: Any) -> None:
        raise TypeError("in the hook")

    sys.excepthook = fail
    raise ValueError("x")


@case
def hook_that_leaves() -> None:
    sys.excepthook = lambda *_: sys.exit(6)
    raise ValueError("x")


@case
def hook_deleted() -> None:
    del sys.excepthook
    raise ValueError("x")


@case
def hook_not_callable() -> None:
    sys.excepthook = 5  # type: ignore[assignment]
    raise ValueError("x")


@case
def hook_and_interrupt() -> None:
    sys.excepthook = lambda kind, value, trace: print("hooked", kind.__name__)
    raise KeyboardInterrupt


@case
def hook_unraisable() -> None:
    sys.unraisablehook = lambda given: print("unraisable", given.exc_value)
    unraisable()


@case
def unraisable() -> None:
    class Fails:
        def __del__(self) -> None:
            raise ValueError("while it is deleted")

    Fails()
    print("after")


@case
def deleted_at_the_end() -> None:
    class Late:
        def __del__(self) -> None:
            print("deleted late")

    globals()["kept"] = Late()


@case
def unraisable_at_the_end() -> None:
    class Late:
        def __del__(self) -> None:
            raise ValueError("deleted late")

    globals()["kept"] = Late()


# Signals.


@case
def interrupt() -> None:
    raise KeyboardInterrupt


@case
def interrupt_with_text() -> None:
    raise KeyboardInterrupt("text")


@case
def interrupt_of_own_class() -> None:
    class Mine(KeyboardInterrupt):
        pass

    raise Mine


@case
def interrupt_in_a_group() -> None:
    raise BaseExceptionGroup("both", [KeyboardInterrupt(), ValueError(1)])


@case
def interrupt_and_atexit() -> None:
    atexit.register(print, "atexit")
    raise KeyboardInterrupt


@case
def interrupt_inside_code() -> None:
    exec("raise KeyboardInterrupt")


@case
def interrupt_caught() -> None:
    try:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(30)
    except KeyboardInterrupt:
        print("caught")
        raise SystemExit(4)


def kill(number: int) -> Callable[[], None]:
    def send() -> None:
        print("before", flush=True)
        os.kill(os.getpid(), number)
        time.sleep(30)

    return send


for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL, signal.SIGUSR1):
    CASES[f"killed_by_{signal.Signals(number).name}"] = kill(number)


@case
def pipe_signal() -> None:
    os.kill(os.getpid(), signal.SIGPIPE)
    print("alive")


@case
def dispositions() -> None:
    for number in sorted(signal.valid_signals()):
        handler = signal.getsignal(number)
        print(number, getattr(handler, "__name__", handler))
    print(signal.pthread_sigmask(signal.SIG_BLOCK, []))


@case
def dispositions_of_a_child() -> None:
    code = "while read a b; do case $a in Sig[!Q]*) echo $a $b;; esac; done < /proc/$$/status"
    subprocess.run(["/bin/sh", "-c", code], check=True)


@case
def own_handler() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(33))
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(30)


@case
def alarm() -> None:
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    time.sleep(30)


@case
def crash() -> None:
    import ctypes

    print("unflushed", end="")
    ctypes.string_at(0)


@case
def abort() -> None:
    print("unflushed", end="")
    os.abort()


@case
def fatal() -> None:
    import faulthandler

    faulthandler.enable()
    os.abort()


# At exit.


@case
def atexit_order() -> None:
    for word in ("first", "second", "third"):
        atexit.register(print, word)
    print("main")


@case
def atexit_that_fails() -> None:
    def fail() -> None:
        raise ValueError("at exit")

    atexit.register(print, "still called")
    atexit.register(fail)


@case
def atexit_that_leaves() -> None:
    atexit.register(print, "still called")
    atexit.register(sys.exit, 5)


@case
def atexit_after_an_error() -> None:
    atexit.register(print, "called")
    raise ValueError("x")


@case
def atexit_registers() -> None:
    atexit.register(lambda: atexit.register(print, "registered late"))


@case
def atexit_starts_a_thread() -> None:
    atexit.register(lambda: threading.Thread(target=print, args=("late",)).start())


@case
def leaves_at_once() -> None:
    atexit.register(print, "never called")
    print("never flushed", end="")
    os._exit(7)


# Threads.


@case
def thread_is_waited_for() -> None:
    def work() -> None:
        time.sleep(0.05)
        print("worked")

    threading.Thread(target=work).start()
    print("main is done")


@case
def thread_is_waited_for_after_an_error() -> None:
    thread_is_waited_for()
    raise ValueError("x")


@case
def daemon_is_not_waited_for() -> None:
    threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
    print("main is done")


@case
def thread_fails() -> None:
    def work() -> None:
        raise ValueError("in a thread")

    thread = threading.Thread(target=work, name="worker")
    thread.start()
    thread.join()
    print("main is done")


@case
def thread_leaves() -> None:
    thread = threading.Thread(target=sys.exit, args=("ignored",))
    thread.start()
    thread.join()


@case
def thread_hook() -> None:
    threading.excepthook = lambda given: print("hooked", given.exc_value)
    thread_fails()


@case
def thread_interrupts_main() -> None:
    import _thread

    threading.Thread(target=_thread.interrupt_main).start()
    time.sleep(30)


@case
def pool_at_exit() -> None:
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(2)
    pool.submit(time.sleep, 0.02).add_done_callback(lambda _: print("finished"))


# Processes and interpreters.


@case
def fork() -> None:
    pid = os.fork()
    if pid == 0:
        print("child")
        raise SystemExit(11)
    print("parent", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


@case
def fork_and_fail() -> None:
    pid = os.fork()
    if pid == 0:
        raise ValueError("in the child")
    print("parent", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


@case
def fork_in_a_thread() -> None:
    def work() -> None:
        pid = os.fork()
        if pid == 0:
            print("child", threading.current_thread() is threading.main_thread())
            sys.exit(12)
        print("parent", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


@case
def fork_with_unflushed_text() -> None:
    print("once or twice", end=" ")
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)


@case
def interpreters_left() -> None:
    import _interpreters  # type: ignore[import-not-found]

    for _ in range(2):
        number = _interpreters.create()
        print(_interpreters.exec(number, "import json; kept = json.dumps([1]); print(kept)"))


@case
def interpreter_fails() -> None:
    import _interpreters

    failed = _interpreters.exec(_interpreters.create(), "raise ValueError('inside')")
    print(failed.type.__name__, failed.msg)


@case
def interpreter_leaves() -> None:
    import _interpreters

    print(_interpreters.exec(_interpreters.create(), "raise SystemExit(5)").type.__name__)


# Standard streams.


@case
def much_text() -> None:
    for number in range(20000):
        print(number)


@case
def flushed_text() -> None:
    for number in range(2000):
        print(number, flush=True)


@case
def text_on_stderr() -> None:
    print("on stderr", file=sys.stderr)


@case
def streams() -> None:
    for stream in (sys.stdin, sys.stdout, sys.stderr, sys.__stdin__, sys.__stdout__):
        print(
            stream and (stream.fileno(), stream.mode, stream.errors, stream.line_buffering),
            file=sys.stderr,
        )


@case
def descriptors() -> None:
    """Files opened later get the lowest free number."""
    with open(os.devnull) as stream:
        print(stream.fileno(), file=sys.stderr)


@case
def reads_stdin() -> None:
    print(repr(sys.stdin.read()) if sys.stdin else None)


@case
def input_at_the_end() -> None:
    input("prompt> ")


@case
def closes_stdout() -> None:
    print("before")
    sys.stdout.close()


@case
def closes_descriptor() -> None:
    print("before")
    os.close(1)


@case
def closes_descriptor_of_stderr() -> None:
    os.close(2)
    raise ValueError("x")


@case
def stdout_is_none() -> None:
    print("before")
    sys.stdout = None  # type: ignore[assignment]
    print("after")


@case
def stdout_is_replaced() -> None:
    sys.stdout = io.TextIOWrapper(open(1, "wb", closefd=False))
    print("through another")


@case
def stdout_fails_to_flush() -> None:
    class Fails(io.StringIO):
        def flush(self) -> None:
            raise OSError(5, "no flush")

    sys.stdout = Fails()
    sys.exit(3)


# What it was started with, and how.


def profile() -> None:
    """Facts as JSON, in ASCII. Arguments follow the case's name."""
    import json

    flags = {name: getattr(sys.flags, name) for name in dir(sys.flags) if name[0].islower()}
    facts = {
        "argv": [ascii(argument) for argument in sys.argv[2:]],
        "flags": {name: int(value) for name, value in flags.items() if not callable(value)},
        "stdout": [sys.stdout.encoding, sys.stdout.errors],
        "filesystem": [sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()],
        "path": sys.path,
        "warnoptions": sys.warnoptions,
    }
    print(json.dumps(facts))


def main() -> Any:
    if sys.argv[1] == "profile":
        return profile()
    return CASES[sys.argv[1]]()


if __name__ == "__main__":
    sys.exit(main())
