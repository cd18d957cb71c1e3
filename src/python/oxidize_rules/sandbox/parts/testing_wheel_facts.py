"""For tests of wheels' facts: wheels with given metadata and files, and what is found in them."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence, Union

from oxidize_rules.sandbox.parts import wheel_facts

Content = Union[str, bytes]
ELF = b"\x7fELF" + bytes(60)
INFO = "Some_Thing-1.0.dist-info"
TEXTS = Path(__file__).resolve().parents[2] / "texts"
LIBRARIES = "some_thing.libs"


def archive(files: Mapping[str, Content]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        for name, content in files.items():
            made.writestr(name, content)
    return stream.getvalue()


def wheel(headers: Sequence[str] = (), files: Mapping[str, Content] = {}) -> Dict[str, Content]:
    lines = ["Metadata-Version: 2.4", "Name: Some.Thing", "Version: 1.0", *headers]
    return {
        f"{INFO}/METADATA": "\n".join(lines) + "\n\nLicense: of the description\n",
        f"{INFO}/WHEEL": "Wheel-Version: 1.0\nTag: py3-none-any\n",
        "some_thing/__init__.py": "",
        **files,
    }


class Found:
    def __init__(self, folder: Path) -> None:
        content = json.loads((folder / "facts.json").read_bytes())
        assert content["format"] == 1
        self.parts: Dict[str, Dict[str, Any]] = {part["id"]: part for part in content["parts"]}
        assert list(self.parts) == sorted(self.parts)
        self.texts = {
            path.name[: -len(".txt")]: path.read_text() for path in (folder / "texts").iterdir()
        }

    @property
    def own(self) -> Dict[str, Any]:
        return self.parts["wheel:some-thing"]

    @property
    def bundled(self) -> Dict[str, Dict[str, Any]]:
        start = "bundled:some-thing/"
        return {
            one[len(start) :]: part for one, part in self.parts.items() if one.startswith(start)
        }

    def shipped(self, part: Mapping[str, Any]) -> Dict[str, str]:
        return {name: self.texts[digest] for name, digest in part["texts"]}


def facts(tmp_path: Path, files: Mapping[str, Content], *options: str) -> Found:
    path = tmp_path / "Some_Thing-1.0-py3-none-any.whl"
    path.write_bytes(archive(files))
    output = tmp_path / "facts"
    wheel_facts.main(
        [
            *(str(path), str(output), "--component=wheel:Some_Thing-1.0"),
            *("--python-version=3.13", "--machine=x86_64", f"--texts={TEXTS}", *options),
        ]
    )
    return Found(output)


def cyclonedx(*components: Mapping[str, Any]) -> str:
    return json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": components})


def library(name: str, version: Optional[str] = None, **more: Any) -> Dict[str, Any]:
    return {"type": "library", "name": name, **({"version": version} if version else {}), **more}


def licensed(expression: str) -> Dict[str, Any]:
    return {"licenses": [{"expression": expression}]}
