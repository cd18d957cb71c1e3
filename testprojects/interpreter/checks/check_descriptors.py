"""Open files of the image: every row of docs/files.md about descriptors. Run by the binary."""

# ruff: noqa: PT009, PT027 (unittest is what the standard library in the image offers)

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import mmap
import os
import resource
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import unittest
from typing import Any, Callable

ROOT = "/.oxidized"
STDLIB = f"{ROOT}/lib/python{sys.version_info[0]}.{sys.version_info[1]}"
LINES = f"{ROOT}/app/data/lines.txt"  # stored as it is
SOURCE = f"{STDLIB}/textwrap.py"  # stored compressed
FOLDER = f"{STDLIB}/json"


def content(path: str) -> bytes:
    with open(path, "rb") as stream:
        return stream.read()


class Case(unittest.TestCase):
    def open(self, path: str, flags: int = os.O_RDONLY, **keywords: Any) -> int:
        descriptor = os.open(path, flags, **keywords)
        self.addCleanup(os.close, descriptor)
        return descriptor

    def fails(self, expected: int, function: Callable[..., object], *arguments: object) -> None:
        with self.assertRaises(OSError, msg=f"{function}{arguments}") as caught:
            function(*arguments)
        message = f"{function}{arguments}: {caught.exception}"
        self.assertEqual(caught.exception.errno, expected, message)


class Opening(Case):
    def test_flags_that_change_nothing(self) -> None:
        expected = content(LINES)[:5]
        for name in ("NOFOLLOW", "NONBLOCK", "NOCTTY", "APPEND", "SYNC", "LARGEFILE", "NOATIME"):
            descriptor = self.open(LINES, os.O_RDONLY | getattr(os, f"O_{name}"))
            self.assertEqual(os.read(descriptor, 5), expected, name)
        self.open(FOLDER, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        self.fails(errno.ENOTDIR, os.open, LINES, os.O_RDONLY | os.O_DIRECTORY)

    def test_flags_that_are_kept(self) -> None:
        for flag in (os.O_NONBLOCK, os.O_APPEND, 0):
            flags = fcntl.fcntl(self.open(LINES, os.O_RDONLY | flag), fcntl.F_GETFL)
            self.assertEqual(flags & (os.O_ACCMODE | os.O_NONBLOCK | os.O_APPEND), flag)

    def test_path_only(self) -> None:
        for path in (LINES, FOLDER):
            descriptor = self.open(path, os.O_PATH)
            self.assertEqual(os.fstat(descriptor), os.stat(path))
            self.fails(errno.EBADF, os.read, descriptor, 1)
        folder = self.open(FOLDER, os.O_PATH | os.O_DIRECTORY)
        self.assertEqual(os.stat("decoder.py", dir_fd=folder), os.stat(f"{FOLDER}/decoder.py"))
        self.open(LINES, os.O_PATH | os.O_NOFOLLOW)

    def test_writing_modes(self) -> None:
        for mode in ("w", "a", "r+", "w+", "a+", "wb", "rb+"):
            self.fails(errno.EROFS, open, LINES, mode)
            if "r" not in mode:
                self.fails(errno.EROFS, open, f"{FOLDER}/new", mode)
        self.fails(errno.EEXIST, open, LINES, "x")
        self.fails(errno.EROFS, open, f"{FOLDER}/new", "x")
        self.fails(errno.ENOENT, open, f"{FOLDER}/new", "r+")
        self.fails(errno.EROFS, os.open, FOLDER, os.O_TMPFILE | os.O_RDWR)

    def test_close_on_exec(self) -> None:
        descriptor = self.open(LINES)
        self.assertFalse(os.get_inheritable(descriptor))
        program = f"import os; print(os.pread({descriptor}, 6, 0))"
        for inherited, expected in (((), "Bad file"), ((descriptor,), "b'line 0'")):
            done = subprocess.run(
                [sys.executable, "-c", program],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=inherited,
                text=True,
            )
            self.assertIn(expected, done.stdout)

    def test_by_its_number(self) -> None:
        for path in (LINES, SOURCE):
            descriptor = self.open(path)
            for process in ("self", os.getpid()):
                self.assertEqual(content(f"/proc/{process}/fd/{descriptor}"), content(path))
                status = os.stat(f"/proc/{process}/fd/{descriptor}")
                self.assertEqual(status.st_size, os.stat(path).st_size)

    def test_sent_through_a_socket(self) -> None:
        one, other = socket.socketpair()
        with one, other:
            socket.send_fds(one, [b"x"], [self.open(SOURCE)])
            _, (received,), _, _ = socket.recv_fds(other, 1, 1)
        self.addCleanup(os.close, received)
        self.assertEqual(os.fstat(received), os.stat(SOURCE))
        self.assertEqual(os.read(received, 10), content(SOURCE)[:10])

    def test_as_standard_input(self) -> None:
        with open(LINES, "rb") as stream:
            out = subprocess.run(
                [sys.executable, "-c", "import sys; print(len(sys.stdin.read()))"],
                stdin=stream,
                stdout=subprocess.PIPE,
                check=True,
            ).stdout
        self.assertEqual(int(out), len(content(LINES)))


class Reading(Case):
    def test_positions(self) -> None:
        for path in (LINES, SOURCE):
            whole = content(path)
            size = len(whole)
            descriptor = self.open(path)
            self.assertEqual(os.lseek(descriptor, 0, os.SEEK_END), size)
            self.assertEqual(os.read(descriptor, 10), b"")
            self.assertEqual(os.lseek(descriptor, -4, os.SEEK_CUR), size - 4)
            self.assertEqual(os.read(descriptor, 10), whole[-4:])
            self.assertEqual(os.lseek(descriptor, 7, os.SEEK_SET), 7)
            self.assertEqual(os.pread(descriptor, 5, 100), whole[100:105])
            self.assertEqual(os.read(descriptor, 3), whole[7:10])
            self.assertEqual(os.lseek(descriptor, 3, os.SEEK_DATA), 3)
            self.assertEqual(os.lseek(descriptor, 3, os.SEEK_HOLE), size)
            self.fails(errno.EINVAL, os.lseek, descriptor, -1, os.SEEK_SET)
            self.assertEqual(os.pread(descriptor, 5, size + 10), b"")

    def test_vectors(self) -> None:
        whole = content(SOURCE)
        descriptor = self.open(SOURCE)
        one, other = bytearray(10), bytearray(20)
        self.assertEqual(os.preadv(descriptor, [one, other], 5), 30)
        self.assertEqual(bytes(one + other), whole[5:35])
        self.assertEqual(os.readv(descriptor, [other]), 20)
        self.assertEqual(bytes(other), whole[:20])
        with io.FileIO(SOURCE) as stream:
            self.assertEqual(stream.readinto(one), 10)
            self.assertEqual(bytes(one), whole[:10])
            self.assertEqual(stream.readall(), whole[10:])
        with open(SOURCE, "rb") as buffered:
            self.assertEqual(list(buffered), whole.splitlines(keepends=True))

    def test_mmap(self) -> None:
        for path in (LINES, SOURCE):
            whole, descriptor = content(path), self.open(path)
            with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as shared:
                self.assertEqual(shared[:], whole)
                with self.assertRaises(TypeError):
                    shared[0] = 1
            with mmap.mmap(descriptor, 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ) as private:
                self.assertEqual(private.find(whole[50:60]), whole.find(whole[50:60]))
            with mmap.mmap(descriptor, 0, access=mmap.ACCESS_COPY) as copy:
                copy[:3] = b"abc"
                self.assertEqual(copy[:], b"abc" + whole[3:])
            self.assertEqual(content(path), whole)
            self.assertEqual(os.pread(descriptor, 3, 0), whole[:3])
            self.fails(errno.EACCES, mmap.mmap, descriptor, 0)  # shared, to be written

    def test_sendfile_and_kin(self) -> None:
        for path in (LINES, SOURCE):
            whole, descriptor = content(path), self.open(path)
            with tempfile.TemporaryFile() as target:
                self.assertEqual(
                    os.sendfile(target.fileno(), descriptor, 0, len(whole)), len(whole)
                )
                self.assertEqual(os.pread(target.fileno(), len(whole) + 1, 0), whole)
            one, other = socket.socketpair()
            with one, other:
                self.assertEqual(os.sendfile(one.fileno(), descriptor, 10, 20), 20)
                self.assertEqual(other.recv(100), whole[10:30])
            reader, writer = os.pipe()
            with open(reader, "rb"), open(writer, "wb"):
                self.assertEqual(os.splice(descriptor, writer, 20, offset_src=5), 20)
                self.assertEqual(os.read(reader, 100), whole[5:25])
            if not hasattr(os, "copy_file_range"):  # glibc has it since 2.27
                continue
            with tempfile.TemporaryFile() as target:
                try:
                    count = os.copy_file_range(descriptor, target.fileno(), 30, offset_src=5)
                except OSError as error:  # between file systems, as it is here
                    self.assertEqual(error.errno, errno.EXDEV)
                else:
                    self.assertEqual(os.pread(target.fileno(), 100, 0), whole[5 : 5 + count])

    def test_poll_and_locks(self) -> None:
        descriptor = self.open(LINES)
        self.assertEqual(select.select([descriptor], [], [], 0)[0], [descriptor])
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        fcntl.lockf(descriptor, fcntl.LOCK_SH)
        self.assertFalse(os.isatty(descriptor))

    def test_what_stat_tells(self) -> None:
        for path in (LINES, SOURCE, FOLDER, ROOT):
            descriptor = self.open(path)
            copy = os.dup(descriptor)
            self.assertEqual(os.fstat(descriptor), os.stat(path))
            self.assertEqual(os.fstat(copy), os.stat(path))
            os.close(copy)
            self.assertEqual(os.stat(descriptor), os.lstat(path))
            self.assertEqual(os.statvfs(descriptor), os.statvfs(path))
            self.assertTrue(os.statvfs(path).f_flag & os.ST_RDONLY)
            self.assertEqual(os.statvfs(path).f_bavail, 0)
            self.assertEqual(
                os.fpathconf(descriptor, "PC_NAME_MAX"), os.pathconf(path, "PC_NAME_MAX")
            )
        self.assertEqual(os.stat(SOURCE).st_size, len(content(SOURCE)))


class Writing(Case):
    def test_refused(self) -> None:
        for path in (LINES, SOURCE):
            whole, descriptor = content(path), self.open(path)
            before = os.fstat(descriptor)
            flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
            self.assertEqual(flags & os.O_ACCMODE, os.O_RDONLY)
            for expected, function, *arguments in (
                (errno.EBADF, os.write, b"x"),
                (errno.EBADF, os.pwrite, b"x" * len(whole) * 2, 0),
                (errno.EINVAL, os.ftruncate, 0),
                (errno.EINVAL, os.ftruncate, len(whole) + 1),
                (errno.EBADF, os.posix_fallocate, 0, 2 * len(whole)),
            ):
                self.fails(expected, function, descriptor, *arguments)
            for function, *arguments in (
                (os.utime,),
                (os.chmod, 0o777),
                (os.fchmod, 0o777),
                (os.fchown, 0, 0),
                (os.setxattr, "user.x", b"x"),
                (os.removexattr, "user.x"),
            ):
                self.fails(errno.EROFS, function, descriptor, *arguments)
            self.assertEqual(os.fstat(descriptor), before)
            self.assertEqual(os.pread(descriptor, len(whole) + 1, 0), whole)


class Many(Case):
    def limit(self, count: int) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < count:
            self.skipTest(f"at most {hard} open files are allowed here")
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))

    def test_thousands_of_files(self) -> None:
        self.limit(4000)
        paths = [f"{FOLDER}/{name}" for name in os.listdir(FOLDER)]
        expected = [content(path)[:16] for path in paths if os.path.isfile(path)]
        paths = [path for path in paths if os.path.isfile(path)]
        descriptors = [os.open(paths[i % len(paths)], os.O_RDONLY) for i in range(3000)]
        try:
            for number, descriptor in enumerate(descriptors):
                self.assertEqual(os.read(descriptor, 16), expected[number % len(paths)])
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def test_no_more_descriptors(self) -> None:
        self.limit(200)
        descriptors = []
        try:
            with self.assertRaises(OSError) as caught:
                while len(descriptors) < 300:
                    descriptors.append(os.open(LINES, os.O_RDONLY))
            self.assertEqual(caught.exception.errno, errno.EMFILE)
            self.fails(errno.EMFILE, open, SOURCE)
            self.fails(errno.EMFILE, os.open, FOLDER, os.O_RDONLY)
            # These take no descriptor.
            self.assertTrue(os.path.isfile(SOURCE))
            self.assertIn("decoder.py", os.listdir(FOLDER))
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        self.assertEqual(content(LINES)[:6], b"line 0")

    def test_nothing_is_left_open(self) -> None:
        def attempt() -> None:
            content(SOURCE)
            for function, *arguments in (
                (os.open, LINES, os.O_WRONLY),
                (os.open, LINES, os.O_RDONLY | os.O_DIRECTORY),
                (os.open, f"{FOLDER}/no", os.O_RDONLY),
                (os.listdir, LINES),
                (os.execv, LINES, ["x"]),
                (shutil.rmtree, FOLDER),
            ):
                with self.assertRaises(OSError):
                    function(*arguments)

        attempt()
        lowest = os.dup(0)
        os.close(lowest)
        for _ in range(20):
            attempt()
        again = os.dup(0)
        os.close(again)
        self.assertEqual(again, lowest)

    def test_threads(self) -> None:
        paths = [SOURCE, LINES, *(f"{STDLIB}/{name}.py" for name in ("ast", "typing", "argparse"))]
        expected = {path: hashlib.sha256(content(path)).digest() for path in paths}
        wrong: list[object] = []

        def work(number: int) -> None:
            for turn in range(60):
                path = paths[(number + turn) % len(paths)]
                try:
                    if hashlib.sha256(content(path)).digest() != expected[path]:
                        wrong.append(path)
                except OSError as error:
                    wrong.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])

    def test_threads_share_a_position(self) -> None:
        descriptor = self.open(LINES)
        pieces: list[bytes] = []

        def work() -> None:
            while piece := os.read(descriptor, 64):
                pieces.append(piece)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        whole = content(LINES)
        self.assertEqual(sum(map(len, pieces)), len(whole))
        self.assertEqual(
            sorted(pieces), sorted(whole[i : i + 64] for i in range(0, len(whole), 64))
        )

    def test_fork_shares_the_position(self) -> None:
        for path in (LINES, SOURCE):
            whole, descriptor = content(path), self.open(path)
            self.assertEqual(os.read(descriptor, 10), whole[:10])
            child = os.fork()
            if child == 0:
                # Its own look-ups work, too.
                good = os.read(descriptor, 10) == whole[10:20] and content(path) == whole
                os._exit(0 if good else 1)
            self.assertEqual(os.waitpid(child, 0)[1], 0)
            self.assertEqual(os.read(descriptor, 10), whole[20:30])


if __name__ == "__main__":
    unittest.main()
