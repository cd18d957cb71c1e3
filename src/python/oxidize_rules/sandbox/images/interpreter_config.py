"""The members of CPython's `PyConfig` and `PyPreConfig` that a user may set, and their values.

Source: CPython's documentation, "Python Initialization Configuration", of 3.10 to 3.14. Both the
field of a BUILD file and the image step check with these tables; the C runtime reads the result.
"""

from __future__ import annotations

from oxidize_rules.sandbox.errors import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Union

    # An integer (also for what is on or off), text, or a list of texts.
    ConfigValue = Union[int, str, tuple[str, ...]]

INT_MAX = 2**31 - 1
_ON_OFF = (0, 1)
# CPython refuses a lower limit, except 0: none.
LOWEST_DIGITS = 640

# Members that are integers: the smallest and the largest value. 0 to 1 means on or off.
INTEGERS = {
    # PyPreConfig
    "coerce_c_locale": _ON_OFF,
    "coerce_c_locale_warn": _ON_OFF,
    "configure_locale": _ON_OFF,
    "utf8_mode": _ON_OFF,
    # both
    "dev_mode": _ON_OFF,
    "isolated": _ON_OFF,
    "use_environment": _ON_OFF,
    # PyConfig
    "buffered_stdio": _ON_OFF,
    "bytes_warning": (0, 2),
    "code_debug_ranges": _ON_OFF,
    "configure_c_stdio": _ON_OFF,
    "context_aware_warnings": _ON_OFF,
    "cpu_count": (-1, INT_MAX),
    "faulthandler": _ON_OFF,
    "hash_seed": (0, 2**32 - 1),
    "import_time": (0, 2),
    "inspect": _ON_OFF,
    "install_signal_handlers": _ON_OFF,
    "int_max_str_digits": (0, INT_MAX),
    "interactive": _ON_OFF,
    "malloc_stats": _ON_OFF,
    "optimization_level": (0, 2),
    "parser_debug": _ON_OFF,
    "perf_profiling": (0, 2),
    "quiet": _ON_OFF,
    "safe_path": _ON_OFF,
    "site_import": _ON_OFF,
    "thread_inherit_context": _ON_OFF,
    "tracemalloc": (0, 65535),
    "use_frozen_modules": _ON_OFF,
    "use_hash_seed": _ON_OFF,
    "user_site_directory": _ON_OFF,
    "verbose": (0, 3),
    "warn_default_encoding": _ON_OFF,
    "write_bytecode": _ON_OFF,
}
# Members that are text: the values allowed. None: any; an encoding; a module's name.
_ENCODING, _MODULE = ("an encoding",), ("a module's name",)
STRINGS: dict[str, tuple[str, ...]] = {
    "check_hash_pycs_mode": ("default", "always", "never"),
    "filesystem_encoding": _ENCODING,
    "filesystem_errors": ("surrogateescape", "surrogatepass", "strict"),
    "pycache_prefix": (),
    "run_module": _MODULE,
    "stdio_encoding": _ENCODING,
    "stdio_errors": (
        *("strict", "ignore", "replace", "backslashreplace", "namereplace"),
        *("xmlcharrefreplace", "surrogateescape", "surrogatepass"),
    ),
}
LISTS = ("module_search_paths", "warnoptions", "xoptions")
# Names that Python's own documentation or other tools use for the same members.
ALIASES = {
    "development_mode": "dev_mode",
    "fault_handler": "faulthandler",
    "warn_options": "warnoptions",
    "x_options": "xoptions",
}
# The Python version that brought a member, where that is not the oldest; and what to use before.
SINCE = {
    "code_debug_ranges": (3, 11),
    "context_aware_warnings": (3, 14),
    "cpu_count": (3, 13),
    "int_max_str_digits": (3, 12),
    "perf_profiling": (3, 12),
    "safe_path": (3, 11),
    "thread_inherit_context": (3, 14),
    "use_frozen_modules": (3, 11),
}
_BEFORE = {"int_max_str_digits": 'write `"x_options": ["int_max_str_digits=..."]` instead'}
# The Python version that brought a value.
VALUE_SINCE = {("import_time", 2): (3, 14), ("perf_profiling", 2): (3, 13)}

_PATHS = "the executable finds its modules in its own image"
_ENTRY = 'name a module, by the target\'s `entry_point` field or by "run_module"'
_ARGUMENTS = "the entry point and the command line decide it"
_DEBUG = "it needs a debug build of CPython"
_THREADED = "it needs a free-threaded build of CPython"
_WINDOWS = "it is for Windows"
_PATH_MEMBERS = (
    *("base_exec_prefix", "base_executable", "base_prefix", "exec_prefix", "executable", "home"),
    *("module_search_paths_set", "pathconfig_warnings", "platlibdir", "prefix", "program_name"),
    *("pythonpath_env", "stdlib_dir", "sys_path_0"),
)
# Members that exist and are not for users, with the reason.
REFUSED = {
    **dict.fromkeys(_PATH_MEMBERS, _PATHS),
    **dict.fromkeys(("argv", "orig_argv", "parse_argv", "skip_source_first_line"), _ARGUMENTS),
    **dict.fromkeys(("run_command", "run_filename"), _ENTRY),
    **dict.fromkeys(("dump_refs", "dump_refs_file", "show_ref_count", "run_presite"), _DEBUG),
    **dict.fromkeys(("enable_gil", "tlbc_enabled"), _THREADED),
    **dict.fromkeys(("legacy_windows_stdio", "legacy_windows_fs_encoding"), _WINDOWS),
    "allocator": "the target has the field `allocator` for it",
    "use_system_logger": "it is for Apple's systems",
}

# What `-W` takes as an action, or a beginning of one (CPython's `warnings`).
ACTIONS = ("default", "always", "all", "ignore", "module", "once", "error")
# Options of `-X` that are read before the list is: they are members of PyPreConfig.
_EARLY = {"utf8": "utf8_mode", "dev": "dev_mode"}
# Options of `-X` with a number, by the member that has the same range.
_NUMBERS = {
    "cpu_count": "cpu_count",
    "int_max_str_digits": "int_max_str_digits",
    "tracemalloc": "tracemalloc",
}

_TRUE, _FALSE = ("1", "true", "yes"), ("0", "false", "no")
_FIELD = "interpreter_config"
ORIGIN = "$ORIGIN"


def members() -> list[str]:
    """The names of all members that a user may set."""
    return sorted([*INTEGERS, *STRINGS, *LISTS])


def check_config(config: Mapping[str, object]) -> dict[str, ConfigValue]:
    """Checks an `interpreter_config`; returns it with CPython's names and with what it implies.

    Values are bool, int, str, or list or tuple of str; what is on or off, and numbers, may also be
    text. Raises UserError with found, expected and remedy, without the target's address.
    """
    checked: dict[str, ConfigValue] = {}
    for given, value in config.items():
        name = ALIASES.get(given, given) if isinstance(given, str) else given
        if name in checked:
            raise UserError(f"{_FIELD}: {name} is given twice, by two names. Remove one.")
        checked[name] = config_value(name, value)
    _imply(checked)
    _check_contradictions(checked)
    return checked


def config_value(name: str, value: object) -> ConfigValue:
    """One member's value, checked. Raises UserError as `check_config` does."""
    if name in INTEGERS:
        return _integer(name, value)
    if name in STRINGS:
        return _text(name, value)
    if name in LISTS:
        return _list(name, value)
    if name in REFUSED:
        raise UserError(f"{_FIELD}: {name} cannot be set: {REFUSED[name]}. Remove it.")
    raise UserError(
        f"{_FIELD}: there is no member {name!r} in CPython's PyConfig."
        f"{close_names(str(name), [*members(), *ALIASES])} The members are: {', '.join(members())}."
    )


def check_version(config: Mapping[str, object], python_version: str) -> None:
    """Raises UserError for what a Python of that version (`3.13.5`) does not have."""
    have = tuple(int(part) for part in python_version.split(".")[:2])
    for name, value in config.items():
        number = int(value) if name in INTEGERS and isinstance(value, (int, str)) else 0
        since = SINCE.get(name, (3, 0))
        what, remedy = name, _BEFORE.get(name, "remove it")
        if have >= since:
            since = VALUE_SINCE.get((name, number), (3, 0))
            what, remedy = f"{name} = {number}", "use a smaller value"
        if have < since:
            raise UserError(
                f"{_FIELD}: {what} came with Python {since[0]}.{since[1]}, and the distribution "
                f"has Python {have[0]}.{have[1]}; {remedy}, or use a newer distribution."
            )


def close_names(name: str, known: Sequence[str]) -> str:
    """` Did you mean a, b?`, or nothing."""
    import difflib

    close = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    return f" Did you mean {', '.join(close)}?" if close else ""


def _wrong(name: str, value: object, expected: str) -> UserError:
    return UserError(f"{_FIELD}: {name} is {value!r}; expected {expected}.")


# Values


def _integer(name: str, value: object) -> int:
    low, high = INTEGERS[name]
    if (low, high) == _ON_OFF:
        expected = "True (1) or False (0)"
    else:
        expected = f"an integer from {low} to {high}"
    number = low - 1
    if isinstance(value, bool):
        number = int(value) if high == 1 else number
    elif isinstance(value, int):
        number = value
    elif isinstance(value, str):
        text = value.strip().lower()
        if high == 1 and text in _TRUE + _FALSE:
            number = int(text in _TRUE)
        elif text.lstrip("-").isdecimal():
            number = int(text)
    if name == "int_max_str_digits" and 0 < number < LOWEST_DIGITS:
        raise _wrong(name, value, f"0 (no limit) or at least {LOWEST_DIGITS}")
    if name == "cpu_count" and number == 0:
        raise _wrong(name, value, "-1 (the machine's) or at least 1")
    if not low <= number <= high:
        raise _wrong(name, value, expected)
    return number


def _text(name: str, value: object) -> str:
    allowed = STRINGS[name]
    if not isinstance(value, str) or not value or "\0" in value:
        raise _wrong(name, value, "text")
    if allowed == _ENCODING:
        if not _is_text_encoding(value):
            raise _wrong(name, value, "an encoding that Python has, such as 'utf-8'")
    elif allowed == _MODULE:
        if not all(part.isidentifier() for part in value.split(".")):
            raise _wrong(name, value, "a module's name, such as 'package.module'")
    elif allowed and value not in allowed:
        raise _wrong(name, value, f"one of {', '.join(allowed)}")
    return value


def _is_text_encoding(name: str) -> bool:
    import codecs

    try:
        return bool(getattr(codecs.lookup(name), "_is_text_encoding", True))
    except LookupError:
        return False


def _list(name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)):
        raise _wrong(name, value, "a list of strings")
    check = {
        "module_search_paths": _check_path,
        "warnoptions": _check_warning,
        "xoptions": _check_option,
    }[name]
    for item in value:
        if not isinstance(item, str) or not item or "\0" in item:
            raise _wrong(name, value, f"a list of strings; {item!r} is none")
        check(name, item)
    return tuple(value)


def _check_path(name: str, item: str) -> None:
    start = item.partition("/")[0]
    if start not in ("", ORIGIN) or ORIGIN in item[1:]:
        raise UserError(
            f"{_FIELD}: {name} has {item!r}; expected an absolute path, or one that begins with "
            f"`{ORIGIN}/` (the executable's folder), such as '{ORIGIN}/plugins'."
        )


def _check_warning(name: str, item: str) -> None:
    parts = item.split(":")
    action = parts[0].strip()
    line = parts[4].strip() if len(parts) > 4 else ""
    if len(parts) > 5 or (line and not line.isdecimal()):
        raise UserError(
            f"{_FIELD}: {name} has {item!r}; expected at most "
            "`action:message:category:module:line`, with a number as line."
        )
    if action and not any(known.startswith(action) for known in ACTIONS):
        raise UserError(
            f"{_FIELD}: {name} has {item!r}, whose action is {action!r}; expected one of "
            f"{', '.join(ACTIONS)}."
        )


def _check_option(name: str, item: str) -> None:
    """Options that Python does not know are for the application: `sys._xoptions`."""
    option, equals, value = item.partition("=")
    if option == "utf8" and equals and value not in ("0", "1"):
        raise UserError(f"{_FIELD}: {name} has {item!r}; expected `utf8`, `utf8=1` or `utf8=0`.")
    if option == "frozen_modules" and value not in ("", "on", "off"):
        raise UserError(f"{_FIELD}: {name} has {item!r}; expected `on` or `off` as value.")
    if option in _NUMBERS and (equals or option != "tracemalloc"):
        if (option, value) == ("cpu_count", "default"):
            return
        try:
            _integer(_NUMBERS[option], value)
        except UserError as error:
            raise UserError(f"{error} (It is in {name}, {item!r}.)") from None


# What one member means for others


def _imply(config: dict[str, ConfigValue]) -> None:
    if "hash_seed" in config:
        config.setdefault("use_hash_seed", 1)
    # In an isolated interpreter CPython overrules these three.
    asked = (config.get("use_environment"), config.get("user_site_directory"))
    if 1 in asked or config.get("safe_path") == 0:
        config.setdefault("isolated", 0)
    for item in config.get("xoptions", ()):  # type: ignore[union-attr]
        option, _, value = str(item).partition("=")
        member = _EARLY.get(option)
        if member is None:
            continue
        wanted = 0 if (option, value) == ("utf8", "0") else 1
        if config.setdefault(member, wanted) != wanted:
            raise UserError(
                f"{_FIELD}: xoptions has {item!r}, but {member} is {config[member]}. Remove one."
            )


def _check_contradictions(config: Mapping[str, ConfigValue]) -> None:
    for name, value, other, off, why in (
        ("hash_seed", None, "use_hash_seed", 0, "a seed is used"),
        ("use_environment", 1, "isolated", 1, "isolated means without PYTHON* variables"),
        ("user_site_directory", 1, "isolated", 1, "isolated means without that folder"),
        ("safe_path", 0, "isolated", 1, "isolated means with a safe path"),
        ("coerce_c_locale", 1, "configure_locale", 0, "the locale stays as it is"),
    ):
        given = name in config and value in (None, config[name])
        if given and config.get(other) == off:
            raise UserError(
                f"{_FIELD}: {name} = {config[name]} has no effect with {other} = {off}: {why}. "
                "Remove one."
            )
    if config.get("user_site_directory") == 1 and config.get("site_import") != 1:
        raise UserError(
            f"{_FIELD}: user_site_directory has no effect without site_import: the module `site` "
            'adds that folder. Add `"site_import": True`, or remove it.'
        )
    encoding = str(config.get("filesystem_encoding", "utf-8")).lower().replace("_", "-")
    if config.get("filesystem_errors") == "surrogatepass" and encoding not in ("utf-8", "utf8"):
        raise UserError(
            f"{_FIELD}: filesystem_errors = surrogatepass works with utf-8 only, and "
            f"filesystem_encoding is {encoding!r}. Change one."
        )
