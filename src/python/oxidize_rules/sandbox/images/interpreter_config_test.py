from __future__ import annotations

from typing import Any

import pytest

from oxidize_rules.sandbox.errors import UserError
from oxidize_rules.sandbox.images.interpreter_config import (
    ALIASES,
    INTEGERS,
    LISTS,
    REFUSED,
    SINCE,
    STRINGS,
    check_config,
    check_version,
    config_value,
    members,
)


@pytest.mark.parametrize(
    ("member", "value", "expected"),
    [
        ("utf8_mode", True, 1),
        ("utf8_mode", 0, 0),
        ("utf8_mode", "1", 1),
        ("isolated", "false", 0),
        ("verbose", 2, 2),
        ("cpu_count", "-1", -1),
        ("cpu_count", 3, 3),
        ("hash_seed", 4294967295, 4294967295),
        ("int_max_str_digits", 0, 0),
        ("int_max_str_digits", 640, 640),
        ("stdio_encoding", "latin-1", "latin-1"),
        ("filesystem_errors", "strict", "strict"),
        ("check_hash_pycs_mode", "always", "always"),
        ("run_module", "http.server", "http.server"),
        ("xoptions", ["importtime", "mine=1", "utf8", "tracemalloc"], ...),
        ("xoptions", ["cpu_count=default", "int_max_str_digits=0", "frozen_modules=off"], ...),
        ("warnoptions", [], ...),
        ("warnoptions", ("error", "e", "default::DeprecationWarning:my.module:12"), ...),
        ("module_search_paths", ["/opt/plugins", "$ORIGIN", "$ORIGIN/../lib"], ...),
    ],
)
def test_values(member: str, value: Any, expected: Any) -> None:
    found = config_value(member, value)
    assert found == (tuple(value) if expected is ... else expected)
    assert type(found) is not bool


@pytest.mark.parametrize(
    ("member", "value", "words"),
    [
        ("utf8_mode", 2, ["utf8_mode is 2", "True (1) or False (0)"]),
        ("utf8_mode", 1.0, ["utf8_mode is 1.0", "True (1) or False (0)"]),
        ("utf8_mode", None, ["None"]),
        ("verbose", 4, ["verbose is 4", "0 to 3"]),
        ("verbose", True, ["verbose is True", "an integer from 0 to 3"]),
        ("verbose", "true", ["'true'", "0 to 3"]),
        ("hash_seed", "x", ["'x'", "0 to 4294967295"]),
        ("hash_seed", -1, ["-1", "0 to 4294967295"]),
        ("int_max_str_digits", 639, ["639", "at least 640"]),
        ("cpu_count", 0, ["cpu_count is 0", "at least 1"]),
        ("stdio_errors", "explode", ["'explode'", "surrogateescape"]),
        ("stdio_encoding", 8, ["8", "expected text"]),
        ("stdio_encoding", "utf-7000", ["'utf-7000'", "an encoding"]),
        ("stdio_encoding", "hex", ["'hex'", "an encoding"]),
        ("pycache_prefix", "a\0b", ["expected text"]),
        ("pycache_prefix", "", ["expected text"]),
        ("check_hash_pycs_mode", "ever", ["'ever'", "always"]),
        ("run_module", "main.py:main", ["'main.py:main'", "package.module"]),
        ("xoptions", "dev", ["'dev'", "a list of strings"]),
        ("xoptions", ["dev", 1], ["1 is none"]),
        ("xoptions", [""], ["'' is none"]),
        ("xoptions", ["utf8=2"], ["utf8=2", "`utf8=0`"]),
        ("xoptions", ["frozen_modules=maybe"], ["frozen_modules=maybe", "`on` or `off`"]),
        ("xoptions", ["tracemalloc=many"], ["tracemalloc is 'many'", "tracemalloc=many"]),
        ("xoptions", ["int_max_str_digits=5"], ["640", "int_max_str_digits=5"]),
        ("xoptions", ["cpu_count"], ["cpu_count is ''"]),
        ("warnoptions", ["explode"], ["'explode'", "default, always"]),
        ("warnoptions", ["a:b:c:d:1:e"], ["a:b:c:d:1:e", "at most"]),
        ("warnoptions", ["error:::x:y"], ["error:::x:y", "a number as line"]),
        ("module_search_paths", ["plugins"], ["'plugins'", "absolute", "$ORIGIN/"]),
        ("module_search_paths", ["$ORIGINAL/x"], ["$ORIGINAL/x"]),
        ("module_search_paths", ["/a/$ORIGIN"], ["/a/$ORIGIN"]),
        ("home", "/usr", ["home", "cannot be set", "image", "Remove"]),
        ("run_filename", "x.py", ["cannot be set", "`entry_point`", "run_module"]),
        ("enable_gil", 1, ["cannot be set", "free-threaded"]),
        ("utf_mode", True, ["'utf_mode'", "Did you mean utf8_mode"]),
        ("warn_option", [], ["Did you mean warn_options"]),
    ],
)
def test_refused_values_say_why(member: str, value: Any, words: list[str]) -> None:
    with pytest.raises(UserError) as error:
        config_value(member, value)
    for word in ["interpreter_config", *words]:
        assert word in str(error.value)


def test_no_member_is_in_two_tables() -> None:
    names = [*members(), *REFUSED, *ALIASES]
    assert len(names) == len(set(names)) == len({*INTEGERS, *STRINGS, *LISTS, *REFUSED, *ALIASES})
    assert set(ALIASES.values()) | set(SINCE) <= set(members())


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"hash_seed": 7}, {"hash_seed": 7, "use_hash_seed": 1}),
        ({"warn_options": ["error"]}, {"warnoptions": ("error",)}),
        ({"x_options": ["utf8=0"]}, {"xoptions": ("utf8=0",), "utf8_mode": 0}),
        (
            {"x_options": ["dev"], "dev_mode": True},
            {"xoptions": ("dev",), "dev_mode": 1},
        ),
        ({"use_environment": True}, {"use_environment": 1, "isolated": 0}),
        ({"safe_path": False}, {"safe_path": 0, "isolated": 0}),
        (
            {"user_site_directory": True, "site_import": True},
            {"user_site_directory": 1, "site_import": 1, "isolated": 0},
        ),
        ({"use_environment": False}, {"use_environment": 0}),
    ],
)
def test_what_a_member_implies(config: dict[str, Any], expected: dict[str, Any]) -> None:
    assert check_config(config) == expected


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"hash_seed": 7, "use_hash_seed": False}, ["hash_seed = 7", "use_hash_seed = 0"]),
        ({"use_environment": True, "isolated": True}, ["use_environment = 1", "isolated = 1"]),
        ({"safe_path": False, "isolated": True}, ["safe_path = 0", "isolated = 1"]),
        ({"user_site_directory": True}, ["user_site_directory", "site_import"]),
        ({"coerce_c_locale": True, "configure_locale": False}, ["coerce_c_locale = 1"]),
        ({"x_options": ["utf8=0"], "utf8_mode": True}, ["'utf8=0'", "utf8_mode is 1"]),
        ({"x_options": [], "xoptions": []}, ["xoptions is given twice"]),
        (
            {"filesystem_errors": "surrogatepass", "filesystem_encoding": "latin-1"},
            ["surrogatepass", "latin-1"],
        ),
    ],
)
def test_contradictions(config: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(UserError) as error:
        check_config(config)
    for word in ["interpreter_config", *words]:
        assert word in str(error.value)


@pytest.mark.parametrize(
    ("member", "value", "version", "words"),
    [
        ("safe_path", 1, "3.10.20", ["safe_path came with Python 3.11", "has Python 3.10"]),
        ("int_max_str_digits", 0, "3.11.9", ["3.12", "x_options", "int_max_str_digits=..."]),
        ("cpu_count", 2, "3.12.1", ["cpu_count came with Python 3.13"]),
        ("thread_inherit_context", 1, "3.13.5", ["3.14"]),
        ("import_time", 2, "3.13.5", ["import_time = 2 came with Python 3.14", "smaller"]),
        ("perf_profiling", 2, "3.12.5", ["perf_profiling = 2 came with Python 3.13"]),
        ("perf_profiling", 2, "3.11.5", ["perf_profiling came with Python 3.12"]),
    ],
)
def test_versions(member: str, value: int, version: str, words: list[str]) -> None:
    with pytest.raises(UserError) as error:
        check_version({member: value}, version)
    for word in words:
        assert word in str(error.value)
    check_version({member: value}, "3.14.0")
    check_version({"import_time": 1, "warnoptions": ("a",), "stdio_errors": "strict"}, "3.10.0")
