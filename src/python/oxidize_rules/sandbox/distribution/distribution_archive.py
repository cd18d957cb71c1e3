"""Writes a Python built from source as an archive in python-build-standalone's format.

    python -m oxidize_rules.sandbox.distribution.distribution_archive --build out --libraries deps
        --target-triple x86_64-unknown-linux-musl [--glibc-floor 2.17] --output x.tar.zst

BUILD is what `toolchains/recipes/cpython.sh` leaves (`install/`, `build/`, `licenses/`,
`sysconfig.json`); LIBRARIES holds the libraries' `lib/*.a` and `licenses/`. The archive is a
"full" one, `PYTHON.json` version 8, as the documentation of python-build-standalone describes it
(https://gregoryszorc.com/docs/python-build-standalone/main/distributions.html):

    python/PYTHON.json         first, so that it can be read without the rest
    python/build/**            objects, library archives, and the build's tables of extensions
    python/install/**          the installation
    python/licenses/**

Which object and library belongs to which extension is read from the build: `config.c` (the table of
built-in modules), the `Setup` files (sources of each module) and the Makefile (link arguments).
Objects that belong to no extension are the interpreter's core. Objects of libraries inside
CPython's source (libmpdec, expat, HACL*) are listed with the extension that uses them.

Needs `zstandard`. The same input gives the same bytes. Paths in the input are taken as they are:
the recipe has seen to it that they name no folder of the build.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import stat
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Iterable, Mapping, Optional, Sequence

import zstandard

from oxidize_rules.sandbox.errors import UserError, run

FORMAT_VERSION = "8"
# 2024-01-01 00:00 UTC, as in python-build-standalone's archives.
MODIFICATION_TIME = 1704067200
# A window that holds the archive's two copies of each object; decoders accept 27 by default.
COMPRESSION_LEVEL, WINDOW_LOG = 9, 27

# The only files in the archive that are executable.
PROGRAMS = "install/bin/"

# Modules without which the interpreter does not start, on Linux.
REQUIRED_EXTENSIONS = frozenset(
    ("_codecs", "_io", "_signal", "_thread", "_tracemalloc", "_weakref", "faulthandler", "posix")
)
# Libraries of the system; all others must be among the archives.
SYSTEM_LIBRARIES = frozenset(("c", "crypt", "dl", "m", "pthread", "rt", "util"))
# glibc keeps functions that the core uses in these (up to 2.33). The compiler of the sysroot links
# them unasked, so that the build does not say it.
GLIBC_CORE_LIBRARIES = ("pthread", "rt", "util")

# Packages of tests in any CPython's standard library: a consumer leaves them out.
TEST_PACKAGES = (
    "bsddb.test",
    "ctypes.test",
    "distutils.tests",
    "email.test",
    "idlelib.idle_test",
    "json.tests",
    "lib-tk.test",
    "lib2to3.tests",
    "sqlite3.test",
    "test",
    "tkinter.test",
    "unittest.test",
)


@dataclass(frozen=True)
class License:
    """`identifiers` are SPDX; none of them and `public_domain` for what has no owner."""

    identifiers: tuple[str, ...]
    file: str
    public_domain: bool = False


OPENSSL = License(("Apache-2.0",), "LICENSE.openssl-3.txt")
NCURSES = License(("X11-distribute-modifications-variant",), "LICENSE.ncurses.txt")
# By the name after `-l`.
LIBRARY_LICENSES = {
    "bz2": License(("bzip2-1.0.6",), "LICENSE.bzip2.txt"),
    "crypto": OPENSSL,
    "edit": License(("BSD-3-Clause",), "LICENSE.libedit.txt"),
    "ffi": License(("MIT",), "LICENSE.libffi.txt"),
    "lzma": License(("0BSD",), "LICENSE.liblzma.txt"),
    "ncursesw": NCURSES,
    "panelw": NCURSES,
    "sqlite3": License((), "LICENSE.sqlite.txt", public_domain=True),
    "ssl": OPENSSL,
    "uuid": License(("BSD-3-Clause",), "LICENSE.libuuid.txt"),
    "z": License(("Zlib",), "LICENSE.zlib.txt"),
}
# Libraries inside CPython's source, by their folder. What is not here comes under CPython's licence
# and the notices in LICENSE.cpython-incorporated-software.txt.
BUNDLED_LICENSES = {
    "Modules/_decimal/libmpdec": License(("BSD-2-Clause",), "LICENSE.mpdecimal.txt"),
    "Modules/expat": License(("MIT",), "LICENSE.expat.txt"),
}
CPYTHON_LICENSE = License(("Python-2.0", "CNRI-Python"), "LICENSE.cpython.txt")

RUN_TESTS = '''\
"""Runs CPython's own tests with this archive's interpreter. Arguments are those of `-m test`, such
as `-j2` or `test_json`; with `--imports` alone, every module that is built in is imported instead.
"""

import pathlib
import subprocess
import sys

PROGRAM = """
import sys
for name in sys.builtin_module_names:
    __import__(name)
print(len(sys.builtin_module_names), "modules imported")
"""
python = pathlib.Path(__file__).resolve().parent.parent / "install" / "bin" / "PYTHON"
arguments = ["-m", "test", *sys.argv[1:]]
if sys.argv[1:] == ["--imports"]:
    arguments = ["-c", PROGRAM]
sys.exit(subprocess.call([str(python), "-I", *arguments]))
'''


@dataclass(frozen=True)
class Target:
    triple: str
    glibc_floor: Optional[str]

    @property
    def static(self) -> bool:
        return self.triple.endswith("-musl")

    @property
    def build_options(self) -> str:
        """python-build-standalone's words for: neither PGO nor LTO."""
        return "noopt+static" if self.static else "noopt"

    @property
    def crt_features(self) -> list[str]:
        if self.static:
            return ["static"]
        return ["glibc-dynamic", f"glibc-max-symbol-version:{self.glibc_floor}"]


@dataclass(frozen=True)
class SetupLine:
    """A module's line in a Setup file. Paths are relative to the build's root."""

    objects: tuple[str, ...]
    archives: tuple[str, ...]
    libraries: tuple[str, ...]


@dataclass(frozen=True)
class Extension:
    """`objects`: paths below build/; `libraries`: names after `-l`, in link order."""

    name: str
    init_function: Optional[str]
    in_core: bool
    objects: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    licenses: tuple[License, ...] = field(default=())


# -------------------------------------------------------------------------------------------------
# Reading the build.
# -------------------------------------------------------------------------------------------------


class Makefile:
    """The variables of a Makefile, and the prerequisites of its rules."""

    def __init__(self, text: str) -> None:
        self.variables: dict[str, str] = {}
        self._rules: dict[str, list[str]] = {}
        rules: list[tuple[str, str]] = []
        for line in re.sub(r"[ \t]*\\\n[ \t]*", " ", text).splitlines():
            assignment = re.match(r"(\w+)[ \t]*=[ \t]*(.*)$", line)
            if assignment:
                self.variables[assignment.group(1)] = assignment.group(2).strip()
                continue
            rule = re.match(r"([^\s#:][^:]*):(?![:=])\s*([^;]*)", line)
            if rule:
                rules.append((rule.group(1), rule.group(2)))
        for targets, prerequisites in rules:
            for target in self.expand(targets).split():
                self._rules.setdefault(target, []).extend(self.expand(prerequisites).split())

    def expand(self, text: str) -> str:
        """`text` with `$(NAME)` replaced; unknown names and functions of make become nothing."""
        for _ in range(20):
            text, count = re.subn(
                r"\$[({]([^(){}$]*)[)}]",
                lambda match: self.variables.get(str(match.group(1)), ""),
                text,
            )
            if not count:
                return text
        raise ValueError(f"a variable of the Makefile contains itself: {text[:200]}")

    def get(self, name: str) -> str:
        return self.expand(self.variables.get(name, "")).strip()

    def prerequisites(self, target: str) -> list[str]:
        return self._rules.get(target, [])


def parse_inittab(text: str) -> dict[str, Optional[str]]:
    """The modules in the table of a `config.c`, with their init functions (None: NULL)."""
    table = re.search(r"_PyImport_Inittab\[\]\s*=\s*\{(.*)\{0, 0\}", text, re.DOTALL)
    if table is None:
        raise ValueError("config.c has no table _PyImport_Inittab")
    entries = re.findall(r'\{\s*"([\w.]+)",\s*(\w+)\s*\}', table.group(1))
    return {name: None if init == "NULL" else init for name, init in entries}


def parse_setup(text: str, makefile: Makefile) -> dict[str, SetupLine]:
    """The modules of a Setup file that are to be built in (not `*shared*`, not `*disabled*`)."""
    lines: dict[str, SetupLine] = {}
    linked = True
    for raw in text.replace("\\\n", " ").splitlines():
        line = raw.partition("#")[0].strip()
        if line in ("*static*", "*shared*", "*disabled*", "*noconfig*"):
            linked = line == "*static*"
        elif line and linked and not re.match(r"\w+\s*=", line):
            name, *words = makefile.expand(line).split()
            lines[name] = _setup_line(words)
    return lines


def _setup_line(words: Sequence[str]) -> SetupLine:
    """A source `a/b.c` makes the object Modules/a/b.o (Modules/makesetup)."""
    sources = [word for word in words if word.endswith(".c")]
    archives = [word for word in words if word.endswith(".a")]
    return SetupLine(
        tuple(f"Modules/{source[:-2]}.o" for source in sources), tuple(archives), _names(words)
    )


def _names(words: Iterable[str]) -> tuple[str, ...]:
    """What `-l` arguments name; of a repeated one the last, which is what counts for a linker."""
    names = [word[2:] for word in words if word.startswith("-l")]
    return tuple(reversed(list(dict.fromkeys(reversed(names)))))


def bundled_objects(archive: str, makefile: Makefile) -> list[str]:
    """The objects of a library that the build makes for itself, such as libmpdec.a."""
    objects = [word for word in makefile.prerequisites(archive) if word.endswith(".o")]
    if not objects:
        raise UserError(f"The Makefile does not say what {archive} is made of.")
    return objects


def unique_licenses(licenses: Iterable[Optional[License]]) -> tuple[License, ...]:
    return tuple(dict.fromkeys(entry for entry in licenses if entry is not None))


def read_extension(
    name: str, init: Optional[str], line: SetupLine, makefile: Makefile
) -> Extension:
    words = makefile.get(f"MODULE_{name.upper()}_LDFLAGS").split()
    archives = [*line.archives, *(word for word in words if word.endswith(".a"))]
    objects = [*line.objects]
    for archive in dict.fromkeys(archives):
        objects.extend(bundled_objects(archive, makefile))
    libraries = _names([*(f"-l{library}" for library in line.libraries), *words])
    for library in libraries:
        if library not in SYSTEM_LIBRARIES and library not in LIBRARY_LICENSES:
            raise UserError(
                f"The extension {name} needs the library {library}, whose licence is not known. "
                "Add it to LIBRARY_LICENSES in sandbox/distribution/distribution_archive.py."
            )
    licenses = unique_licenses(
        [
            *(LIBRARY_LICENSES.get(library) for library in libraries),
            *(BUNDLED_LICENSES.get(os.path.dirname(path)) for path in objects),
        ]
    )
    return Extension(name, init, False, tuple(dict.fromkeys(objects)), libraries, licenses)


def read_extensions(build: Path, makefile: Makefile) -> list[Extension]:
    """The modules of the built interpreter, sorted by name."""
    modules = build / "Modules"
    inittab = parse_inittab((modules / "config.c").read_text())
    core = parse_inittab((modules / "config.c.in").read_text())
    setup: dict[str, SetupLine] = {}
    # makesetup is given the files in this order, and the first line for a module counts.
    for name in ("Setup.local", "Setup.stdlib", "Setup.bootstrap", "Setup"):
        for module, line in parse_setup((modules / name).read_text(), makefile).items():
            setup.setdefault(module, line)
    extensions = []
    for name, init in sorted(inittab.items()):
        if name in core:
            extensions.append(Extension(name, init, True))
        elif name in setup:
            extensions.append(read_extension(name, init, setup[name], makefile))
        else:
            raise UserError(
                f"The module {name} is in the interpreter, but in no Setup file of the build."
            )
    return extensions


def core_objects(build: Path, extensions: Iterable[Extension]) -> list[str]:
    """What belongs to no extension. Programs/ (which has `main`) belongs to neither."""
    claimed = {path for extension in extensions for path in extension.objects}
    return [
        path
        for folder in ("Modules", "Objects", "Parser", "Python")
        for path in sorted(
            file.relative_to(build).as_posix() for file in (build / folder).rglob("*.o")
        )
        if path not in claimed
    ]


# -------------------------------------------------------------------------------------------------
# PYTHON.json
# -------------------------------------------------------------------------------------------------


def describe_link(library: str) -> dict[str, Any]:
    if library in SYSTEM_LIBRARIES:
        return {"name": library, "system": True}
    return {"name": library, "path_static": f"build/lib/lib{library}.a"}


def describe_extension(extension: Extension) -> dict[str, Any]:
    described: dict[str, Any] = {
        "in_core": extension.in_core,
        "init_fn": extension.init_function or "NULL",
        "links": [describe_link(library) for library in extension.libraries],
        "objs": [f"build/{path}" for path in extension.objects],
        "required": extension.name in REQUIRED_EXTENSIONS,
        "variant": "default",
    }
    if extension.licenses:
        licenses = extension.licenses
        described["licenses"] = sorted({spdx for entry in licenses for spdx in entry.identifiers})
        described["license_paths"] = sorted(f"licenses/{entry.file}" for entry in licenses)
        described["license_public_domain"] = all(entry.public_domain for entry in licenses)
    return described


def describe_build(
    target: Target, extensions: Sequence[Extension], objects: Sequence[str], makefile: Makefile
) -> dict[str, Any]:
    words = f"{makefile.get('LIBS')} {makefile.get('SYSLIBS')}".split()
    core_libraries = [*_names(words), *(() if target.static else GLIBC_CORE_LIBRARIES)]
    strange = set(core_libraries) - SYSTEM_LIBRARIES
    if strange:
        raise UserError(f"The interpreter itself needs {', '.join(sorted(strange))}.")
    return {
        "core": {
            "links": [describe_link(library) for library in sorted(set(core_libraries))],
            "objs": [f"build/{path}" for path in objects],
        },
        "extensions": {extension.name: [describe_extension(extension)] for extension in extensions},
        "inittab_cflags": ["-std=c99", "-DNDEBUG", "-DPy_BUILD_CORE"],
        "inittab_object": "build/Modules/config.o",
        "inittab_source": "build/Modules/config.c",
        "object_file_format": "elf",
    }


def describe_python(
    target: Target, said: Mapping[str, Any], build_info: dict[str, Any]
) -> dict[str, Any]:
    """The content of PYTHON.json; `said` is the interpreter's own sysconfig.json."""
    version = ".".join(said["version"].split(".")[:2])
    short = version.replace(".", "")
    platform_config = said["config_vars"]["LIBPL"].lstrip("/")
    build_info["core"]["static_lib"] = f"{platform_config}/libpython{version}{said['abi_tag']}.a"
    return {
        "version": FORMAT_VERSION,
        "target_triple": target.triple,
        "build_options": target.build_options,
        "optimizations": target.build_options,
        "python_tag": f"cp{short}",
        "python_version": said["version"],
        "python_major_minor_version": version,
        "python_abi_tag": said["abi_tag"],
        "python_platform_tag": said["platform_tag"],
        "python_implementation_name": said["implementation_name"],
        "python_implementation_version": said["implementation_version"],
        "python_implementation_hex_version": said["implementation_hex_version"],
        "python_implementation_cache_tag": said["implementation_cache_tag"],
        "python_bytecode_magic_number": said["bytecode_magic_number"],
        "python_paths": said["paths"],
        "python_paths_abstract": said["paths_abstract"],
        "python_config_vars": said["config_vars"],
        "python_exe": f"install/bin/python{version}{said['abi_tag']}",
        "python_stdlib_platform_config": platform_config,
        "python_stdlib_test_packages": list(TEST_PACKAGES),
        "python_suffixes": said["suffixes"],
        # There is no libpythonX.Y.so in these archives.
        "libpython_link_mode": "static",
        "python_symbol_visibility": "global-default",
        "python_extension_module_loading": (
            ["builtin"] if target.static else ["builtin", "shared-library"]
        ),
        "crt_features": target.crt_features,
        "run_tests": "build/run_tests.py",
        "licenses": list(CPYTHON_LICENSE.identifiers),
        "license_path": f"licenses/{CPYTHON_LICENSE.file}",
        "build_info": build_info,
    }


def named_paths(description: Mapping[str, Any]) -> set[str]:
    """Every path that PYTHON.json names."""
    info = description["build_info"]
    paths = {description[key] for key in ("python_exe", "run_tests", "license_path")}
    paths |= {description["python_stdlib_platform_config"], *description["python_paths"].values()}
    paths |= {info["inittab_object"], info["inittab_source"], info["core"]["static_lib"]}
    paths |= set(info["core"]["objs"])
    for variants in info["extensions"].values():
        for variant in variants:
            paths.update(variant["objs"], variant.get("license_paths", ()))
            paths.update(link["path_static"] for link in variant["links"] if "path_static" in link)
    return paths


# -------------------------------------------------------------------------------------------------
# Writing the archive.
# -------------------------------------------------------------------------------------------------


def collect_members(build: Path, libraries: Path) -> dict[str, Path]:
    """The archive's files by their name below python/. Bytecode is the consumer's to make."""
    members: dict[str, Path] = {}
    for folder, source in (
        ("build", build / "build"),
        ("install", build / "install"),
        ("licenses", build / "licenses"),
        ("licenses", libraries / "licenses"),
    ):
        for root, folders, files in os.walk(source):
            linked = [name for name in folders if os.path.islink(os.path.join(root, name))]
            for name in [*files, *linked]:
                path = Path(root, name)
                if path.suffix != ".pyc":
                    members[f"{folder}/{path.relative_to(source).as_posix()}"] = path
    for pattern in ("*.a", "pkgconfig/*.pc"):
        for path in (libraries / "lib").glob(pattern):
            members[f"build/lib/{path.relative_to(libraries / 'lib').as_posix()}"] = path
    return members


def check_paths(description: Mapping[str, Any], members: Iterable[str]) -> None:
    """Raises UserError unless every path that PYTHON.json names is a member, or holds one."""
    present = set(members)
    for member in tuple(present):
        present.update(parent.as_posix() for parent in Path(member).parents)
    missing = sorted(path for path in named_paths(description) if path not in present)
    if missing:
        raise UserError(
            f"The build lacks files that PYTHON.json names: {', '.join(missing[:10])}"
            f"{' ...' if len(missing) > 10 else ''}. Expected them from CPython's recipe "
            "or from the recipes of the libraries."
        )


def _member(name: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(f"python/{name}")
    member.mtime = MODIFICATION_TIME
    member.uname = member.gname = "root"
    member.mode = 0o644
    return member


def write_tar(
    stream: IO[bytes], generated: Mapping[str, bytes], members: Mapping[str, Path]
) -> None:
    """Writes `generated` first (in its order), then `members` sorted by name."""
    with tarfile.open(fileobj=stream, mode="w|", format=tarfile.GNU_FORMAT) as archive:
        for name, content in generated.items():
            member = _member(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for name in sorted(members):
            path, member = members[name], _member(name)
            status = path.lstat()
            if stat.S_ISLNK(status.st_mode):
                member.type, member.linkname, member.mode = (
                    tarfile.SYMTYPE,
                    os.readlink(path),
                    0o777,
                )
                archive.addfile(member)
                continue
            member.size = status.st_size
            # The files' own modes do not count: a sandbox may hold any large file as executable.
            if name.startswith(PROGRAMS):
                member.mode = 0o755
            with path.open("rb") as file:
                archive.addfile(member, file)


def write_archive(
    output: Path, generated: Mapping[str, bytes], members: Mapping[str, Path]
) -> None:
    """Compresses in two threads; their number does not show in the result."""
    parameters = zstandard.ZstdCompressionParameters.from_level(
        COMPRESSION_LEVEL, window_log=WINDOW_LOG, enable_ldm=True, write_checksum=True, threads=2
    )
    compressor = zstandard.ZstdCompressor(compression_params=parameters)
    partial = output.with_name(f"{output.name}.partial")
    with partial.open("wb") as file, compressor.stream_writer(file) as stream:
        write_tar(stream, generated, members)
    os.replace(partial, output)


def create_archive(build: Path, libraries: Path, target: Target, output: Path) -> dict[str, Any]:
    """Writes the archive to `output` and gives the content of its PYTHON.json."""
    said = json.loads((build / "sysconfig.json").read_text())
    platform_config = said["config_vars"]["LIBPL"].lstrip("/")
    makefile = Makefile((build / platform_config / "Makefile").read_text())
    tree = build / "build"
    extensions = read_extensions(tree, makefile)
    info = describe_build(target, extensions, core_objects(tree, extensions), makefile)
    description = describe_python(target, said, info)
    python = os.path.basename(description["python_exe"])
    generated = {
        "PYTHON.json": (json.dumps(description, indent=4, sort_keys=True) + "\n").encode(),
        "build/run_tests.py": RUN_TESTS.replace("PYTHON", python).encode(),
    }
    members = collect_members(build, libraries)
    check_paths(description, [*members, *generated])
    write_archive(output, generated, members)
    return description


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="distribution_archive.py")
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--libraries", type=Path, required=True)
    parser.add_argument("--target-triple", required=True)
    parser.add_argument("--glibc-floor")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args(argv)
    target = Target(options.target_triple, options.glibc_floor)
    if not target.static and target.glibc_floor is None:
        raise UserError(f"{target.triple} uses glibc: --glibc-floor is needed, such as 2.17.")
    create_archive(options.build, options.libraries, target, options.output)


if __name__ == "__main__":
    run(main)
