from __future__ import annotations

import json
import re

import pytest
from pants.backend.python.util_rules.pex_requirements import ResolvePexConfig
from pants.engine.addresses import Address
from pants.util.ordered_set import FrozenOrderedSet

from oxidize_rules.binary_targets import BinaryResolveField
from oxidize_rules.sandbox.wheels.resolve_request import Pin, Request, parse_request
from oxidize_rules.sandbox.wheels.wheel_choice import Rules, Target
from oxidize_rules.util_rules.wheels import (
    LockedVersion,
    WheelsRequest,
    parse_requirements_lock,
    resolution_request,
)

ADDRESS = Address("src/app", target_name="bin")
TRIPLE = "x86_64-unknown-linux-gnu"


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


@pytest.mark.parametrize("line", ["requests>=2", "requests", "requests==2.*", "-", "git+https://x"])
def test_a_lock_without_pins(line: str) -> None:
    if line == "-":  # an option line is no requirement
        assert parse_requirements_lock(line) == {}
        return
    with pytest.raises(ValueError, match=re.escape(line)):
        parse_requirements_lock(f"click==8.1.7\n{line}\n")


def config(**values: object) -> ResolvePexConfig:
    fields = {
        "indexes": ("https://index.example/simple",),
        "find_links": ("file:///links",),
        "manylinux": None,
        "constraints_file": None,
        "only_binary": FrozenOrderedSet(["Only_Wheels"]),
        "no_binary": FrozenOrderedSet(),
        "path_mappings": ("WHEELS|/srv/wheels|where they are",),
        **values,
    }
    return ResolvePexConfig(**fields)  # type: ignore[arg-type]


def test_the_program_reads_what_the_rule_writes() -> None:
    request = WheelsRequest(
        ADDRESS, BinaryResolveField(None, ADDRESS), "3.13.5", TRIPLE, "2.28", native=False
    )
    pins = {"click": (LockedVersion("8.1.7", 'os_name == "posix"', frozenset({"cd", "ab"})),)}
    content = resolution_request(request, {"b>=1", "a"}, lock="L", pins=pins, config=config())
    found = parse_request(content.decode())
    assert found == Request(
        requirements=("a", "b>=1"),
        target=Target("3.13.5", TRIPLE, "2.28", native=False),
        indexes=("https://index.example/simple",),
        find_links=("file:///links",),
        lock="L",
        pins={"click": (Pin("8.1.7", 'os_name == "posix"', frozenset({"ab", "cd"})),)},
        path_mappings={"WHEELS": "/srv/wheels"},
        rules=Rules(only_binary=frozenset({"only-wheels"})),
    )


def test_the_request_is_the_same_however_it_is_put_together() -> None:
    request = WheelsRequest(ADDRESS, BinaryResolveField(None, ADDRESS), "3.13.5", TRIPLE)
    pin = LockedVersion("1", None, frozenset())
    one, other = (
        resolution_request(
            request,
            requirements,
            lock=None,
            pins=dict.fromkeys(requirements, (pin,)),
            config=config(),
        )
        for requirements in (["a", "b", "c"], ["c", "b", "a"])
    )
    assert one == other
    assert json.loads(one)["native"] is True
