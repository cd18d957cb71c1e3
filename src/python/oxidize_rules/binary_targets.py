"""The `oxidized_binary` target: its fields, their help, and what can be checked in them alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import ClassVar, Dict, Iterable, Mapping, Optional, Tuple, Type, Union

from pants.backend.python.target_types import EntryPointField, PythonResolveField
from pants.core.goals.package import OutputPathField, PackageFieldSet
from pants.core.goals.run import RestartableField, RunFieldSet, RunInSandboxBehavior
from pants.engine.addresses import Address
from pants.engine.target import (
    COMMON_TARGET_FIELDS,
    AsyncFieldMixin,
    BoolField,
    Dependencies,
    DictStringToStringField,
    Field,
    IntField,
    InvalidFieldException,
    InvalidFieldTypeException,
    SpecialCasedDependencies,
    StringField,
    StringSequenceField,
    Target,
)
from pants.util.docutil import bin_name
from pants.util.frozendict import FrozenDict
from pants.util.strutil import help_text, softwrap

from oxidize_rules.compat import EnvironmentField
from oxidize_rules.sandbox.content import is_glob
from oxidize_rules.sandbox.errors import UserError
from oxidize_rules.sandbox.interpreter_config import check_config
from oxidize_rules.sandbox.settings import ALLOCATORS

MUSL_X86_64 = "x86_64-unknown-linux-musl"
GNU_X86_64 = "x86_64-unknown-linux-gnu"

# Values of `interpreter_config`: numbers (also for what is on or off), texts, lists of texts.
ConfigValue = Union[int, str, Tuple[str, ...]]

# The triples that a binary can be made for.
TARGET_TRIPLES = (MUSL_X86_64, GNU_X86_64)

# By which rule extension modules are left out; util_rules/extension_filter.py has what they mean.
EXTENSION_FILTERS = ("all", "minimal", "no-libraries", "no-copyleft")

# When a static executable has a dynamic loader inside.
DYNAMIC_LOADING = ("auto", "always", "never")

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_GLIBC_VERSION = re.compile(r"2\.(\d+)\Z")
_LOWEST_GLIBC_MINOR = 17


def invalid_field(
    address: Address, alias: str, *, found: str, expected: str, remedy: str
) -> InvalidFieldException:
    """The error of a field: where it is, what stands there, what may stand there, what to do."""
    return InvalidFieldException(
        softwrap(
            f"""
            The `{alias}` field of the `{OxidizedBinaryTarget.alias}` target {address} is {found},
            but {expected}.

            To fix, {remedy}.
            """
        )
    )


def one_of(values: Tuple[str, ...]) -> str:
    return ", ".join(f"`{value}`" for value in values)


def nearest(found: str, values: Tuple[str, ...]) -> str:
    """The value most like `found`, else the first: something that a message can propose."""
    return (*get_close_matches(found, values, n=1, cutoff=0.4), *values)[0]


# -----------------------------------------------------------------------------------------------
# What goes in
# -----------------------------------------------------------------------------------------------


class BinaryEntryPointField(EntryPointField):
    help = help_text(
        """
        What the executable runs: a module, or a function in a module.

        Either name a file beside the BUILD file, which also works in its subfolders:

          1) `"main.py"`: run the file's module as `__main__`, as `python main.py` does;
          2) `"main.py:func"`: import the module and exit with what `func()` returns.

        Or name a module, which may belong to a dependency or to the standard library:

          3) `"path.to.module"`: run it as `__main__`, as `python -m path.to.module` does;
          4) `"path.to.module:func"`: import it and exit with what `func()` returns.

        Leave the field off for an executable that is the interpreter itself and takes `-c`, `-m`,
        a script or nothing, as `python3` does.
        """
    )


class BinaryDependenciesField(Dependencies):
    supports_transitive_excludes = True
    help = help_text(
        f"""
        What the executable contains: first-party sources, resources and requirements, with all
        that they depend on.

        The module of the `{BinaryEntryPointField.alias}` field is inferred, and so are the imports
        of each source. Add here what imports do not show, such as plugins that are loaded by name.
        """
    )


class BinaryResolveField(PythonResolveField):
    help = help_text(
        """
        The resolve from `[python].resolves` whose lock file says which wheels go in.

        If not defined, will default to `[python].default_resolve`. All dependencies must use the
        same resolve.
        """
    )


class _ModuleGlobsField(StringSequenceField):
    """A list of module globs, as `sandbox/content.py` has them."""

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


# -----------------------------------------------------------------------------------------------
# Where it runs
# -----------------------------------------------------------------------------------------------


class TargetTripleField(StringField):
    alias = "target_triple"
    default = MUSL_X86_64
    help = help_text(
        f"""
        The system that the executable runs on.

          * `{MUSL_X86_64}` (default): statically linked, runs on any Linux, also in an empty
            container;
          * `{GNU_X86_64}`: runs on any Linux with glibc 2.17 or newer, or with the version that
            the `glibc_floor` field says.

        Make one executable for each by `target_triple=parametrize("{MUSL_X86_64}",
        "{GNU_X86_64}")`, or with shorter names by `parametrize(musl="{MUSL_X86_64}",
        gnu="{GNU_X86_64}")`.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[str], address: Address) -> str:
        value = super().compute_value(raw_value, address) or cls.default
        assert value is not None
        if value not in TARGET_TRIPLES:
            raise invalid_field(
                address,
                cls.alias,
                found=f"`{value}`",
                expected=f"the triples that a binary can be made for are {one_of(TARGET_TRIPLES)}",
                remedy=f"use one of them, perhaps `{nearest(value, TARGET_TRIPLES)}`",
            )
        return value


class BinaryDistributionField(StringField, AsyncFieldMixin):
    alias = "distribution"
    help = help_text(
        """
        The address of the Python distribution that the executable is made from: a
        `python_distribution_archive` for the same `target_triple`.

        If not defined, the option `[oxidize].default_distributions` says which distribution
        serves which triple.
        """
    )


class GlibcFloorField(StringField):
    alias = "glibc_floor"
    help = help_text(
        """
        The oldest glibc that the executable must run with, such as `"2.17"`. It means nothing for
        musl.

        If not defined, the floor of the distribution. Only wheels up to it are chosen
        (`manylinux_2_17`); the build fails, and names the symbol, if something in the executable
        needs a newer glibc.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[str], address: Address) -> Optional[str]:
        value = super().compute_value(raw_value, address)
        if value is None:
            return None
        match = _GLIBC_VERSION.match(value)
        if match is None or int(match.group(1)) < _LOWEST_GLIBC_MINOR:
            raise invalid_field(
                address,
                cls.alias,
                found=f"`{value}`",
                expected=f"it must be a glibc version from `2.{_LOWEST_GLIBC_MINOR}` on",
                remedy='write it as `"2.17"`, or leave the field off',
            )
        return value


# -----------------------------------------------------------------------------------------------
# How the interpreter starts
# -----------------------------------------------------------------------------------------------


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
            raise InvalidFieldException(
                f"The `{OxidizedBinaryTarget.alias}` target {address}: {error}"
            ) from None


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


# -----------------------------------------------------------------------------------------------
# How it is linked
# -----------------------------------------------------------------------------------------------


class StripField(BoolField):
    alias = "strip"
    default = True
    help = help_text(
        """
        Whether the linker leaves out symbols that only debuggers and profilers read.
        """
    )


class DynamicLoadingField(StringField):
    alias = "dynamic_loading"
    default = "auto"
    valid_choices = DYNAMIC_LOADING
    help = help_text(
        f"""
        Whether a static executable has a dynamic loader inside. Only `{MUSL_X86_64}` has the
        choice: with glibc the machine's own loader starts the executable, so it is always there.

          * `auto` (default): if a wheel or a first-party folder has a native file;
          * `always`: also for shared libraries that are not inside, such as those that `ctypes`
            opens by their paths;
          * `never`: a smaller executable without any. The build fails if something inside needs it.

        The loader opens libraries straight from the executable and writes nothing. It costs the
        tables of the symbols that libraries may use, and less than a millisecond at start; the
        documentation has figures.
        """
    )


class DebugInfoField(BoolField):
    alias = "debug_info"
    default = False
    help = help_text(
        f"""
        Whether `{bin_name()} package` also writes a symbol file beside the executable, named like
        it with `.debug` at the end.

        Debuggers and profilers such as `gdb` and `perf` find it by the build id, which both files
        then have. It holds the names of functions, and source lines for those parts that were
        compiled with them. What the executable loads and how it behaves does not change.
        """
    )


class LinkArgsField(StringSequenceField):
    alias = "link_args"
    help = help_text(
        """
        Arguments for the linker (LLVM's `ld.lld`), put before the objects, such as
        `link_args=["--build-id=sha1"]`. For what the other fields cannot say.
        """
    )


class OxidizedBinaryTarget(Target):
    alias = "oxidized_binary"
    core_fields = (
        *COMMON_TARGET_FIELDS,
        BinaryEntryPointField,
        BinaryDependenciesField,
        TargetTripleField,
        BinaryDistributionField,
        BinaryResolveField,
        OutputPathField,
        EnvironmentField,
        RestartableField,
        IncludeStdlibField,
        ExcludeField,
        IncludeSourcesField,
        CompressField,
        ExtensionFilterField,
        ExcludeExtensionsField,
        IncludeExtensionsField,
        NativeLibrariesField,
        BytecodeOptimizationField,
        InterpreterConfigField,
        AllocatorField,
        BinaryEnvField,
        BinaryArgvField,
        GlibcFloorField,
        DynamicLoadingField,
        StripField,
        DebugInfoField,
        LinkArgsField,
    )
    help = help_text(
        f"""
        A Python application as one native executable.

        `{bin_name()} package` links CPython, the standard library, third-party wheels and your own
        modules and data into a single ELF file, which unpacks nothing when it runs. For example:

            oxidized_binary(name="bin", entry_point="main.py:main")

        See the fields `{BinaryEntryPointField.alias}` for what it runs and
        `{TargetTripleField.alias}` for where it runs.
        """
    )

    def validate(self) -> None:
        config = self[InterpreterConfigField].value
        if config and "run_module" in config and self[BinaryEntryPointField].value is not None:
            raise invalid_field(
                self.address,
                InterpreterConfigField.alias,
                found=f"a dict with `run_module` = `{config['run_module']}`",
                expected=f"the `{BinaryEntryPointField.alias}` field says already what runs",
                remedy="remove one of them",
            )
        triple, loading = self[TargetTripleField].value, self[DynamicLoadingField].value
        if triple == GNU_X86_64 and loading == "never":
            raise invalid_field(
                self.address,
                DynamicLoadingField.alias,
                found="`never`",
                expected=(
                    f"`{TargetTripleField.alias}` is `{triple}`, and an executable for glibc can "
                    "always load shared libraries"
                ),
                remedy=(f"remove the field, or use it in a target for `{MUSL_X86_64}` alone"),
            )


@dataclass(frozen=True)
class OxidizedBinaryFieldSet(PackageFieldSet, RunFieldSet):
    run_in_sandbox_behavior = RunInSandboxBehavior.RUN_REQUEST_HERMETIC
    required_fields = (BinaryEntryPointField, TargetTripleField)

    entry_point: BinaryEntryPointField
    target_triple: TargetTripleField
    distribution: BinaryDistributionField
    resolve: BinaryResolveField
    output_path: OutputPathField
    environment: EnvironmentField
    include_stdlib: IncludeStdlibField
    exclude: ExcludeField
    include_sources: IncludeSourcesField
    compress: CompressField
    extension_filter: ExtensionFilterField
    exclude_extensions: ExcludeExtensionsField
    include_extensions: IncludeExtensionsField
    native_libraries: NativeLibrariesField
    bytecode_optimization: BytecodeOptimizationField
    interpreter_config: InterpreterConfigField
    allocator: AllocatorField
    env: BinaryEnvField
    argv: BinaryArgvField
    glibc_floor: GlibcFloorField
    dynamic_loading: DynamicLoadingField
    strip: StripField
    debug_info: DebugInfoField
    link_args: LinkArgsField


def target_types() -> Iterable[Type[Target]]:
    return [OxidizedBinaryTarget]
