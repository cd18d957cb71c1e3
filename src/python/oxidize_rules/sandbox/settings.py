"""Settings: how an executable starts, as keys and values in its image.

This is the one place that knows which settings there are, what their values look like, and which
fields of CPython's `PyConfig` and `PyPreConfig` (CPython's documentation, "Python Initialization
Configuration") a user may set. The C runtime reads the values as they stand here.
"""

from __future__ import annotations

from oxidize_rules.sandbox.errors import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ENTRY_KINDS = ("interpreter", "module", "function")
ALLOCATORS = ("default", "mimalloc", "pymalloc", "malloc")

# key: (may repeat, what it is)
KEYS = {
    "entry.kind": (False, f"one of {', '.join(ENTRY_KINDS)}"),
    "entry.module": (False, "the module that is run, or that holds the function"),
    "entry.function": (False, "the function that is called, dotted within its module"),
    "path": (True, "a folder of sys.path, relative to the image's root"),
    "stdlib": (False, "the standard library's folder, relative to the image's root"),
    "python.version": (False, "major and minor version"),
    "allocator": (False, f"one of {', '.join(ALLOCATORS)}"),
    "argv": (True, "an argument put before the user's"),
}
# Prefixes of keys that end in a name: `config.<field>`, `env.<variable>`.
CONFIG, ENV = "config.", "env."

# Fields a user may set: the smallest and the largest integer, or the strings allowed (none: any).
CONFIG_INTEGERS = {
    # PyPreConfig
    "utf8_mode": (0, 1),
    "configure_locale": (0, 1),
    "coerce_c_locale": (0, 1),
    "coerce_c_locale_warn": (0, 1),
    # both
    "isolated": (0, 1),
    "use_environment": (0, 1),
    "dev_mode": (0, 1),
    # PyConfig
    "buffered_stdio": (0, 1),
    "bytes_warning": (0, 2),
    "code_debug_ranges": (0, 1),
    "configure_c_stdio": (0, 1),
    "cpu_count": (-1, 2**31 - 1),
    "faulthandler": (0, 1),
    "hash_seed": (0, 2**32 - 1),
    "import_time": (0, 1),
    "inspect": (0, 1),
    "install_signal_handlers": (0, 1),
    "int_max_str_digits": (0, 2**31 - 1),
    "interactive": (0, 1),
    "malloc_stats": (0, 1),
    "optimization_level": (0, 2),
    "parser_debug": (0, 1),
    "perf_profiling": (0, 2),
    "quiet": (0, 1),
    "safe_path": (0, 1),
    "tracemalloc": (0, 65535),
    "use_hash_seed": (0, 1),
    "user_site_directory": (0, 1),
    "verbose": (0, 3),
    "warn_default_encoding": (0, 1),
    "write_bytecode": (0, 1),
}
CONFIG_STRINGS: dict[str, tuple[str, ...]] = {
    "filesystem_encoding": (),
    "filesystem_errors": ("surrogateescape", "surrogatepass", "strict"),
    "pycache_prefix": (),
    "stdio_encoding": (),
    "stdio_errors": (
        *("strict", "ignore", "replace", "backslashreplace", "namereplace"),
        *("xmlcharrefreplace", "surrogateescape", "surrogatepass"),
    ),
}

_PATHS = "the executable finds its modules in its own image"
_ARGUMENTS = "the entry point and the command line decide it"
_LISTS = "it is a list; set the variable {} in the target's `env` field, with use_environment = 1"
_PATH_FIELDS = (
    *("base_exec_prefix", "base_executable", "base_prefix", "exec_prefix", "executable", "home"),
    *("module_search_paths", "module_search_paths_set", "pathconfig_warnings", "platlibdir"),
    *("prefix", "program_name", "pythonpath_env", "stdlib_dir", "sys_path_0"),
    *("use_frozen_modules", "check_hash_pycs_mode"),
)
_ARGUMENT_FIELDS = (
    *("argv", "orig_argv", "parse_argv", "run_command", "run_filename", "run_module"),
    "skip_source_first_line",
)
# Fields that exist and are not for users, with the reason.
CONFIG_REFUSED = {
    **dict.fromkeys(_PATH_FIELDS, _PATHS),
    **dict.fromkeys(_ARGUMENT_FIELDS, _ARGUMENTS),
    "warnoptions": _LISTS.format("PYTHONWARNINGS"),
    "xoptions": "it is a list; most -X options have a field of their own, e.g. utf8_mode, dev_mode",
    "site_import": "`site` looks for folders on disk; what it gives programs is there without it",
    "allocator": "the target has the field `allocator` for it",
    "dump_refs": "it needs a debug build of CPython",
    "dump_refs_file": "it needs a debug build of CPython",
    "show_ref_count": "it needs a debug build of CPython",
    "run_presite": "it needs a debug build of CPython",
    "enable_gil": "it needs a free-threaded build of CPython",
    "legacy_windows_stdio": "it is for Windows",
    "legacy_windows_fs_encoding": "it is for Windows",
}

_TRUE, _FALSE = ("1", "true", "yes"), ("0", "false", "no")


def config_value(field: str, value: str | int | bool) -> str:
    """Checks one field of `interpreter_config`; returns the setting's value.

    Integers may be given as such or as text, fields that are on or off also as true and false.
    Raises UserError with found, expected and remedy, without the target's address.
    """
    if field in CONFIG_INTEGERS:
        low, high = CONFIG_INTEGERS[field]
        return str(_integer(field, value, low, high))
    if field in CONFIG_STRINGS:
        allowed = CONFIG_STRINGS[field]
        if not isinstance(value, str) or (allowed and value not in allowed) or "\0" in value:
            expected = f"one of {', '.join(allowed)}" if allowed else "text"
            raise UserError(f"interpreter_config: {field} is {value!r}; expected {expected}.")
        return value
    if field in CONFIG_REFUSED:
        raise UserError(
            f"interpreter_config: {field} cannot be set: {CONFIG_REFUSED[field]}. Remove it."
        )
    known = sorted([*CONFIG_INTEGERS, *CONFIG_STRINGS])
    raise UserError(
        f"interpreter_config: there is no field {field!r} in CPython's PyConfig."
        f"{close_names(field, known)} The fields are: {', '.join(known)}."
    )


def _integer(field: str, value: str | int | bool, low: int, high: int) -> int:
    text = str(value).strip().lower()
    if high == 1 and text in _TRUE + _FALSE:
        return int(text in _TRUE)
    try:
        number = int(text)
    except ValueError:
        number = low - 1
    if not low <= number <= high:
        expected = "true (1) or false (0)" if (low, high) == (0, 1) else f"{low} to {high}"
        raise UserError(f"interpreter_config: {field} is {value!r}; expected {expected}.")
    return number


def close_names(name: str, known: Sequence[str]) -> str:
    """` Did you mean a, b?`, or nothing."""
    import difflib

    close = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    return f" Did you mean {', '.join(close)}?" if close else ""


def check_settings(settings: Iterable[Sequence[object]]) -> list[tuple[str, str]]:
    """Checks the settings of an image, a list of keys and values; returns them.

    Raises UserError for what a user can have written, ValueError for what only a rule can.
    """
    checked: list[tuple[str, str]] = []
    seen = set()
    for item in settings:
        if len(item) != 2 or not all(isinstance(part, str) for part in item):
            raise ValueError(f"a setting is a key and a value, both text; found {item!r}")
        key, value = str(item[0]), str(item[1])
        if key.startswith(CONFIG):
            value = config_value(key[len(CONFIG) :], value)
        elif key.startswith(ENV):
            name = key[len(ENV) :]
            if not name or "=" in name or "\0" in name + value:
                raise UserError(
                    f"env: {name!r} cannot be the name of an environment variable, "
                    "or its value has a NUL character."
                )
        elif key not in KEYS:
            raise ValueError(f"unknown setting {key!r}")
        elif "\0" in value:
            raise UserError(f"{key}: {value!r} has a NUL character, which no argument can have.")
        repeats = KEYS[key][0] if key in KEYS else False
        if key in seen and not repeats:
            raise ValueError(f"the setting {key!r} is given twice")
        seen.add(key)
        checked.append((key, value))
    _check_choices(dict(checked))
    return checked


def _check_choices(one: dict[str, str]) -> None:
    allocator = one.get("allocator", "default")
    if allocator not in ALLOCATORS:
        raise UserError(f"allocator: {allocator!r}; expected one of {', '.join(ALLOCATORS)}.")
    kind = one.get("entry.kind")
    if kind not in ENTRY_KINDS:
        raise ValueError(f"entry.kind is {kind!r}; expected one of {ENTRY_KINDS}")
    needed = {"interpreter": (), "module": ("entry.module",)}.get(
        str(kind), ("entry.module", "entry.function")
    )
    missing = [key for key in needed if not one.get(key)]
    if missing:
        raise ValueError(f"entry.kind is {kind!r}, but {', '.join(missing)} is not set")
    if one.get("config.use_hash_seed") == "0" and one.get("config.hash_seed", "0") != "0":
        raise UserError("interpreter_config: hash_seed has no effect while use_hash_seed is 0.")
