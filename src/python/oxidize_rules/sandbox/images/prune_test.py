"""Files taken out of a compiled component."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path
from typing import Any

from oxidize_rules.sandbox.images import component, prune
from oxidize_rules.sandbox.images.image_reader import ObjectReader
from oxidize_rules.sandbox.testing_elf import library

FILES = {
    "pkg/__init__.py": b"from pkg import a\n",
    "pkg/a.py": b"A = 1\n" * 50,
    "pkg/data.txt": b"text",
    "pkg/tests/__init__.py": b"",
    "pkg/tests/test_a.py": b"import pkg.a\n",
    "pkg/tests/golden/x.json": b"{}",
    "single.py": b"S = 1\n",
}


class Payload:
    """A component's object and manifest, and the files in it by path."""

    def __init__(self, folder: Path) -> None:
        self.manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
        self.native = json.loads((folder / "native.json").read_text())
        reader = ObjectReader((folder / "payload.o").read_bytes())
        symbol = self.manifest["symbol"]
        section = symbol.replace("oxidize_payload_", ".rodata.oxidize.")
        self.data = reader.data(section)
        self.alignment = reader.elf.get_section_by_name(section)["sh_addralign"]
        assert reader.symbols[symbol]["st_size"] == len(self.data)
        self.offsets = {row[0]: row[1] for row in self.manifest["files"]}
        self.files = {
            row[0]: self.data[row[1] : row[1] + (row[5] if len(row) > 5 and row[5] else row[2])]
            for row in self.manifest["files"]
        }


def compiled(folder: Path, source: Path, kind: str) -> Payload:
    folder.mkdir()
    component.main(
        [
            *("--name", "wheel:x-1", "--root", "site", "--input", str(source), "--kind", kind),
            *("--optimization", "0", "--sources", "yes", "--machine", "x86_64"),
            *("--compress", "yes"),
            *("--output", str(folder / "payload.o"), "--manifest", str(folder / "manifest.json")),
            *("--native", str(folder / "native.json")),
        ]
    )
    return Payload(folder)


def pruned(folder: Path, whole: Path, *arguments: str) -> Payload:
    folder.mkdir()
    prune.main(
        [
            *("--payload", str(whole / "payload.o"), "--manifest", str(whole / "manifest.json")),
            *("--machine", "x86_64", *arguments, "--output", str(folder / "payload.o")),
            *("--manifest-output", str(folder / "manifest.json")),
            *("--native-output", str(folder / "native.json")),
        ]
    )
    return Payload(folder)


def wheel(path: Path) -> Path:
    info = {
        "x-1.dist-info/METADATA": b"Metadata-Version: 2.1\nName: x\nVersion: 1\n",
        "x-1.dist-info/WHEEL": b"Wheel-Version: 1.0\nTag: py3-none-any\n",
        "x-1.dist-info/RECORD": b"",
        "x-1.data/data/share/x/readme": b"read me",
        "pkg/_fast.abi3.so": library(soname="_fast.abi3.so"),
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {**FILES, **info}.items():
            archive.writestr(name, content)
    return path


def test_what_stays_is_as_it_was(tmp_path: Path) -> None:
    whole = compiled(tmp_path / "a", wheel(tmp_path / "x-1-py3-none-any.whl"), "wheel")
    part = pruned(tmp_path / "b", tmp_path / "a", "--drop", "**.tests", "pkg.a")
    gone = set(whole.files) - set(part.files)
    assert {path for path in gone if not path.endswith(".pyc")} == {
        "site/pkg/a.py",
        "site/pkg/tests/__init__.py",
        "site/pkg/tests/test_a.py",
        "site/pkg/tests/golden/x.json",
    }
    assert len([path for path in gone if path.endswith(".pyc")]) == 3
    record = "site/x-1.dist-info/RECORD"
    assert [path for path in part.files if part.files[path] != whole.files[path]] == [record]
    assert all(part.offsets[path] % 16 == 0 for path in part.files if path.endswith(".pyc"))
    assert part.offsets["site/pkg/_fast.abi3.so"] % 4096 == 0
    assert part.alignment == 4096
    assert list(part.files) == sorted(part.files)
    listed = {row[0] for row in csv.reader(io.StringIO(part.files[record].decode()))}
    assert {f"site/{name}" for name in listed if not name.startswith("../")} == {
        path for path in part.files if path.startswith("site/")
    }
    for key in ("component", "symbol", "kind", "tags", "path_entry", "format"):
        assert part.manifest[key] == whole.manifest[key]
    assert set(whole.manifest["names"]) - set(part.manifest["names"]) == {
        *("pkg.a", "pkg.tests", "pkg.tests.test_a")
    }
    assert part.native["native"] == whole.native["native"]


def test_native_files_go_like_others(tmp_path: Path) -> None:
    compiled(tmp_path / "a", wheel(tmp_path / "x-1-py3-none-any.whl"), "wheel")
    part = pruned(tmp_path / "b", tmp_path / "a", "--drop", "pkg._fast")
    assert "site/pkg/_fast.abi3.so" not in part.files
    assert part.alignment == 16
    assert part.native == {"component": "wheel:x-1", "native": [], "loadable": False}
    assert part.manifest["native"] == []


def test_what_is_kept_by_name(tmp_path: Path) -> None:
    source = tmp_path / "in"
    for path, content in {**FILES, "LICENSE": b"terms"}.items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_bytes(content)
    compiled(tmp_path / "a", source, "tree")
    part = pruned(tmp_path / "b", tmp_path / "a", "--keep", "pkg.tests.golden", "single")
    assert {path for path in part.files if not path.endswith(".pyc")} == {
        "site/LICENSE",
        "site/pkg/__init__.py",
        "site/pkg/tests/__init__.py",
        "site/pkg/tests/golden/x.json",
        "site/single.py",
    }


def test_the_same_twice(tmp_path: Path) -> None:
    compiled(tmp_path / "a", wheel(tmp_path / "x-1-py3-none-any.whl"), "wheel")
    for name in ("b", "c"):
        pruned(tmp_path / name, tmp_path / "a", "--drop", "**.tests")
    for file in ("payload.o", "manifest.json", "native.json"):
        assert (tmp_path / "b" / file).read_bytes() == (tmp_path / "c" / file).read_bytes()
