from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Mapping, Optional

import pytest

from oxidize_rules.sandbox.errors import UserError
from oxidize_rules.sandbox.wheels.build_wheel import build_variables, explain, install, rewrite

SOURCES = Path(__file__).resolve().parents[3]
# A backend without any requirement, which lies in its own source.
BACKEND = """
import os, sys, zipfile
def build_wheel(folder, config_settings=None, metadata_directory=None):
    if os.path.exists("bad"):
        print("x.c:1:10: fatal error: 'curl/curl.h' file not found")
        sys.exit(1)
    with zipfile.ZipFile(os.path.join(folder, "a-1-py3-none-any.whl"), "w") as wheel:
        wheel.writestr("a-1.dist-info/WHEEL", "Wheel-Version: 1.0\\n")
        wheel.writestr("a-1.dist-info/METADATA", "")
        wheel.writestr("z.py", os.environ["CC"])
        wheel.writestr("b.py", "")
    return "a-1-py3-none-any.whl"
"""


def archive(path: Path, files: Mapping[str, str]) -> None:
    with tarfile.open(path, "w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(f"a-1/{name}")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))


def build(
    folder: Path, files: Mapping[str, str], request: Optional[Mapping[str, object]] = None
) -> subprocess.CompletedProcess[str]:
    folder.mkdir()
    archive(folder / "a-1.tar.gz", {"own.py": BACKEND, **files})
    description = {
        "source": "a-1.tar.gz",
        "tools": [],
        "backend": "own",
        "backend_path": ["."],
        "hook": "build_wheel",
        "output": "out",
        "jobs": 1,
        **(request or {}),
    }
    (folder / "request.json").write_text(json.dumps(description))
    return subprocess.run(
        [sys.executable, "-m", "oxidize_rules.sandbox.wheels.build_wheel", "request.json"],
        cwd=folder,
        env={"PYTHONPATH": str(SOURCES), "PATH": os.environ["PATH"], "SECRET": "1"},
        capture_output=True,
        text=True,
    )


def test_a_wheel_has_sorted_members_and_the_same_bytes_wherever_it_is_built(tmp_path: Path) -> None:
    wheels = []
    for name in ("one", "another"):
        done = build(tmp_path / name, {})
        assert done.returncode == 0, done.stderr
        wheels.append(tmp_path / name / "out/a-1-py3-none-any.whl")
    with zipfile.ZipFile(wheels[0]) as wheel:
        assert wheel.namelist() == [
            "b.py",
            "z.py",
            "a-1.dist-info/METADATA",
            "a-1.dist-info/WHEEL",
        ]
        assert wheel.read("z.py") == b"cc"
    assert wheels[0].read_bytes() == wheels[1].read_bytes()


def test_a_failed_build_shows_the_compilers_words_and_no_traceback_of_ours(tmp_path: Path) -> None:
    done = build(tmp_path / "here", {"bad": ""})
    assert done.returncode == 2
    assert "x.c:1:10: fatal error: 'curl/curl.h' file not found" in done.stderr
    assert "It needs a header that is not there ('curl/curl.h' file not found)" in done.stderr
    assert "To fix, " in done.stderr
    assert "build_wheel.py" not in done.stderr
    assert not (tmp_path / "here/out").exists()


def test_what_a_backend_needs(tmp_path: Path) -> None:
    hook = {"hook": "get_requires_for_build_wheel"}
    assert build(tmp_path / "silent", {}, hook).returncode == 0
    assert (tmp_path / "silent/out/requires.json").read_text() == "[]\n"
    asking = BACKEND + "def get_requires_for_build_wheel(settings=None):\n    return ['ninja>=1']\n"
    assert build(tmp_path / "asking", {"own.py": asking}, hook).returncode == 0
    assert (tmp_path / "asking/out/requires.json").read_text() == '["ninja>=1"]\n'


def test_no_archive(tmp_path: Path) -> None:
    done = build(tmp_path / "here", {}, {"source": "request.json"})
    assert done.returncode == 2
    assert "`request.json` cannot be unpacked" in done.stderr


def test_the_last_lines_of_a_log_are_shown() -> None:
    request = {"backend": "own", "source": "a-1.tar.gz"}
    shown = explain(request, "\n".join(f"line {number}" for number in range(100)))
    assert shown.startswith("the build of `a-1.tar.gz` (backend `own`) failed.")
    assert "line 99" in shown
    assert "line 60" in shown
    assert "line 59\n" not in shown
    assert "native code which a static interpreter cannot load" in explain(
        request, "ModuleNotFoundError: No module named 'numpy'"
    )


def test_the_environment_is_the_same_on_each_machine(tmp_path: Path) -> None:
    variables = build_variables(tmp_path, tmp_path / "__env", 2)
    assert "SECRET" not in variables
    assert variables["CC"] == "cc"
    assert variables["LDCXXSHARED"] == "c++ -shared"
    paths = variables["PATH"].split(":")
    assert paths[:2] == [f"{tmp_path}/__env/bin", f"{tmp_path}/__sysroot/bin"]


def test_programs_of_tools(tmp_path: Path) -> None:
    path = tmp_path / "ninja-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("ninja-1.data/scripts/ninja", "#!/bin/sh\n")
        wheel.writestr("ninja-1.data/purelib/ninja.py", "")
        wheel.writestr("other/__init__.py", "")
    install(str(path), tmp_path / "env")
    assert os.access(tmp_path / "env/bin/ninja", os.X_OK)
    assert (tmp_path / "env/lib/other/__init__.py").is_file()


def test_a_wheel_that_leaves_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "bad.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("../outside.py", "")
    with pytest.raises(UserError, match=r"unsafe member `\.\./outside.py`"):
        install(str(path), tmp_path / "env")


def test_programs_of_a_wheel_stay_executable(tmp_path: Path) -> None:
    old, new = tmp_path / "old.whl", tmp_path / "new.whl"
    with zipfile.ZipFile(old, "w") as wheel:
        info = zipfile.ZipInfo("a.data/scripts/a")
        info.external_attr = 0o100775 << 16
        wheel.writestr(info, "")
        wheel.writestr("b.so", "")
    rewrite(old, new)
    with zipfile.ZipFile(new) as wheel:
        modes = {info.filename: info.external_attr >> 16 for info in wheel.infolist()}
    assert modes == {"a.data/scripts/a": 0o100755, "b.so": 0o100644}
