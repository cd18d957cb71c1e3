"""Where packaged executables start: foreign and empty roots, odd environments, without a file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Dict, List

import pytest

from oxidize_rules.goals.testing_binaries import Packaged, Text, output, start
from oxidize_rules.goals.testing_confinement import confined
from oxidize_rules.goals.testing_environments import (
    IMPORTS,
    IMPORTS_OUTPUT,
    READ_ONLY,
    WITH_MOUNTS,
    as_nobody,
    execveat,
    fill_root,
    mounting,
    need_root,
    tool,
)
from oxidize_rules.goals.testing_pants import REPOSITORY

HELLO = "Hello from Python 3.13\n"
PROJECTS = ("hello", "cli", "interpreter")


def facts(text: str) -> Dict[str, str]:
    """What `cli info` says, once it is seen that data and metadata are found in the image."""
    loaded: Dict[str, str] = json.loads(text)
    assert loaded["prefix"] == "/.oxidized"
    assert loaded["file"] == "/.oxidized/app/cli_app/resources.py"
    assert "# this line is looked for" in loaded["traceback"]
    return loaded


def three(root: Path, packages: Packaged, libc: str) -> None:
    """A root with /hello, /cli and /interpreter, for glibc its own few files, and nothing else.

    /cli has a wheel with native code, for which glibc's loader needs /proc.
    """
    fill_root(root, (packages(project, libc) for project in PROJECTS), PROJECTS, libc)
    if libc == "gnu":
        (root / "proc").mkdir()


def test_empty_root(packages: Packaged, libc: str, folder: Path) -> None:
    need_root()
    three(folder, packages, libc)
    before = sorted(folder.rglob("*"))
    chroot: List[Text] = [tool("chroot"), folder]
    if libc == "gnu":
        chroot = mounting(WITH_MOUNTS, folder, "proc")
    assert output([*chroot, "/hello"]) == HELLO
    assert output([*chroot, "/cli", "--help"]).startswith("Usage: cli [OPTIONS] COMMAND")
    assert facts(output([*chroot, "/cli", "info"]))["executable"] == "/cli"
    assert output([*chroot, "/interpreter", "-c", IMPORTS]) == IMPORTS_OUTPUT
    assert sorted(folder.rglob("*")) == before
    # What the user asks for is written, and only that.
    assert output([*chroot, "/cli", "db", "/notes.db"]) == "Harbour\nMarket\n"
    assert sorted(folder.rglob("*")) == sorted([*before, folder / "notes.db"])


def test_read_only_root(packages: Packaged, libc: str, folder: Path) -> None:
    need_root()
    root, files = folder / "root", folder / "files"
    root.mkdir()
    three(files, packages, libc)

    def inside(*command: str) -> str:
        return output([*mounting(READ_ONLY, root, files), *command])

    code = """
import errno, os
assert not os.path.exists("/tmp")
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
    user = as_nobody()
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


@pytest.mark.parametrize("kind", ["deleted", "memory"])
def test_execveat_without_a_file(packages: Packaged, libc: str, kind: str, folder: Path) -> None:
    for project, arguments in (
        ("hello", []),
        ("cli", ["info"]),
        ("cli", ["pool", "--method", "fork"]),
        ("interpreter", ["-c", IMPORTS]),
    ):
        copy = folder / project
        shutil.copy(packages(project, libc), copy)
        text = output([*execveat(kind), str(copy), *arguments])
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


def test_nothing_is_written(packages: Packaged, libc: str, folder: Path) -> None:
    # A short path, below which sockets of multiprocessing find room.
    folders = {name: folder / name for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME", "cwd")}
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
        assert [path for path in folder.rglob("*") if path.parent != folder] == []


def run_check(command: List[Text], check: str, folder: Path) -> None:
    """Runs an interpreter's check of files; afterwards its folder for temporary files is empty."""
    program = REPOSITORY / "testprojects" / "interpreter" / "checks" / f"check_{check}.py"
    env = {"TMPDIR": str(folder), "PATH": "/usr/bin:/bin"}
    ended = start([*command, program], cwd=folder, env=env)
    assert ended.code == 0, ended.err
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("check", ["c_libraries", "descriptors", "files", "programs"])
def test_files_without_memfds(packages: Packaged, libc: str, check: str, tmp_path: Path) -> None:
    """Kernels before Linux 3.17: temporary files without names stand for open files."""
    confinement = confined(refuse=["memfd_create"])
    run_check([*confinement, packages("interpreter", libc)], check, tmp_path)


@pytest.mark.parametrize("check", ["c_libraries", "files"])
def test_files_without_proc(packages: Packaged, libc: str, check: str, tmp_path: Path) -> None:
    need_root()
    script = 'umount -l /proc && exec "$@"'
    run_check([*mounting(script), packages("interpreter", libc)], check, tmp_path)


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
