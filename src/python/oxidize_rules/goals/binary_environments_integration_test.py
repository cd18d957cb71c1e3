"""Where packaged executables start: foreign and empty roots, odd environments, without a file."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Dict, Iterator, List

import pytest

from oxidize_rules.goals.testing_binaries import Packaged, Text, output

HELLO = "Hello from Python 3.13\n"
NOBODY = "65534"
# Imports much, and reads a data file of the standard library.
IMPORTS = (
    "import asyncio, ctypes, decimal, email.message, hashlib, json, lzma, sqlite3, ssl;"
    "import pydoc_data.topics, linecache;"
    "assert linecache.getlines(json.__file__);"
    "print(hashlib.sha256(lzma.decompress(lzma.compress(b'x'))).hexdigest()[:8])"
)
IMPORTS_OUTPUT = "2d711642\n"


def tool(name: str) -> str:
    """Its path; the test is skipped when the machine has none."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        pytest.skip(f"the command `{name}` is not installed")
    return path


def need_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may change the root folder or the user")


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder that every user may enter, removed afterwards: executables are large."""
    with tempfile.TemporaryDirectory(prefix="oxidize-test-") as name:
        os.chmod(name, 0o755)
        yield Path(name)


def facts(text: str) -> Dict[str, str]:
    """What `cli info` says, once it is seen that data and metadata are found in the image."""
    loaded: Dict[str, str] = json.loads(text)
    assert loaded["prefix"] == "/.oxidized"
    assert loaded["file"] == "/.oxidized/app/cli_app/resources.py"
    assert "# this line is looked for" in loaded["traceback"]
    return loaded


def glibc_files(file: Path) -> List[Path]:
    """The dynamic linker and the libraries that an executable is started with."""
    listed = subprocess.run(
        [tool("ldd"), str(file)], capture_output=True, text=True, check=True
    ).stdout
    return [Path(path) for path in re.findall(r"(/\S+) \(0x", listed)]


def fill_root(root: Path, packages: Packaged, libc: str) -> None:
    """A root with /hello, /cli and /interpreter, for glibc its own few files, and nothing else."""
    root.mkdir(exist_ok=True)
    for project in ("hello", "cli", "interpreter"):
        shutil.copy(packages(project, libc), root / project)
    if libc == "gnu":
        for library in glibc_files(packages("hello", libc)):
            copy = root / library.relative_to("/")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, copy)
    else:
        assert sorted(path.name for path in root.iterdir()) == ["cli", "hello", "interpreter"]


def test_empty_root(packages: Packaged, libc: str, folder: Path) -> None:
    need_root()
    fill_root(folder, packages, libc)
    before = sorted(folder.rglob("*"))
    chroot: List[Text] = [tool("chroot"), folder]
    assert output([*chroot, "/hello"]) == HELLO
    assert output([*chroot, "/cli", "--help"]).startswith("Usage: cli [OPTIONS] COMMAND")
    assert facts(output([*chroot, "/cli", "info"]))["executable"] == "/cli"
    assert output([*chroot, "/interpreter", "-c", IMPORTS]) == IMPORTS_OUTPUT
    assert sorted(folder.rglob("*")) == before
    # What the user asks for is written, and only that.
    assert output([*chroot, "/cli", "db", "/notes.db"]) == "Harbour\nMarket\n"
    assert sorted(folder.rglob("*")) == sorted([*before, folder / "notes.db"])


READ_ONLY = """
set -eu
mount -t tmpfs tmpfs "$1"
cp -a "$2"/. "$1"/
mount -o remount,ro "$1"
root=$1
shift 2
exec chroot "$root" "$@"
"""


def test_read_only_root(packages: Packaged, libc: str, folder: Path) -> None:
    need_root()
    unshare = tool("unshare")
    mount = 'mount -t tmpfs tmpfs "$1"'
    if subprocess.run([unshare, "-m", "sh", "-c", mount, "sh", folder]).returncode != 0:
        pytest.skip("this machine allows root no mounts of its own")
    root, files = folder / "root", folder / "files"
    root.mkdir()
    fill_root(files, packages, libc)

    def inside(*command: str) -> str:
        path = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        script: List[Text] = [unshare, "-m", "sh", "-c", READ_ONLY, "sh", root, files]
        return output([*script, *command], env=path)

    code = """
import errno, os
assert not os.path.exists("/proc") and not os.path.exists("/tmp")
try:
    open("/new", "w")
except OSError as error:
    print(errno.errorcode[error.errno])
"""
    assert inside("/interpreter", "-c", code) == "EROFS\n"
    assert inside("/interpreter", "-c", IMPORTS) == IMPORTS_OUTPUT
    assert inside("/hello") == HELLO
    assert facts(inside("/cli", "info"))["executable"] == "/cli"


def test_unprivileged_user_who_may_not_read_the_file(
    packages: Packaged, libc: str, folder: Path
) -> None:
    need_root()
    setpriv = tool("setpriv")
    user = [setpriv, "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]
    for project, arguments in (("hello", []), ("cli", ["info"]), ("interpreter", ["-c", IMPORTS])):
        copy = folder / project
        shutil.copy(packages(project, libc), copy)
        copy.chmod(0o711)
        text = output([*user, str(copy), *arguments])
        if project == "cli":
            assert facts(text)["executable"] == str(copy)
        else:
            assert text in (HELLO, IMPORTS_OUTPUT)
    ids = "import os; print(os.getuid(), os.geteuid(), os.access(__import__('sys').executable, 4))"
    assert output([*user, str(folder / "interpreter"), "-c", ids]) == "65534 65534 False\n"


# Environments. `output` starts with none at all unless some are given.

ODD = {
    "PYTHONHOME": "/nowhere",
    "PYTHONPATH": "/nonexistent",
    "PYTHONSTARTUP": "/nonexistent",
    "PYTHONHASHSEED": "1",
    "LC_ALL": "xx_XX",
    "LANG": "xx_XX.ISO-8859-1",
    "TZ": "No/Where",
    "HOME": "/nonexistent",
    "TMPDIR": "/nonexistent",
    "SSL_CERT_FILE": "/nonexistent",
    "PATH": "",
}


def test_no_environment(packages: Packaged, libc: str, tmp_path: Path) -> None:
    for project in ("hello", "cli", "interpreter"):
        # `env` would take the `=` in the file's own name for a variable.
        (tmp_path / project).symlink_to(packages(project, libc))
    empty = [tool("env"), "-i"]
    assert output([*empty, tmp_path / "hello"]) == HELLO
    facts(output([*empty, tmp_path / "cli", "info"]))
    assert output([*empty, tmp_path / "interpreter", "-c", IMPORTS]) == IMPORTS_OUTPUT


def test_odd_environment(packages: Packaged, libc: str) -> None:
    odd = dict(ODD)
    if libc == "musl":  # glibc's dynamic linker would complain, about every program
        odd.update({"LD_PRELOAD": "/nonexistent.so", "LD_LIBRARY_PATH": "/nonexistent"})
    assert output([packages("hello", libc)], env=odd) == HELLO
    facts(output([packages("cli", libc), "info"], env=odd))
    assert output([packages("cli", libc), "pool"], env={**odd, "TMPDIR": ""}).endswith("285\n")
    assert output([packages("interpreter", libc), "-c", IMPORTS], env=odd) == IMPORTS_OUTPUT


def test_the_interpreter_obeys_its_variables(packages: Packaged, libc: str, tmp_path: Path) -> None:
    (tmp_path / "found.py").write_text("value = 'on disk'\n")
    file = packages("interpreter", libc)
    code = "import found; print(found.value)"
    assert output([file, "-B", "-c", code], env={"PYTHONPATH": str(tmp_path)}) == "on disk\n"
    seed = {"PYTHONHASHSEED": "1"}
    seeded = [output([file, "-c", "print(hash('a'))"], env=seed) for _ in range(2)]
    random = [output([file, "-c", "print(hash('a'))"]) for _ in range(2)]
    assert seeded[0] == seeded[1]
    assert random[0] != random[1]


# Ways to be started.


def test_through_a_symlink(packages: Packaged, libc: str, tmp_path: Path) -> None:
    links = {}
    for project in ("hello", "cli"):
        links[project] = tmp_path / f"{project}-link"
        (tmp_path / f"{project}-first").symlink_to(packages(project, libc))
        links[project].symlink_to(f"{project}-first")
    assert output([links["hello"]]) == HELLO
    executable = facts(output([links["cli"], "info"]))["executable"]
    assert Path(executable).resolve() == packages("cli", libc)
    assert output([links["cli"], "--help"]).startswith("Usage: cli-link ")
    assert output([links["cli"], "pool", "--method", "spawn"]) == "spawn: 285\n"


def test_through_path_and_by_a_relative_name(packages: Packaged, libc: str, tmp_path: Path) -> None:
    (tmp_path / "tour").symlink_to(packages("cli", libc))
    path = {"PATH": f"/nonexistent:{tmp_path}:/usr/bin:/bin"}
    by_path = output(["tour", "info"], env=path)
    assert Path(facts(by_path)["executable"]).resolve() == packages("cli", libc)
    assert output(["tour", "pool", "--method", "spawn"], env=path) == "spawn: 285\n"
    assert output(["sh", "-c", "tour --help"], env=path).startswith("Usage: tour ")
    relative = output(["./tour", "info"], cwd=tmp_path)
    assert os.path.isabs(facts(relative)["executable"])
    assert output(["./tour", "pool", "--method", "spawn"], cwd=tmp_path) == "spawn: 285\n"


EXECVEAT = """
import os, sys
kind, path, *arguments = sys.argv[1:]
if kind == "deleted":
    fd = os.open(path, os.O_RDONLY)
    os.unlink(path)
else:
    fd = os.memfd_create("program", os.MFD_CLOEXEC)
    with open(path, "rb") as source:
        while os.sendfile(fd, source.fileno(), None, 1 << 30):
            pass
os.execve(fd, ["program", *arguments], {})
"""


@pytest.mark.parametrize("kind", ["deleted", "memory"])
def test_execveat_without_a_file(packages: Packaged, libc: str, kind: str, folder: Path) -> None:
    launch = [sys.executable, "-I", "-c", EXECVEAT, kind]
    for project, arguments in (
        ("hello", []),
        ("cli", ["info"]),
        ("cli", ["pool", "--method", "fork"]),
        ("interpreter", ["-c", IMPORTS]),
    ):
        copy = folder / project
        shutil.copy(packages(project, libc), copy)
        text = output([*launch, str(copy), *arguments])
        assert copy.exists() == (kind == "memory")
        if arguments == ["info"]:
            facts(text)
        else:
            assert text in (HELLO, IMPORTS_OUTPUT, "fork: 285\n")


def test_its_file_is_deleted_while_it_runs(packages: Packaged, libc: str, folder: Path) -> None:
    copy = folder / "program"
    shutil.copy(packages("interpreter", libc), copy)
    code = f"import os, sys; os.unlink(sys.executable); {IMPORTS}"
    assert output([copy, "-c", code]) == IMPORTS_OUTPUT
    assert list(folder.iterdir()) == []


# Addresses.

ADDRESSES = """
import sys
with open("/proc/self/maps") as maps:
    lines = [line.split() for line in maps]
print(next(line[0] for line in lines if line[-1] == sys.executable))
print(next(line[0] for line in lines if line[-1] == "[stack]"))
"""


def test_addresses_are_random(packages: Packaged, libc: str) -> None:
    if Path("/proc/sys/kernel/randomize_va_space").read_text().strip() == "0":
        pytest.skip("this kernel randomises no addresses")
    file = packages("interpreter", libc)
    first, second = (output([file, "-c", ADDRESSES]).splitlines() for _ in range(2))
    assert first[0] != second[0]
    assert first[1] != second[1]


def test_it_runs_with_fixed_addresses(packages: Packaged, libc: str) -> None:
    fixed = [tool("setarch"), "x86_64", "-R"]
    if subprocess.run([*fixed, "true"], capture_output=True).returncode != 0:
        pytest.skip("this machine does not allow `setarch -R`")
    file = packages("interpreter", libc)
    first, second = (output([*fixed, file, "-c", ADDRESSES]).splitlines() for _ in range(2))
    assert first[0] == second[0]
    assert output([*fixed, packages("hello", libc)]) == HELLO
    assert output([*fixed, packages("cli", libc), "pool"]).count("285\n") == 3


def test_nothing_is_written(packages: Packaged, libc: str, tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "cwd")}
    for path in folders.values():
        path.mkdir()
    env = {name: str(path) for name, path in folders.items() if name != "cwd"}
    env["PATH"] = "/usr/bin:/bin"
    for project, *arguments in (
        ("hello",),
        ("cli", "cities"),
        ("cli", "info"),
        ("cli", "pool"),
        ("interpreter", "-c", IMPORTS),
        ("interpreter", "-m", "this"),
    ):
        output([packages(project, libc), *arguments], cwd=folders["cwd"], env=env)
        assert [path for path in tmp_path.rglob("*") if path.parent != tmp_path] == []


def test_another_distribution(packages: Packaged, folder: Path) -> None:
    """The musl executables in a root that is nothing but busybox, started by its shell."""
    need_root()
    apt = tool("apt-get")
    # apt's own user writes the file.
    download = folder / "download"
    download.mkdir()
    download.chmod(0o777)
    found = subprocess.run(
        [apt, "download", "-q", "busybox-static"],
        cwd=download,
        capture_output=True,
        text=True,
        timeout=120,
    )
    archives = list(download.glob("*.deb"))
    if found.returncode != 0 or not archives:
        pytest.skip(f"Debian's busybox-static cannot be had: {found.stderr.strip()[-300:]}")
    root = folder / "root"
    subprocess.run([tool("dpkg-deb"), "-x", str(archives[0]), str(root)], check=True)
    assert not list(root.rglob("*.so*"))  # no C library
    for project in ("hello", "cli", "interpreter"):
        shutil.copy(packages(project, "musl"), root / project)
    shell: List[Text] = [tool("chroot"), root, "/bin/busybox", "sh", "-c"]
    assert output([*shell, "/hello | busybox tr a-z A-Z"]) == HELLO.upper()
    facts(output([*shell, "cd /usr && ../cli info"]))
    assert output([*shell, "PATH=/:/bin; cli db /notes.db"]) == "Harbour\nMarket\n"
    shells = "import subprocess; print(subprocess.check_output(['busybox', 'echo', 'ok']))"
    env = {"PATH": "/bin:/usr/bin"}
    assert output([*shell, f'/interpreter -c "{shells}"'], env=env) == "b'ok\\n'\n"
