from __future__ import annotations

import json
import re
from typing import Any, Dict, List, Optional, Tuple

import pytest
from pants.engine.addresses import Address

from oxidize_rules.binary_targets import BinaryResolveField
from oxidize_rules.util_rules.sandbox_program import OxidizeError
from oxidize_rules.util_rules.wheels import (
    LockedVersion,
    WheelsRequest,
    check_against_lock,
    constraints_of,
    parse_pex_lock,
    parse_requirements_lock,
    pex_failure,
    pinned_without_file,
    unfit_artifacts,
)

ADDRESS = Address("src/app", target_name="bin")
REQUEST = WheelsRequest(
    ADDRESS, BinaryResolveField(None, ADDRESS), "3.13.5", "x86_64-unknown-linux-musl"
)
LOCK = "the lock file `3rdparty/lock.txt`"


def test_requirements_style_lock() -> None:
    pins = parse_requirements_lock(
        "# a comment\n"
        "--index-url https://example.org/simple\n"
        "Requests[socks]==2.32.3 \\\n"
        "    --hash=sha256:AB12 \\\n"
        "    --hash=sha256:cd34\n"
        "    # via -r requirements.txt\n"
        "colorama==0.4.6 ; sys_platform == 'win32' # via click\n"
        "zope.interface===5.0 --hash=md5:ff\n"
    )
    assert pins == {
        "requests": (LockedVersion("2.32.3", None, frozenset({"ab12", "cd34"})),),
        "colorama": (LockedVersion("0.4.6", 'sys_platform == "win32"', frozenset()),),
        "zope-interface": (LockedVersion("5.0", None, frozenset()),),
    }
    assert constraints_of(pins) == (
        'colorama==0.4.6 ; sys_platform == "win32"\nrequests==2.32.3\nzope-interface==5.0\n'
    )


@pytest.mark.parametrize("line", ["requests>=2", "requests", "requests==2.*", "-", "git+https://x"])
def test_a_lock_without_pins(line: str) -> None:
    if line == "-":  # an option line is no requirement
        assert parse_requirements_lock(line) == {}
        return
    with pytest.raises(ValueError, match=re.escape(line)):
        parse_requirements_lock(f"click==8.1.7\n{line}\n")


def pex_lock(**projects: Tuple[List[str], List[str]]) -> bytes:
    requirements: List[Dict[str, Any]] = [
        {
            "project_name": name,
            "version": "1.0",
            "artifacts": [{"url": f"https://example.org/a/{file}#sha256=00"} for file in files],
            "requires_dists": requires,
        }
        for name, (files, requires) in projects.items()
    ]
    return json.dumps({"locked_resolves": [{"locked_requirements": requirements}]}).encode()


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (["pure"], []),
        (["native"], ["native"]),
        (["source"], ["source"]),
        (["top"], ["native"]),
        (["top[extra]"], ["native", "source"]),
        (["native ; sys_platform == 'win32'"], []),
        (["native ; python_version >= '3.13'"], ["native"]),
        (["not-locked"], []),
    ],
)
def test_what_has_no_wheel_in_a_pex_lock(wanted: List[str], expected: List[str]) -> None:
    locked = parse_pex_lock(
        pex_lock(
            pure=(["pure-1.0-py3-none-any.whl", "pure-1.0.tar.gz"], []),
            native=(["native-1.0-cp313-cp313-musllinux_1_2_x86_64.whl"], []),
            source=(["source-1.0.tar.gz"], []),
            top=(
                ["top-1.0-py2.py3-none-any.whl"],
                ["native>=1", "source; extra == 'extra'", "source; sys_platform == 'win32'"],
            ),
        )
    )
    unfit = unfit_artifacts(
        locked, wanted, python_version="3.13.5", target_triple="x86_64-unknown-linux-musl"
    )
    assert [artifact.project for artifact in unfit] == expected


@pytest.mark.parametrize(
    ("output", "parts"),
    [
        (
            "pip: ERROR: Could not find a version that satisfies the requirement numpy==2.1.0 "
            "(from versions: none)\npip: ERROR: No matching distribution found for numpy==2.1.0\n",
            ["numpy==2.1.0: found no fitting file", "py3-none-any", "3.13.5", "To fix, "],
        ),
        ("something else\n", ["could not get", LOCK, "something else"]),
    ],
)
def test_failure_of_pex(output: str, parts: List[str]) -> None:
    message = str(pex_failure(REQUEST, output, LOCK))
    for part in ("src/app:bin", "x86_64-unknown-linux-musl", *parts):
        assert part in message


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("The user requested leaf>=1", ["leaf==1.0"]),
        ("top 1.0 depends on Leaf<2", ["leaf==1.0"]),
        ("The user requested leaf>=2", []),
        ("top 1.0 depends on leaf!=1.0", []),
        ("The user requested leaf @ https://example.org/leaf.zip", ["leaf==1.0"]),
    ],
)
def test_a_pin_without_a_file_is_no_conflict(wanted: str, found: List[str]) -> None:
    output = f"pip:  The conflict is caused by:\npip:   {wanted}\n"
    assert pinned_without_file(output) == []
    output += "pip:   The user requested (constraint) leaf==1.0\n"
    assert pinned_without_file(output) == found


@pytest.mark.parametrize(
    ("filename", "fingerprint", "problem"),
    [
        ("requests-2.32.3-py3-none-any.whl", "ab", None),
        ("Requests-2.32.3-py3-none-any.whl", "ab", None),
        ("nohash-1-py3-none-any.whl", "ee", None),
        ("requests-2.32.3-py3-none-any.whl", "cd", "wrong hash"),
        ("other-1-py3-none-any.whl", "ab", "does not have it"),
    ],
)
def test_check_against_lock(filename: str, fingerprint: str, problem: Optional[str]) -> None:
    pins = {
        "requests": (LockedVersion("2.32.3", None, frozenset({"ab"})),),
        "nohash": (LockedVersion("1", None, frozenset()),),
    }
    if problem is None:
        check_against_lock(REQUEST, LOCK, pins, {filename: fingerprint})
        return
    with pytest.raises(OxidizeError, match=problem) as caught:
        check_against_lock(REQUEST, LOCK, pins, {filename: fingerprint})
    for part in ("src/app:bin", filename, LOCK, "To fix, "):
        assert part in str(caught.value)
