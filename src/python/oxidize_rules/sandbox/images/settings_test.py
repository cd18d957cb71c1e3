from __future__ import annotations

import pytest

from oxidize_rules.sandbox.errors import UserError
from oxidize_rules.sandbox.images.settings import check_settings, config_settings

INTERPRETER = ("entry.kind", "interpreter")


def test_settings_keep_their_order_and_are_normalized() -> None:
    settings = [
        ["path", "lib"],
        ["entry.kind", "interpreter"],
        ["config.utf8_mode", "true"],
        ["config.warnoptions", "error"],
        ["config.warnoptions", "ignore"],
        ["path", "app"],
        ["env.HOME", "/"],
        ["argv", ""],
    ]
    assert check_settings(settings) == [
        ("path", "lib"),
        ("entry.kind", "interpreter"),
        ("config.utf8_mode", "1"),
        ("config.warnoptions", "error"),
        ("config.warnoptions", "ignore"),
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
        [INTERPRETER, ("env.xoptions", "1"), ("env.xoptions", "1")],
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
        (("config.warnoptions", "explode"), ["warnoptions", "'explode'"]),
    ],
)
def test_what_a_user_can_get_wrong(setting: tuple[str, str], words: list[str]) -> None:
    with pytest.raises(UserError) as error:
        check_settings([INTERPRETER, setting])
    for word in words:
        assert word in str(error.value)


def test_settings_of_a_config() -> None:
    settings = config_settings({"utf8_mode": 1, "stdio_errors": "strict", "xoptions": ("b", "a=1")})
    assert settings == [
        ("config.stdio_errors", "strict"),
        ("config.utf8_mode", "1"),
        ("config.xoptions", "b"),
        ("config.xoptions", "a=1"),
    ]
    assert check_settings([INTERPRETER, *settings]) == [INTERPRETER, *settings]
