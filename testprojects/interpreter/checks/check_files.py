"""What files of the image must look like: as on a read-only disk. Run by the packaged binary."""

# ruff: noqa: PT009, PT027 (unittest is what the standard library in the image offers)

from __future__ import annotations

import contextlib
import errno
import filecmp
import glob
import importlib.resources
import io
import mmap
import os
import pathlib
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import unittest

ROOT = "/.oxidized"
STDLIB = f"{ROOT}/lib/python{sys.version_info[0]}.{sys.version_info[1]}"
FILE = f"{STDLIB}/textwrap.py"
FOLDER = f"{STDLIB}/json"


def find(name: str) -> str:
    """A path that must be missing."""
    return f"{FOLDER}/{name}"


class Reading(unittest.TestCase):
    def test_open(self) -> None:
        with open(FILE, encoding="utf-8") as stream:
            text = stream.read()
        self.assertIn("def dedent", text)
        self.assertEqual(len(pathlib.Path(FILE).read_bytes()), os.stat(FILE).st_size)
        with io.FileIO(FILE) as stream:
            stream.seek(3)
            self.assertEqual(stream.read(4), b"Text")

    def test_a_descriptor_is_sealed(self) -> None:
        descriptor = os.open(FILE, os.O_RDONLY)
        try:
            with self.assertRaises(OSError):
                os.write(descriptor, b"x" * 100)
            with self.assertRaises(OSError):
                os.ftruncate(descriptor, 0)
            self.assertFalse(os.get_inheritable(descriptor))
        finally:
            os.close(descriptor)

    def test_mmap(self) -> None:
        with open(FILE, "rb") as stream:
            view = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        self.assertEqual(view[3:7], b"Text")
        view.close()

    def test_fstat_is_the_same_file(self) -> None:
        with open(FILE, "rb") as stream:
            self.assertTrue(os.path.sameopenfile(stream.fileno(), stream.fileno()))
            self.assertTrue(os.path.samestat(os.fstat(stream.fileno()), os.stat(FILE)))
            copy = os.dup(stream.fileno())
            self.assertEqual(os.fstat(copy), os.stat(FILE))
            os.close(copy)

    def test_stat(self) -> None:
        status = os.stat(FILE)
        self.assertTrue(stat.S_ISREG(status.st_mode))
        self.assertEqual(stat.S_IMODE(status.st_mode), 0o444)
        self.assertEqual(status, os.lstat(FILE))
        self.assertTrue(stat.S_ISDIR(os.stat(ROOT).st_mode))
        self.assertEqual(os.stat(ROOT).st_dev, status.st_dev)
        self.assertNotEqual(os.stat(FOLDER).st_ino, status.st_ino)
        self.assertTrue(os.path.ismount(ROOT))

    def test_resources(self) -> None:
        files = importlib.resources.files("json")
        self.assertIn("decoder.py", {one.name for one in files.iterdir()})
        self.assertIn("def", (files / "decoder.py").read_text("utf-8"))
        with importlib.resources.as_file(files / "decoder.py") as path:
            self.assertEqual(str(path), f"{FOLDER}/decoder.py")
            self.assertTrue(path.is_file())

    def test_copy_out(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(FOLDER, f"{folder}/copy")
            for root, _, names in os.walk(FOLDER):
                for name in names:
                    copy = f"{folder}/copy{root[len(FOLDER) :]}/{name}"
                    self.assertTrue(filecmp.cmp(f"{root}/{name}", copy, shallow=False), name)
            for function in (shutil.copyfile, shutil.copy, shutil.copy2):
                target = f"{folder}/by-{function.__name__}"
                self.assertEqual(function(FILE, target), target)
                self.assertTrue(filecmp.cmp(FILE, target, shallow=False))
            self.assertEqual(int(os.stat(target).st_mtime), int(os.stat(FILE).st_mtime))
            self.assertEqual(stat.S_IMODE(os.stat(target).st_mode), 0o444)
            with self.assertRaises(OSError) as caught:  # copied, and then not removed
                shutil.move(FILE, f"{folder}/moved")
            self.assertEqual(caught.exception.errno, errno.EROFS)
            self.assertTrue(filecmp.cmp(FILE, f"{folder}/moved", shallow=False))
            shutil.rmtree(f"{folder}/copy")

    def test_same_file(self) -> None:
        for other in (f"{FOLDER}/../textwrap.py", f"{STDLIB}//textwrap.py", f"/.{FILE}"):
            self.assertTrue(os.path.samefile(FILE, other), other)
            self.assertEqual(os.path.realpath(other, strict=True), FILE)
        self.assertFalse(os.path.samefile(FILE, FOLDER))
        self.assertFalse(os.path.samefile(FILE, "/"))
        self.assertEqual(pathlib.Path(f"{FOLDER}/../textwrap.py").resolve(), pathlib.Path(FILE))
        self.assertEqual(os.path.realpath(find("missing")), find("missing"))
        with self.assertRaises(FileNotFoundError):
            os.path.realpath(find("missing"), strict=True)


class Folders(unittest.TestCase):
    def test_listing(self) -> None:
        names = os.listdir(FOLDER)
        self.assertIn("decoder.py", names)
        self.assertEqual(len(names), len(set(names)))
        self.assertNotIn(".", names)
        with os.scandir(FOLDER) as entries:
            for entry in entries:
                self.assertEqual(entry.is_dir(), os.path.isdir(entry.path))
                self.assertEqual(entry.inode(), entry.stat().st_ino)
        self.assertIn(f"{FOLDER}/decoder.py", glob.glob(f"{FOLDER}/*.py"))
        self.assertIn((FOLDER, ["__pycache__"]), [w[:2] for w in os.walk(FOLDER)])

    def test_descriptor_of_a_folder(self) -> None:
        folder = os.open(FOLDER, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self.assertEqual(sorted(os.listdir(folder)), sorted(os.listdir(FOLDER)))
            self.assertEqual(os.fstat(folder), os.stat(FOLDER))
            self.assertEqual(os.stat("decoder.py", dir_fd=folder), os.stat(f"{FOLDER}/decoder.py"))
            with self.assertRaises(FileNotFoundError):
                os.stat("missing", dir_fd=folder)
            inner = os.open("../textwrap.py", os.O_RDONLY, dir_fd=folder)
            self.assertEqual(os.fstat(inner), os.stat(FILE))
            os.close(inner)
            self.assertEqual(os.stat("../../../../", dir_fd=folder), os.stat("/"))
        finally:
            os.close(folder)

    def test_walks(self) -> None:
        found = {root: names for root, _, names, _ in os.fwalk(FOLDER)}
        self.assertIn("decoder.py", found[FOLDER])
        self.assertEqual(len(found), 2)
        down = [root for root, _, _ in os.walk(FOLDER)]
        self.assertEqual([root for root, _, _ in os.walk(FOLDER, topdown=False)], down[::-1])
        self.assertEqual([str(root) for root, _, _ in pathlib.Path(FOLDER).walk()], down)
        parent = os.open(STDLIB, os.O_RDONLY)
        try:
            for root, _, names, descriptor in os.fwalk("json", dir_fd=parent):
                for name in names:
                    status = os.stat(name, dir_fd=descriptor)
                    self.assertEqual(status, os.stat(f"{STDLIB}/{root}/{name}"))
        finally:
            os.close(parent)
        self.assertEqual(
            {str(path) for path in pathlib.Path(FOLDER).rglob("*.py")},
            {f"{FOLDER}/{name}" for name in found[FOLDER] if name.endswith(".py")},
        )

    def test_every_function_with_a_folder(self) -> None:
        folder, disk = os.open(FOLDER, os.O_RDONLY), os.open("/tmp", os.O_RDONLY)
        try:
            self.assertTrue(os.access("decoder.py", os.R_OK, dir_fd=folder))
            self.assertFalse(os.access("decoder.py", os.W_OK, dir_fd=folder))
            with os.scandir(folder) as entries:
                self.assertIn("decoder.py", [entry.name for entry in entries if entry.is_file()])
            for expected, function, *arguments in (
                (errno.EINVAL, os.readlink, "decoder.py"),
                (errno.EROFS, os.mkdir, "new"),
                (errno.EROFS, os.mkfifo, "new"),
                (errno.EROFS, os.unlink, "decoder.py"),
                (errno.EROFS, os.rmdir, "__pycache__"),
                (errno.EROFS, os.chmod, "decoder.py", 0o777),
                (errno.EROFS, os.chown, "decoder.py", 0, 0),
                (errno.EROFS, os.utime, "decoder.py"),
                (errno.ENOENT, os.chmod, "missing", 0o777),
            ):
                with self.assertRaises(OSError) as caught:
                    function(*arguments, dir_fd=folder)
                self.assertEqual(caught.exception.errno, expected, function)
            for expected, function, source, target in (
                (errno.EROFS, os.rename, folder, folder),
                (errno.EXDEV, os.rename, folder, disk),
                (errno.EXDEV, os.link, folder, disk),
                (errno.EXDEV, os.replace, folder, disk),
            ):
                with self.assertRaises(OSError) as caught:
                    function("decoder.py", "oxidize-new", src_dir_fd=source, dst_dir_fd=target)
                self.assertEqual(caught.exception.errno, expected, function)
            with self.assertRaises(OSError) as caught:
                os.symlink("target", "new", dir_fd=folder)
            self.assertEqual(caught.exception.errno, errno.EROFS)
            self.assertEqual(os.stat(FILE, dir_fd=folder), os.stat(FILE))
        finally:
            os.close(folder)
            os.close(disk)

    def test_working_directory(self) -> None:
        before, folder, name = os.getcwd(), os.path.dirname(FILE), os.path.basename(FILE)
        with contextlib.chdir(folder):
            self.assertEqual(os.getcwd(), folder)
            self.assertEqual(os.path.realpath(name), FILE)
            self.assertEqual(os.stat(name), os.stat(FILE))
            with open(name, "rb") as relative, open(FILE, "rb") as absolute:
                self.assertEqual(relative.read(), absolute.read())
            self.assertEqual(os.listdir(), os.listdir(folder))
            self.assertEqual(os.listdir(f"../../..{before}"), os.listdir(before))
            with self.assertRaises(OSError) as caught:
                os.open("new", os.O_WRONLY | os.O_CREAT)
            self.assertEqual(caught.exception.errno, errno.EROFS)
            os.chdir("json")
            self.assertEqual(os.getcwd(), f"{folder}/json")
            os.chdir("..")
            self.assertEqual(os.getcwd(), folder)
            with self.assertRaises(NotADirectoryError):
                os.chdir(name)
            with self.assertRaises(FileNotFoundError):
                os.chdir("missing")
            self.assertEqual(os.getcwd(), folder)
        self.assertEqual(os.getcwd(), before)
        with self.assertRaises(PermissionError):
            os.chroot(FOLDER)

    def test_working_directory_by_descriptor(self) -> None:
        before = os.getcwd()
        home, folder = os.open(".", os.O_RDONLY), os.open(FOLDER, os.O_RDONLY)
        try:
            os.fchdir(folder)
            self.assertEqual(os.getcwd(), FOLDER)
            os.fchdir(home)
        finally:
            os.close(home)
            os.close(folder)
        self.assertEqual(os.getcwd(), before)

    def test_children_and_the_working_directory(self) -> None:
        """Programs start where the process really is; a fork stands where its parent stood."""
        before = os.getcwd()
        code = "import os; print(os.getcwd())"
        with contextlib.chdir(FOLDER):
            for cwd, expected in ((None, before), ("/", "/")):
                done = subprocess.run(
                    [sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True
                )
                self.assertEqual(done.stdout.strip(), expected, done.stderr)
                self.assertEqual(os.getcwd(), FOLDER)
            child = os.fork()
            if child == 0:
                good = os.getcwd() == FOLDER
                os.chdir("/")
                os._exit(0 if good and os.getcwd() == "/" else 1)
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)
            self.assertEqual(os.getcwd(), FOLDER)
        self.assertEqual(os.getcwd(), before)

    def test_spellings(self) -> None:
        home = os.getcwd()
        for path in (
            f"//.oxidized///lib/./{os.path.basename(STDLIB)}/json/../textwrap.py",
            f"/./.oxidized/../.oxidized/lib/../lib/{os.path.basename(STDLIB)}/textwrap.py",
            f"/tmp/..{FILE}",
            f"{home}/{os.path.relpath(FILE, home)}",
            os.path.relpath(FILE, home),
        ):
            self.assertEqual(os.stat(path), os.stat(FILE), path)
        self.assertEqual(os.path.realpath(f"{FOLDER}/../textwrap.py"), FILE)

    def test_what_only_the_kernel_sees(self) -> None:
        """Paths that are not passed through libc's functions are looked up on disk."""
        with tempfile.TemporaryDirectory() as folder:
            os.symlink(FILE, f"{folder}/link")
            self.assertEqual(os.readlink(f"{folder}/link"), FILE)
            self.assertFalse(os.path.exists(f"{folder}/link"))
            self.assertTrue(os.path.lexists(f"{folder}/link"))
            self.assertEqual(os.path.realpath(f"{folder}/link"), FILE)
        with socket.socket(socket.AF_UNIX) as server, self.assertRaises(FileNotFoundError):
            server.bind(find("socket"))

    def test_leaving_the_image(self) -> None:
        self.assertEqual(os.stat(f"{ROOT}/lib/../../"), os.stat("/"))
        self.assertEqual(os.stat(f"{ROOT}/.."), os.stat("/"))
        with tempfile.NamedTemporaryFile() as file:
            self.assertEqual(os.stat(f"{ROOT}/..{file.name}"), os.stat(file.name))
        self.assertFalse(os.path.exists("/.oxidizedx"))
        self.assertFalse(os.path.exists("/tmp/.oxidized"))


class Errors(unittest.TestCase):
    def fails(self, expected: int, function, *arguments, **keywords) -> None:  # type: ignore[no-untyped-def]
        with self.assertRaises(OSError) as caught:
            function(*arguments, **keywords)
        message = f"{function.__name__}{arguments}: {caught.exception}"
        self.assertEqual(caught.exception.errno, expected, message)

    def test_reading(self) -> None:
        for function in (os.stat, os.lstat, os.listdir, os.readlink, os.chdir, open):
            self.fails(errno.ENOENT, function, find("missing"))
            self.fails(errno.ENOENT, function, find("missing/more"))
            self.fails(errno.ENOTDIR, function, f"{FILE}/more")
            self.fails(errno.ENOTDIR, function, f"{FILE}/")
            self.fails(errno.ENOTDIR, function, f"{FILE}/..")
            self.fails(errno.ENAMETOOLONG, function, find("x" * 256))
            self.fails(errno.ENAMETOOLONG, function, find("x/" * 2500))
        self.fails(errno.ENOTDIR, os.listdir, FILE)
        self.fails(errno.EINVAL, os.readlink, FILE)
        self.fails(errno.EISDIR, open, FOLDER)
        self.fails(errno.ENOTDIR, os.open, FILE, os.O_RDONLY | os.O_DIRECTORY)
        self.fails(errno.ENOTDIR, os.chdir, FILE)
        self.fails(errno.ENODATA, os.getxattr, FILE, "user.x")
        self.assertEqual(os.listxattr(FILE), [])

    def test_writing(self) -> None:
        for flags in (os.O_WRONLY, os.O_RDWR, os.O_RDONLY | os.O_TRUNC, os.O_WRONLY | os.O_CREAT):
            self.fails(errno.EROFS, os.open, FILE, flags)
        self.fails(errno.EROFS, os.open, find("new"), os.O_WRONLY | os.O_CREAT)
        self.fails(errno.ENOENT, os.open, find("new"), os.O_WRONLY)
        self.fails(errno.ENOENT, os.open, find("no/new"), os.O_WRONLY | os.O_CREAT)
        self.fails(errno.EEXIST, os.open, FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        self.fails(errno.EISDIR, os.open, FOLDER, os.O_WRONLY)
        self.fails(errno.EROFS, os.mkdir, find("new"))
        self.fails(errno.EEXIST, os.mkdir, FOLDER)
        self.fails(errno.EROFS, os.rmdir, FOLDER)
        self.fails(errno.EROFS, os.unlink, FILE)
        self.fails(errno.ENOENT, os.unlink, find("missing"))
        self.fails(errno.ENOENT, os.unlink, find("no/missing"))
        self.fails(errno.EROFS, os.rename, FILE, find("new"))
        self.fails(errno.EXDEV, os.rename, FILE, "/tmp/oxidized-check")
        self.fails(errno.EXDEV, os.link, FILE, "/tmp/oxidized-check")
        self.fails(errno.EROFS, os.symlink, "target", find("new"))
        self.fails(errno.EROFS, os.chmod, FILE, 0o777)
        self.fails(errno.EROFS, os.chown, FILE, 0, 0)
        self.fails(errno.EROFS, os.utime, FILE)
        self.fails(errno.EROFS, os.truncate, FILE, 0)
        self.fails(errno.EROFS, os.setxattr, FILE, "user.x", b"")
        self.fails(errno.EROFS, os.mkfifo, find("new"))
        with self.assertRaises(OSError):
            shutil.rmtree(FOLDER)
        self.assertTrue(os.path.exists(f"{FOLDER}/decoder.py"))

    def test_access(self) -> None:
        self.assertTrue(os.access(FILE, os.R_OK))
        self.assertFalse(os.access(FILE, os.W_OK))
        self.assertFalse(os.access(FILE, os.X_OK))
        self.assertTrue(os.access(FOLDER, os.R_OK | os.X_OK))
        self.assertFalse(os.access(find("missing"), os.F_OK))
        self.assertTrue(os.access(FILE, os.R_OK, effective_ids=True, follow_symlinks=False))
        self.assertFalse(os.access(FILE, os.W_OK, effective_ids=True))

    def test_file_system(self) -> None:
        status = os.statvfs(FILE)
        self.assertTrue(status.f_flag & os.ST_RDONLY)
        self.assertEqual((status.f_namemax, status.f_bfree), (255, 0))
        usage = shutil.disk_usage(FOLDER)
        self.assertEqual((usage.free, usage.used), (0, usage.total))
        self.assertGreater(usage.total, os.stat(FILE).st_size)
        self.assertEqual(os.pathconf(FILE, "PC_NAME_MAX"), 255)
        self.fails(errno.ENOENT, os.statvfs, find("missing"))
        self.fails(errno.ENOENT, os.pathconf, find("missing"), "PC_NAME_MAX")

    def test_no_descriptor_is_lost(self) -> None:
        if not os.path.isdir("/proc/self/fd"):
            return
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(50):
            with open(FILE, "rb"):
                pass
            os.listdir(FOLDER)
            list(os.fwalk(FOLDER))
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)


if __name__ == "__main__":
    unittest.main()
