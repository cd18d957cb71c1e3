"""Builds the musl C library from its source, with a loader that may be part of an executable.

    musl.py --zig __zig/ziglang/zig --source musl-1.2.5.tar.gz
        --target-triple x86_64-unknown-linux-musl --jobs 2 --output musl

The result:

    lib/libc.a              all of musl but what follows
    lib/libmalloc.a         its public allocation functions, for programs without their own
    lib/rcrt1.o             start of a static-pie program without a loader
    lib/Scrt1.o             start of a program that is its own loader, with
    lib/dlstart.o, lib/dynlink.o    the loader, as `musl_edits.py` changes it
    lib/libc.exports        names that libraries loaded into such a program may use, one a line
    licenses/LICENSE.musl.txt

Objects are compiled once, position-independent, for static programs and for the loader alike; which
files belong to a build is musl's own rule (its Makefile): a file of an architecture's folder takes
the place of the general one. memcpy, memmove, memset and memcmp are left out: those of compiler-rt
are twice as fast on the short blocks that Python moves. Nothing in the result depends on the
folder, the machine or the time of the build.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Iterator, Sequence

from oxidize_rules.sandbox.elf_reader import ElfFile
from oxidize_rules.sandbox.errors import UserError, run
from oxidize_rules.sandbox.toolchain import musl_edits

# From musl's Makefile and configure, as clang has them.
FLAGS = (
    "-std=c99",
    "-ffreestanding",
    "-nostdinc",
    "-D_XOPEN_SOURCE=700",
    "-fPIC",
    "-O2",
    "-fomit-frame-pointer",
    "-fno-strict-aliasing",
    "-fasynchronous-unwind-tables",  # for backtraces of a process that waits in a system call
    "-fno-stack-protector",
    "-ffunction-sections",
    "-fdata-sections",
    "-frounding-math",
    "-g0",
    "-w",
)
FAST = ("src/internal/", "src/malloc/", "src/string/")  # compiled with -O3
COMPILER_RT = ("memcmp", "memcpy", "memmove", "memset")
# Wrappers around the allocator that the loader keeps for itself; a program may have its own.
ALLOCATION = (
    "src/malloc/calloc.c",
    "src/malloc/free.c",
    "src/malloc/memalign.c",
    "src/malloc/posix_memalign.c",
    "src/malloc/realloc.c",
    "src/malloc/mallocng/aligned_alloc.c",
    "src/malloc/mallocng/malloc_usable_size.c",
)
LOADER = ("ldso/dlstart.c", "ldso/dynlink.c")
START = ("crt/Scrt1.c", "crt/rcrt1.c")
SOURCES = (".c", ".s", ".S")


def unpack(archive: Path, folder: Path) -> None:
    """Unpacks a source archive without its first folder."""
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                _, _, path = member.name.partition("/")
                if member.isfile() and ".." not in path.split("/"):
                    target = folder / path
                    target.parent.mkdir(parents=True, exist_ok=True)
                    content = tar.extractfile(member)
                    assert content is not None
                    with target.open("wb") as stream:
                        shutil.copyfileobj(content, stream)
    except (OSError, tarfile.TarError) as error:
        raise UserError(f"{archive} is no archive of musl's source: {error}.") from error


def source_files(source: Path, architecture: str) -> list[str]:
    """The files to compile, relative to `source`, sorted."""
    folders = sorted(path for path in source.glob("src/*") if path.is_dir())
    folders += [source / "src/malloc/mallocng"]
    found = []
    for folder in folders:
        general = {path.stem: path for path in folder.glob("*.c")}
        special = {
            path.stem: path
            for path in sorted((folder / architecture).glob("*"))
            if path.suffix in SOURCES
        }
        found += [str(path.relative_to(source)) for path in {**general, **special}.values()]
    return sorted(path for path in found if Path(path).stem not in COMPILER_RT)


def generated_type_header(text: str) -> str:
    """`bits/alltypes.h` from musl's own description (what tools/mkalltypes.sed does)."""
    text = re.sub(
        r"^TYPEDEF (.*) ([^ ]*);$",
        r"#if defined(__NEED_\2) && !defined(__DEFINED_\2)\n"
        r"typedef \1 \2;\n#define __DEFINED_\2\n#endif\n",
        text,
        flags=re.MULTILINE,
    )
    return re.sub(
        r"^(STRUCT|UNION) *([^ ]*) (.*);$",
        lambda match: (
            f"#if defined(__NEED_{match[1].lower()}_{match[2]})"
            f" && !defined(__DEFINED_{match[1].lower()}_{match[2]})\n"
            f"{match[1].lower()} {match[2]} {match[3]};\n"
            f"#define __DEFINED_{match[1].lower()}_{match[2]}\n#endif\n"
        ),
        text,
        flags=re.MULTILINE,
    )


def write_generated(source: Path, architecture: str) -> None:
    """Headers that musl's Makefile makes."""
    bits = source / "arch" / architecture / "bits"
    include = source / "generated/include/bits"
    internal = source / "generated/internal"
    include.mkdir(parents=True)
    internal.mkdir(parents=True)
    types = (bits / "alltypes.h.in").read_text() + (source / "include/alltypes.h.in").read_text()
    (include / "alltypes.h").write_text(generated_type_header(types))
    calls = (bits / "syscall.h.in").read_text()
    names = "".join(
        line.replace("__NR_", "SYS_") for line in calls.splitlines(True) if "__NR_" in line
    )
    (include / "syscall.h").write_text(calls + names)
    version = (source / "VERSION").read_text().strip()
    (internal / "version.h").write_text(f'#define VERSION "{version}"\n')


def include_arguments(architecture: str) -> list[str]:
    return [
        f"-I{folder}"
        for folder in (
            f"arch/{architecture}",
            "arch/generic",
            "generated/internal",
            "src/include",
            "src/internal",
            "generated/include",
            "include",
        )
    ]


class Compiler:
    """Compiles files of `source` (where it runs) with zig's clang."""

    def __init__(self, zig: str, source: Path, target_triple: str, jobs: int) -> None:
        self.source, self.jobs = source, jobs
        self.command = [os.path.abspath(zig), "clang", "--driver-mode=gcc"]
        self.command += [f"--target={target_triple}", "-Qunused-arguments", *FLAGS]
        self.command += include_arguments(target_triple.partition("-")[0])

    def compile_all(self, files: Sequence[str]) -> dict[str, Path]:
        """The object of each file."""
        with ThreadPoolExecutor(self.jobs) as pool:
            return dict(zip(files, pool.map(self._compile, files)))

    def _compile(self, file: str) -> Path:
        target = self.source / "objects" / f"{file}.o"
        target.parent.mkdir(parents=True, exist_ok=True)
        level = ["-O3"] if file.startswith(FAST) else []
        level += ["-DCRT"] if file in START else []
        result = subprocess.run(
            [*self.command, *level, "-c", file, "-o", str(target)],
            cwd=self.source,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        if result.returncode != 0:
            log = result.stdout.decode(errors="replace")
            raise UserError(f"musl's {file} does not compile:\n{log[-4000:]}")
        return target


def exported_names(objects: Sequence[Path]) -> Iterator[str]:
    """What musl offers to programs: it marks everything else as hidden itself."""
    for path in objects:
        for symbol in ElfFile(path.read_bytes()).symbols():
            if symbol.defined and not symbol.local and not symbol.hidden:
                yield symbol.name


def write_archive(zig: str, target: Path, objects: Sequence[Path], scratch: Path) -> None:
    """An archive of the objects, each under its folder's and its own name."""
    scratch.mkdir(parents=True)
    names = []
    for path in objects:
        name = "_".join(path.parts[-2:])
        if name in names:
            raise ValueError(f"two objects are called {name}")
        shutil.copyfile(path, scratch / name)
        names.append(name)
    (scratch / "members.rsp").write_text("\n".join(names) + "\n")
    subprocess.run(
        [os.path.abspath(zig), "ar", "rcsD", os.path.abspath(target), "@members.rsp"],
        cwd=scratch,
        check=True,
    )


def build(
    zig: str, archive: Path, target_triple: str, jobs: int, output: Path, scratch: Path
) -> None:
    architecture = target_triple.partition("-")[0]
    source = scratch / "source"
    unpack(archive, source)
    if not (source / "arch" / architecture / "bits").is_dir():
        raise UserError(f"{archive} is not musl's source, or it has no part for {architecture}.")
    musl_edits.apply(source)
    write_generated(source, architecture)
    files = source_files(source, architecture)
    objects = Compiler(zig, source, target_triple, jobs).compile_all([*LOADER, *START, *files])
    lib = output / "lib"
    lib.mkdir(parents=True)
    for file in (*LOADER, *START):
        shutil.copyfile(objects[file], lib / f"{Path(file).stem}.o")
    write_archive(
        zig,
        lib / "libc.a",
        [objects[file] for file in files if file not in ALLOCATION],
        scratch / "libc",
    )
    write_archive(
        zig, lib / "libmalloc.a", [objects[file] for file in ALLOCATION], scratch / "libmalloc"
    )
    exported = exported_names([objects[file] for file in (*LOADER, *files)])
    names = sorted({*exported, *COMPILER_RT})
    (lib / "libc.exports").write_text("".join(f"{name}\n" for name in names))
    licenses = output / "licenses"
    licenses.mkdir()
    shutil.copyfile(source / "COPYRIGHT", licenses / "LICENSE.musl.txt")


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="musl")
    parser.add_argument("--zig", required=True)
    parser.add_argument("--source", required=True, type=Path)
    parser.add_argument("--target-triple", required=True)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--output", required=True, type=Path)
    options = parser.parse_args(argv)
    build(
        options.zig,
        options.source,
        options.target_triple,
        options.jobs,
        options.output,
        Path(f"{options.output}.work").absolute(),
    )


if __name__ == "__main__":
    run(main)
