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

from oxidize_rules.goals.checkout import Checkout

TRIPLES = ("musl", "gnu")
FULL = os.environ.get("OXIDIZE_FULL") == "1"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def build(folder: Path, archives: Dict[str, Path]) -> Dict[str, str]:
    """The sha256 of every executable, built with a store of its own. `archives` by triple."""
    checkout = Checkout(folder / "checkout", folder / "store")
    try:
        for triple, archive in archives.items():
            shutil.copy(archive, checkout.root / f"toolchains/{triple}.tar.zst")
            checkout.edit(
                "toolchains/BUILD",
                f'source=":python3.13-{triple}-build"',
                f'source="{triple}.tar.zst"',
            )
        processes = checkout.package("testprojects/cli:bin", "testprojects/hello:bin")
        assert "Compile the standard library for toolchains:python3.13-musl" in processes
        return {
            f"{project} {triple}": sha256(
                checkout.dist(f"testprojects.{project}/bin@target_triple={triple}")
            )
            for project in ("cli", "hello")
            for triple in TRIPLES
        }
    finally:
        checkout.stop()


def test_two_checkouts_with_empty_stores(tmp_path: Path) -> None:
    archives: Dict[str, Path] = {}
    if not FULL:
        source = Checkout(tmp_path / "source")
        source.pants("package", *(f"toolchains:python3.13-{triple}" for triple in TRIPLES))
        source.stop()
        archives = {
            triple: source.dist(f"toolchains/python3.13-{triple}.tar.zst") for triple in TRIPLES
        }
    first = build(tmp_path / "first", archives)
    second = build(tmp_path / "a" / "longer" / "path" / "second", archives)
    assert first == second, f"sha256 by executable: {first} and {second}"
    print(f"sha256 by executable, twice: {first}")
