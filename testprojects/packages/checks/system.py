"""psutil, greenlet, cffi."""

from __future__ import annotations

import os
import socket
import threading

from checks.registry import check, equal, in_threads, native, raises, true


@check("psutil")
def use_psutil() -> None:
    import psutil
    from psutil import _psutil_linux

    native(_psutil_linux)
    own = psutil.Process()
    equal((own.pid, own.ppid()), (os.getpid(), os.getppid()))
    with own.oneshot():
        true(own.memory_info().rss > 1_000_000, "memory")
        true(own.cpu_times().user >= 0 and own.create_time() > 0, "times")
    true(psutil.virtual_memory().total > 10_000_000, "the machine's memory")
    true((psutil.cpu_count() or 0) >= 1, "processors")
    true(psutil.disk_usage("/").total > 0, "the file system")
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        ports = {one.laddr.port for one in own.net_connections()}
        true(listening.getsockname()[1] in ports, "its own connection")
    true(own.num_fds() > 2 and len(own.threads()) >= 1, "descriptors and threads")
    own.nice(own.nice())
    own.ionice(psutil.IOPRIO_CLASS_BE, 4)
    own.cpu_affinity(own.cpu_affinity())
    equal(own.rlimit(psutil.RLIMIT_NOFILE)[0] > 0, True)
    true("lo" in psutil.net_if_addrs() and "lo" in psutil.net_if_stats(), "the loopback interface")
    with raises(psutil.NoSuchProcess):
        psutil.Process(2**22 + 1)
    child = os.fork()
    if child == 0:
        os.read(os.pipe()[0], 1)
        os._exit(0)
    other = psutil.Process(child)
    equal(other.parent(), own)
    other.kill()
    equal(other.wait(10), -9)


@check("greenlet")
def use_greenlet() -> None:
    import greenlet
    from greenlet import _greenlet

    native(_greenlet)
    seen: list[object] = []

    def second(value: int) -> str:
        seen.append(value)
        value = first.switch(value + 1)
        seen.append(value)
        return "end"

    def run() -> object:
        value = other.switch(1)
        seen.append(value)
        return other.switch(3)

    first, other = greenlet.greenlet(run), greenlet.greenlet(second, parent=greenlet.getcurrent())
    equal(first.switch(), "end")
    equal((seen, other.dead, first.dead), ([1, 2, 3], True, False))

    def deep(level: int) -> int:
        return greenlet.getcurrent().parent.switch(level) if level == 0 else deep(level - 1) + 1

    stacks = [greenlet.greenlet(deep) for _ in range(50)]
    equal([one.switch(100) for one in stacks], [0] * 50)
    equal([one.switch(0) for one in reversed(stacks)], [100] * 50)

    def fail() -> None:
        raise KeyError("inside")

    with raises(KeyError, "inside"):
        greenlet.greenlet(fail).switch()

    def wait() -> object:
        try:
            return greenlet.getcurrent().parent.switch()
        except ValueError as error:
            return str(error)

    waiting = greenlet.greenlet(wait)
    waiting.switch()
    equal(waiting.throw(ValueError("thrown")), "thrown")
    kept = greenlet.greenlet(wait)
    kept.switch()
    with raises(greenlet.error, "different thread"):
        in_threads(lambda _: kept.switch(), 1)
    in_threads(lambda _: [greenlet.greenlet(lambda: 1).switch() for _ in range(1000)])
    abandoned = greenlet.greenlet(wait)
    abandoned.switch()
    del abandoned  # GreenletExit unwinds its stack


@check("cffi")
def use_cffi() -> None:
    import _cffi_backend
    import cffi
    from nacl import _sodium

    native(_cffi_backend)
    ffi = cffi.FFI()
    ffi.cdef(
        """
        typedef struct { int x; double y[3]; char *name; } point;
        size_t strlen(const char *);
        int Py_IsInitialized(void);
        void qsort(void *, size_t, size_t, int (*)(const void *, const void *));
        int snprintf(char *, size_t, const char *, ...);
        extern char **environ;
        """
    )
    itself = ffi.dlopen(None)
    equal((itself.strlen(b"four"), itself.Py_IsInitialized()), (4, 1))
    numbers = ffi.new("int[]", [5, 1, 4, 2, 3])

    @ffi.callback("int(const void *, const void *)")
    def compare(a: object, b: object) -> int:
        return int(ffi.cast("int *", a)[0] - ffi.cast("int *", b)[0])

    itself.qsort(numbers, 5, ffi.sizeof("int"), compare)
    equal(list(numbers), [1, 2, 3, 4, 5])
    text = ffi.new("char[]", 40)
    itself.snprintf(
        text,
        40,
        b"%d %.2f %s",
        ffi.cast("int", 7),
        ffi.cast("double", 1.5),
        ffi.new("char[]", b"x"),
    )
    equal(ffi.string(text), b"7 1.50 x")
    name = ffi.new("char[]", b"name")
    point = ffi.new("point *", {"x": 1, "y": [1, 2, 3], "name": name})
    equal((point.y[2], ffi.string(point.name), ffi.sizeof("point")), (3.0, b"name", 40))
    equal(bytes(ffi.buffer(point))[:4], b"\1\0\0\0")
    with raises(IndexError):
        numbers[5]
    with raises(AttributeError, "no_such_function"):
        ffi.cdef("int no_such_function(void);")
        itself.no_such_function()
    with raises(OSError, "libnone.so"):
        ffi.dlopen("libnone.so")
    # A module made by cffi for C's API, with the library that it is for.
    hashed = _sodium.ffi.new("unsigned char[32]")
    _sodium.lib.crypto_hash_sha256(hashed, b"", 0)
    equal(bytes(_sodium.ffi.buffer(hashed))[:4].hex(), "e3b0c442")
    # A callback from a thread that Python does not know before.
    called = threading.Event()
    equal(
        in_threads(lambda n: ffi.callback("int(int)", lambda x: called.set() or x + n)(1)),
        [1, 2, 3, 4],
    )
    equal(called.is_set(), True)
