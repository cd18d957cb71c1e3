"""Fields of `oxidized_binary`: how the interpreter starts."""

from __future__ import annotations

import re
from typing import ClassVar, Dict, Iterable, Mapping, Optional, Tuple, Union

from pants.engine.addresses import Address
from pants.engine.target import (
    DictStringToStringField,
    Field,
    InvalidFieldException,
    InvalidFieldTypeException,
    StringField,
    StringSequenceField,
)
from pants.util.frozendict import FrozenDict
from pants.util.strutil import help_text

from oxidize_rules.field_errors import BINARY, invalid_field
from oxidize_rules.sandbox.errors import UserError
from oxidize_rules.sandbox.images.interpreter_config import check_config
from oxidize_rules.sandbox.images.settings import ALLOCATORS

# Values of `interpreter_config`: numbers (also for what is on or off), texts, lists of texts.
ConfigValue = Union[int, str, Tuple[str, ...]]


_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class InterpreterConfigField(Field):
    alias = "interpreter_config"
    value: Optional[FrozenDict[str, ConfigValue]]
    default: ClassVar[Optional[FrozenDict[str, ConfigValue]]] = None
    help = help_text(
        """
        How the interpreter starts: members of CPython's `PyConfig` and `PyPreConfig`, with values
        of Python's own types. For example:

            interpreter_config={
                "buffered_stdio": False,
                "hash_seed": 7,
                "warn_options": ["error::DeprecationWarning"],
                "x_options": ["importtime"],
                "module_search_paths": ["$ORIGIN/plugins"],
            }

        An executable with an entry point is isolated if this field says nothing: it ignores
        `PYTHON*` variables, the working directory and the user's packages. What is set here is
        set: neither a variable nor an option changes it. The guide lists the members. Changing a
        value neither compiles bytecode again nor reruns any step but the last ones.
        """
    )

    @classmethod
    def compute_value(
        cls,
        raw_value: Optional[Dict[str, Union[bool, int, str, Iterable[str]]]],
        address: Address,
    ) -> Optional[FrozenDict[str, ConfigValue]]:
        value = super().compute_value(raw_value, address)
        if value is None:
            return None
        if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
            raise InvalidFieldTypeException(
                address,
                cls.alias,
                raw_value,
                expected_type="a dictionary of names to booleans, integers, strings or lists",
            )
        try:
            return FrozenDict(sorted(check_config(value).items()))  # as given, in any order
        except UserError as error:
            raise InvalidFieldException(f"The `{BINARY}` target {address}: {error}") from None


class AllocatorField(StringField):
    alias = "allocator"
    default = "default"
    valid_choices = ALLOCATORS
    help = help_text(
        """
        Who gives the interpreter its memory.

          * `default`: the best that the distribution has;
          * `mimalloc`: CPython's bundled mimalloc;
          * `pymalloc`: CPython's small-object allocator over the C library's `malloc`;
          * `malloc`: the C library's `malloc` alone, for memory debuggers;
          * `debug`, `mimalloc_debug`, `pymalloc_debug`, `malloc_debug`: the same with CPython's
            checks of every block (`debug`: those of the default), as for `python -X dev`.
        """
    )


class BinaryEnvField(DictStringToStringField):
    alias = "env"
    help = help_text(
        """
        Environment variables that the executable sets for itself at its start, unless the
        environment has them already.
        """
    )

    @classmethod
    def compute_value(
        cls, raw_value: Optional[Dict[str, str]], address: Address
    ) -> Optional[FrozenDict[str, str]]:
        value = super().compute_value(raw_value, address)
        for name, content in (value or {}).items():
            if _VARIABLE.match(name) is None:
                raise invalid_field(
                    address,
                    cls.alias,
                    found=f"a dict with the key {name!r}",
                    expected="a variable's name has letters, digits and `_` only",
                    remedy="correct the name",
                )
            if "\0" in content:
                raise invalid_field(
                    address,
                    cls.alias,
                    found=f"a dict with a NUL character in the value of {name!r}",
                    expected="an environment variable cannot hold one",
                    remedy="remove the character",
                )
        return value


class BinaryArgvField(StringSequenceField):
    alias = "argv"
    help = help_text(
        """
        Arguments that the executable puts before those that it is started with, such as
        `argv=["--config", "/etc/app.toml"]`.
        """
    )
