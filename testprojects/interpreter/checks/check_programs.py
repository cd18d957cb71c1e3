"""Programs of the image that are run, and paths as programs use them. Run by the binary."""

# ruff: noqa: PT009, PT027 (unittest is what the standard library in the image offers)

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from collections.abc import Callable

DATA = "/.oxidized/app/data"
PROGRAM = f"{DATA}/program"  # writes a line and ends with 7
SCRIPT = f"{DATA}/script"  # #!/bin/sh; writes its argument and ends with 8
NO_PROGRAM = f"{DATA}/lines.txt"


def output_of(start: Callable[[], int]) -> tuple[int, bytes]:
    """Exit code and standard output of the child that `start` makes."""
    with tempfile.TemporaryFile() as file:
        before = os.dup(1)
        os.dup2(file.fileno(), 1)
        try:
            child = start()
        finally:
            os.dup2(before, 1)
            os.close(before)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        file.seek(0)
        return code, file.read()


def forked(run: Callable[[], object]) -> int:
    child = os.fork()
    if child == 0:
        try:
            run()
        except OSError as error:
            os._exit(error.errno)
        finally:
            os._exit(255)
    return child


class Running(unittest.TestCase):
    def test_subprocess(self) -> None:
        for options in ({}, {"close_fds": False}, {"start_new_session": True}, {"env": {}}):
            done = subprocess.run([PROGRAM], stdout=subprocess.PIPE, **options)
            self.assertEqual((done.returncode, done.stdout), (7, b"from the image\n"), options)

    def test_exec(self) -> None:
        descriptor = os.open(PROGRAM, os.O_RDONLY)
        for run in (
            lambda: os.execv(PROGRAM, ["x"]),
            lambda: os.execve(PROGRAM, ["x"], {}),
            lambda: os.execve(descriptor, ["x"], {}),
            lambda: os.execl(PROGRAM, "x"),
            lambda: os.execvp(PROGRAM, ["x"]),
            lambda: os.execvpe("program", ["x"], {"PATH": f"/nowhere:{DATA}"}),
        ):
            self.assertEqual(output_of(lambda run=run: forked(run)), (7, b"from the image\n"))
        os.close(descriptor)

    def test_spawn(self) -> None:
        for start in (
            lambda: os.posix_spawn(PROGRAM, ["x"], {}),
            lambda: os.posix_spawnp(PROGRAM, ["x"], {}),
            lambda: os.spawnv(os.P_NOWAIT, PROGRAM, ["x"]),
        ):
            self.assertEqual(output_of(start), (7, b"from the image\n"))

    def spawned(self, *actions: tuple[object, ...]) -> bytes:
        """What a child reads from its descriptor 7, twice opened."""
        code = "import os; os.write(1, os.read(7, 9) + os.read(8, 4))"
        return output_of(
            lambda: os.posix_spawn(
                sys.executable, [sys.executable, "-Ic", code], os.environ, file_actions=actions
            )
        )[1]

    def test_spawned_with_files_of_the_image(self) -> None:
        """The child opens them itself: each has its own position, and the parent keeps nothing."""
        if not os.path.exists("/proc/self/fd"):
            self.skipTest("no /proc on this machine")
        with open(NO_PROGRAM, "rb") as stream:
            start = stream.read(9)
        before = os.listdir("/proc/self/fd")
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)
        for target in (NO_PROGRAM, f"{DATA}/../data/lines.txt"):
            read = self.spawned(
                (os.POSIX_SPAWN_OPEN, 7, target, flags, 0),
                (os.POSIX_SPAWN_CLOSE, 0),
                (os.POSIX_SPAWN_OPEN, 8, NO_PROGRAM, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, 1, 4),
            )
            self.assertEqual(read, start + start[:4])
        for target, flags, expected in (
            (NO_PROGRAM, os.O_WRONLY, errno.EROFS),
            (NO_PROGRAM, os.O_RDWR | os.O_CREAT | os.O_TRUNC, errno.EROFS),
            (NO_PROGRAM, os.O_RDONLY | os.O_DIRECTORY, errno.ENOTDIR),
            (f"{DATA}/missing", os.O_RDONLY, errno.ENOENT),
        ):
            with self.assertRaises(OSError) as caught:
                self.spawned((os.POSIX_SPAWN_OPEN, 7, target, flags, 0))
            self.assertEqual(caught.exception.errno, expected, (target, flags))
        self.assertEqual(os.listdir("/proc/self/fd"), before)

    def test_script(self) -> None:
        if not (os.path.exists("/bin/sh") and os.path.exists("/proc/self/fd")):
            self.skipTest("no /bin/sh or no /proc on this machine")
        done = subprocess.run([SCRIPT, "word"], stdout=subprocess.PIPE)
        self.assertEqual((done.returncode, done.stdout), (8, b"script: word\n"))
        spawned = output_of(lambda: os.posix_spawn(SCRIPT, ["x", "one"], {}))
        self.assertEqual(spawned, (8, b"script: one\n"))

    def test_what_cannot_run(self) -> None:
        for path, expected in (
            (NO_PROGRAM, errno.EACCES),
            (DATA, errno.EACCES),
            (f"{DATA}/missing", errno.ENOENT),
            (f"{NO_PROGRAM}/more", errno.ENOTDIR),
        ):
            for run in (
                lambda path=path: subprocess.run([path]),
                lambda path=path: os.posix_spawn(path, ["x"], {}),
                lambda path=path: os.posix_spawnp(path, ["x"], {}),
                lambda path=path: os.execv(path, ["x"]),
                lambda path=path: os.execve(path, ["x"], {}),
            ):
                with self.assertRaises(OSError) as caught:
                    run()
                self.assertEqual(caught.exception.errno, expected, path)

    def test_outside_again(self) -> None:
        """A path that leads out of the image, and one of the machine."""
        code = "import sys; sys.exit(5)"
        for path in (sys.executable, f"/.oxidized/..{sys.executable}"):
            self.assertEqual(subprocess.run([path, "-c", code]).returncode, 5)
            child = os.posix_spawn(path, [sys.executable, "-c", code], os.environ)
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 5)

    def test_which(self) -> None:
        self.assertEqual(shutil.which("program", path=f"/nowhere:{DATA}"), PROGRAM)
        self.assertIsNone(shutil.which("lines.txt", path=DATA))

    def test_nobody_starts_in_the_image(self) -> None:
        for folder in (DATA, "/.oxidized"):
            with self.assertRaises(PermissionError):
                subprocess.run([sys.executable, "-c", ""], cwd=folder)


if __name__ == "__main__":
    unittest.main()
