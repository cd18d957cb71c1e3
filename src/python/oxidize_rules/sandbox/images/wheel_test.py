from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from oxidize_rules.sandbox.errors import UserError
from oxidize_rules.sandbox.images.wheel import installed_record, read_wheel

SITE = "lib/python3.13/site-packages"
WHEEL = "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py2.py3-none-any\n"
INFO = "demo-1.0.dist-info"


def contents() -> dict[str, str]:
    return {
        "demo/__init__.py": "",
        f"{INFO}/WHEEL": WHEEL,
        f"{INFO}/METADATA": "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n",
        f"{INFO}/RECORD": "",
    }


def make(folder: Path, files: dict[str, str], name: str = "demo-1.0-py3-none-any.whl") -> str:
    with zipfile.ZipFile(folder / name, "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return str(folder / name)


def test_files_go_where_an_installation_has_them(tmp_path: Path) -> None:
    files = {
        **contents(),
        "demo/data.json": "{}",
        f"{INFO}/entry_points.txt": "[console_scripts]\ndemo = demo:main\n",
        f"{INFO}/licenses/LICENSE": "MIT",
        "demo-1.0.data/purelib/extra.py": "x = 1",
        "demo-1.0.data/platlib/demo/fast.txt": "f",
        "demo-1.0.data/data/share/man/demo.1": "man",
        "demo-1.0.data/scripts/demo": "#!python",
        "demo-1.0.data/headers/demo.h": "int x;",
    }
    wheel = read_wheel(make(tmp_path, files), SITE)
    assert {file.path: file.content.decode() for file in wheel.files} == {
        f"{SITE}/demo/__init__.py": "",
        f"{SITE}/demo/data.json": "{}",
        f"{SITE}/demo/fast.txt": "f",
        f"{SITE}/extra.py": "x = 1",
        "share/man/demo.1": "man",
        f"{SITE}/{INFO}/WHEEL": WHEEL,
        f"{SITE}/{INFO}/METADATA": files[f"{INFO}/METADATA"],
        f"{SITE}/{INFO}/entry_points.txt": files[f"{INFO}/entry_points.txt"],
        f"{SITE}/{INFO}/licenses/LICENSE": "MIT",
        f"{SITE}/{INFO}/INSTALLER": "oxidize_rules\n",
    }
    assert wheel.dropped == ["demo-1.0.data/headers/demo.h", "demo-1.0.data/scripts/demo"]
    assert wheel.tags == ["py2-none-any", "py3-none-any"]
    assert wheel.dist_info == f"{SITE}/{INFO}"


def test_an_unpacked_wheel_is_read_alike(tmp_path: Path) -> None:
    for path, content in contents().items():
        (tmp_path / "demo" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "demo" / path).write_text(content)
    archive = read_wheel(make(tmp_path, contents()), SITE)
    folder = read_wheel(str(tmp_path / "demo"), SITE)
    assert [(f.path, f.content) for f in folder.files] == [
        (f.path, f.content) for f in archive.files
    ]


def test_executable_bits_are_kept(tmp_path: Path) -> None:
    path = make(tmp_path, contents())
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo("demo/tool")
        info.external_attr = 0o100755 << 16
        archive.writestr(info, "#!/bin/sh")
    wheel = read_wheel(path, SITE)
    assert [file.path for file in wheel.files if file.executable] == [f"{SITE}/demo/tool"]


def test_the_installed_record_is_as_importlib_metadata_reads_it(tmp_path: Path) -> None:
    import csv
    import hashlib

    wheel = read_wheel(make(tmp_path, contents()), SITE)
    files = [(f"{SITE}/a,b.py", b"x"), ("share/x", b"y")]
    record = installed_record(
        wheel, SITE, [(path, hashlib.sha256(c).digest(), len(c)) for path, c in files]
    )
    assert record.path == f"{SITE}/{INFO}/RECORD"
    rows = {row[0]: row[1:] for row in csv.reader(record.content.decode().splitlines())}
    assert set(rows) == {"a,b.py", "../../../share/x", f"{INFO}/RECORD"}
    assert rows[f"{INFO}/RECORD"] == ["", ""]
    assert rows["a,b.py"] == ["sha256=LXEWQrcmsEQBYnyp-6wy9chTD7GQPMTbAiWHF5IaSIE", "1"]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"../evil.py": ""}, ["../evil.py", "leaves the wheel's tree"]),
        ({"/etc/passwd": ""}, ["/etc/passwd", "leaves the wheel's tree"]),
        ({"a/./b": ""}, ["a/./b", "no plain relative path"]),
        ({"a\\b": ""}, ["a\\b", "no plain relative path"]),
        ({"demo-1.0.data/data/../../x": ""}, ["leaves the wheel's tree"]),
        ({"demo-1.0.data/nonsense/x": ""}, ["`nonsense`", "installation scheme"]),
        ({"demo-1.0.data/purelib/demo/__init__.py": "2"}, ["two files", "demo/__init__.py"]),
        ({f"{INFO}/WHEEL": "Wheel-Version: 2.0\n"}, ["version `2.0`", "1.x"]),
        ({f"{INFO}/WHEEL": "Tag: x\n"}, ["no Wheel-Version", "1.x"]),
        ({"demo-2.0.dist-info/METADATA": ""}, ["several .dist-info folders"]),
    ],
)
def test_broken_wheels(tmp_path: Path, files: dict[str, str], words: list[str]) -> None:
    path = make(tmp_path, {**contents(), **files})
    with pytest.raises(UserError) as error:
        read_wheel(path, SITE)
    for word in ["demo-1.0-py3-none-any.whl", *words]:
        assert word in str(error.value)


def test_links_are_refused(tmp_path: Path) -> None:
    path = make(tmp_path, contents())
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo("demo/link")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(UserError, match=r"demo/link.* is no regular file"):
        read_wheel(path, SITE)


@pytest.mark.parametrize("missing", ["WHEEL", "METADATA"])
def test_missing_metadata(tmp_path: Path, missing: str) -> None:
    files = contents()
    del files[f"{INFO}/{missing}"]
    with pytest.raises(UserError, match=f"has no `{INFO}/{missing}`"):
        read_wheel(make(tmp_path, files), SITE)


def test_no_metadata_at_all(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no \.dist-info folder"):
        read_wheel(make(tmp_path, {"x.py": ""}), SITE)


def test_damaged_archives(tmp_path: Path) -> None:
    path = Path(make(tmp_path, {**contents(), "demo/text": "unique content"}))
    whole = path.read_bytes()
    for damaged in (
        whole[: len(whole) // 2],
        b"",
        b"not a wheel",
        whole.replace(b"unique content", b"broken content"),
    ):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match="cannot be read"):
            read_wheel(str(path), SITE)
    with pytest.raises(UserError, match="there is no wheel"):
        read_wheel(str(tmp_path / "none.whl"), SITE)
