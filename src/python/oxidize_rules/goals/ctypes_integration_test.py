"""`ctypes` in packaged executables: the executable itself, libraries in it, `find_library`.

The interpreter has no native wheels, and so no loader on musl; native_small has both.
"""

from __future__ import annotations

from pathlib import Path
from typing import List

import pytest

from oxidize_rules.goals.testing_binaries import Packaged, output, package

INTERPRETER = {"OXIDIZED_INTERPRETER": "1", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


@pytest.fixture(scope="session")
def native() -> Packaged:
    return package(("native_small",))


def lines(file: Path, code: str) -> List[str]:
    return output([file, "-c", code], env=INTERPRETER).splitlines()


ITSELF = """
import ctypes, sys
version = ctypes.pythonapi.Py_GetVersion
version.restype = ctypes.c_char_p
print(version().decode() == sys.version)
print(ctypes.CDLL(None).Py_IsInitialized())
ctypes.pythonapi.PyErr_SetString.argtypes = [ctypes.py_object, ctypes.c_char_p]
try:
    ctypes.pythonapi.PyErr_SetString(ValueError, b"from C")
except ValueError as error:
    print(error)
try:
    ctypes.CDLL(None).oxidize_no_such_function
except AttributeError as error:
    print("oxidize_no_such_function" in str(error))
"""


@pytest.mark.parametrize("project", ["interpreter", "native_small"])
def test_the_executable_itself(
    packages: Packaged, native: Packaged, libc: str, project: str
) -> None:
    file = (packages if project == "interpreter" else native)(project, libc)
    assert lines(file, ITSELF) == ["True", "1", "from C", "True"]


LIBC = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
print(libc.abs(-3), libc.strlen(b"four"))
libc.close(-1)
print(ctypes.get_errno())
libm = ctypes.CDLL(None if {musl} else "libm.so.6")
libm.cos.restype = ctypes.c_double
print(libm.cos(ctypes.c_double(0)))
"""


def test_the_c_library(native: Packaged, libc: str) -> None:
    code = LIBC.format(musl=libc == "musl")
    assert lines(native("native_small", libc), code) == ["3 4", "9", "1.0"]


# A library that others need has been loaded for them already, or its folder is known.
EMBEDDED = """
import ctypes, glob, sys
site = sys.prefix + "/lib/python3.13/site-packages/"
(path,) = glob.glob(site + "psycopg_binary.libs/libcrypto-*")
library = ctypes.CDLL(path)
version = library.OpenSSL_version
version.restype = ctypes.c_char_p
print(version(0).decode().split()[0])
print(library._handle == ctypes.CDLL(path)._handle)
(needs,) = glob.glob(site + "psycopg_binary.libs/libpq-*")
print(ctypes.CDLL(needs).PQlibVersion() > 150000)
try:
    ctypes.CDLL(site + "libnone.so")
except OSError as error:
    print("libnone.so" in str(error))
try:
    ctypes.CDLL(site + "yaml/__init__.py")
except OSError as error:
    print("yaml/__init__.py" in str(error))
"""


def test_libraries_in_the_executable(native: Packaged, libc: str) -> None:
    assert lines(native("native_small", libc), EMBEDDED) == ["OpenSSL", *["True"] * 4]


FIND = """
import ctypes.util, sys
started = []
def note(event, arguments):
    if event in ("subprocess.Popen", "os.posix_spawn", "os.exec", "os.system", "os.fork"):
        started.append(event)
sys.addaudithook(note)
for name in ("c", "m", "pthread", "oxidized-none", "stdc++*", "../../app"):
    found = ctypes.util.find_library(name)
    print(name, found, found and bool(ctypes.CDLL(found)))
    if name == "pthread":
        print(len(started))
print(len(started))
"""
MISSING = ["oxidized-none None None", "stdc++* None None", "../../app None None"]


def test_find_library_on_musl(packages: Packaged, native: Packaged) -> None:
    """No program of the machine is asked: what it knows are libraries of another C library."""
    assert lines(native("native_small", "musl"), FIND) == [
        "c libc.so True",
        "m libm.so True",
        "pthread libpthread.so True",
        "0",
        *MISSING,
        "0",
    ]
    # Without a loader nothing can be opened.
    nothing = ["c None None", "m None None", "pthread None None", "0", *MISSING, "0"]
    assert lines(packages("interpreter", "musl"), FIND) == nothing


@pytest.mark.parametrize("project", ["interpreter", "native_small"])
def test_find_library_on_glibc(packages: Packaged, native: Packaged, project: str) -> None:
    file = (packages if project == "interpreter" else native)(project, "gnu")
    found = lines(file, FIND)
    assert found[:4] == [
        "c libc.so.6 True",
        "m libm.so.6 True",
        "pthread libpthread.so.0 True",
        "0",
    ]
    assert found[4:7] == MISSING


def test_an_embedded_library_is_found_before_the_machines(native: Packaged) -> None:
    """Wheels for glibc may expect a libz: it is in the executable."""
    code = """
import ctypes.util
path = ctypes.util.find_library("z")
version = ctypes.CDLL(path).zlibVersion
version.restype = ctypes.c_char_p
print(path, version().decode().split(".")[0])
"""
    assert lines(native("native_small", "gnu"), code) == ["/.oxidized/lib/libz.so.1 1"]


def test_the_module_looks_as_usual(packages: Packaged, libc: str) -> None:
    code = """
import ctypes.util, inspect, importlib
print(ctypes.util.__file__, ctypes.util.__spec__.name, ctypes.util.__loader__.name)
print("def find_library" in inspect.getsource(ctypes.util.find_library))
print(importlib.reload(ctypes.util) is ctypes.util, ctypes.util.find_library.__module__)
"""
    assert lines(packages("interpreter", libc), code) == [
        "/.oxidized/lib/python3.13/ctypes/util.py ctypes.util ctypes.util",
        "True",
        "True _oxidized_ctypes",
    ]
