from __future__ import annotations

import random
import struct
from typing import Any

import pytest

from oxidize_rules.sandbox.analysis.analyze_file import ElfInput
from oxidize_rules.sandbox.analysis.analyze_image import MAGIC, Image, find_image
from oxidize_rules.sandbox.analysis.analyze_size import size_tree
from oxidize_rules.sandbox.analysis.testing_analyze import elf

FILES = {
    "app/main.py": b"print('hello')\n" * 50,
    "lib/libz.so.1": b"z" * 100,
    "lib/python3.13/os.py": b"# os\n" * 100,
    "lib/python3.13/json/__init__.py": b"# json\n" * 100,
    "lib/python3.13/empty": b"",
}


def read(content: bytes) -> tuple[ElfInput, Image | None]:
    file = ElfInput(content)
    return file, find_image(file)


@pytest.mark.parametrize("sections", [True, False])
def test_files_are_found_without_symbols(sections: bool) -> None:
    file, image = read(elf(with_image=FILES, compressed=("app/main.py",), sections=sections))
    assert image is not None
    assert {one.path for one in image.files} == set(FILES)
    for one in image.files:
        if not one.stored:
            assert file.content(one.offset, one.size) == FILES[one.path]
    assert list(image.texts(file)) == [("app/main.py", FILES["app/main.py"])]
    assert dict(image.settings) == {"python.version": "3.13", "entry.module": "main"}


def test_components_are_named_by_what_is_in_them() -> None:
    def name(path: str) -> str:
        image = read(elf(with_image={path: b"x", f"{path}2": b"y"}))[1]
        assert image is not None
        return image.components[0]

    assert name("lib/python3.13/os.py") == "standard library"
    assert name("lib/python3.13/site-packages/x-1.0.dist-info/METADATA") == "x 1.0"
    assert name("lib/python3.13/site-packages/y/__init__.py") == "y"
    assert name("lib/libz.so.1") == "library libz.so.1"
    assert name("app/shop/main.py") == "app/shop"


def test_what_only_has_the_magic_number_is_passed_over() -> None:
    data = MAGIC * 50 + struct.pack("<I", 2**32 - 1) * 20
    _, image = read(elf(data=data))
    assert image is None
    _, image = read(elf(data=data, with_image=FILES))
    assert image is not None


def test_a_damaged_image_gives_files_inside_the_executable_or_none() -> None:
    whole = elf(with_image=FILES, compressed=("app/main.py",))
    choose = random.Random(3)
    start = whole.index(MAGIC)
    found = 0
    for _ in range(300):
        content = bytearray(whole)
        content[start + choose.randrange(4, 600)] = choose.choice((0, 1, 0x7F, 0xFF))
        file, image = read(bytes(content))
        if image is None:
            continue
        found += 1
        for one in image.files:
            assert 0 <= one.offset <= one.offset + one.bytes_in_file <= file.size
        assert all(len(text) <= 1 << 24 for _, text in image.texts(file))
        assert size_tree(file, "x", image)["size"] >= 0
    assert found > 20  # it was not refused for another reason


def total(tree: dict[str, Any]) -> int:
    children = tree.get("children")
    return sum(total(one) for one in children) if children else int(tree["size"])


@pytest.mark.parametrize("sections", [True, False])
def test_sizes_add_up_to_the_file(sections: bool) -> None:
    content = elf(with_image=FILES, compressed=("app/main.py",), sections=sections)
    file, image = read(content)
    tree = size_tree(file, "bin", image)
    assert (tree["name"], tree["size"], total(tree)) == ("bin", len(content), len(content))
    (inside,) = [one for one in tree["children"] if one["name"] == "image"]
    sizes = {one["name"]: one["size"] for one in inside["children"]}
    assert image is not None
    # The payload is one component here, named by the standard library in it.
    assert sizes["standard library"] == sum(one.bytes_in_file for one in image.files)
    assert sizes["index of the image"] == image.index[1]
