"""The virtual filesystem against a real one: the same tree in an image and on disk, random paths.

The C sources are compiled with the machine's `cc` (with sanitizers), or with the zig that
`OXIDIZE_TEST_ZIG` names; the image comes from the sandbox programs. What needs a whole Python is
in `testprojects/interpreter/checks`, run by the packaged interpreter.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Dict, List

import pytest

from oxidize_rules.util_rules.runtime import symbol_list

RUNTIME = Path(__file__).parent
SOURCES_ROOT = RUNTIME.parents[1]
SOURCES = (
    "glibc_names.c",
    "glibc_search.c",
    "wrap.c",
    "image.c",
    "trace.c",
    "file_pages.c",
    "vfs_content.c",
    "vfs_cwd.c",
    "vfs_descriptor.c",
    "vfs_dir.c",
    "vfs_exec.c",
    "vfs_file.c",
    "vfs_path.c",
    "vfs_refuse.c",
    "vfs_standing.c",
    "vfs_stat.c",
    "vfs_statx.c",
    "vfs_system.c",
)
TREE = {
    "app/pkg/a.py": b"".join(b"value_%d = %d\n" % (i, i * i * 7919) for i in range(400)),
    "app/pkg/data.txt": b"text" * 1000,
    "app/pkg/empty": b"",
    "app/pkg/deep/deeper/x": b"x",
    "app/pkg/x/a/b/data.txt": b"",
    "app/a.py": b"",
    "app/x": b"x" * 70000,
    "app/z/data.txt": b"z",
}


def compiler() -> List[str]:
    found = os.environ.get("CC") or shutil.which("cc")
    if found:
        sanitizers = "-fsanitize=address,undefined"
        return [found, sanitizers, "-fno-sanitize-recover=all", "-g"]
    zig = os.environ.get("OXIDIZE_TEST_ZIG")
    if zig:
        return [zig, "cc", "-target", "x86_64-linux-gnu.2.17", "-g"]
    pytest.skip(
        "no C compiler: neither `cc` nor OXIDIZE_TEST_ZIG; the checks that the packaged "
        "interpreter runs cover the same functions"
    )


def sandbox(program: str, *arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-m", f"oxidize_rules.sandbox.{program}", *arguments],
        env={"PYTHONPATH": str(SOURCES_ROOT), "PYTHONHASHSEED": "0", "PATH": os.environ["PATH"]},
        check=True,
    )


def zlib(folder: Path) -> bool:
    """Whether the compiler finds a zlib to link with."""
    (folder / "zlib.c").write_text("int uncompress(); int main(void) { return !uncompress; }\n")
    command = [*compiler(), "-o", "zlib", "zlib.c", "-lz"]
    return subprocess.run(command, cwd=folder, capture_output=True).returncode == 0


def make_image(folder: Path, *, compress: bool) -> List[str]:
    """The tree under `folder/.oxidized`, and its image as objects; returns their paths."""
    inputs = folder / "input"
    for name, content in TREE.items():
        path = inputs / Path(name).relative_to("app")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    payload, manifest, image = (str(folder / n) for n in ("p.o", "m.json", "image.o"))
    sandbox(
        "images.component",
        "--name",
        "folder:app",
        "--root",
        "app",
        "--input",
        str(inputs),
        "--kind",
        "tree",
        "--optimization",
        "0",
        "--sources",
        "yes",
        "--compress",
        "yes" if compress else "no",
        "--machine",
        "x86_64",
        "--output",
        payload,
        "--manifest",
        manifest,
    )
    settings = folder / "settings.json"
    settings.write_text(
        json.dumps(
            [
                ["entry.kind", "interpreter"],
                ["path", "app"],
                ["stdlib", "lib/python3.13"],
                ["python.version", "3.13"],
            ]
        )
    )
    sandbox(
        "images.image",
        "--manifest",
        manifest,
        "--settings",
        str(settings),
        "--machine",
        "x86_64",
        "--output",
        image,
    )
    return [payload, image]


def lay_out(folder: Path, manifest: Path) -> None:
    """On disk what the manifest says is in the image; compiled files with content of that size."""
    for name, _, size, executable, *_ in json.loads(manifest.read_text())["files"]:
        path = folder / ".oxidized" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"-" * size)
        path.chmod(0o555 if executable else 0o444)


@pytest.fixture(scope="module")
def fuzzers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `vfs_fuzz`, and where there is a zlib with `inflate_fuzz`, and the tree."""
    command = compiler()
    folder: Path = tmp_path_factory.mktemp("vfs")
    compress = zlib(folder)
    objects = make_image(folder, compress=compress)
    lay_out(folder, folder / "m.json")
    environment = {
        **os.environ,
        "ZIG_GLOBAL_CACHE_DIR": str(folder / "zig"),
        "ZIG_LOCAL_CACHE_DIR": str(folder / "zig"),
    }
    wraps = {"vfs_fuzz": ["-Wl,--wrap=syscall,--wrap=dlsym"], "inflate_fuzz": []}
    for name, arguments in wraps.items():
        if name == "inflate_fuzz" and not compress:
            continue
        sources = (*SOURCES, "inflate.c" if compress else "no_inflate.c", f"{name}.c")
        subprocess.run(
            [
                *command,
                "-std=c11",
                "-Wall",
                "-Wextra",
                "-Werror",
                "-Wno-unused-result",
                "-fPIE",
                *arguments,
                "-Wl,-z,noexecstack",
                "-o",
                name,
                *(str(RUNTIME / source) for source in sources),
                *objects,
                *(["-lz"] if compress else []),
            ],
            check=True,
            cwd=folder,
            env=environment,
        )
    return folder


def listed(*lists: str) -> List[str]:
    return [name for one in lists for name in symbol_list(one)]


@pytest.mark.parametrize(
    ("seed", "memfd", "environment"),
    [(1, "memfd", {}), (2, "memfd", {}), (3, "no-memfd", {}), (4, "memfd", {"OLD_GLIBC": "1"})],
)
def test_random_paths_as_on_disk(
    fuzzers: Path, seed: int, memfd: str, environment: Dict[str, str]
) -> None:
    done = subprocess.run(
        [str(fuzzers / "vfs_fuzz"), str(fuzzers), "20000", str(seed), memfd],
        env={**os.environ, **environment},
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    assert done.returncode == 0, done.stderr
    compared, there, from_inside = (int(number) for number in re.findall(r"\d+", done.stdout))
    # The words are chosen so that paths to something are common enough to matter.
    assert compared > 5000
    assert from_inside > 500
    assert there > 300


def test_damaged_sources_are_refused(fuzzers: Path) -> None:
    if not (fuzzers / "inflate_fuzz").exists():
        pytest.skip("no zlib for the machine's compiler (Debian: zlib1g-dev)")
    done = subprocess.run(
        [str(fuzzers / "inflate_fuzz"), "/.oxidized/app/pkg/a.py", "20000", "1"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    refused = int(done.stdout.split()[0])
    assert refused > 19000


@pytest.mark.parametrize("seed", [1, 2])
def test_damaged_libraries(tmp_path: Path, seed: int) -> None:
    """Whatever a library says of itself, nothing outside of it is read (sanitizers tell)."""
    sources = [str(RUNTIME / "elf_fuzz.c"), str(RUNTIME / "elf_file.c")]
    command = [*compiler(), "-std=c11", "-O1", "-o", "elf_fuzz", *sources]
    environment = {
        **os.environ,
        "ZIG_GLOBAL_CACHE_DIR": str(tmp_path / "zig"),
        "ZIG_LOCAL_CACHE_DIR": str(tmp_path / "zig"),
    }
    subprocess.run(command, check=True, cwd=tmp_path, env=environment)
    (tmp_path / "v.c").write_text("int first(void) { return 1; }\nint other(void) { return 2; }\n")
    (tmp_path / "v.map").write_text(
        "V_1 { global: first; local: *; };\nV_2 { global: other; } V_1;\n"
    )
    library = ["-shared", "-fPIC", "-Wl,--version-script=v.map", "-Wl,-soname,libv.so.1"]
    paths = ["-Wl,--enable-new-dtags", "-Wl,-rpath,$ORIGIN/../v.libs:/opt"]
    plain = [word for word in compiler() if not word.startswith("-fsanitize")]
    subprocess.run(
        [*plain, *library, *paths, "-o", "libv.so", "v.c"],
        check=True,
        cwd=tmp_path,
        env=environment,
    )
    done = subprocess.run(
        [str(tmp_path / "elf_fuzz"), "libv.so", "30000", str(seed)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "soname libv.so.1"
    assert lines[-2:] == ["runpath $ORIGIN/../v.libs:/opt", "versions yes"]


def test_lists_are_what_the_sources_define() -> None:
    text = "".join(path.read_text() for path in sorted(RUNTIME.glob("*.c")))
    macros = (
        r"WRAP_(?:F?X?STAT(?:AT)?|(?:GET|LIST)XATTR|PATH|PATH_AT|DESCRIPTOR|TWO|OPEN(?:_2|AT)?"
        r"|CREAT|F(?:RE)?OPEN|SYSTEM|SCANDIR|GLOB|N?FTW)"
    )
    defined = set(re.findall(r"\bWRAP\([^,()]+, (\w+)\)", text))
    defined |= set(re.findall(rf"^{macros}\((\w+)[,)]", text, re.MULTILINE))
    defined |= {f"f{name}" for name in re.findall(r"^WRAP_SYSTEM\((\w+),", text, re.MULTILINE)}
    defined.discard("name")
    assert sorted(defined) == sorted(listed("libc.txt", "libc_gnu.txt"))
    python = set(re.findall(r"\b__wrap_((?:_Py|X509_)\w+)\(", text))
    assert sorted(python) == listed("wrap.txt")
    for name in ("wrap.txt", "libc.txt", "libc_gnu.txt"):
        assert listed(name) == sorted(set(listed(name)))


@pytest.mark.parametrize("minor", [10, 11, 12, 13, 14])
def test_what_a_version_of_python_has_is_taken_over(minor: int, tmp_path: Path) -> None:
    """The linker is given one list for all versions: of the functions in it, each that a Python has
    needs its `__wrap_`, and none that it has not may be asked for by its `__real_`."""
    # As `nm` tells of their static libraries.
    since = {"_PyConfig_InitPathConfig": 10, "_PyImport_InitExternal": 12}
    python = {name for name in listed("wrap.txt") if name.startswith("_Py")}
    assert since.keys() == python
    # Headers are not needed for what the preprocessor leaves.
    text = (RUNTIME / "config.c").read_text()
    (tmp_path / "all.c").write_text(re.sub(r"^#include.*$", "", text, flags=re.MULTILINE))
    version = f"-DPY_VERSION_HEX=0x03{minor:02x}0000"
    command = [*compiler(), "-E", "-P", version, "all.c"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    there = {name for name, first in since.items() if first <= minor}
    assert set(re.findall(r"\b__wrap_(_Py\w+)\(", done.stdout)) == there
    assert set(re.findall(r"\b__real_(_Py\w+)\(", done.stdout)) <= there


def test_every_name_of_libc_has_its_own_behind_it() -> None:
    """A function that is taken over but not looked up could never reach the disk."""
    text = "".join(path.read_text() for path in sorted(RUNTIME.glob("*.c")))
    text = re.sub(r"#define (WRAP_\w+)\(.*?[^\\]\n", "", text, flags=re.DOTALL)
    real = set(re.findall(r"^REAL(?:_LAZY)?\((\w+)\);", text, re.MULTILINE))
    single = set(re.findall(r"^WRAP\([^,()]+, (\w+)\)", text, re.MULTILINE))
    assert single <= real
