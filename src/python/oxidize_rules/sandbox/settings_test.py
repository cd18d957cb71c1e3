from __future__ import annotations

import pytest

from oxidize_rules.sandbox.errors import UserError
from oxidize_rules.sandbox.settings import (
    CONFIG_INTEGERS,
    CONFIG_REFUSED,
    CONFIG_STRINGS,
    check_settings,
    config_value,
)

INTERPRETER = ("entry.kind", "interpreter")


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("utf8_mode", "1", "1"),
        ("utf8_mode", True, "1"),
        ("isolated", "false", "0"),
        ("verbose", 2, "2"),
        ("cpu_count", "-1", "-1"),
        ("hash_seed", "4294967295", "4294967295"),
        ("stdio_encoding", "utf-8", "utf-8"),
        ("filesystem_errors", "strict", "strict"),
    ],
)
def test_values_of_fields(field: str, value: str | int, expected: str) -> None:
    assert config_value(field, value) == expected


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("utf8_mode", "2", ["utf8_mode", "'2'", "true (1) or false (0)"]),
        ("verbose", "4", ["verbose", "'4'", "0 to 3"]),
        ("verbose", "true", ["'true'", "0 to 3"]),
        ("hash_seed", "x", ["'x'", "0 to 4294967295"]),
        ("stdio_errors", "explode", ["'explode'", "surrogateescape"]),
        ("stdio_encoding", 8, ["8", "expected text"]),
        ("stdio_encoding", "a\0b", ["expected text"]),
        ("home", "/usr", ["home", "cannot be set", "image", "Remove"]),
        ("site_import", "1", ["cannot be set", "`site`"]),
        ("utf_mode", "1", ["'utf_mode'", "Did you mean utf8_mode"]),
    ],
)
def test_refused_fields_say_why(field: str, value: str | int, words: list[str]) -> None:
    with pytest.raises(UserError) as error:
        config_value(field, value)
    for word in ["interpreter_config", *words]:
        assert word in str(error.value)


def test_no_field_is_in_two_tables() -> None:
    fields = [*CONFIG_INTEGERS, *CONFIG_STRINGS, *CONFIG_REFUSED]
    assert len(fields) == len(set(fields))


def test_settings_keep_their_order_and_are_normalized() -> None:
    settings = [
        ["path", "lib"],
        ["entry.kind", "interpreter"],
        ["config.utf8_mode", "true"],
        ["path", "app"],
        ["env.HOME", "/"],
        ["argv", ""],
    ]
    assert check_settings(settings) == [
        ("path", "lib"),
        ("entry.kind", "interpreter"),
        ("config.utf8_mode", "1"),
        ("path", "app"),
        ("env.HOME", "/"),
        ("argv", ""),
    ]


@pytest.mark.parametrize(
    "settings",
    [
        [INTERPRETER, ("nonsense", "1")],
        [INTERPRETER, INTERPRETER],
        [INTERPRETER, ("config.isolated", "1"), ("config.isolated", "1")],
        [("entry.kind", "else")],
        [],
        [("entry.kind", "function"), ("entry.module", "x")],
        [("entry.kind", "module")],
        [INTERPRETER, ("path",)],
    ],
)
def test_what_only_a_rule_can_get_wrong(settings: list[tuple[str, ...]]) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        check_settings(settings)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        (("allocator", "jemalloc"), ["allocator", "'jemalloc'", "mimalloc"]),
        (("env.A=B", "x"), ["env", "'A=B'"]),
        (("argv", "a\0"), ["argv", "NUL"]),
        (("config.utf8_mode", "maybe"), ["utf8_mode", "'maybe'"]),
    ],
)
def test_what_a_user_can_get_wrong(setting: tuple[str, str], words: list[str]) -> None:
    with pytest.raises(UserError) as error:
        check_settings([INTERPRETER, setting])
    for word in words:
        assert word in str(error.value)
