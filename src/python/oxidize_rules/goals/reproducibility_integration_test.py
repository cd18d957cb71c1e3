"""Two builds from two checkouts in different folders, with empty stores, give the same bytes.

Everything after the distributions is built twice from nothing: zig is fetched and unpacked, the C
libraries prepared, wheels resolved, bytecode compiled, executables linked. The distributions'
archives are packaged once and given to both as files; with OXIDIZE_FULL=1 both checkouts build
them from source, too, which takes about twenty minutes more on two cores.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Dict

from oxidize_rules.goals.testing_repository import Project, copy_repository

TRIPLES = ("musl", "gnu")
FULL = os.environ.get("OXIDIZE_FULL") == "1"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def checkout(folder: Path) -> Project:
    """A copy of the repository with a store of its own, which is empty."""
    project = copy_repository(folder / "checkout")
    store = folder / "store"
    project.options = [f"--local-store-dir={store}/lmdb", f"--named-caches-dir={store}/named"]
    return project


def build(folder: Path, archives: Dict[str, Path]) -> Dict[str, str]:
    """The sha256 of every executable. `archives` by triple."""
    project = checkout(folder)
    try:
        for triple, archive in archives.items():
            shutil.copy(archive, project.root / f"toolchains/{triple}.tar.zst")
            project.edit(
                "toolchains/BUILD",
                f'source=":python3.13-{triple}-build"',
                f'source="{triple}.tar.zst"',
            )
        outcome = project.good("package", "testprojects/cli:bin", "testprojects/hello:bin")
        assert "Compile the standard library for toolchains:python3.13-musl" in outcome.processes
        return {file: sha256(project.root / "dist" / file) for file in sorted(project.written())}
    finally:
        project.close()


def test_two_checkouts_with_empty_stores(tmp_path: Path) -> None:
    archives: Dict[str, Path] = {}
    if not FULL:
        source = copy_repository(tmp_path / "source")
        source.good("package", *(f"toolchains:python3.13-{triple}" for triple in TRIPLES))
        source.close()
        archives = {
            triple: source.root / f"dist/toolchains/python3.13-{triple}.tar.zst"
            for triple in TRIPLES
        }
    first = build(tmp_path / "first", archives)
    second = build(tmp_path / "a" / "longer" / "path" / "second", archives)
    assert len(first) == 4
    assert first == second, f"sha256 by executable: {first} and {second}"
    print(f"sha256 by executable, twice: {first}")
