"""Functions of the C library on the image, called as a wheel's native code calls them.

Run by an executable that can load libraries: there ctypes finds them as a library does.
"""

# ruff: noqa: PT009 (unittest is what the standard library in the image offers)

from __future__ import annotations

import ctypes
import errno
import fnmatch
import os
import sys
import tempfile
import unittest
from typing import Any

STDLIB = f"/.oxidized/lib/python{sys.version_info[0]}.{sys.version_info[1]}"
FOLDER = f"{STDLIB}/json"
FILE = f"{FOLDER}/decoder.py"
NAMES = {"__init__.py", "__pycache__", "decoder.py", "encoder.py", "scanner.py", "tool.py"}
LIBC: Any = ctypes.CDLL(None, use_errno=True)
IS_GLIBC = hasattr(LIBC, "gnu_get_libc_version")
FTW_F, FTW_D, FTW_DP = (0, 1, 5) if IS_GLIBC else (1, 2, 6)
FTW_DEPTH = 8
AT_FDCWD = -100


class Folder(ctypes.Structure):
    """struct dirent, the same in both C libraries."""

    _fields_ = (
        ("ino", ctypes.c_uint64),
        ("offset", ctypes.c_int64),
        ("length", ctypes.c_uint16),
        ("kind", ctypes.c_uint8),
        ("name", ctypes.c_char * 256),
    )


class Glob(ctypes.Structure):
    """glob_t; what follows the flags differs, and has the same size."""

    _fields_ = (
        ("count", ctypes.c_size_t),
        ("paths", ctypes.POINTER(ctypes.c_char_p)),
        ("offset", ctypes.c_size_t),
        ("flags", ctypes.c_int),
        ("more", ctypes.c_void_p * 5),
    )


Entries = ctypes.POINTER(ctypes.POINTER(Folder))
Wanted = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(Folder))
Visitor = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(ctypes.c_int * 2)
)
OldVisitor = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int)

for name in ("fopen", "freopen", "opendir", "realpath", "readdir"):
    getattr(LIBC, name).restype = ctypes.c_void_p
for name in ("fclose", "fileno", "closedir", "readdir"):
    getattr(LIBC, name).argtypes = (ctypes.c_void_p,)
LIBC.readdir.restype = ctypes.POINTER(Folder)
LIBC.free.argtypes = (ctypes.c_void_p,)
LIBC.free.restype = None
LIBC.freopen.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)
LIBC.fread.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_void_p)


def size_of(path: str) -> int:
    return os.stat(path).st_size


class Case(unittest.TestCase):
    def fails(self, expected: int, function: Any, *arguments: Any) -> None:
        ctypes.set_errno(0)
        result = function(*arguments)
        self.assertIn(result, (-1, None), function)
        self.assertEqual(ctypes.get_errno(), expected, arguments)


class Streams(Case):
    def test_fopen(self) -> None:
        for mode in (b"r", b"rb", b"re", b"rbe"):
            stream = LIBC.fopen(FILE.encode(), mode)
            self.assertTrue(stream, mode)
            buffer = ctypes.create_string_buffer(200000)
            self.assertEqual(LIBC.fread(buffer, 1, 200000, stream), size_of(FILE))
            LIBC.fclose(stream)
        for mode in (b"w", b"a", b"r+", b"w+", b"a+b"):
            self.fails(errno.EROFS, LIBC.fopen, FILE.encode(), mode)
        self.fails(errno.EINVAL, LIBC.fopen, FILE.encode(), b"z")
        self.fails(errno.ENOENT, LIBC.fopen, f"{FOLDER}/no".encode(), b"r")
        self.fails(errno.EROFS, LIBC.fopen, f"{FOLDER}/no".encode(), b"w")

    def test_freopen(self) -> None:
        buffer = ctypes.create_string_buffer(100)
        with tempfile.NamedTemporaryFile() as file:
            stream = LIBC.fopen(file.name.encode(), b"w+")
            again = LIBC.freopen(FILE.encode(), b"r", stream)
            self.assertEqual(again, stream)
            self.assertEqual(os.fstat(LIBC.fileno(again)), os.stat(FILE))
            self.assertEqual(LIBC.fread(buffer, 1, 100, again), 100)
            with open(FILE, "rb") as expected:
                self.assertEqual(buffer.raw, expected.read(100))
            last = LIBC.freopen(file.name.encode(), b"r", again)
            self.assertEqual(LIBC.fread(buffer, 1, 100, last), 0)
            self.fails(errno.EROFS, LIBC.freopen, FILE.encode(), b"w", last)

    def test_creat(self) -> None:
        self.fails(errno.EROFS, LIBC.creat, FILE.encode(), 0o600)
        self.fails(errno.EROFS, LIBC.creat, f"{FOLDER}/new".encode(), 0o600)

    def test_names_of_fortified_code(self) -> None:
        if not IS_GLIBC:
            self.skipTest("only glibc has them")
        for name in ("__open_2", "__open64_2"):
            function = getattr(LIBC, name)
            descriptor = function(FILE.encode(), os.O_RDONLY)
            self.assertEqual(os.fstat(descriptor), os.stat(FILE))
            os.close(descriptor)
        buffer = ctypes.create_string_buffer(4096)
        realpath = getattr(LIBC, "__realpath_chk")
        realpath.restype = ctypes.c_char_p
        path = f"{FOLDER}/../json/decoder.py".encode()
        self.assertEqual(realpath(path, buffer, ctypes.c_size_t(4096)), FILE.encode())
        LIBC.canonicalize_file_name.restype = ctypes.c_char_p
        self.assertEqual(LIBC.canonicalize_file_name(path), FILE.encode())


class Searching(Case):
    def glob(self, pattern: str, flags: int = 0) -> tuple[int, list[str]]:
        result = Glob()
        code = LIBC.glob(pattern.encode(), flags, None, ctypes.byref(result))
        paths = [result.paths[i].decode() for i in range(result.count)]
        if code == 0:
            LIBC.globfree(ctypes.byref(result))
        return code, paths

    def test_glob(self) -> None:
        expected = sorted(f"{FOLDER}/{name}" for name in fnmatch.filter(NAMES, "*coder.py"))
        self.assertEqual(self.glob(f"{FOLDER}/*coder.py"), (0, expected))
        self.assertEqual(self.glob(f"{STDLIB}/j??n/*coder.py"), (0, expected))
        self.assertEqual(self.glob(f"{FOLDER}/no*")[0], 3)  # GLOB_NOMATCH
        self.assertEqual(self.glob(FILE), (0, [FILE]))
        with tempfile.TemporaryDirectory() as folder:
            open(f"{folder}/a.x", "w").close()
            self.assertEqual(self.glob(f"{folder}/*.x"), (0, [f"{folder}/a.x"]))

    def test_scandir(self) -> None:
        functions = ["scandir", "scandir64"] if IS_GLIBC else ["scandir"]
        for name in functions:
            function, entries = getattr(LIBC, name), Entries()
            wanted = Wanted(lambda entry: entry.contents.name.endswith(b".py"))
            compare = ctypes.cast(LIBC.alphasort, ctypes.c_void_p)
            count = function(FOLDER.encode(), ctypes.byref(entries), wanted, compare)
            found = [entries[i].contents.name.decode() for i in range(count)]
            self.assertEqual(found, sorted(name for name in NAMES if name.endswith(".py")))
            for i in range(count):
                LIBC.free(entries[i])
            LIBC.free(entries)
            self.fails(errno.ENOTDIR, function, FILE.encode(), ctypes.byref(entries), None, None)
            self.fails(errno.ENOENT, function, b"/.oxidized/no", ctypes.byref(entries), None, None)

    def test_readdir(self) -> None:
        stream = LIBC.opendir(FOLDER.encode())
        found = set()
        while entry := LIBC.readdir(stream):
            found.add(entry.contents.name.decode())
        self.assertEqual(found, NAMES | {".", ".."})
        LIBC.closedir(stream)

    def walk(self, path: str, flags: int) -> list[tuple[str, int, int]]:
        found: list[tuple[str, int, int]] = []

        def visit(path: bytes, status: int, kind: int, place: Any) -> int:
            base, level = place.contents
            self.assertEqual(os.path.basename(path), path[base:])
            # st_size of x86_64.
            size = ctypes.c_int64.from_address(status + 48).value
            if kind == FTW_F:
                self.assertEqual(size, size_of(path.decode()))
            found.append((path.decode(), kind, level))
            return 0

        self.assertEqual(LIBC.nftw(path.encode(), Visitor(visit), 10, flags), 0)
        return found

    def test_nftw(self) -> None:
        down, up = self.walk(FOLDER, 0), self.walk(FOLDER, FTW_DEPTH)
        self.assertEqual(down[0], (FOLDER, FTW_D, 0))
        self.assertEqual(up[-1], (FOLDER, FTW_DP, 0))
        self.assertIn((FILE, FTW_F, 1), down)
        expected = {
            os.path.join(root, name) for root, _, names in os.walk(FOLDER) for name in names
        }
        for found in (down, up):
            self.assertEqual({path for path, kind, _ in found if kind == FTW_F}, expected)
        seen: list[bytes] = []

        def stop(path: bytes, status: int, kind: int) -> int:
            seen.append(path)
            return 5 if kind == FTW_F else 0

        self.assertEqual(LIBC.ftw(FOLDER.encode(), OldVisitor(stop), 10), 5)
        self.assertEqual(len([path for path in seen if path.endswith(b".py")]), 1)
        ctypes.set_errno(0)
        never = Visitor(lambda *arguments: 1)
        self.assertEqual(LIBC.nftw(b"/.oxidized/no", never, 10, 0), -1)
        self.assertEqual(ctypes.get_errno(), errno.ENOENT)

    def test_realpath(self) -> None:
        for buffer in (None, ctypes.create_string_buffer(4096)):
            found = LIBC.realpath(f"{FOLDER}/../json/./decoder.py".encode(), buffer)
            self.assertEqual(ctypes.string_at(found), FILE.encode())
            if buffer is None:
                LIBC.free(found)
        self.fails(errno.ENOENT, LIBC.realpath, f"{FOLDER}/no".encode(), None)


class Asking(Case):
    def test_statx(self) -> None:
        if IS_GLIBC and not hasattr(LIBC, "statx"):
            self.skipTest("this glibc has no statx()")
        for folder, path in ((AT_FDCWD, FILE), (self.folder(), "decoder.py")):
            buffer = ctypes.create_string_buffer(256)
            self.assertEqual(LIBC.statx(folder, path.encode(), 0, 0x7FF, buffer), 0)
            expected = os.stat(FILE)
            self.assertEqual(int.from_bytes(buffer.raw[40:48], "little"), expected.st_size)
            self.assertEqual(int.from_bytes(buffer.raw[32:40], "little"), expected.st_ino)
            self.assertEqual(int.from_bytes(buffer.raw[28:30], "little"), expected.st_mode)

    def folder(self) -> int:
        descriptor = os.open(FOLDER, os.O_RDONLY)
        self.addCleanup(os.close, descriptor)
        return descriptor

    def test_statfs(self) -> None:
        for name in ("statfs", *(["statfs64"] if IS_GLIBC else [])):
            one, other = (ctypes.create_string_buffer(256) for _ in range(2))
            self.assertEqual(getattr(LIBC, name)(FILE.encode(), one), 0)
            self.assertEqual(getattr(LIBC, f"f{name}")(self.folder(), other), 0)
            self.assertEqual(one.raw, other.raw)
            self.assertEqual(one.raw[:4], b"OXI1")
            self.fails(errno.ENOENT, getattr(LIBC, name), b"/.oxidized/no", one)

    def test_access(self) -> None:
        for function in (LIBC.access, LIBC.eaccess, LIBC.euidaccess):
            self.assertEqual(function(FILE.encode(), os.R_OK), 0)
            self.fails(errno.EROFS, function, FILE.encode(), os.W_OK)
            self.fails(errno.EACCES, function, FILE.encode(), os.X_OK)

    def test_times(self) -> None:
        path = FILE.encode()
        for name in ("utime", "utimes", "lutimes"):
            self.fails(errno.EROFS, getattr(LIBC, name), path, None)
        self.fails(errno.EROFS, LIBC.futimesat, self.folder(), b"decoder.py", None)
        self.fails(errno.EROFS, LIBC.futimes, self.folder(), None)

    def test_watching(self) -> None:
        watches = LIBC.inotify_init()
        self.fails(errno.EACCES, LIBC.inotify_add_watch, watches, FOLDER.encode(), 0xFFF)
        self.fails(errno.ENOENT, LIBC.inotify_add_watch, watches, b"/.oxidized/no", 0xFFF)
        self.assertGreater(LIBC.inotify_add_watch(watches, b"/", 0xFFF), 0)
        os.close(watches)


if __name__ == "__main__":
    unittest.main()
