"""Fields of `oxidized_binary`: what goes into the executable."""

from __future__ import annotations

from typing import Iterable, Optional, Tuple

from pants.engine.addresses import Address
from pants.engine.target import (
    BoolField,
    IntField,
    SpecialCasedDependencies,
    StringField,
    StringSequenceField,
)
from pants.util.strutil import help_text

from oxidize_rules.field_errors import invalid_field
from oxidize_rules.sandbox.images.content import is_glob

# By which rule extension modules are left out; util_rules/extension_filter.py has what they mean.
EXTENSION_FILTERS = ("all", "minimal", "no-libraries", "no-copyleft")


class _ModuleGlobsField(StringSequenceField):
    """A list of module globs, as `sandbox/images/content.py` has them."""

    @classmethod
    def compute_value(
        cls, raw_value: Optional[Iterable[str]], address: Address
    ) -> Optional[Tuple[str, ...]]:
        value = super().compute_value(raw_value, address)
        for glob in value or ():
            if not is_glob(glob):
                raise invalid_field(
                    address,
                    cls.alias,
                    found=f"a list with {glob!r}",
                    expected=(
                        "it must have names of modules, in which `*` and `?` stand for characters "
                        "of one name and `**` for any names"
                    ),
                    remedy="write it with dots, such as `email.mime`, `*.tests` or `**.tests`",
                )
        return value


class IncludeStdlibField(_ModuleGlobsField):
    alias = "include_stdlib"
    help = help_text(
        """
        The modules of the standard library that go in, as globs: `email`, `encodings.*`. A package
        means all that is in it, data files, too.

        With `"*"` in the list: the ordinary modules, and those others that it names. Left out by
        default are CPython's own tests (`test`, ...), `ensurepip`, `idlelib` and `turtledemo`; with
        `include_stdlib=["*", "test"]` the tests go in.

        Without `"*"`: only what it names, and the few modules that the interpreter itself starts
        with. What these import has to be named, too; `oxidize-trace` writes such a list from what a
        run used.
        """
    )


class ExcludeField(_ModuleGlobsField):
    alias = "exclude"
    help = help_text(
        """
        Modules to leave out, as globs: of the standard library, of wheels and of your own code,
        such as `exclude=["unittest", "numpy.**.tests"]`.

        `*` and `?` stand for characters of one name, `**` for any names. A package means all that
        is in it, data files, too. A wheel of which no module is left goes altogether. Modules that
        are built into the interpreter have the field `exclude_extensions`.
        """
    )


class IncludeSourcesField(BoolField):
    alias = "include_sources"
    default = True
    help = help_text(
        """
        Whether the `.py` files go in beside their bytecode.

        Without them the executable is smaller, tracebacks show no source lines, and
        `inspect.getsource` fails.
        """
    )


class CompressField(BoolField):
    alias = "compress"
    default = True
    help = help_text(
        f"""
        Whether the `.py` files inside are stored compressed, which makes them about a quarter of
        their size.

        Each is decompressed when it is opened, in memory: by tracebacks, `inspect` and whoever
        reads it. Imports read bytecode, which is stored as it is, so they take as long as before;
        so do data files and native libraries. Choose `False` for an executable that is compressed
        as a whole afterwards. See also the `{IncludeSourcesField.alias}` field.
        """
    )


class BytecodeOptimizationField(IntField):
    alias = "bytecode_optimization"
    default = 0
    help = help_text(
        """
        The optimization level of the bytecode and of the interpreter: `0`, `1` (as `python -O`:
        no assertions) or `2` (as `python -OO`: no docstrings either).
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[int], address: Address) -> int:
        value = super().compute_value(raw_value, address)
        if value is None:
            return cls.default
        if value not in (0, 1, 2):
            raise invalid_field(
                address,
                cls.alias,
                found=f"`{value}`",
                expected="it must be `0`, `1` or `2`",
                remedy="choose one of these levels",
            )
        return value


class ExtensionFilterField(StringField):
    alias = "extension_filter"
    default = "all"
    valid_choices = EXTENSION_FILTERS
    help = help_text(
        """
        Which extension modules of the standard library are built in, by a rule.

          * `all` (default): all but those that the field `include_extensions` tells of;
          * `minimal`: only what the interpreter starts with;
          * `no-libraries`: none that links a library other than the C library's own;
          * `no-copyleft`: none whose licence, as the distribution tells it, is copyleft. Of
            `A OR B` one may choose, of `A AND B` both count; what the distribution tells no licence
            of, or one that is not known, is left out, too.

        The fields `include_extensions` and `exclude_extensions` come after the rule: what they name
        goes in or stays out whatever it says.
        """
    )


class ExcludeExtensionsField(StringSequenceField):
    alias = "exclude_extensions"
    help = help_text(
        """
        Extension modules of the standard library to leave out, by name, such as `_sqlite3`.

        What only they need is not linked either. Importing such a module then fails with
        `ModuleNotFoundError`. Left out in any case: see the `include_extensions` field.
        """
    )


class IncludeExtensionsField(StringSequenceField):
    alias = "include_extensions"
    help = help_text(
        """
        Extension modules to build in that are left out by default or by the `extension_filter`
        field. By default these are, where the distribution has them:

          * `_dbm`: it links Berkeley DB, whose licence (Sleepycat) asks you to publish the source
            of the whole executable;
          * `_tkinter`: it needs the files of Tcl and Tk beside the executable, and X11;
          * those of CPython's own tests, such as `_testcapi` and `_ctypes_test`.
        """
    )


class NativeLibrariesField(SpecialCasedDependencies):
    alias = "native_libraries"
    help = help_text(
        """
        Addresses of `file` or `resource` targets whose shared libraries go in for native modules
        that need them, such as `native_libraries=["//libs:libodbc"]`.

        They stand in the folder where the executable's loader looks for libraries, by their files'
        names: name each file as the modules ask for it (`libodbc.so.2`). They must be made for the
        `target_triple`.
        """
    )
