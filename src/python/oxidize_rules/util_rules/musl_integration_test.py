"""musl as it is built here: programs that are their own dynamic loader, and plain static ones.

A small C program stands for an executable: it says what the loader asks the runtime (runtime/
library.c) by plain system calls, so that libraries come from a folder. Loading from an image is
tested with real executables (goals/).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from oxidize_rules import sandbox
from oxidize_rules.sandbox.linking import portability
from oxidize_rules.util_rules.sysroot import Sysroot
from oxidize_rules.util_rules.testing_toolchain import TARGETS, new_runner, write_digest
from oxidize_rules.util_rules.zig import ZigToolchain, ZigToolchainRequest

SOURCES = str(Path(sandbox.__file__).parents[2])

HOOKS = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
int oxidize_library_open(const char *path, int flags) { return open(path, flags); }
ssize_t oxidize_library_read(int fd, void *to, size_t size, off_t at) {
    return pread(fd, to, size, at);
}
int oxidize_library_stat(int fd, struct stat *status) { return fstat(fd, status); }
void *oxidize_library_map(void *at, size_t size, int protection, int flags, int fd, off_t from) {
    return mmap(at, size, protection, flags, fd, from);
}
int oxidize_library_close(int fd) { return close(fd); }
const char *oxidize_library_problem(void) { return strerror(errno); }
"""
# Loads the library that its argument names, and prints what `answer()` in it returns.
PROGRAM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int __wrap_getppid(void) { return 77; }
int Py_Own(void) { return 5; }
_Thread_local int own_tls = 3;
int constructed;
__attribute__((constructor)) static void construct(void) { constructed++; }
static int count(struct dl_phdr_info *info, size_t size, void *data) {
    (void)size;
    printf(" [%s]", *info->dlpi_name ? strrchr(info->dlpi_name, '/') + 1 : "");
    ++*(int *)data;
    return 0;
}
static void *in_thread(void *function) { return (void *)(long)((int (*)(void))function)(); }
int main(int argc, char **argv) {
    printf("%d %d", constructed, own_tls);
    for (int i = 1; i < argc; i++) {
        void *handle = dlopen(argv[i], RTLD_NOW | RTLD_LOCAL);
        if (!handle) { printf(" %s", dlerror()); continue; }
        int (*answer)(void) = (int (*)(void))dlsym(handle, "answer");
        if (!answer) { printf(" %s", dlerror()); continue; }
        pthread_t thread;
        void *other;
        int own = answer();
        pthread_create(&thread, NULL, in_thread, (void *)answer);
        pthread_join(thread, &other);
        printf(" %d %ld", own, (long)other);
        Dl_info info;
        if (dladdr((void *)answer, &info)) printf(" %s %s", info.dli_fname, info.dli_sname);
    }
    int (*mine)(void) = (int (*)(void))dlsym(RTLD_DEFAULT, "Py_Own");
    int objects = 0;
    printf(" %d %d", mine ? mine() : -1, dlsym(RTLD_DEFAULT, "no_such") != NULL);
    if (getenv("LIST")) dl_iterate_phdr(count, &objects);
    puts("");
    return 0;
}
"""
LIBRARY = r"""
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int inner(void);
int Py_Own(void);
_Thread_local int calls = 100;
static int ready;
static void *block;
__attribute__((constructor)) static void construct(void) { ready = 1000; block = malloc(10); }
int answer(void) {
    /* 1000 + 10 * 77 + 5 + 101 + 2 + what the other library says */
    return ready + 10 * getppid() + Py_Own() + ++calls + (int)strlen("ab") + inner() +
           (int)sin(0);
}
"""
INNER = "int inner(void) { return 20000; }\n"
ANSWER = 1000 + 770 + 5 + 101 + 2 + 20000


class Workshop:
    """A folder laid out as for a build."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def compile(self, name: str, source: str, *arguments: str) -> None:
        (self.folder / f"{name}.c").write_text(source)
        self.run("__sysroot/bin/cc", "-O2", "-fPIC", *arguments, f"{name}.c")

    def run(self, *command: str, **env: str) -> str:
        result = subprocess.run(
            ["/usr/bin/env", "-i", "PATH=/usr/bin:/bin", *map("=".join, env.items()), *command],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert result.returncode == 0, result.stdout
        return result.stdout.rstrip("\n")

    def link(self, output: str, *objects: str, dynamic_loading: bool) -> None:
        request = {
            "zig": "__zig/ziglang/zig",
            "sysroot": "__sysroot",
            "output": output,
            "report": None,
            "map": None,
            "debug": None,
            "objects": [[path, path] for path in objects],
            "static_libraries": [],
            "system_libraries": [],
            "wrap": "wrap.txt",
            "exports": ["Py*", "_Py*"],
            "dynamic_loading": dynamic_loading,
            "strip": True,
            "link_args": [],
            "inventory": None,
        }
        (self.folder / "request.json").write_text(json.dumps(request))
        self.run(
            *(sys.executable, "-s", "-m", "oxidize_rules.sandbox.linking.link", "request.json"),
            PYTHONPATH=SOURCES,
        )


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    folder = tmp_path_factory.mktemp("musl")
    runner = new_runner()
    for name, digest in (
        ("__zig", runner.request(ZigToolchain, [ZigToolchainRequest()]).digest),
        ("__sysroot", runner.request(Sysroot, [TARGETS["musl"]]).digest),
    ):
        write_digest(runner, digest, folder / name)
    (folder / "wrap.txt").write_text("getppid\n")
    workshop = Workshop(folder)
    workshop.compile("hooks", HOOKS, "-c")
    workshop.compile("program", PROGRAM, "-c")
    workshop.link("program", "program.o", "hooks.o", dynamic_loading=True)
    for place in ("pkg", "pkg.libs"):
        (folder / place).mkdir()
    shared = ("-shared", "-nostdlib")
    workshop.compile("inner", INNER, *shared, "-Wl,-soname,libinner-1a2b.so.3",
                     "-o", "pkg.libs/libinner-1a2b.so.3")  # fmt: skip
    workshop.compile("library", LIBRARY, *shared, "-Wl,-rpath,$ORIGIN/../pkg.libs",
                     "pkg.libs/libinner-1a2b.so.3", "-o", "pkg/library.so")  # fmt: skip
    return workshop


def test_the_executable_is_static_to_the_kernel(workshop: Workshop) -> None:
    policy = portability.Policy("x86_64-unknown-linux-musl", None, exports=("*",))
    description, findings = portability.check_file(str(workshop.folder / "program"), policy)
    assert findings == []
    assert (description["interpreter"], description["needed"]) == (None, [])


def test_loads_a_library_with_what_it_needs(workshop: Workshop) -> None:
    path = f"{workshop.folder}/pkg/library.so"
    # The second thread has a variable of its own.
    expected = f"1 3 {ANSWER} {ANSWER} {path} answer 5 0"
    assert workshop.run("./program", path) == expected
    assert workshop.run("./program", path, path).count(str(ANSWER)) == 3, "loaded once"


def test_the_executable_counts_once(workshop: Workshop) -> None:
    listed = workshop.run("./program", f"{workshop.folder}/pkg/library.so", LIST="1")
    assert listed.endswith("[program] [] [library.so] [libinner-1a2b.so.3]")


def test_libc_is_the_executable_itself(workshop: Workshop) -> None:
    for name in ("libc.so", "libc.musl-x86_64.so.1", "libm.so.6", "libc.so.6", "libpthread.so.0"):
        assert workshop.run("./program", name) == "1 3 Symbol not found: answer 5 0"


def test_variables_of_the_host_s_loader_are_ignored(workshop: Workshop) -> None:
    plain = workshop.run("./program")
    preload = {"LD_PRELOAD": f"{workshop.folder}/pkg/library.so", "LD_LIBRARY_PATH": "pkg"}
    assert workshop.run("./program", **preload) == plain
    missing = workshop.run("./program", "library.so", **preload)
    assert "Error loading shared library library.so: No such file" in missing


def test_a_library_for_glibc_is_refused(workshop: Workshop) -> None:
    workshop.compile("libc6", "int x;", "-shared", "-nostdlib", "-Wl,-soname,libc.so.6",
                     "-o", "libc.so.6")  # fmt: skip
    workshop.compile("foreign", "int answer(void) { return 1; }", "-shared", "-nostdlib",
                     "-Wl,--no-as-needed", "libc.so.6", "-o", "foreign.so")  # fmt: skip
    told = workshop.run("./program", f"{workshop.folder}/foreign.so")
    assert "foreign.so: this library is for glibc (it needs libc.so.6)" in told
    assert "this executable has musl" in told


def test_damaged_libraries_are_refused(workshop: Workshop) -> None:
    data = (workshop.folder / "pkg" / "library.so").read_bytes()
    for name, content in (("empty.so", b""), ("text.so", b"hello\n" * 99), ("cut.so", data[:70])):
        (workshop.folder / name).write_bytes(content)
        told = workshop.run("./program", f"{workshop.folder}/{name}")
        assert f"Error loading shared library {workshop.folder}/{name}: " in told


def test_relocated_data_is_protected(workshop: Workshop) -> None:
    maps = r"""
#include <stdio.h>
int main(void) {
    char line[300];
    FILE *file = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof line, file)) fputs(line, stdout);
    return 0;
}
"""
    workshop.compile("maps", maps, "-c")
    workshop.link("maps", "maps.o", "hooks.o", dynamic_loading=True)
    lines = workshop.run("./maps").splitlines()
    own = [line.split()[1] for line in lines if line.endswith("/maps")]
    assert "rw-p" in own
    assert own.index("rw-p") > own.index("r-xp")
    between = own[own.index("r-xp") + 1 : own.index("rw-p")]
    assert between == ["r--p"], "what was relocated is read-only"
    assert not [line for line in lines if "wx" in line.split()[1]]


def test_a_program_without_a_loader(workshop: Workshop) -> None:
    source = '#include <stdio.h>\nint main(void) { puts("plain"); return 0; }\n'
    workshop.compile("plain", source, "-c")
    workshop.link("plain", "plain.o", dynamic_loading=False)
    assert workshop.run("./plain") == "plain"
    size = os.path.getsize(workshop.folder / "plain")
    assert size < os.path.getsize(workshop.folder / "program") / 3
