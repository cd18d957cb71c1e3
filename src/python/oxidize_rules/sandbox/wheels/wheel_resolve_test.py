"""Resolution of projects in a folder of wheels and source archives that the test writes."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any, Dict, Iterable, List, Optional, Sequence

import pytest

from oxidize_rules.sandbox.errors import UserError
from oxidize_rules.sandbox.wheels import wheel_resolve
from oxidize_rules.sandbox.wheels.resolve_request import Pin, Request
from oxidize_rules.sandbox.wheels.wheel_choice import NO_RULES, Rules, Target
from oxidize_rules.sandbox.wheels.wheel_index import Places

TRIPLE = "x86_64-unknown-linux-musl"
TARGET = Target("3.13.5", TRIPLE, None)
MUSL_TAG = "cp313-cp313-musllinux_1_2_x86_64"
LOCK = "the lock file `l.txt`"


def wheel(
    folder: Path,
    project: str,
    version: str,
    requires: Iterable[str] = (),
    tag: str = "py3-none-any",
) -> str:
    """Writes a wheel; returns its sha256."""
    path = folder / f"{project}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        lines = [f"Name: {project}", *(f"Requires-Dist: {one}" for one in requires)]
        archive.writestr(f"{project}-{version}.dist-info/METADATA", "\n".join(lines))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def sdist(folder: Path, project: str, version: str, requires: Iterable[str] = ()) -> str:
    path = folder / f"{project}-{version}.tar.gz"
    lines = ["Metadata-Version: 2.2", *(f"Requires-Dist: {one}" for one in requires)]
    content = "\n".join(lines).encode()
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo(f"{project}-{version}/PKG-INFO")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def resolve(
    folder: Path,
    requirements: Sequence[str],
    pins: Optional[Dict[str, Any]] = None,
    target: Target = TARGET,
    rules: Rules = NO_RULES,
) -> List[str]:
    """File names. `pins`: a version or a `Pin`, or several, by name."""
    request = Request(
        tuple(requirements),
        target,
        lock=None if pins is None else LOCK,
        pins=None
        if pins is None
        else {
            name: tuple(
                pin if isinstance(pin, Pin) else Pin(pin, None, frozenset())
                for pin in (value if isinstance(value, list) else [value])
            )
            for name, value in pins.items()
        },
        rules=rules,
    )
    found = wheel_resolve.resolve(request, Places([], [str(folder)]))
    assert all(one.parsed.file.sha256 for one in found)
    return [one.parsed.file.filename.replace("-py3-none-any.whl", "") for one in found]


def test_the_newest_that_fits_everything(tmp_path: Path) -> None:
    wheel(tmp_path, "a", "1.0", ["c<2"])
    wheel(tmp_path, "a", "2.0", ["c<2"])
    wheel(tmp_path, "b", "1.0", ["c>=1"])
    for version in ("0.5", "1.5", "2.5", "3.0rc1"):
        wheel(tmp_path, "c", version)
    assert resolve(tmp_path, ["b", "a"]) == ["a-2.0", "b-1.0", "c-1.5"]


def test_an_older_version_where_the_newest_contradicts(tmp_path: Path) -> None:
    wheel(tmp_path, "a", "1.0", ["c==1.0"])
    wheel(tmp_path, "a", "2.0", ["c==2.0"])
    wheel(tmp_path, "b", "1.0", ["c==1.0"])
    wheel(tmp_path, "c", "1.0")
    wheel(tmp_path, "c", "2.0")
    assert resolve(tmp_path, ["a", "b"]) == ["a-1.0", "b-1.0", "c-1.0"]


def test_previews_only_where_wanted(tmp_path: Path) -> None:
    wheel(tmp_path, "a", "1.0")
    wheel(tmp_path, "a", "2.0rc1")
    wheel(tmp_path, "b", "1.0b2")
    assert resolve(tmp_path, ["a", "b"]) == ["a-1.0", "b-1.0b2"]
    assert resolve(tmp_path, ["a>=2.0rc1"]) == ["a-2.0rc1"]
    assert resolve(tmp_path, ["a"], {"a": "2.0rc1"}) == ["a-2.0rc1"]


def test_extras_and_markers(tmp_path: Path) -> None:
    wheel(
        tmp_path,
        "a",
        "1.0",
        [
            "b ; extra == 'More.Things'",
            "c ; sys_platform == 'win32'",
            "d ; python_version >= '3.13' and extra == 'more-things'",
            "gone ; extra == 'other'",
            "e ; platform_machine == 'x86_64'",
        ],
    )
    for name in "bcde":
        wheel(tmp_path, name, "1.0")
    assert resolve(tmp_path, ["a", "c ; os_name == 'nt'"]) == ["a-1.0", "e-1.0"]
    assert resolve(tmp_path, ["A[more_things]", "a"]) == ["a-1.0", "b-1.0", "d-1.0", "e-1.0"]


def test_a_circle(tmp_path: Path) -> None:
    wheel(tmp_path, "a", "1.0", ["b"])
    wheel(tmp_path, "b", "1.0", ["a[x]"])
    assert resolve(tmp_path, ["a"], {"a": "1.0", "b": "1.0"}) == ["a-1.0", "b-1.0"]


def test_pins_say_the_version(tmp_path: Path) -> None:
    for version in ("1.0", "2.0"):
        wheel(tmp_path, "a", version)
    pins = [
        Pin("2.0", "python_version < '3.13'", frozenset()),
        Pin("1", "python_version >= '3.13'", frozenset()),
    ]
    assert resolve(tmp_path, ["a"], {"a": pins}) == ["a-1.0"]


def test_hashes_of_a_version_that_is_pinned_twice(tmp_path: Path) -> None:
    sha256 = wheel(tmp_path, "a", "1.0")
    pins = [Pin("1.0", None, frozenset({sha256})), Pin("1.0", None, frozenset({"0" * 64}))]
    assert resolve(tmp_path, ["a"], {"a": pins}) == ["a-1.0"]


def test_a_wheel_before_a_source_archive_of_a_newer_version(tmp_path: Path) -> None:
    wheel(tmp_path, "a", "1.0")
    sdist(tmp_path, "a", "2.0")
    assert resolve(tmp_path, ["a"]) == ["a-1.0"]
    assert resolve(tmp_path, ["a>1"]) == ["a-2.0.tar.gz"]
    assert resolve(tmp_path, ["a"], {"a": "2.0"}) == ["a-2.0.tar.gz"]


def test_requirements_of_a_source_archive(tmp_path: Path) -> None:
    sdist(tmp_path, "a", "1.0", ["b>=1"])
    wheel(tmp_path, "b", "1.0")
    assert resolve(tmp_path, ["a"], {"a": "1.0", "b": "1.0"}) == ["a-1.0.tar.gz", "b-1.0"]


def test_without_a_loader_no_archive_of_a_package_with_native_code(tmp_path: Path) -> None:
    """Not even of an older version that has no native wheel for this Python."""
    wheel(tmp_path, "a", "2.0", tag=MUSL_TAG)
    sdist(tmp_path, "a", "1.0")
    target = Target("3.13.5", TRIPLE, None, native=False)
    with pytest.raises(UserError, match=r"a 2\.0: ") as caught:
        resolve(tmp_path, ["a"], target=target)
    assert 'remove `dynamic_loading="never"`' in str(caught.value)


def test_the_url_of_a_file(tmp_path: Path) -> None:
    sha256 = wheel(tmp_path, "a", "1.0", ["b"])
    folder = tmp_path / "links"
    folder.mkdir()
    wheel(folder, "b", "1.0")
    url = (tmp_path / "a-1.0-py3-none-any.whl").as_uri()
    assert resolve(folder, [f"a @ {url}#sha256={sha256}"]) == ["a-1.0", "b-1.0"]
    assert resolve(folder, [f"a @ {url}"]) == ["a-1.0", "b-1.0"]
    with pytest.raises(UserError, match="expected the URL of a wheel"):
        resolve(folder, ["a @ git+https://code.example/a.git"])


def test_all_that_is_missing_is_told_at_once(tmp_path: Path) -> None:
    wheel(tmp_path, "top", "1.0", ["one", "two", "gone"])
    wheel(tmp_path, "one", "1.0", ["three"], tag="cp313-cp313-manylinux_2_28_x86_64")
    wheel(tmp_path, "two", "1.0", tag="cp39-cp39-musllinux_1_2_x86_64")
    wheel(tmp_path, "two", "0.9")
    wheel(tmp_path, "three", "1.0", tag="cp313-cp313-win_amd64")
    pins = {"top": "1.0", "one": "1.0", "two": "1.0", "three": "1.0"}
    with pytest.raises(UserError) as caught:
        resolve(tmp_path, ["top"], pins)
    message = str(caught.value)
    for part in (
        f"no wheel that fits `{TRIPLE}` and Python 3.13",
        "* one 1.0: wheels for `cp313-cp313-manylinux_2_28_x86_64`; no source archive.",
        'set `target_triple="x86_64-unknown-linux-gnu"` and `glibc_floor="2.28"`',
        "* two 1.0: ",
        "its wheels are for Python 3.9, and the binary has 3.13",
        "lock version 0.9, which has a fitting wheel",
        f"* gone: {LOCK} does not have it for this target.",
        "`musllinux_1_2_x86_64` to `musllinux_1_0_x86_64`",
        "To fix, ",
    ):
        assert part in message


def test_wrong_hash(tmp_path: Path) -> None:
    wheel(tmp_path, "a", "1.0")
    pins = {"a": Pin("1.0", None, frozenset({"0" * 64}))}
    with pytest.raises(UserError, match=r"wrong hash of `a-1\.0-py3-none-any\.whl`"):
        resolve(tmp_path, ["a"], pins)


def test_versions_that_do_not_fit_together(tmp_path: Path) -> None:
    wheel(tmp_path, "a", "1.0", ["b>=2"])
    wheel(tmp_path, "b", "1.0")
    with pytest.raises(UserError) as caught:
        resolve(tmp_path, ["a"], {"a": "1.0", "b": "1.0"})
    for part in ("`b>=2`, wanted by a 1.0", f"{LOCK} has b: 1.0", "write the lock file anew"):
        assert part in str(caught.value)
    with pytest.raises(UserError, match="change the requirements"):
        resolve(tmp_path, ["b>5"])


def test_a_requirement_that_is_none(tmp_path: Path) -> None:
    wheel(tmp_path, "a", "1.0", ["b (not a version)"])
    with pytest.raises(UserError, match=r"a 1\.0 requires `b \(not a version\)`"):
        resolve(tmp_path, ["a"])


def test_a_source_archive_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "a-1.0.tar.gz").write_bytes(b"<html>")
    with pytest.raises(UserError, match="no usable source archive"):
        resolve(tmp_path, ["a"])


def test_rules_of_the_resolve(tmp_path: Path) -> None:
    wheel(tmp_path, "a", "1.0")
    sdist(tmp_path, "a", "1.0")
    only = Rules(no_binary=frozenset({"a"}))
    assert resolve(tmp_path, ["a"], {"a": "1.0"}, rules=only) == ["a-1.0.tar.gz"]


def run_program(folder: Path, **changes: Any) -> Dict[str, Any]:
    values = {
        "requirements": ["a", "b"],
        "python_version": "3.13.5",
        "target_triple": TRIPLE,
        "glibc_floor": None,
        "native": True,
        "indexes": [],
        "find_links": [str(folder)],
        "lock": None,
        "pins": None,
        "path_mappings": {},
        "only_binary": [],
        "no_binary": [],
        **changes,
    }
    (folder / "request.json").write_text(json.dumps(values))
    output = folder / "out.json"
    wheel_resolve.main(["--request", str(folder / "request.json"), "--output", str(output)])
    found: Dict[str, Any] = json.loads(output.read_text())
    return found


def test_the_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    one, other = wheel(tmp_path, "a", "1.0"), sdist(tmp_path, "b", "1.0")
    wheel(tmp_path, "b", "1.0", tag="cp313-cp313-manylinux_2_17_x86_64")
    found = run_program(tmp_path)
    assert found == {
        "wheels": [
            {
                "project": "a",
                "version": "1.0",
                "filename": "a-1.0-py3-none-any.whl",
                "url": (tmp_path / "a-1.0-py3-none-any.whl").as_uri(),
                "sha256": one,
            }
        ],
        "sdists": [
            {
                "project": "b",
                "version": "1.0",
                "filename": "b-1.0.tar.gz",
                "url": (tmp_path / "b-1.0.tar.gz").as_uri(),
                "sha256": other,
                "ways": [
                    'it has a wheel for glibc: set `target_triple="x86_64-unknown-linux-gnu"`'
                ],
            }
        ],
    }
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix == ".json") == [
        "out.json",
        "request.json",
    ]
