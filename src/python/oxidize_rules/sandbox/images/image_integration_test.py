"""A whole standard library as an image, linked by the real lld and read by the runtime's C.

zig comes as in `link_integration_test.py`.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from oxidize_rules import runtime, sandbox
from oxidize_rules.sandbox.images.image_reader import ImageReader, ObjectReader
from oxidize_rules.util_rules.testing_toolchain import write_toolchain

SOURCES = str(Path(sandbox.__file__).parents[2])
RUNTIME = Path(runtime.__file__).parent
MAIN = r"""
#include "image_access.h"
#include <stdio.h>
#include <string.h>
int main(void) {
    static char line[8192];
    if (!oxidize_image_valid()) return 9;
    while (fgets(line, sizeof line, stdin)) {
        size_t length = strlen(line) - 1;
        const char *text = line + 1;
        line[length--] = 0;
        if (line[0] == 'P') {
            const struct oxidize_node *node = oxidize_node(oxidize_find_path(text, length));
            if (node == NULL) { puts("-"); continue; }
            const uint8_t *content = oxidize_content(node);
            unsigned sum = 0;
            for (uint64_t i = 0; content && i < node->size; i++) sum = sum * 31 + content[i];
            printf("%u %u %llu %u\n", node->kind, node->child_count,
                   (unsigned long long)node->size, sum);
        } else {
            const struct oxidize_module *module = oxidize_find_module(text, length);
            if (module == NULL) { puts("-"); continue; }
            printf("%u %s %s %s\n", module->flags,
                   oxidize_string(oxidize_node(module->source)->path),
                   oxidize_string(oxidize_node(module->code)->path),
                   oxidize_string(oxidize_node(module->folder)->path));
        }
    }
    return 0;
}
"""
SETTINGS = '[["entry.kind","function"],["entry.module","hello"],["entry.function","main"],\
["path","app"],["path","lib"]]'


def program(name: str, *arguments: str, folder: Path) -> None:
    subprocess.run(
        [sys.executable, "-s", "-S", "-m", f"oxidize_rules.sandbox.{name}", *arguments],
        cwd=folder,
        env={"PYTHONPATH": SOURCES, "PYTHONHASHSEED": "0"},
        check=True,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds the objects of the running Python's standard library, of `hello`, and the image."""
    folder = tmp_path_factory.mktemp("image")
    (folder / "app").mkdir()
    (folder / "app" / "hello.py").write_text("def main(): print('hello')\n")
    common = ("--optimization", "0", "--sources", "yes", "--machine", "x86_64")
    program(
        "images.component",
        *("--name", "stdlib", "--root", "lib", "--input", str(Path(os.__file__).parent)),
        *("--kind", "stdlib", "--output", "stdlib.o", "--manifest", "stdlib.json", *common),
        folder=folder,
    )
    program(
        "images.component",
        *("--name", "folder:app", "--root", "app", "--input", "app", "--kind", "folder"),
        *("--output", "app.o", "--manifest", "app.json", "--strict", *common),
        folder=folder,
    )
    (folder / "settings.json").write_text(SETTINGS)
    merge(folder)
    return folder


def merge(folder: Path) -> None:
    program(
        "images.image",
        *("--manifest", "stdlib.json", "app.json", "--settings", "settings.json"),
        *("--machine", "x86_64", "--output", "image.o", "--report", "report.json"),
        folder=folder,
    )


def read_image(folder: Path) -> ImageReader:
    payloads = {}
    for name in ("stdlib.o", "app.o"):
        read = ObjectReader((folder / name).read_bytes())
        (symbol,) = read.symbols
        payloads[symbol] = read.data(symbol.replace("oxidize_payload_", ".rodata.oxidize."))
    return ImageReader(folder / "image.o", payloads)


def checksum(content: bytes) -> int:
    total = 0
    for byte in content:
        total = (total * 31 + byte) & 0xFFFFFFFF
    return total


def test_the_runtime_finds_everything(folder: Path) -> None:
    toolchain = write_toolchain(folder / "toolchain")
    for name, place in (("__zig", "zig"), ("__sysroot", "musl")):
        (folder / name).symlink_to(toolchain / place)
    (folder / "main.c").write_text(MAIN)
    subprocess.run(
        [
            *("__sysroot/bin/cc", "-O1", "-Wall", "-Werror", "-I", str(RUNTIME), "-o", "reader"),
            *("main.c", str(RUNTIME / "image.c"), "image.o", "stdlib.o", "app.o"),
        ],
        cwd=folder,
        check=True,
    )
    read = read_image(folder)
    paths = [read.path(index) for index in range(len(read.nodes))]
    names = read.module_names()
    assert len(names) > 300
    absent = [path + b"x" for path in paths] + [path[:-1] for path in paths if len(path) > 1]
    absent = sorted(set(absent) - set(paths))
    questions = [b"P" + path for path in [*paths, *absent]]
    questions += [b"M" + name.encode() for name in [*names, *(f"{name}x" for name in names)]]
    answers = subprocess.run(
        [str(folder / "reader")],
        input=b"".join(question + b"\n" for question in questions),
        capture_output=True,
        check=True,
    ).stdout.splitlines()
    assert len(answers) == len(questions)
    chosen = set(random.Random(1).sample(paths, 100))
    for question, answer in zip(questions, answers):
        text = question[1:]
        if question[:1] == b"M":
            found = read.module(text.decode())
            expected = "-"
            if found is not None:
                parts = (int(bool(found["package"])), found["source"], found["code"])
                expected = " ".join(map(str, (*parts, found["folder"])))
            assert answer.decode() == expected, text
            continue
        index = read.find_path(text)
        if index is None:
            assert answer == b"-", text
            continue
        node = read.nodes[index]
        summed = answer.split()
        assert list(map(int, summed[:3])) == [node[4], node[7], node[11]], text
        if text in chosen and node[4] == 2:
            assert int(summed[3]) == checksum(read.content(text)), text


def test_the_image_step_is_fast(folder: Path) -> None:
    """It runs after every edit. The bound is three times what it takes, in CPU time."""
    taken = []
    for _ in range(3):
        before = os.times()
        merge(folder)
        after = os.times()
        taken.append(
            after.children_user
            + after.children_system
            - before.children_user
            - before.children_system
        )
    assert min(taken) < 0.5, taken
