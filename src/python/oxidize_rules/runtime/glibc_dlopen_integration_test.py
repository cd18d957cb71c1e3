"""dlopen() of libraries in the image, on glibc, against the machine's own dynamic linker.

`testing_harness.c` is linked twice by the real lld: with the runtime and an image, and alone. Both
open the same small libraries, the one from inside itself, the other from a folder on disk, and
must tell the same. zig comes as in `sandbox/linking/link_integration_test.py`.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from oxidize_rules import runtime, sandbox
from oxidize_rules.goals.testing_confinement import UNSUPPORTED, confined
from oxidize_rules.sandbox.linking.link_integration_test import Sandbox
from oxidize_rules.util_rules.runtime import COMPILE_ARGUMENTS, taken_over
from oxidize_rules.util_rules.testing_toolchain import write_toolchain

RUNTIME = Path(runtime.__file__).parent
SOURCES = str(Path(sandbox.__file__).parents[2])
ROOT = "/.oxidized"


@dataclass(frozen=True)
class Library:
    """A small library at `path` below the root. It tells when its constructor runs, and has
    `value_<name>` (`number`), `sum_<name>` (with those of all that it needs), and `ask_<name>`,
    which calls the function `who`, which every library has."""

    name: str
    path: str
    number: int
    needs: tuple[str, ...] = ()
    soname: str = ""
    rpath: str = ""
    source: str = ""
    arguments: tuple[str, ...] = ()

    def code(self) -> str:
        calls = "".join(f" + value_{name}()" for name in self.needs)
        return "".join(
            [
                "#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <stdio.h>\n",
                *(f"int value_{name}(void);\n" for name in self.needs),
                f"int value_{self.name}(void) {{ return {self.number}; }}\n",
                f"int who(void) {{ return {self.number}; }}\n",
                f"int ask_{self.name}(void) {{ return who(); }}\n",
                f"int sum_{self.name}(void) {{ return {self.number}{calls}; }}\n",
                "__attribute__((constructor)) static void start(void)\n",
                f'{{ printf("start {self.name}\\n"); }}\n',
                self.source,
            ]
        )


READS_A_FILE = r"""
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
const char *read_text(void) {
    static char text[64];
    Dl_info info;
    char path[4096];
    dladdr((void *)read_text, &info);
    snprintf(path, sizeof path, "%s", info.dli_fname);
    strcpy(strrchr(path, '/'), "/text.txt");
    FILE *file = fopen(path, "r");
    struct stat status;
    if (!file || !fgets(text, sizeof text, file) || stat(path, &status)) return "no file";
    fclose(file);
    return status.st_size == 6 ? text : "wrong size";
}
"""
NAMES_ITSELF = r"""
static char found[4096];
__attribute__((constructor)) static void look(void) {
    Dl_info info;
    if (dladdr((void *)look, &info)) snprintf(found, sizeof found, "%s", info.dli_fname);
}
const char *name_in_constructor(void) { return found; }
"""
OPENS_OTHERS = r"""
static int opened;
__attribute__((constructor)) static void look(void) {
    opened += dlopen("libnear.so.1", RTLD_NOW) != NULL;
    opened += dlopen("$ORIGIN/inner/libinner.so", RTLD_NOW) != NULL;
}
int opened_others(void) { return opened; }
"""
LIBRARIES = (
    # As auditwheel lays them out: a module, its libraries in `x.libs`, one of them needing another.
    Library("a", "app/x/a.so", 1, ("b", "c"), rpath="$ORIGIN/../x.libs"),
    Library("b", "app/x.libs/libb-1f2e.so.1", 10, ("d",), soname="libb-1f2e.so.1", rpath="$ORIGIN"),
    Library("c", "app/x.libs/libc-7.so", 100, ("d", "e"), soname="libc-7.so", rpath="$ORIGIN"),
    Library("d", "app/x.libs/libd.so.2.0", 1000, soname="libd.so.2.0"),
    Library("e", "lib/libe.so.3", 10000, soname="libe.so.3"),
    # The older DT_RPATH, which counts for what the library needs, too.
    Library(
        "old",
        "app/y/old.so",
        2,
        ("old1",),
        rpath="${ORIGIN}/../y.libs:/opt/x",
        arguments=("-Wl,--disable-new-dtags",),
    ),
    Library("old1", "app/y.libs/libold1.so", 20, ("old2",), soname="libold1.so"),
    Library("old2", "app/y.libs/libold2.so", 200, soname="libold2.so"),
    # Circles.
    Library("r1", "app/r/libr1.so", 3, ("r2",), soname="libr1.so", rpath="$ORIGIN"),
    Library("r2", "app/r/libr2.so", 30, ("r3",), soname="libr2.so", rpath="$ORIGIN"),
    Library("r3", "app/r/libr3.so", 300, ("r1",), soname="libr3.so", rpath="$ORIGIN"),
    # Needed under another name than DT_SONAME, and without one.
    Library("n1", "app/n/n1.so", 4, ("n2", "n3"), rpath="$ORIGIN"),
    Library("n2", "app/n/libn2.so", 40, rpath="$ORIGIN"),
    Library("n3", "app/n/libn3.so", 400, ("n2",), rpath="$ORIGIN"),
    # What its library needs is nowhere.
    Library("m1", "app/m/m1.so", 5, ("m2",), rpath="$ORIGIN"),
    Library("m2", "app/m/libm2.so", 50, ("gone",), soname="libm2.so", rpath="$ORIGIN"),
    Library("gone", "-", 500, soname="libgone.so.7"),
    Library(
        "undefined",
        "app/u/undefined.so",
        6,
        source="int no_such_function(void); int use(void) { return no_such_function(); }\n",
    ),
    Library("text", "app/t/text.so", 7, source=READS_A_FILE),
    Library("self", "app/t/self.so", 8, source=NAMES_ITSELF),
    Library("others", "app/o/others.so", 9, rpath="$ORIGIN/near", source=OPENS_OTHERS),
    Library("near", "app/o/near/libnear.so.1", 90, soname="libnear.so.1"),
    Library("inner", "app/o/inner/libinner.so", 900),
    Library("slow", "app/s/slow.so", 11, ("d",), rpath="$ORIGIN/../x.libs",
            source="#include <unistd.h>\n__attribute__((constructor)) static void nap(void)"
            "{ usleep(50000); }\n"),
    *(Library(f"many{number}", f"app/many/many{number}.so", 7000 + number) for number in range(12)),
)  # fmt: skip


def random_libraries(seed: int, count: int = 9) -> tuple[Library, ...]:
    """A folder of libraries that need each other at random; with an odd seed in circles, too."""
    numbers = random.Random(seed)
    names = [f"g{seed}x{number}" for number in range(count)]
    libraries = []
    for number, name in enumerate(names):
        others = [one for one in (names if seed % 2 else names[:number]) if one != name]
        needs = numbers.sample(others, min(len(others), numbers.choice([0, 1, 2, 3])))
        path = f"app/g{seed}/lib{name}.so"
        soname = f"lib{name}.so"
        one = Library(name, path, number, tuple(needs), soname=soname, rpath="$ORIGIN")
        libraries.append(one)
    return tuple(libraries)


SEEDS = (1, 2, 3, 4, 6)
ALL = (*LIBRARIES, *(one for seed in SEEDS for one in random_libraries(seed)))


class Workshop:
    """Builds the libraries and both programs."""

    def __init__(self, folder: Path) -> None:
        toolchain = write_toolchain(folder / "toolchain")
        self.box = Sandbox(folder / "box", toolchain, "gnu")
        self.folder = self.box.folder
        self.disk = folder / "disk"

    def cc(self, *arguments: str) -> None:
        subprocess.run(["__sysroot/bin/cc", *arguments], cwd=self.folder, check=True)

    def build(self, one: Library, output: Path, needs: list[str]) -> None:
        output.parent.mkdir(parents=True, exist_ok=True)
        (self.folder / f"{one.name}.c").write_text(one.code())
        self.cc(
            *("-shared", "-fPIC", "-O1", "-w", "-Wl,--hash-style=gnu", "-Wl,--enable-new-dtags"),
            *([f"-Wl,-soname,{one.soname}"] if one.soname else []),
            *([f"-Wl,-rpath,{one.rpath}"] if one.rpath else []),
            *one.arguments,
            *("-o", str(output), f"{one.name}.c", "-Lstubs", *needs),
        )

    def build_libraries(self, libraries: tuple[Library, ...]) -> None:
        """Each is linked against stand-ins of the others, since they may need each other."""
        files = {one.name: Path(one.path).name for one in libraries}
        files["gone"] = "libgone.so"
        needed = {name for one in libraries for name in one.needs}
        for one in libraries:
            if one.name in needed:
                self.build(one, self.folder / "stubs" / files[one.name], [])
        for one in libraries:
            if one.path != "-":
                needs = [f"-l:{files[name]}" for name in one.needs]
                self.build(one, self.disk / one.path, needs)

    def component(self, root: str) -> list[str]:
        """Objects and manifest of what is in that folder of the disk."""
        self.program(
            "images.component",
            *("--name", f"folder:{root}", "--root", root, "--input", str(self.disk / root)),
            *("--kind", "tree", "--optimization", "0", "--sources", "yes", "--machine", "x86_64"),
            *("--output", f"{root}.o", "--manifest", f"{root}.json"),
        )
        return [f"{root}.o", f"{root}.json"]

    def program(self, name: str, *arguments: str) -> None:
        subprocess.run(
            [sys.executable, "-s", "-S", "-m", f"oxidize_rules.sandbox.{name}", *arguments],
            cwd=self.folder,
            env={"PYTHONPATH": SOURCES, "PYTHONHASHSEED": "0"},
            check=True,
        )

    def image(self) -> list[str]:
        parts = [self.component(root) for root in ("app", "lib")]
        (self.folder / "settings.json").write_text(
            '[["entry.kind","interpreter"],["path","app"],["stdlib","lib/python3.13"],'
            '["python.version","3.13"]]'
        )
        self.program(
            "images.image",
            *("--manifest", *(manifest for _, manifest in parts), "--settings", "settings.json"),
            *("--machine", "x86_64", "--output", "index.o"),
        )
        return ["index.o", *(payload for payload, _ in parts)]

    def executables(self) -> tuple[Path, Path]:
        """The harness with the runtime and the image, and alone."""
        patterns = (
            *("image.c", "vfs_*.c", "glibc_*.c", "wrap.c", "elf_file.c"),
            *("*_pages.c", "trace.c", "no_inflate.c"),
        )
        sources = sorted(
            str(path)
            for pattern in patterns
            for path in RUNTIME.glob(pattern)
            if "fuzz" not in path.name
        )
        harness = str(RUNTIME / "testing_harness.c")
        self.cc("-c", *COMPILE_ARGUMENTS, *sources, harness)
        names = [f"{Path(path).stem}.o" for path in sources]
        result = self.box.link(
            ["testing_harness.o", *names, *self.image()],
            output="with_image",
            exports=list(taken_over("2.17")[1]),
        )
        assert result.returncode == 0, result.stderr
        self.cc("-o", "alone", harness)
        return self.folder / "with_image", self.folder / "alone"


class Programs:
    def __init__(self, workshop: Workshop) -> None:
        self.disk = workshop.disk
        self.inside, self.alone = workshop.executables()
        self.workshop = workshop

    def run(self, *commands: str, head: tuple[str, ...] = (), **environment: str) -> list[str]:
        """What the program with the image tells."""
        return output([*head, str(self.inside), ROOT, *commands], **environment)

    def run_on_disk(self, *commands: str) -> list[str]:
        folder = str(self.disk)
        return output([str(self.alone), folder, *commands], LD_LIBRARY_PATH=f"{folder}/lib")

    def same(self, *commands: str, circle: bool = False) -> list[str]:
        """What both tell, which is the same.

        In a circle somebody's constructor has to run too early. Which one, glibc decides by what
        it began with, and releases of it differ.
        """
        inside = self.run(*commands)
        # On disk a library's name is the path that led to it; in the image, the shortest one.
        disk = [re.sub(r"/\w+/\.\./", "/", line) for line in self.run_on_disk(*commands)]
        if circle:
            assert constructors(inside) == constructors(disk)
            disk = [line for line in disk if not line.startswith("start ")]
        assert disk == [line for line in inside if not (circle and line.startswith("start "))]
        return inside


def constructors(lines: list[str]) -> list[str]:
    return sorted(line for line in lines if line.startswith("start "))


def output(command: list[str], **environment: str) -> list[str]:
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode == UNSUPPORTED:
        pytest.skip(f"this kernel cannot be made to do less: {done.stderr.strip()}")
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    workshop = Workshop(tmp_path_factory.mktemp("dlopen"))
    workshop.build_libraries(ALL)
    (workshop.disk / "app/t/text.txt").write_text("inside")
    for number in (1, 2):
        build_compiler_library(workshop, number)
    return Programs(workshop)


def build_compiler_library(workshop: Workshop, number: int) -> None:
    """Two that the host may have, too: one asks for less than every host has, one for more."""
    name, newest = {1: ("libgcc_s.so.1", "GCC_3.0"), 2: ("libstdc++.so.6", "GLIBCXX_9.9")}[number]
    (workshop.folder / "versions.map").write_text(f"{newest} {{ global: own_{number}; }};\n")
    one = Library(
        f"compiler{number}",
        f"lib/{name}",
        number,
        soname=name,
        source=f"int own_{number}(void) {{ return {number}; }}\n",
        arguments=("-Wl,--version-script=versions.map",),
    )
    workshop.build(one, workshop.disk / one.path, [])


def test_as_a_wheel_is_laid_out(programs: Programs) -> None:
    lines = programs.same("open", "@/app/x/a.so", "call", "sum_a", "where", "sum_a", "names")
    assert sorted(lines[:5]) == [f"start {name}" for name in "abcde"]
    assert lines[5:8] == ["opened @/app/x/a.so", "sum_a 111", "sum_a @/app/x/a.so"]
    assert "has @/app/x.libs/libd.so.2.0" in lines
    assert "has @/lib/libe.so.3" in lines
    assert not [line for line in lines if "/proc" in line]


def test_rpath_of_old(programs: Programs) -> None:
    lines = programs.same("open", "@/app/y/old.so", "call", "sum_old")
    assert lines[-1] == "sum_old 22"
    assert "start old2" in lines


def test_circles(programs: Programs) -> None:
    for name in ("r1", "r2", "r3"):
        commands = ("open", f"@/app/r/lib{name}.so", "call", "who", "names")
        assert len(constructors(programs.same(*commands, circle=True))) == 3


@pytest.mark.parametrize("seed", SEEDS)
def test_random_libraries(programs: Programs, seed: int) -> None:
    """Order of the constructors, which library's function is called, what is loaded."""
    for one in random_libraries(seed):
        name = one.name
        programs.same(
            *("open", f"@/{one.path}", "call", f"sum_{name}", "call", f"ask_{name}", "call", "who"),
            *("names", "close", "names"),
            circle=seed % 2 == 1,
        )
    several = [one for one in random_libraries(seed) if one.number % 3 == 0]
    commands = (word for one in several for word in ("open", f"@/{one.path}", "call", "who"))
    programs.same(*commands, circle=seed % 2 == 1)


def test_needed_by_another_name(programs: Programs) -> None:
    lines = programs.same("open", "@/app/n/n1.so", "call", "sum_n1")
    assert lines[-1] == "sum_n1 444"
    assert programs.run("open", "@/app/n/n1.so", "names")[-3:] == [
        *("has @/app/n/libn2.so", "has @/app/n/libn3.so", "has @/app/n/n1.so"),
    ]


def test_what_is_missing_is_named(programs: Programs) -> None:
    lines = programs.run("open", "@/app/m/m1.so", "again", "names", "descriptors")
    assert lines[0] == (
        "failed libgone.so.7: cannot open shared object file: No such file or directory "
        "(needed by @/app/m/libm2.so)"
    )
    assert lines[1:] == ["dlerror nothing", "descriptors 3"]
    lines = programs.run("open", "@/app/u/undefined.so", "open", "@/app/x/a.so", "again")
    assert lines[0] == "failed @/app/u/undefined.so: undefined symbol: no_such_function"
    assert lines[-1] == "dlerror nothing"
    lines = programs.same("open", "@/app/nothing.so", "open", "libnothing.so.1")
    assert len(lines) == 2
    lines = programs.run("open", "@/app/t/text.txt")
    assert lines == ["failed @/app/t/text.txt: not a shared library for this machine, or damaged"]


def test_by_bare_name(programs: Programs) -> None:
    lines = programs.same("noload", "libe.so.3", "open", "libe.so.3", "where", "value_e")
    assert lines[-1] == "value_e @/lib/libe.so.3"
    lines = programs.same("open", "@/app/x/a.so", "open", "libb-1f2e.so.1", "call", "value_b")
    assert lines[-1] == "value_b 10"


def test_each_once(programs: Programs) -> None:
    lines = programs.same(
        *("noload", "@/app/x/a.so", "open", "@/app/x/a.so", "noload", "@/app/x/a.so"),
        *("open", "@/app/x.libs/libd.so.2.0", "call", "value_d", "descriptors"),
    )
    assert len(constructors(lines)) == 5
    assert programs.run("open", f"{ROOT}/./app/../app//x/a.so", "noload", "@/app/x/a.so")[-1] == (
        "opened @/app/x/a.so"
    )


def test_global_and_local(programs: Programs) -> None:
    lines = programs.same(
        *("open", "@/app/x/a.so", "default", "value_b", "global", "@/app/x/a.so"),
        *("default", "value_b", "default", "value_r1", "global", "@/app/r/libr1.so"),
        *("default", "value_r3", "default", "no_such_function"),
        circle=True,
    )
    assert [line for line in lines if line.startswith("default")] == [
        *("default has it not", "default has it"),
        *("default has it not", "default has it", "default has it not"),
    ]


def test_unloading(programs: Programs) -> None:
    lines = programs.same(
        *("open", "@/app/x/a.so", "close", "names", "open", "@/app/x/a.so", "call", "sum_a"),
        *("close", "names", "descriptors"),
    )
    assert not [line for line in lines if line.startswith("has")]
    assert lines.count("start d") == 2


def test_descriptors_that_come_again(programs: Programs) -> None:
    """Every library is opened through the same descriptor; none is taken for an earlier one."""
    numbers = range(12)
    commands = [
        word
        for number in numbers
        for word in ("open", f"@/app/many/many{number}.so", "call", f"value_many{number}")
    ]
    lines = programs.same(*commands, "open", "@/app/x/a.so", "call", "sum_a", "descriptors")
    assert [line for line in lines if line.startswith("value")] == [
        f"value_many{number} {7000 + number}" for number in numbers
    ]
    assert lines[-1] == "descriptors 3"


def test_a_library_sees_the_files_beside_it(programs: Programs) -> None:
    assert programs.same("open", "@/app/t/text.so", "text", "read_text")[-1] == "read_text inside"
    lines = programs.same("open", "@/app/t/self.so", "text", "name_in_constructor")
    assert lines[-1] == "name_in_constructor @/app/t/self.so"


def test_a_library_opens_others(programs: Programs) -> None:
    lines = programs.same("open", "@/app/o/others.so", "call", "opened_others", "names")
    assert "opened_others 2" in lines
    assert "has @/app/o/near/libnear.so.1" in lines


def test_threads_at_once(programs: Programs) -> None:
    for _ in range(5):
        lines = programs.run("threads", "@/app/s/slow.so", "call", "sum_slow", "descriptors")
        assert lines == ["start d", "start slow", "threads agree", "sum_slow 1011", "descriptors 3"]


def test_libraries_on_disk_are_as_before(programs: Programs, tmp_path: Path) -> None:
    """A host's library finds its own by its RUNPATH, although our dlopen() stands between."""
    workshop = programs.workshop
    folder = tmp_path / "host"
    source = 'int opened_near(void) { return dlopen("libnear2.so", RTLD_NOW) != NULL; }\n'
    outer = Library("outer", "outer.so", 1, rpath="$ORIGIN/near", source=source)
    workshop.build(outer, folder / "outer.so", [])
    near = Library("near2", "libnear2.so", 2, soname="libnear2.so")
    workshop.build(near, folder / "near/libnear2.so", [])
    lines = programs.run("open", f"{folder}/outer.so", "call", "opened_near")
    assert lines[-1] == "opened_near 1"


def test_a_newer_host_library_wins(programs: Programs) -> None:
    """The image's libgcc_s has a version that every host's has, its libstdc++ one that none has."""
    lines = programs.run("open", "libgcc_s.so.1", "call", "own_1")
    if "start compiler1" in lines:
        pytest.skip("this machine has no libgcc_s.so.1 in its standard folders")
    assert lines[0] == "opened libgcc_s.so.1"
    assert lines[1].startswith("failed ")
    lines = programs.run("open", "libstdc++.so.6", "call", "own_2", "where", "own_2")
    assert lines[-2:] == ["own_2 2", "own_2 @/lib/libstdc++.so.6"]


def test_a_kernel_without_memfd(programs: Programs, tmp_path: Path) -> None:
    head = tuple(confined(refuse=["memfd_create"]))
    lines = programs.run(
        *("open", "@/app/x/a.so", "call", "sum_a", "names", "descriptors"),
        head=head,
        TMPDIR=str(tmp_path),
    )
    assert "sum_a 111" in lines
    assert "has @/app/x/a.so" in lines
    assert lines[-1] == "descriptors 3"
    assert list(tmp_path.iterdir()) == []


def new_root(programs: Programs, folder: Path) -> list[str]:
    """A root with the program and glibc, and nothing else; the head of a command line in it."""
    if os.geteuid() != 0:
        pytest.skip("only root may change its root")
    listed = subprocess.run(["ldd", programs.inside], stdout=subprocess.PIPE, text=True, check=True)
    for path in re.findall(r"(/\S+) \(0x", listed.stdout):
        target = folder / path[1:]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    shutil.copy(programs.inside, folder / "app")
    return ["/usr/sbin/chroot", str(folder), "/app", ROOT]


def test_without_proc(programs: Programs, tmp_path: Path) -> None:
    head = new_root(programs, tmp_path)
    commands = ["open", "@/app/x/a.so", "call", "sum_a", "names"]
    assert output([*head, *commands])[0] == (
        "failed @/app/x/a.so: cannot be loaded from the executable: /proc is not mounted, and none "
        "of the folders $TMPDIR, /dev/shm, /tmp, /var/tmp takes a temporary file that may be run"
    )
    (tmp_path / "tmp").mkdir()
    lines = output([*head, *commands])
    assert "sum_a 111" in lines
    assert "has @/app/x.libs/libd.so.2.0" in lines
    assert not [line for line in lines if "/tmp" in line]
    assert list((tmp_path / "tmp").iterdir()) == []


def test_folders_where_nothing_runs(programs: Programs, tmp_path: Path) -> None:
    """Temporary files are made where code may be mapped; if there is no such place, it is told."""
    head = new_root(programs, tmp_path)
    for name in ("tmp", "dev/shm"):
        (tmp_path / name).mkdir(parents=True)
    mount = 'mount -t tmpfs -o noexec tmpfs "$1/tmp" && shift && exec "$@"'
    unshared = ["unshare", "--mount", "sh", "-c", mount, "sh", str(tmp_path)]
    probe: Any = subprocess.run([*unshared, "true"], stderr=subprocess.PIPE, text=True)
    if probe.returncode != 0:
        pytest.skip(f"no mounts may be made here: {probe.stderr.strip()}")
    commands = ["open", "@/app/x/a.so", "call", "sum_a"]
    assert output([*unshared, *head, *commands], TMPDIR="/tmp")[-1] == "sum_a 111"
    (tmp_path / "dev/shm").rmdir()
    lines = output([*unshared, *head, *commands], TMPDIR="/tmp")
    assert "takes a temporary file that may be run" in lines[0]
