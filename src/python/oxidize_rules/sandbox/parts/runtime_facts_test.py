from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict

import pytest
from license_expression import get_spdx_licensing

from oxidize_rules import texts
from oxidize_rules.sandbox.parts import runtime_facts
from oxidize_rules.sandbox.parts.licenses import is_copyleft
from oxidize_rules.util_rules.gcc_libraries import GCC_LIBRARIES

OUR_TEXTS = Path(texts.__file__ or "").parent
REPOSITORY = Path(__file__).resolve().parents[5]


@pytest.fixture
def zig(tmp_path: Path) -> Path:
    for name, content in (
        ("LICENSE", "The MIT License (Expat)\n"),
        ("lib/libunwind/LICENSE.TXT", "LLVM Exceptions\n"),
        (runtime_facts.GLIBC_NOTICES[0], "/* Startup code\n   unlimited permission */\n/* no */"),
    ):
        (tmp_path / "ziglang" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "ziglang" / name).write_text(content)
    (tmp_path / "COPYRIGHT").write_text("musl as a whole\n")
    return tmp_path / "ziglang"


def parts_of(zig: Path, libc: str) -> Dict[str, Any]:
    output = zig.parent / "facts"
    runtime_facts.main(
        [
            str(output),
            f"--libc={libc}",
            f"--texts={OUR_TEXTS}",
            f"--zig={zig}",
            "--zig-version=0.17.0",
            f"--musl-license={zig.parent / 'COPYRIGHT'}",
            "--musl-version=1.2.5",
        ]
    )
    written = json.loads((output / "facts.json").read_text())["parts"]
    for part in written:
        part["read"] = {
            name: (output / "texts" / f"{text}.txt").read_text() for name, text in part["texts"]
        }
    return {part["id"]: part for part in written}


def test_musl_and_its_copyright(zig: Path) -> None:
    parts = parts_of(zig, "musl")
    assert set(parts) == {
        "compiler-runtime:compiler-rt",
        "libc:musl",
        "runtime:oxidize_rules",
    }
    assert parts["libc:musl"]["version"] == "1.2.5"
    assert parts["libc:musl"]["read"] == {"COPYRIGHT": "musl as a whole\n"}


def test_glibc_with_the_notice_of_its_start_object(zig: Path) -> None:
    parts = parts_of(zig, "glibc")
    assert "libc:musl" not in parts
    assert parts["libc:glibc"]["read"] == {"start.S": "Startup code\nunlimited permission\n"}
    assert parts["library:gcc-runtime"]["component"] == "library:gcc"


def test_a_zig_without_the_notice(zig: Path) -> None:
    (zig / runtime_facts.GLIBC_NOTICES[0]).unlink()
    with pytest.raises(RuntimeError, match="zig's tree has none of"):
        parts_of(zig, "glibc")


@pytest.mark.parametrize("libc", ["musl", "glibc"])
def test_nothing_of_it_is_copyleft_for_who_links_it(zig: Path, libc: str) -> None:
    for part in parts_of(zig, libc).values():
        parsed = get_spdx_licensing().parse(part["license"], validate=True, strict=True)
        assert str(parsed) == part["license"]
        assert is_copyleft([part["license"]]) is False, part["id"]
        assert part["texts"], part["id"]


def test_our_licence_is_the_projects() -> None:
    assert (OUR_TEXTS / "oxidize_rules.txt").read_bytes() == (REPOSITORY / "LICENSE").read_bytes()


def test_the_version_of_gcc_is_that_of_its_packages() -> None:
    for library in GCC_LIBRARIES:
        assert f"_{runtime_facts.GCC_VERSION}-" in library.package
