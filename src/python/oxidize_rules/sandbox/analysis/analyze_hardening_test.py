from __future__ import annotations

from typing import Any

import pytest

from oxidize_rules.sandbox.analysis import analyze_identity
from oxidize_rules.sandbox.analysis.analyze_file import ElfInput
from oxidize_rules.sandbox.analysis.analyze_hardening import describe
from oxidize_rules.sandbox.analysis.analyze_requirements import REQUIREMENTS
from oxidize_rules.sandbox.analysis.testing_analyze import (
    AARCH64,
    CODE,
    EXECUTE,
    READ,
    WRITE,
    elf,
    note,
    x86_property,
)

GLIBC = "libc.so.6"


def hardening(**options: Any) -> dict[str, Any]:
    file = ElfInput(elf(**options))
    found = describe(file, analyze_identity.describe(file))
    assert file.problems == []
    return found


@pytest.mark.parametrize(
    ("options", "prop", "expected"),
    [
        ({}, "pie", True),
        ({"elf_type": 2}, "pie", False),
        ({"flags_1": 0, "interpreter": "", "needed": ()}, "pie", True),  # static, of an old linker
        ({}, "nx", True),
        ({"stack_flags": READ | WRITE | EXECUTE}, "nx", False),
        ({"stack_flags": None}, "nx", False),
        ({}, "relro", True),
        ({"relro": False}, "relro", False),
        ({}, "bind_now", True),
        ({"flags": 0, "flags_1": 0x8000000}, "bind_now", True),  # nothing is bound lazily
        ({}, "no_rwx", True),
        ({"data_flags": READ | WRITE | EXECUTE}, "no_rwx", False),
        ({}, "no_textrel", True),
        ({"flags": 12}, "no_textrel", False),
        ({}, "no_rpath", True),
        ({"rpath": "/opt/lib"}, "no_rpath", False),
        ({"runpath": "/opt/lib"}, "no_rpath", False),
        ({}, "stack_protector", False),
        ({"functions": {"f": CODE["canary"]}}, "stack_protector", True),
        ({"versions": {GLIBC: {"GLIBC_2.4": ["__stack_chk_fail"]}}}, "stack_protector", True),
        ({"machine": AARCH64}, "stack_protector", None),
        ({}, "fortify", None),
        ({"versions": {GLIBC: {"GLIBC_2.2.5": ["memcpy"]}}}, "fortify", False),
        ({"versions": {GLIBC: {"GLIBC_2.3.4": ["__memcpy_chk"]}}}, "fortify", True),
        ({}, "stripped", True),
        ({"symbol_table": True}, "stripped", False),
        ({}, "ibt", False),
        ({"machine": AARCH64}, "ibt", None),
    ],
)
def test_each_property(options: dict[str, Any], prop: str, expected: bool | None) -> None:
    assert hardening(**options)[prop] is expected


def test_marks_of_control_flow_enforcement() -> None:
    found = hardening(notes=note("GNU", 5, x86_property(0xC0000002, 1)))
    assert (found["ibt"], found["shadow_stack"]) == (True, False)
    found = hardening(notes=note("GNU", 5, x86_property(0xC0000002, 3)))
    assert (found["ibt"], found["shadow_stack"]) == (True, True)
    found = hardening(machine=AARCH64, notes=note("GNU", 5, x86_property(0xC0000000, 2)))
    assert (found["bti"], found["pac"]) == (False, True)


def test_every_requirement_names_a_property() -> None:
    properties = {*hardening(), "no_secrets"}
    assert {prop for prop, _ in REQUIREMENTS.values()} <= properties
