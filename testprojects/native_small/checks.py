"""The checks: each is a function `check_<name>` that raises when something is wrong."""

import ctypes
import ctypes.util
import os
import sys
import sysconfig
import threading
from collections.abc import Callable

ROOT = sys.prefix
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
THREADS = 8


def equal(found: object, expected: object) -> None:
    if found != expected:
        raise AssertionError(f"{found!r} is not {expected!r}")


def from_image(module: object) -> None:
    """The module is an extension of a wheel, at its ordinary place in the executable."""
    file = str(getattr(module, "__file__", None))
    if not file.startswith(f"{ROOT}/lib/python") or not file.endswith(".so"):
        raise AssertionError(f"{module} comes from {file}")


def check_suffix() -> None:
    libc = "musl" if "musl" in sysconfig.get_config_var("MULTIARCH") else "gnu"
    equal(SUFFIX, f".cpython-313-{os.uname().machine}-linux-{libc}.so")


def check_markupsafe() -> None:
    import markupsafe
    from markupsafe import _speedups

    from_image(_speedups)
    equal(str(markupsafe.escape("<a>")), "&lt;a&gt;")


def check_yaml() -> None:
    import yaml
    from yaml import _yaml

    from_image(_yaml)
    equal(yaml.load("a: [1, 2.5, x]", Loader=yaml.CSafeLoader), {"a": [1, 2.5, "x"]})
    try:
        yaml.load("a: [1", Loader=yaml.CSafeLoader)
    except yaml.parser.ParserError:
        pass
    else:
        raise AssertionError("no error")


def check_msgpack() -> None:
    import msgpack
    from msgpack import _cmsgpack

    from_image(_cmsgpack)
    value = {"list": [1, -2, 3.5, None, True], "bytes": b"\0" * 70000}
    equal(msgpack.unpackb(msgpack.packb(value)), value)


def check_lxml() -> None:
    from lxml import etree

    from_image(etree)
    tree = etree.fromstring(b"<a><b n='1'/><b n='2'/></a>")
    equal(tree.xpath("sum(b/@n)"), 3.0)
    sheet = etree.fromstring(
        '<s:stylesheet version="1.0" xmlns:s="http://www.w3.org/1999/XSL/Transform">'
        '<s:template match="/"><n><s:value-of select="count(//b)"/></n></s:template></s:stylesheet>'
    )
    equal(etree.tostring(etree.XSLT(sheet)(tree)), b"<n>2</n>")


def check_psycopg() -> None:
    """Its own libraries (`psycopg_binary.libs/`) need each other."""
    import psycopg
    from psycopg_binary import _psycopg

    from_image(_psycopg)
    equal((psycopg.pq.__impl__, psycopg.pq.version() > 150000), ("binary", True))
    try:
        psycopg.connect("host=127.0.0.1 port=1 user=none", connect_timeout=2)
    except psycopg.OperationalError as error:
        if "refused" not in str(error) and "unreachable" not in str(error):
            raise
    else:
        raise AssertionError("a server answered")


def check_cffi() -> None:
    import _cffi_backend
    import cffi

    from_image(_cffi_backend)
    ffi = cffi.FFI()
    ffi.cdef("size_t strlen(const char *); int Py_IsInitialized(void);")
    itself = ffi.dlopen(None)
    equal((itself.strlen(b"four"), itself.Py_IsInitialized()), (4, 1))
    equal(ffi.callback("int(int)", lambda x: x + 1)(2), 3)


def check_psutil() -> None:
    import psutil
    from psutil import _psutil_linux

    from_image(_psutil_linux)
    equal(psutil.disk_usage("/").total > 0, True)
    if os.path.exists("/proc/self/stat"):
        equal(psutil.Process().pid, os.getpid())
        equal(psutil.Process().memory_info().rss > 0, True)


def check_ctypes() -> None:
    get_version = ctypes.pythonapi.Py_GetVersion
    get_version.restype = ctypes.c_char_p
    equal(get_version().decode(), sys.version)
    itself = ctypes.CDLL(None)
    equal((itself.Py_IsInitialized(), itself.strlen(b"four")), (1, 4))
    array = (ctypes.c_int * 5)(5, 1, 4, 2, 3)
    compared = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.POINTER(ctypes.c_int)] * 2)
    itself.qsort(array, 5, ctypes.sizeof(ctypes.c_int), compared(lambda a, b: a[0] - b[0]))
    equal(list(array), [1, 2, 3, 4, 5])


def check_embedded_library() -> None:
    from yaml import _yaml

    library = ctypes.PyDLL(_yaml.__file__)
    equal(bool(library.PyInit__yaml), True)
    equal(library._handle, ctypes.PyDLL(_yaml.__file__)._handle)
    try:
        ctypes.CDLL(f"{ROOT}/lib/libnone.so")
    except OSError as error:
        equal("libnone.so" in str(error), True)
    else:
        raise AssertionError("no error")


def check_find_library() -> None:
    for name in ("c", "m"):
        found = ctypes.util.find_library(name)
        if found is None:
            raise AssertionError(f"no library {name}")
        ctypes.CDLL(found)
    equal(ctypes.CDLL(ctypes.util.find_library("c")).strlen(b"four"), 4)
    equal(ctypes.util.find_library("oxidized-none"), None)


def check_threads_and_fork() -> None:
    """Extensions are imported and used by threads while others fork; the children use them too."""
    failed: list[BaseException] = []
    simple = [check_markupsafe, check_yaml, check_msgpack, check_lxml]

    def work(number: int) -> None:
        try:
            for turn in range(8):
                simple[(number + turn) % len(simple)]()
        except BaseException as error:
            failed.append(error)

    def child() -> int:
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                for check in simple:
                    check()
                code = 0
            finally:
                os._exit(code)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    codes = [child() for _ in range(4)]
    for thread in threads:
        thread.join()
    equal((failed, codes), ([], [0] * 4))


CHECKS: dict[str, Callable[[], None]] = {
    name.removeprefix("check_"): function
    for name, function in list(globals().items())
    if name.startswith("check_")
}


def main(names: list[str]) -> int:
    code = 0
    for name in names or CHECKS:
        try:
            CHECKS[name]()
            result = "ok"
        except Exception as error:
            text = " / ".join(str(error).splitlines())
            result, code = f"{type(error).__name__}: {text}", 1
        print(f"{name}: {result}", flush=True)
    return code
