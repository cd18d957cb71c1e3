"""Where executables with native wheels start: roots, users, kernels that do less.

Each environment is met by the interpreter alone and by an application with native wheels. Those
parts of it that cannot work say what is missing; everything else has to work.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence

import pytest

from oxidize_rules.goals.testing_binaries import Ended, Packaged, Text, output, package, start
from oxidize_rules.goals.testing_confinement import (
    SINCE_3_0,
    SINCE_3_17,
    UNSUPPORTED,
    confined,
)
from oxidize_rules.goals.testing_environments import (
    IMPORTS,
    IMPORTS_OUTPUT,
    NOBODY,
    READ_ONLY,
    WITH_MOUNTS,
    as_nobody,
    execveat,
    fill_root,
    mounting,
    need_root,
    tool,
    unshare,
)

CHECKS = (
    "suffix", "markupsafe", "yaml", "msgpack", "lxml", "psycopg", "cffi", "psutil", "ctypes",
    "embedded_library", "find_library", "threads_and_fork",
)  # fmt: skip
# Those that load a library of a wheel. glibc's loader opens files only: where there is neither
# /proc, for files in memory, nor a folder for temporary ones, it has nothing to open.
LOADING = (
    "markupsafe", "yaml", "msgpack", "lxml", "psycopg", "cffi", "psutil", "embedded_library",
    "threads_and_fork",
)  # fmt: skip
NOTHING_TO_OPEN = (
    "cannot be loaded from the executable: /proc is not mounted, and none of the folders $TMPDIR, "
    "/dev/shm, /tmp, /var/tmp takes a temporary file that may be run"
)
# A function in Python that C calls needs memory for code, or libffi's own way around that.
CALLBACK = "import ctypes; print(ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda x: x + 1)(2))"


@pytest.fixture(scope="session")
def native() -> Packaged:
    return package(("native_small",))


@dataclass(frozen=True)
class Program:
    """An executable, and what it has to say in any environment."""

    name: str
    libc: str
    file: Path

    def check(self, before: Sequence[Text], file: Text, **failing: str) -> None:
        """Starts `file`, a copy or a name of the executable, by the command line `before`.

        `failing`: the checks that cannot work here, and a part of what they have to say.
        """
        if self.name == "interpreter":
            code = f"{IMPORTS};{CALLBACK}"
            assert output([*before, file, "-c", code]) == f"{IMPORTS_OUTPUT}3\n"
            return
        ended = start([*before, file])
        said = dict(line.split(": ", 1) for line in ended.out.splitlines() if ": " in line)
        assert list(said) == list(CHECKS), ended
        for name, message in failing.items():
            assert message in said.pop(name), ended
        assert said == {name: "ok" for name in CHECKS if name not in failing}, ended
        assert (ended.code, ended.err) == (1 if failing else 0, ""), ended


@pytest.fixture(params=["interpreter", "native_small"])
def program(request: Any, libc: str) -> Program:
    name = str(request.param)
    fixture = "packages" if name == "interpreter" else "native"
    packaged: Packaged = request.getfixturevalue(fixture)
    return Program(name, libc, packaged(name, libc))


def test_on_this_machine(program: Program) -> None:
    program.check([], program.file)


# Roots.


def without_proc(program: Program, folders: str) -> Dict[str, str]:
    """What cannot work in a root that has these folders of the machine only."""
    shared = "/dev/shm"
    usable = os.path.isdir(shared) and not os.statvfs(shared).f_flag & os.ST_NOEXEC
    if program.libc == "musl" or "proc" in folders or ("dev" in folders and usable):
        return {}
    return {} if program.name == "interpreter" else dict.fromkeys(LOADING, NOTHING_TO_OPEN)


@pytest.mark.parametrize("folders", ["", "proc", "dev", "proc dev"])
def test_in_an_empty_root(program: Program, folder: Path, folders: str) -> None:
    need_root()
    fill_root(folder, [program.file], ["program"], program.libc)
    before = sorted(folder.rglob("*"))
    failing = without_proc(program, folders)
    program.check(mounting(WITH_MOUNTS, folder, folders), "/program", **failing)
    made = {folder / name for name in folders.split()}
    assert set(folder.rglob("*")) == {*before, *made}


def test_in_a_read_only_root(program: Program, folder: Path) -> None:
    need_root()
    root, files = folder / "root", folder / "files"
    root.mkdir()
    fill_root(files, [program.file], ["program"], program.libc)
    program.check(mounting(READ_ONLY, root, files), "/program", **without_proc(program, ""))


# Users.


def test_started_by_a_user_who_may_not_read_it(program: Program, folder: Path) -> None:
    need_root()
    copy = folder / "program"
    shutil.copy(program.file, copy)
    copy.chmod(0o711)
    program.check(as_nobody(), copy)


def test_in_a_user_namespace(program: Program, folder: Path) -> None:
    """Of an ordinary user: root inside only."""
    copy = folder / "program"
    shutil.copy(program.file, copy)
    copy.chmod(0o755)
    inside = unshare("--user", "--map-root-user", "--mount")
    program.check([*(as_nobody() if os.geteuid() == 0 else []), *inside], copy)


def test_set_user_id(program: Program, folder: Path) -> None:
    """A name that the caller chose (AT_EXECFN) must not decide what is loaded."""
    need_root()
    copy = folder / "program"
    shutil.copy(program.file, copy)
    copy.chmod(0o4755)
    if os.statvfs(folder).f_flag & os.ST_NOSUID:
        pytest.skip("set-user-id does not work where temporary files are")
    program.check(as_nobody(), copy)
    if program.name == "interpreter":
        ids = "import os; print(os.getuid(), os.geteuid())"
        assert output([*as_nobody(), copy, "-c", ids]) == f"{NOBODY} 0\n"


# Ways to be started.


@pytest.mark.parametrize("kind", ["deleted", "memory"])
def test_without_a_file(program: Program, folder: Path, kind: str) -> None:
    copy = folder / "program"
    shutil.copy(program.file, copy)
    program.check(execveat(kind), copy)
    assert copy.exists() == (kind == "memory")


def test_libraries_of_the_machine_are_not_mixed_in(program: Program, folder: Path) -> None:
    """What LD_PRELOAD names would break a program of another C library."""
    if program.libc == "gnu":
        pytest.skip("glibc's own loader starts these executables and obeys LD_PRELOAD")
    # `env` would take the `=` in the file's own name for a variable.
    (folder / "program").symlink_to(program.file)
    preloaded = [tool("env"), "LD_PRELOAD=libm.so.6", "LD_LIBRARY_PATH=/usr/lib/x86_64-linux-gnu"]
    program.check(preloaded, folder / "program")


# Kernels.

PROBE = """
import ctypes, errno, mmap, os, resource
def refused(function, *arguments):
    try:
        function(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"
def new_code():
    area = mmap.mmap(-1, 4096)
    libc = ctypes.CDLL(None, use_errno=True)
    address = ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(area)))
    if libc.mprotect(address, ctypes.c_size_t(4096), mmap.PROT_READ | mmap.PROT_EXEC) != 0:
        raise OSError(ctypes.get_errno(), "mprotect")
print(refused(os.memfd_create, "x"), refused(os.getrandom, 1), os.uname().release.split(".")[0],
      refused(new_code), resource.getrlimit(resource.RLIMIT_AS)[0])
"""


@dataclass(frozen=True)
class Kernel:
    """How a kernel is made to do less, and what a program sees of it (PROBE, `*` for any).

    `failing`: the checks that cannot work there, and a part of what they have to say.
    """

    options: Mapping[str, Any]
    seen: str
    failing: Mapping[str, str] = field(default_factory=dict)

    def start(self) -> List[Text]:
        """The head of a command line; it is made sure that a program sees what is promised."""
        before: List[Text] = [*confined(**self.options)]
        ended: Ended = start([*before, tool("python3"), "-I", "-c", PROBE])
        if ended.code == UNSUPPORTED:
            pytest.skip(f"this kernel cannot: {ended.err.strip()}")
        for found, expected in zip(ended.out.split(), self.seen.split()):
            assert expected in ("*", found), ended
        assert len(ended.out.split()) == len(self.seen.split()), ended
        return before


ENOUGH = 2 << 30
KERNELS: Dict[str, Kernel] = {
    "as it is": Kernel({}, "done done * done -1"),
    "no memfd_create": Kernel({"refuse": ["memfd_create"]}, "ENOSYS done * done -1"),
    "no getrandom": Kernel({"refuse": ["getrandom"]}, "done ENOSYS * done -1"),
    "no memfd_create, getrandom, execveat": Kernel(
        {"refuse": ["memfd_create", "getrandom", "execveat"]}, "ENOSYS ENOSYS * done -1"
    ),
    "as Linux 3.16": Kernel(
        {"refuse_from": SINCE_3_17, "old_name": True}, "ENOSYS ENOSYS 2 done -1"
    ),
    "as Linux 2.6.39": Kernel(
        {"refuse_from": SINCE_3_0, "old_name": True}, "ENOSYS ENOSYS 2 done -1"
    ),
    # ffi.callback() of cffi wants memory that can be both written and run, in any installation.
    "no new code": Kernel(
        {"no_new_code": True},
        "done done * EACCES -1",
        {"cffi": "Cannot allocate write+execute memory for ffi.callback()"},
    ),
    "little address space": Kernel({"address_space": ENOUGH}, f"done done * done {ENOUGH}"),
}


@pytest.mark.parametrize("kernel", KERNELS)
def test_on_a_lesser_kernel(program: Program, kernel: str) -> None:
    chosen = KERNELS[kernel]
    program.check(chosen.start(), program.file, **chosen.failing)


@pytest.mark.parametrize("kernel", [name for name in KERNELS if name.startswith("as Linux")])
def test_openssl_on_an_old_kernel(packages: Packaged, libc: str, kernel: str) -> None:
    """It has random numbers without getrandom()."""
    code = "import ssl; ssl.create_default_context(); print(len(ssl.RAND_bytes(8)))"
    command = [*KERNELS[kernel].start(), packages("interpreter", libc), "-c", code]
    assert output(command) == "8\n"


def test_on_an_old_kernel_without_a_readable_file(program: Program, folder: Path) -> None:
    """Neither memfd_create nor a way to open the executable: what is left is its own memory."""
    need_root()
    copy = folder / "program"
    shutil.copy(program.file, copy)
    copy.chmod(0o711)
    kernel = confined(refuse_from=SINCE_3_17, old_name=True)
    program.check([*kernel, *as_nobody()], copy)


def test_nothing_to_map_and_no_new_code(program: Program, folder: Path) -> None:
    """All ways to load a library are closed: the message names each."""
    need_root()
    copy = folder / "program"
    shutil.copy(program.file, copy)
    copy.chmod(0o711)
    kernel = confined(refuse=["memfd_create"], no_new_code=True)
    failing: Dict[str, str] = {}
    if program.name == "native_small" and program.libc == "musl":
        message = (
            "this system lets no memory become code (PR_SET_MDWE, SELinux), and there is no file "
            "to map it from: the executable cannot be opened to be read, and the kernel has no "
            "memfd_create()"
        )
        failing = dict.fromkeys(LOADING, message)
    elif program.name == "native_small":  # temporary files remain
        failing = dict(KERNELS["no new code"].failing)
    program.check([*kernel, *as_nobody()], copy, **failing)


@pytest.mark.parametrize("level", [1, 2])
def test_with_memfd_noexec(program: Program, level: int) -> None:
    """The setting belongs to a namespace of process ids."""
    need_root()
    setting = "/proc/sys/vm/memfd_noexec"
    if not os.path.exists(setting):
        pytest.skip(f"this kernel has no {setting}")
    script = f'echo {level} > {setting}; test "$(cat {setting})" = {level} && exec "$@"'
    path = f"PATH={os.environ.get('PATH', '')}:/usr/bin:/bin"
    program.check(
        [tool("env"), path, *unshare("--pid", "--fork"), "sh", "-c", script, "sh"], program.file
    )


# Another distribution's userland.


def older_userland(root: Path, folder: Path, suite: str) -> Optional[str]:
    """Debian's libc6 of an older suite in `root`, checked by apt; or why it cannot be had."""
    listed = subprocess.run(
        [tool("apt-get"), "indextargets", "--format", "$(REPO_URI) $(CODENAME)"],
        capture_output=True,
        text=True,
    )
    places = {line.split()[0] for line in listed.stdout.splitlines() if line.endswith("bookworm")}
    keyring = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    if not places or not keyring.exists():
        return "apt has no archive of Debian"
    for name in ("lists/partial", "cache/archives/partial", "download"):
        (folder / name).mkdir(parents=True)
    folder.chmod(0o777)
    (folder / "download").chmod(0o777)
    (folder / "status").write_text("")
    (folder / "sources.list").write_text(f"deb [signed-by={keyring}] {min(places)} {suite} main\n")
    settings = {
        "Dir::Etc::SourceList": folder / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State::Lists": folder / "lists",
        "Dir::State::Status": folder / "status",
        "Dir::Cache": folder / "cache",
        "APT::Sandbox::User": "root",
        "Acquire::Check-Valid-Until": "false",
    }
    options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
    for arguments in (["update"], ["download", "libc6"]):
        done = subprocess.run(
            [tool("apt-get"), "-q", *options, *arguments],
            cwd=folder / "download",
            capture_output=True,
            text=True,
            timeout=300,
        )
        if done.returncode != 0:
            return done.stderr.strip()[-300:]
    (package_file,) = (folder / "download").glob("libc6_*.deb")
    subprocess.run([tool("dpkg-deb"), "-x", str(package_file), str(root)], check=True)
    return None


@pytest.fixture(scope="session")
def bullseye(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with glibc 2.31 and nothing else."""
    folder = tmp_path_factory.mktemp("bullseye")
    problem = older_userland(folder / "root", folder, "bullseye")
    if problem:
        pytest.skip(f"Debian bullseye's libc6 cannot be had: {problem}")
    assert list((folder / "root").glob("lib/*/libc-2.31.so"))
    return folder / "root"


def test_older_userland(program: Program, bullseye: Path) -> None:
    need_root()
    shutil.copy(program.file, bullseye / program.name)
    program.check(mounting(WITH_MOUNTS, bullseye, "proc dev"), f"/{program.name}")
