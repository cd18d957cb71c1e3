from __future__ import annotations

from typing import Any

import capstone  # type: ignore[import-untyped]
import pytest

from oxidize_rules.sandbox.analysis import analyze_identity
from oxidize_rules.sandbox.analysis.analyze_file import ElfInput
from oxidize_rules.sandbox.analysis.analyze_isa import _CANDIDATE, describe
from oxidize_rules.sandbox.analysis.testing_analyze import (
    AARCH64,
    CODE,
    RETURN,
    elf,
    note,
    x86_property,
)
from oxidize_rules.sandbox.analysis.x86_extensions import LEVELS, extension_of

# Instructions as an assembler writes them, and what they need.
INSTRUCTIONS = {
    "0f1006": None,  # movups
    "480fbcc7": None,  # bsf
    "f3480fbcc7": None,  # tzcnt, which runs as bsf where there is no BMI1
    "0f00e0": None,  # verr
    "0fb6c0": None,  # movzx
    "f30f16c1": "SSE3",  # movshdup
    "f20f12c1": "SSE3",  # movddup
    "660f3800c1": "SSSE3",  # pshufb
    "660f3a0fc108": "SSSE3",  # palignr
    "660f3817c1": "SSE4.1",  # ptest
    "660f3a0ac101": "SSE4.1",  # roundss
    "f2480f38f1c7": "SSE4.2",  # crc32
    "660f3a63c100": "SSE4.2",  # pcmpistri
    "f3480fb8c7": "POPCNT",
    "f3480fbdc7": "LZCNT",
    "480fc70e": "CMPXCHG16B",
    "480f38f006": "MOVBE",
    "c4e2f8f2c7": "BMI1",  # andn
    "c4e2f9f7c7": "BMI2",  # shlx
    "c5f858c1": "AVX",  # vaddps %xmm
    "c5fc58c1": "AVX",  # vaddps %ymm
    "c5f9fec1": "AVX",  # vpaddd %xmm
    "c5fdfec1": "AVX2",  # vpaddd %ymm
    "c4e27d18c1": "AVX2",  # vbroadcastss from a register
    "c4e37d46c120": "AVX2",  # vperm2i128
    "c4e279a8c1": "FMA",  # vfmadd213ps
    "c4e27913c1": "F16C",  # vcvtph2ps
    "c4e27918065a": "AVX",  # vbroadcastss from memory
    "c4e279dcc1": "AES",  # vaesenc %xmm
    "c4e27ddcc1": "VAES",
    "660f38dcc1": "AES",
    "660f3a44c100": "PCLMULQDQ",
    "62f17d48fec1": "AVX512",  # vpaddd %zmm
    "62f17d28fec1": "AVX512",  # vpaddd %ymm in the new encoding
    "c5ec41c1": "AVX512",  # kandw
    "62f275488dc1": "AVX512 beyond v4",  # vpermb
    "0f38c8c1": "SHA",  # sha1nexte
    "660f38f6c1": "ADX",  # adcx
    "0fc7f0": "RDRAND",
    "0fc7f8": "RDSEED",
}


def decoded(code: bytes) -> str | None:
    disassembler = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    found = list(disassembler.disasm_lite(code, 0))
    if not found:
        return None
    _, size, mnemonic, operands = found[0]
    return extension_of(mnemonic, code[:size], operands)


@pytest.mark.parametrize("code", INSTRUCTIONS)
def test_extensions_of_instructions(code: str) -> None:
    expected = INSTRUCTIONS[code]
    assert decoded(bytes.fromhex(code)) == expected
    if expected:
        assert expected in LEVELS
        # None is lost before it is decoded, whatever stands around it.
        assert _CANDIDATE.search(b"\x90" + bytes.fromhex(code) + RETURN)


def isa(**options: Any) -> dict[str, Any]:
    file = ElfInput(elf(**options))
    found = describe(file, analyze_identity.describe(file))
    assert file.problems == []
    return found


def test_levels_of_functions_with_their_names() -> None:
    found = isa(functions=CODE, symbol_table=True)
    assert found["functions"] == len(CODE)
    assert found["highest"] == "x86-64-v4"
    assert found["functions_by_level"] == {"x86-64-v2": 2, "x86-64-v3": 2, "x86-64-v4": 1}
    assert found["functions_by_extension"] == {
        "POPCNT": 1,
        "SSSE3": 1,
        "AVX2": 1,
        "BMI2": 1,
        "AVX512": 1,
    }
    assert found["examples"]["x86-64-v4"] == ["v4"]
    assert found["vector_functions"] == {"newer": 3, "baseline": 1}


def test_without_symbols_functions_are_those_of_the_unwind_table() -> None:
    found = isa(functions=CODE)
    assert found["functions"] == len(CODE)
    assert found["examples"]["x86-64-v4"][0].startswith("0x10")


def test_code_without_functions_is_told_apart() -> None:
    found = isa(functions=CODE, unwind=False)
    assert (found["functions"], found["highest"]) == (0, "x86-64")
    size = sum(map(len, CODE.values()))
    assert found["code_bytes"] == {"in_functions": 0, "outside": size}
    assert isa(functions=CODE)["code_bytes"] == {"in_functions": size, "outside": 0}
    assert found["outside_functions"]["highest"] == "x86-64-v4"


def test_bytes_within_an_instruction_are_not_taken_for_one() -> None:
    """A number that reads as `vpaddd %zmm` in the middle of `movabs`."""
    number = b"\x48\xb8" + b"\x62\xf1\x7d\x48\xfe\xc1\xc3\x90" + RETURN
    assert _CANDIDATE.search(number)
    assert isa(functions={"f": number})["highest"] == "x86-64"


@pytest.mark.parametrize(
    ("functions", "chosen"),
    [
        ({"f": CODE["baseline"]}, None),
        ({"f": CODE["v3"], "g": CODE["baseline"]}, False),  # nothing asks the CPU
        ({"f": CODE["v3"], "g": CODE["baseline"], "h": CODE["cpuid"]}, True),
        ({"f": CODE["v3"], "h": CODE["cpuid"]}, False),  # all is compiled for AVX2
    ],
)
def test_whether_it_is_likely_chosen_at_run_time(
    functions: dict[str, bytes], chosen: bool | None
) -> None:
    assert isa(functions=functions)["chosen_at_run_time"] is chosen


def test_what_a_file_declares() -> None:
    properties = note("GNU", 5, x86_property(0xC0008002, 7) + x86_property(0xC0010002, 1))
    found = isa(notes=properties)
    assert (found["declared_needed"], found["declared_used"]) == ("x86-64-v3", "x86-64")
    assert isa()["declared_needed"] is None


def test_long_functions_are_decoded_in_pieces() -> None:
    """Instructions that a piece's end cuts are read whole."""
    for size in (65530, 65535, 65536, 131070):
        body = b"\x48\xb8" + b"\x90" * 8
        code = (body * (size // 10 + 1))[: size - size % 10] + CODE["v4"]
        assert isa(functions={"f": code})["functions_by_level"] == {"x86-64-v4": 1}, size


def test_other_machines_are_not_examined() -> None:
    found = isa(machine=AARCH64)
    assert (found["examined"], found["why"]) == (
        False,
        "levels are known of x86_64, not aarch64",
    )
