"""Writes a sysroot: what a compiler and a linker need of one C library, under stable names.

    sysroot.py --zig __zig/ziglang/zig --target-triple x86_64-unknown-linux-gnu \
        --glibc-floor 2.17 --wrapper __wrapper/cc.sh --output __sysroot

This program is the one place that knows where the C library comes from. It lets zig link a small
program once (`zig cc -v`), and copies the files which the last linker command names: for glibc the
start objects, stub libraries with its symbols up to the floor, and compiler-rt; for musl only
compiler-rt, since musl itself is our own build (`--musl`, see sandbox/toolchain/musl.py). Later
compilations call zig's clang, and later links zig's lld, with these files; neither asks zig for a C
library again, which would take half a minute for each combination of options.

The result (paths relative to the sysroot):

    lib/               objects and archives; for `-l` names without a file of their own, empty
                       archives (musl) or linker scripts (glibc)
    bin/               cc, c++, host-cc, ar, ranlib, ld, ld.lld: copies of sandbox/toolchain/cc.sh
    bin/config.sh      the arguments that cc.sh needs
    sysroot.json       the same for rules, which call clang and lld themselves

Paths under the zig tree are written relative to the sandbox's root (`__zig/...`).
Nothing in the result depends on the folder, the machine or the time of the build.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Optional, Sequence

from oxidize_rules.sandbox.errors import UserError, run

# Where the zig tree stands in every sandbox that uses a sysroot.
ZIG_LIB = "__zig/ziglang/lib"
PROBE = "int main(void) { return 0; }\n"
TRIPLE = re.compile(r"(x86_64|aarch64)-unknown-linux-(musl|gnu)")
EMULATIONS = {"x86_64": "elf_x86_64", "aarch64": "aarch64linux"}
# Names that a build may ask for with `-l`, although libc has their content.
MUSL_EMPTY = ("crypt", "dl", "m", "pthread", "resolv", "rt", "util", "xnet")
GNU_SCRIPTS = {
    "c": "libc.so.6 libc_nonshared.a",
    "dl": "libdl.so.2",
    "m": "libm.so.6",
    "pthread": "libpthread.so.0",
    "resolv": "libresolv.so.2",
    "rt": "librt.so.1",
    "util": "libutil.so.1",
}
# gcc's own run-time libraries: compiler-rt has what C programs need of them.
EMPTY = ("gcc", "gcc_eh")
# Of our build of musl: what a static program is linked with, and one that is its own loader.
MUSL_START = ("lib/rcrt1.o",)
MUSL_LIBRARIES = ("lib/libc.a", "lib/libmalloc.a")
MUSL_LOADER = {
    "entry": "_dlstart",
    "start_objects": ["lib/Scrt1.o", "lib/dlstart.o", "lib/dynlink.o"],
    # All of it: what a library may ask for is known when it is loaded.
    "whole_libraries": ["lib/libc.a"],
    "exports": "lib/libc.exports",
}
TOOLS = ("cc", "c++", "host-cc", "ar", "ranlib", "ld", "ld.lld")

AR_MAGIC = b"!<arch>\n"
AR_HEADER = 60


@dataclass(frozen=True)
class Target:
    triple: str
    architecture: str
    libc: str
    glibc_floor: Optional[str]

    @property
    def zig_target(self) -> str:
        floor = f".{self.glibc_floor}" if self.glibc_floor else ""
        return f"{self.architecture}-linux-{self.libc}{floor}"

    @property
    def pie(self) -> list[str]:
        return ["-static", "-pie"] if self.libc == "musl" else ["-pie"]


@dataclass(frozen=True)
class ProbedToolchain:
    """What zig used: `inputs` are the linker's files in their order, without the program's own.

    For musl these are compiler-rt alone.
    """

    include_dirs: tuple[str, ...]
    defines: tuple[str, ...]
    inputs: tuple[Path, ...]
    dynamic_linker: Optional[str]


def parse_target(triple: str, glibc_floor: Optional[str]) -> Target:
    match = TRIPLE.fullmatch(triple)
    if match is None:
        raise UserError(
            f"The target triple {triple!r} is not known. Expected "
            "`<x86_64 or aarch64>-unknown-linux-<musl or gnu>`."
        )
    architecture, libc = match.groups()
    if libc == "musl" and glibc_floor is not None:
        raise UserError(f"glibc_floor is {glibc_floor!r}, but {triple} does not use glibc.")
    if libc == "gnu" and not re.fullmatch(r"2\.[0-9]{1,2}", glibc_floor or ""):
        raise UserError(
            f"glibc_floor is {glibc_floor!r}; for {triple} a version such as '2.17' is expected."
        )
    return Target(triple, architecture, libc, glibc_floor)


def probe(zig: str, target: Target, folder: Path) -> ProbedToolchain:
    """Links a program with zig in `folder`, and reads what zig did.

    `-s` makes zig build libc without debug information, which would name folders of this build.
    """
    (folder / "probe.c").write_text(PROBE)
    environment = {
        **os.environ,
        "ZIG_GLOBAL_CACHE_DIR": os.environ.get("ZIG_GLOBAL_CACHE_DIR", ".zig-cache"),
        "ZIG_LOCAL_CACHE_DIR": ".zig-cache",
    }
    base = [os.path.abspath(zig), "cc", "-target", target.zig_target, "-g0", "-s", "-O2", "-fPIE"]
    commands = [[*base, "-pie", "-v", "-o", "probe", "probe.c"]]
    if target.libc == "musl":
        # Without zig's own musl; then, for the include folders, a compilation.
        commands = [
            [*base, "-pie", "-static", "-nostdlib", "-rtlib=compiler-rt", *commands[0][-4:]],
            [*base, "-v", "-c", "-o", "probe.o", "probe.c"],
        ]
    log = ""
    for command in commands:
        result = subprocess.run(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        log += result.stdout.decode(errors="replace")
        if result.returncode != 0:
            raise UserError(f"zig cannot link for {target.zig_target}:\n{log[-4000:]}")
    return parse_log(log, folder)


def parse_log(log: str, folder: Path) -> ProbedToolchain:
    """Reads the output of `zig cc -v`: clang's `-cc1` command and the last `ld.lld` command."""
    lines = log.splitlines()
    commands = [line.split() for line in lines if re.match(r"ld\.lld (?!-r )", line)]
    compilations = [shlex.split(line) for line in lines if " -cc1 -triple " in line]
    if not commands or not compilations:
        raise ValueError(f"no compiler or linker command in the output of zig:\n{log}")
    compilation, link = compilations[-1], commands[-1]
    # zig may name its folder with or without the symbolic links on the way to it.
    found = [value.rpartition("/ziglang/lib/") for value in _values(compilation, "-isystem")]
    include_dirs = tuple(folder for _, separator, folder in found if separator)
    if len(include_dirs) != len(found) or not found:
        raise ValueError(f"unexpected include folders in the output of zig:\n{compilation}")
    defines = tuple(value for value in _values(compilation, "-D") if value != "NDEBUG")
    dynamic_linker = next(_values(link, "--dynamic-linker"), None)
    inputs = tuple(
        folder / word
        for previous, word in zip(link, link[1:])
        if re.search(r"\.(o|a|so(\.[0-9]+)*)$", word)
        and previous not in ("-o", "--dynamic-linker")
        and not word.endswith("/probe.o")
    )
    return ProbedToolchain(include_dirs, defines, inputs, dynamic_linker)


def _values(words: Sequence[str], option: str) -> Iterator[str]:
    return (value for name, value in zip(words, words[1:]) if name == option)


def archive_members(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The members of a GNU `ar` archive (System V format: `/` symbols, `//` long names)."""
    if not data.startswith(AR_MAGIC):
        raise ValueError("not an ar archive")
    offset, long_names = len(AR_MAGIC), b""
    while offset < len(data):
        header = data[offset : offset + AR_HEADER]
        name, size = header[:16].rstrip(), int(header[48:58])
        content = data[offset + AR_HEADER : offset + AR_HEADER + size]
        offset += AR_HEADER + size + size % 2
        if name in (b"/", b"/SYM64/"):
            continue
        if name == b"//":
            long_names = content
            continue
        if name.startswith(b"/"):
            start = int(name[1:])
            name = long_names[start : long_names.index(b"/\n", start)]
        yield os.path.basename(name.decode().rstrip("/")), content


def copy_archive(
    zig: str, source: Path, target: Path, scratch: Path, *, visible: bool = False
) -> None:
    """Writes an archive again, since zig names its members by paths in zig's cache.

    With `visible`, weak symbols in it are no longer hidden.
    """
    members: dict[str, bytes] = {}
    for name, content in archive_members(source.read_bytes()):
        stem, suffix = os.path.splitext(name)
        unique, count = name, 1
        while unique in members:
            count += 1
            unique = f"{stem}.{count}{suffix}"
        members[unique] = with_visible_symbols(content) if visible else content
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    for name, content in members.items():
        (scratch / name).write_bytes(content)
    # The names go in through a file: there are more than a command line should hold.
    (scratch / "members.rsp").write_text("\n".join(members) + "\n")
    subprocess.run(
        [os.path.abspath(zig), "ar", "rcsD", os.path.abspath(target), "@members.rsp"],
        cwd=scratch,
        check=True,
    )


def with_visible_symbols(content: bytes) -> bytes:
    """An object whose weak symbols are no longer hidden.

    compiler-rt's `sin` or `memcpy` are weak and hidden. A linker gives a symbol the narrowest of
    all visibilities that its objects ask for, so they would hide libc's own from loaded libraries.
    """
    if content[:6] != b"\x7fELF\x02\x01":
        return content
    changed = bytearray(content)
    (sections_at,) = struct.unpack_from("<Q", content, 40)
    (section_count,) = struct.unpack_from("<H", content, 60)
    for number in range(section_count):
        header = struct.unpack_from("<IIQQQQIIQQ", content, sections_at + 64 * number)
        if header[1] != 2:  # SHT_SYMTAB
            continue
        for at in range(header[4], header[4] + header[5], header[9]):
            info, other = content[at + 4], content[at + 5]
            if info >> 4 == 2 and other & 3 == 2:  # STB_WEAK, STV_HIDDEN
                changed[at + 5] = other & ~3
    return bytes(changed)


def write_empty_archives(lib: Path, names: Sequence[str]) -> None:
    for name in names:
        (lib / f"lib{name}.a").write_bytes(AR_MAGIC)


def compile_arguments(target: Target, probed: ProbedToolchain) -> list[str]:
    """clang's arguments for this target; folders are relative to the sandbox's root."""
    return [
        f"--target={target.triple}",
        "-nostdinc",
        *(word for folder in probed.include_dirs for word in ("-isystem", f"{ZIG_LIB}/{folder}")),
        *(f"-D{define}" for define in probed.defines),
        "-fPIE",
    ]


def describe(target: Target, probed: ProbedToolchain) -> dict[str, object]:
    """The content of `sysroot.json`."""
    names = [f"lib/{path.name}" for path in probed.inputs]
    if target.libc == "musl":
        names = [*MUSL_START, *MUSL_LIBRARIES, *names]
    return {
        "target_triple": target.triple,
        "zig_target": target.zig_target,
        "glibc_floor": target.glibc_floor,
        "compile_args": compile_arguments(target, probed),
        "emulation": EMULATIONS[target.architecture],
        "dynamic_linker": probed.dynamic_linker,
        "pie": target.pie,
        "start_objects": [name for name in names if name.endswith(".o")],
        "libraries": [name for name in names if not name.endswith(".o")],
        "end_objects": [],
        # What shared libraries are linked with. On musl they find libc in the program.
        "shared_libraries": [
            name for name in names if not name.endswith(".o") and name not in MUSL_LIBRARIES
        ],
        "library_dirs": ["lib"],
        "loader": MUSL_LOADER if target.libc == "musl" else None,
    }


def shell_config(description: dict[str, object]) -> str:
    """`bin/config.sh`, read by cc.sh: how to compile and link, around arguments that it is given.

    Functions, because a POSIX shell has no other list than its arguments, and a sandbox may stand
    in a folder with blanks in its name.
    """

    def words(key: str) -> list[str]:
        value = description[key]
        assert isinstance(value, list)
        return [str(word) for word in value]

    def located(path: str) -> str:
        """In the sysroot, or beside it: inputs of a sandbox begin with `__`."""
        return f"$sandbox/{path}" if path.startswith("__") else f"$sysroot/{path}"

    def quoted(key: str) -> str:
        return " ".join(f'"{located(word)}"' for word in words(key))

    arguments = " ".join(
        f'"$sandbox/{word}"' if word.startswith(ZIG_LIB) else f"'{word}'"
        for word in words("compile_args")
    )
    start, libraries = quoted("start_objects"), quoted("libraries")
    folders = " ".join(f'"-L{located(folder)}"' for folder in words("library_dirs"))
    # Their own compiler-rt and libc++ are nobody else's.
    archives = [name for name in words("shared_libraries") if name.endswith(".a")]
    hidden = ":".join(name.rpartition("/")[2] for name in archives)
    shared = f"-x none {quoted('shared_libraries')} -Wl,--gc-sections"
    shared += f" -Wl,--exclude-libs,{hidden}"
    dynamic_linker = description["dynamic_linker"]
    if dynamic_linker:
        kind = f"-pie '-Wl,--dynamic-linker,{dynamic_linker}'"
        libraries = f"-Wl,--as-needed {libraries}"
        shared = f"-Wl,--as-needed {shared}"
    else:
        kind = "-static-pie"
    return f"""\
# Written by sandbox/toolchain/sysroot.py.
architecture={str(description["target_triple"]).partition("-")[0]}
compile() {{
  exec "$zig" clang --driver-mode=$driver "--sysroot=$sysroot" -Qunused-arguments \\
    "--ld-path=$bin/ld.lld" "-B$bin" "-ffile-prefix-map=$sandbox=/build" \\
    {arguments} "$@" -g0
}}
link_program() {{
  compile -nostdlib {kind} {start} "$@" -x none {folders} {libraries}
}}
link_shared() {{
  compile -nostdlib "$@" {folders} {shared}
}}
"""


def write_sysroot(
    zig: str, target: Target, musl: Optional[Path], wrapper: Path, output: Path, scratch: Path
) -> None:
    scratch.mkdir(parents=True, exist_ok=True)
    probed = probe(zig, target, scratch)
    lib, bin_dir = output / "lib", output / "bin"
    lib.mkdir(parents=True)
    bin_dir.mkdir()
    for path in probed.inputs:
        if path.suffix == ".a":
            visible = target.libc == "musl"
            copy_archive(zig, path, lib / path.name, scratch / "members", visible=visible)
        else:
            shutil.copyfile(path, lib / path.name)
    if target.libc == "musl":
        assert musl is not None
        for path in sorted((musl / "lib").iterdir()):
            shutil.copyfile(path, lib / path.name)
        write_empty_archives(lib, (*EMPTY, *MUSL_EMPTY))
    else:
        write_empty_archives(lib, (*EMPTY, "gcc_s"))
        for name, content in GNU_SCRIPTS.items():
            (lib / f"lib{name}.so").write_text(f"INPUT({content})\n")
    description = describe(target, probed)
    (output / "sysroot.json").write_text(json.dumps(description, indent=1) + "\n")
    (bin_dir / "config.sh").write_text(shell_config(description))
    for tool in TOOLS:
        shutil.copyfile(wrapper, bin_dir / tool)
        (bin_dir / tool).chmod(0o755)


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="sysroot.py")
    parser.add_argument("--zig", required=True)
    parser.add_argument("--target-triple", required=True)
    parser.add_argument("--glibc-floor")
    parser.add_argument(
        "--musl", type=Path, help="written by sandbox/toolchain/musl.py; for musl only"
    )
    parser.add_argument("--wrapper", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--scratch", type=Path, default=Path("__scratch"))
    options = parser.parse_args(argv)
    target = parse_target(options.target_triple, options.glibc_floor)
    if (target.libc == "musl") != (options.musl is not None):
        parser.error("--musl belongs to a musl target")
    write_sysroot(
        options.zig, target, options.musl, options.wrapper, options.output, options.scratch
    )


if __name__ == "__main__":
    run(main)
