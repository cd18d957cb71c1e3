"""The `oxidized_binary` target: what its parts come from, and all its fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, Type

from pants.backend.python.target_types import EntryPointField, PythonResolveField
from pants.core.goals.package import OutputPathField, PackageFieldSet
from pants.core.goals.run import RestartableField, RunFieldSet, RunInSandboxBehavior
from pants.engine.target import COMMON_TARGET_FIELDS, Dependencies, Target
from pants.util.docutil import bin_name
from pants.util.strutil import help_text

from oxidize_rules.compat import EnvironmentField
from oxidize_rules.content_fields import (
    BytecodeOptimizationField,
    CompressField,
    ExcludeExtensionsField,
    ExcludeField,
    ExtensionFilterField,
    IncludeExtensionsField,
    IncludeSourcesField,
    IncludeStdlibField,
    NativeLibrariesField,
)
from oxidize_rules.executable_fields import (
    GNU_X86_64,
    MUSL_X86_64,
    BinaryDistributionField,
    DebugInfoField,
    DynamicLoadingField,
    GlibcFloorField,
    LinkArgsField,
    StripField,
    TargetTripleField,
)
from oxidize_rules.field_errors import BINARY, invalid_field
from oxidize_rules.interpreter_fields import (
    AllocatorField,
    BinaryArgvField,
    BinaryEnvField,
    InterpreterConfigField,
)


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


class OxidizedBinaryTarget(Target):
    alias = BINARY
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
