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
from typing import List

import pytest

RUNTIME = Path(__file__).parent
SOURCES_ROOT = RUNTIME.parents[1]
SOURCES = (
    "image.c",
    "vfs_descriptor.c",
    "vfs_dir.c",
    "vfs_file.c",
    "vfs_path.c",
    "vfs_refuse.c",
    "vfs_stat.c",
)
# In glibc 2.33 and newer these are no longer linkable; nothing calls them then.
OLD_NAMES = tuple(
    f"__{kind}xstat{at}{bits}"
    for kind in ("", "l", "f")
    for at in ("", "at")
    for bits in ("", "64")
    if kind == "f" or not at
)

TREE = {
    "app/pkg/a.py": b"value = 1\n",
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
        old = [f"-Wl,--defsym={name}=0" for name in OLD_NAMES]
        return [found, sanitizers, "-fno-sanitize-recover=all", "-g", *old]
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


def make_image(folder: Path) -> List[str]:
    """The tree under `folder/.oxidized`, and its image as objects; returns their paths."""
    inputs = folder / "input"
    for name, content in TREE.items():
        path = inputs / Path(name).relative_to("app")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    payload, manifest, image = (str(folder / n) for n in ("p.o", "m.json", "image.o"))
    sandbox(
        "component",
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
        "image",
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
    for name, _, size, executable, _ in json.loads(manifest.read_text())["files"]:
        path = folder / ".oxidized" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"-" * size)
        path.chmod(0o555 if executable else 0o444)


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    command = compiler()
    folder: Path = tmp_path_factory.mktemp("vfs")
    objects = make_image(folder)
    lay_out(folder, folder / "m.json")
    names = [name for name in wrapped() if not name.startswith("_Py")] + ["syscall"]
    environment = {
        **os.environ,
        "ZIG_GLOBAL_CACHE_DIR": str(folder / "zig"),
        "ZIG_LOCAL_CACHE_DIR": str(folder / "zig"),
    }
    subprocess.run(
        [
            *command,
            "-std=c11",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-Wno-unused-result",
            "-fPIE",
            *(f"-Wl,--wrap={name}" for name in names),
            "-Wl,-z,noexecstack",
            "-o",
            "fuzz",
            *(str(RUNTIME / name) for name in (*SOURCES, "vfs_fuzz.c")),
            *objects,
        ],
        check=True,
        cwd=folder,
        env=environment,
    )
    return folder / "fuzz"


def wrapped() -> List[str]:
    return (RUNTIME / "wrap.txt").read_text().split()


@pytest.mark.parametrize(("seed", "memfd"), [(1, "memfd"), (2, "memfd"), (3, "no-memfd")])
def test_random_paths_as_on_disk(fuzzer: Path, seed: int, memfd: str) -> None:
    done = subprocess.run(
        [str(fuzzer), str(fuzzer.parent), "20000", str(seed), memfd],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    assert done.returncode == 0, done.stderr
    compared, there = (int(number) for number in re.findall(r"\d+", done.stdout))
    # The words are chosen so that paths to something are common enough to matter.
    assert compared > 5000
    assert there > 300


def test_wrap_list_is_what_the_sources_define() -> None:
    text = "".join(path.read_text() for path in sorted(RUNTIME.glob("*.c")))
    macros = r"WRAP_(?:F?X?STAT(?:AT|VFS)?|(?:GET|LIST)XATTR|PATH|PATH_AT|TWO)"
    defined = set(re.findall(r"\bWRAP\([^,()]+, (\w+)\)", text))
    defined |= set(re.findall(rf"^{macros}\((\w+)[,)]", text, re.MULTILINE))
    defined |= set(re.findall(r"\b__wrap_(_Py\w+)\(", text))
    defined.discard("name")
    assert sorted(defined) == wrapped()
