"""Lock files of pex: what is read of them, and that a resolution keeps to it."""

from __future__ import annotations

import json
from typing import Any, Dict, List

import pytest

from oxidize_rules.sandbox.errors import UserError
from oxidize_rules.sandbox.wheels.pex_lock import parse_pex_lock
from oxidize_rules.sandbox.wheels.resolve_request import Request
from oxidize_rules.sandbox.wheels.testing_wheels import MUSL
from oxidize_rules.sandbox.wheels.wheel_index import Places
from oxidize_rules.sandbox.wheels.wheel_resolve import resolve

LOCK = "the lock file `l.json`"
MUSL_TAG = "cp313-cp313-musllinux_1_2_x86_64"


def artifact(url: str, sha256: str = "ab" * 32, algorithm: str = "sha256") -> Dict[str, str]:
    return {"url": url, "hash": sha256, "algorithm": algorithm}


def locked(name: str, version: str, *artifacts: Dict[str, str], **more: Any) -> Dict[str, Any]:
    return {"project_name": name, "version": version, "artifacts": list(artifacts), **more}


def pex_lock(*resolves: List[Dict[str, Any]]) -> str:
    return json.dumps({"locked_resolves": [{"locked_requirements": one} for one in resolves]})


def test_reading_a_lock_file_of_pex() -> None:
    lock = pex_lock(
        [
            locked(
                "Zope.Interface",
                "5.0",
                artifact("https://f.example/zope.interface-5.0.tar.gz"),
                artifact("https://f.example/zope.interface-5.0-py3-none-any.whl?x#y", "CD" * 32),
                artifact("https://f.example/zope.interface-5.0.zip", algorithm="md5"),
                artifact("git+https://f.example/zope.git"),
                requires_python=">=3.9",
                requires_dists=["a>=1"],
            ),
            locked("b", "1", artifact("${WHEELS}/b-1-py3-none-any.whl")),
        ],
        [locked("b", "1", artifact("${WHEELS}/b-1-py2-none-any.whl")), locked("b", "2")],
    )
    found = parse_pex_lock(lock, {"WHEELS": "file:///srv/wheels"}).releases
    (zope,) = found["zope-interface"]
    assert [(one.file.filename, one.file.sha256) for one in zope.files] == [
        ("zope.interface-5.0.tar.gz", "ab" * 32),
        ("zope.interface-5.0-py3-none-any.whl", "cd" * 32),
    ]
    assert zope.files[0].file.requires_python == ">=3.9"
    assert zope.requires == ("a>=1",)
    assert [str(one.version) for one in found["b"]] == ["2", "1"]
    assert [one.file.url for one in found["b"][1].files] == [
        "file:///srv/wheels/b-1-py3-none-any.whl",
        "file:///srv/wheels/b-1-py2-none-any.whl",
    ]


def test_a_lock_file_of_pex_asks_no_place_for_wheels() -> None:
    lock = pex_lock(
        [
            locked(
                "a",
                "1.0",
                artifact(f"https://f.invalid/a-1.0-{MUSL_TAG}.whl"),
                requires_dists=["b[x]"],
            ),
            locked(
                "b",
                "2.0",
                artifact("https://f.invalid/b-2.0-py3-none-any.whl"),
                requires_dists=["c ; extra == 'x'", "d ; extra == 'y'"],
            ),
            locked("c", "1", artifact("https://f.invalid/c-1-py3-none-any.whl")),
            locked("d", "1", artifact("https://f.invalid/d-1-py3-none-any.whl")),
        ]
    )
    request = Request(("a",), MUSL, indexes=("http://127.0.0.1:1",), lock=LOCK)
    found = resolve(request, Places(request.indexes, ()), lock)
    assert [one.parsed.project for one in found] == ["a", "b", "c"]


def test_what_a_lock_file_of_pex_leaves_out_or_replaces() -> None:
    pure = "https://f.invalid/{}-py3-none-any.whl"
    lock = json.loads(
        pex_lock(
            [
                locked("a", "1", artifact(pure.format("a-1")), requires_dists=["b<2", "Not.Here"]),
                locked("b", "2", artifact(pure.format("b-2"))),
            ]
        )
    )
    request = Request(("a",), MUSL, lock=LOCK)
    places = Places((), ())
    with pytest.raises(UserError, match="no versions fit together"):
        resolve(request, places, json.dumps(lock))
    lock["overridden"] = ["B==2"]
    with pytest.raises(UserError, match="not-here: "):
        resolve(request, places, json.dumps(lock))
    lock["excluded"] = ["not_here>=1"]
    found = resolve(request, places, json.dumps(lock))
    assert [str(one.parsed.version) for one in found] == ["1", "2"]


def test_projects_that_pex_left_out_or_replaced() -> None:
    found = parse_pex_lock('{"excluded": ["Not_Here>=1"], "overridden": null}', {})
    assert found.excluded == {"not-here"}
    assert not found.overridden
