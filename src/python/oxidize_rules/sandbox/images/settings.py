"""Settings: how an executable starts, as keys and values in its image.

This is the one place that knows which settings there are and what their values look like; members
of CPython's configuration are in `interpreter_config.py`. The C runtime reads the values as they
stand here.
"""

from __future__ import annotations

from oxidize_rules.sandbox.errors import UserError
from oxidize_rules.sandbox.images.interpreter_config import LISTS, config_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from oxidize_rules.sandbox.images.interpreter_config import ConfigValue

ENTRY_KINDS = ("interpreter", "module", "function")
ALLOCATORS = (
    *("default", "mimalloc", "pymalloc", "malloc"),
    *("debug", "mimalloc_debug", "pymalloc_debug", "malloc_debug"),
)

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
_LISTS = tuple(CONFIG + name for name in LISTS)


def config_settings(config: Mapping[str, ConfigValue]) -> list[tuple[str, str]]:
    """The settings of a checked `interpreter_config`, by name; lists keep their order."""
    settings = []
    for name, value in sorted(config.items()):
        items = value if isinstance(value, tuple) else (value,)
        settings += [(CONFIG + name, str(item)) for item in items]
    return settings


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
            value = _config_text(key[len(CONFIG) :], value)
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
        repeats = KEYS[key][0] if key in KEYS else key in _LISTS
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


def _config_text(member: str, value: str) -> str:
    checked = config_value(member, [value] if member in LISTS else value)
    return checked[0] if isinstance(checked, tuple) else str(checked)
