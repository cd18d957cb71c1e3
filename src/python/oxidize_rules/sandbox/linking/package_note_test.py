from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from oxidize_rules.sandbox.elf_reader import ElfFile
from oxidize_rules.sandbox.linking.package_note import note, note_object, note_text

SUBJECT = {
    "name": "täst",
    "address": "app:bin",
    "version": None,
    "target_triple": "aarch64-unknown-linux-musl",
}


def test_the_note_says_what_is_known() -> None:
    told = json.loads(note_text(SUBJECT))
    assert told == {"type": "oxidized_binary", "name": "täst", "architecture": "aarch64"}
    assert json.loads(note_text({**SUBJECT, "version": "1.2"}))["version"] == "1.2"


@pytest.mark.parametrize("length", range(5))
def test_notes_are_padded(length: int) -> None:
    made = note(b"x" * length)
    assert len(made) % 4 == 0
    assert made[4] == length + 1


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_readelf_reads_it(tmp_path: Path, machine: str) -> None:
    path = tmp_path / "note.o"
    path.write_bytes(note_object(machine, note_text(SUBJECT)))
    assert ElfFile(path.read_bytes()).type == 1
    shown = subprocess.run(
        ["readelf", "-Wn", str(path)], capture_output=True, text=True, check=True
    )
    assert shown.stderr == ""
    assert "FDO_PACKAGING_METADATA" in shown.stdout or "cafe1a7e" in shown.stdout
    assert '"type":"oxidized_binary"' in shown.stdout
