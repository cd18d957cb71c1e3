"""The rules API, spelled once for Pants 2.17 (`Get`) and for call-by-name Pants (2.28 and newer).

Rules are written call-by-name, with every verb imported from here. On Pants with `Get` each verb
is a plain function that returns the `Get` it stands for; the rule visitor of those versions
follows functions annotated `-> Get` and collects the `Get` inside.

What the rule modules must obey for both to work:

- an own rule takes at most one explicit request, as its first parameter; the rest is injected;
- a callee is defined before its caller within a module (2.17 has no forward look-up);
- a variable goes in as `**implicitly({variable: Type})`, since newer Pants reads types from the
  source of the call;
- annotations of rule signatures can be evaluated by Python 3.9 (no `X | None`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, get_type_hints

from pants.version import PANTS_SEMVER

CALL_BY_NAME = (PANTS_SEMVER.major, PANTS_SEMVER.minor) >= (2, 28)

if TYPE_CHECKING or CALL_BY_NAME:
    from pants.backend.python.dependency_inference.module_mapper import (
        map_module_to_address as map_module_to_address,
    )
    from pants.backend.python.util_rules.ancestor_files import (
        find_ancestor_files as find_ancestor_files,
    )
    from pants.backend.python.util_rules.package_dists import generate_chroot as generate_chroot
    from pants.backend.python.util_rules.pex import create_pex as create_pex
    from pants.backend.python.util_rules.pex import create_venv_pex as create_venv_pex
    from pants.backend.python.util_rules.pex import (
        setup_venv_pex_process as setup_venv_pex_process,
    )
    from pants.backend.python.util_rules.pex_cli import (
        setup_pex_cli_process as setup_pex_cli_process,
    )
    from pants.backend.python.util_rules.pex_requirements import (
        determine_resolve_pex_config as determine_resolve_pex_config,
    )
    from pants.backend.python.util_rules.pex_requirements import (
        get_lockfile_for_resolve as get_lockfile_for_resolve,
    )
    from pants.backend.python.util_rules.pex_requirements import load_lockfile as load_lockfile
    from pants.core.environments.target_types import EnvironmentField as EnvironmentField
    from pants.core.goals.package import environment_aware_package as environment_aware_package
    from pants.core.util_rules.env_vars import environment_vars_subset as environment_vars_subset
    from pants.core.util_rules.source_files import determine_source_files as determine_source_files
    from pants.core.util_rules.stripped_source_files import (
        strip_source_roots as strip_source_roots,
    )
    from pants.engine.download_file import download_file as download_file
    from pants.engine.internals.build_files import find_build_file as find_build_file
    from pants.engine.internals.graph import (
        determine_explicitly_provided_dependencies as determine_explicitly_provided_dependencies,
    )
    from pants.engine.internals.graph import find_valid_field_sets as find_valid_field_sets
    from pants.engine.internals.graph import hydrate_sources as hydrate_sources
    from pants.engine.internals.graph import resolve_target as resolve_target
    from pants.engine.internals.graph import resolve_targets as resolve_targets
    from pants.engine.internals.graph import (
        resolve_unparsed_address_inputs as resolve_unparsed_address_inputs,
    )
    from pants.engine.internals.graph import transitive_targets as transitive_targets
    from pants.engine.intrinsics import add_prefix as add_prefix
    from pants.engine.intrinsics import create_digest as create_digest
    from pants.engine.intrinsics import digest_subset_to_digest as digest_subset_to_digest
    from pants.engine.intrinsics import digest_to_snapshot as digest_to_snapshot
    from pants.engine.intrinsics import execute_process as execute_process
    from pants.engine.intrinsics import get_digest_contents as get_digest_contents
    from pants.engine.intrinsics import get_digest_entries as get_digest_entries
    from pants.engine.intrinsics import merge_digests as merge_digests
    from pants.engine.intrinsics import path_globs_to_digest as path_globs_to_digest
    from pants.engine.intrinsics import path_globs_to_paths as path_globs_to_paths
    from pants.engine.intrinsics import remove_prefix as remove_prefix
    from pants.engine.intrinsics import run_interactive_process as run_interactive_process
    from pants.engine.process import execute_process_or_raise as execute_process_or_raise
    from pants.engine.rules import collect_rules as collect_rules
    from pants.engine.rules import concurrently as concurrently
    from pants.engine.rules import goal_rule as goal_rule
    from pants.engine.rules import implicitly as implicitly
    from pants.engine.rules import rule as rule
    from pants.source.source_root import get_source_root as get_source_root
    from pants.source.source_root import get_source_roots as get_source_roots
else:
    from pants.backend.python.dependency_inference.module_mapper import (
        PythonModuleOwners,
        PythonModuleOwnersRequest,
    )
    from pants.backend.python.util_rules.ancestor_files import AncestorFiles, AncestorFilesRequest
    from pants.backend.python.util_rules.package_dists import (
        DistBuildChroot,
        DistBuildChrootRequest,
    )
    from pants.backend.python.util_rules.pex import Pex, PexRequest, VenvPex, VenvPexProcess
    from pants.backend.python.util_rules.pex_cli import PexCliProcess
    from pants.backend.python.util_rules.pex_requirements import (
        LoadedLockfile,
        LoadedLockfileRequest,
        Lockfile,
        Resolve,
        ResolvePexConfig,
        ResolvePexConfigRequest,
    )
    from pants.core.goals.package import BuiltPackage, EnvironmentAwarePackageRequest
    from pants.core.util_rules.environments import EnvironmentField  # noqa: F401
    from pants.core.util_rules.source_files import SourceFiles, SourceFilesRequest
    from pants.core.util_rules.stripped_source_files import StrippedSourceFiles
    from pants.engine.addresses import (
        Addresses,
        BuildFileAddress,
        BuildFileAddressRequest,
        UnparsedAddressInputs,
    )
    from pants.engine.env_vars import EnvironmentVars, EnvironmentVarsRequest
    from pants.engine.fs import (
        AddPrefix,
        CreateDigest,
        Digest,
        DigestContents,
        DigestEntries,
        DigestSubset,
        DownloadFile,
        MergeDigests,
        PathGlobs,
        Paths,
        RemovePrefix,
        Snapshot,
    )
    from pants.engine.process import (
        FallibleProcessResult,
        InteractiveProcess,
        InteractiveProcessResult,
        Process,
        ProcessResult,
    )
    from pants.engine.rules import Effect, Get, MultiGet, collect_rules, goal_rule  # noqa: F401
    from pants.engine.rules import rule as _rule
    from pants.engine.target import (
        DependenciesRequest,
        ExplicitlyProvidedDependencies,
        FieldSetsPerTarget,
        FieldSetsPerTargetRequest,
        HydratedSources,
        HydrateSourcesRequest,
        Targets,
        TransitiveTargets,
        TransitiveTargetsRequest,
        WrappedTarget,
        WrappedTargetRequest,
    )
    from pants.source.source_root import (
        SourceRoot,
        SourceRootRequest,
        SourceRootsRequest,
        SourceRootsResult,
    )

    concurrently = MultiGet

    def implicitly(*args: Any) -> dict:
        return {"__implicitly": args}

    def _the_input(args: tuple, implicit: dict) -> Any:
        inputs = (*args, *implicit.get("__implicitly", ()))
        assert len(inputs) == 1, inputs
        (value,) = inputs
        # `implicitly({value: Type})` names the type for the rule visitor of newer Pants.
        return next(iter(value)) if isinstance(value, dict) else value

    # Digests.

    def add_prefix(request: AddPrefix) -> Get:
        return Get(Digest, AddPrefix, request)

    def remove_prefix(request: RemovePrefix) -> Get:
        return Get(Digest, RemovePrefix, request)

    def create_digest(request: CreateDigest) -> Get:
        return Get(Digest, CreateDigest, request)

    def merge_digests(request: MergeDigests) -> Get:
        return Get(Digest, MergeDigests, request)

    def digest_subset_to_digest(request: DigestSubset) -> Get:
        return Get(Digest, DigestSubset, request)

    def path_globs_to_digest(request: PathGlobs) -> Get:
        return Get(Digest, PathGlobs, request)

    def path_globs_to_paths(request: PathGlobs) -> Get:
        return Get(Paths, PathGlobs, request)

    def digest_to_snapshot(digest: Digest) -> Get:
        return Get(Snapshot, Digest, digest)

    def get_digest_contents(digest: Digest) -> Get:
        return Get(DigestContents, Digest, digest)

    def get_digest_entries(digest: Digest) -> Get:
        return Get(DigestEntries, Digest, digest)

    def download_file(request: DownloadFile, **implicit: Any) -> Get:
        return Get(Digest, DownloadFile, request)

    # Processes.

    def environment_vars_subset(request: EnvironmentVarsRequest, **implicit: Any) -> Get:
        return Get(EnvironmentVars, EnvironmentVarsRequest, request)

    def execute_process(process: Process, **implicit: Any) -> Get:
        return Get(FallibleProcessResult, Process, process)

    def execute_process_or_raise(**implicit: Any) -> Get:
        return Get(ProcessResult, Process, _the_input((), implicit))

    def run_interactive_process(process: InteractiveProcess) -> Effect:
        return Effect(InteractiveProcessResult, InteractiveProcess, process)

    # Targets.

    def find_build_file(request: BuildFileAddressRequest, **implicit: Any) -> Get:
        return Get(BuildFileAddress, BuildFileAddressRequest, request)

    def resolve_target(request: WrappedTargetRequest, **implicit: Any) -> Get:
        return Get(WrappedTarget, WrappedTargetRequest, request)

    def resolve_targets(**implicit: Any) -> Get:
        """The input is `{addresses: Addresses}`."""
        return Get(Targets, Addresses, _the_input((), implicit))

    def resolve_unparsed_address_inputs(request: UnparsedAddressInputs, **implicit: Any) -> Get:
        return Get(Addresses, UnparsedAddressInputs, request)

    def transitive_targets(request: TransitiveTargetsRequest, **implicit: Any) -> Get:
        return Get(TransitiveTargets, TransitiveTargetsRequest, request)

    def determine_explicitly_provided_dependencies(
        request: DependenciesRequest, **implicit: Any
    ) -> Get:
        return Get(ExplicitlyProvidedDependencies, DependenciesRequest, request)

    def find_valid_field_sets(request: FieldSetsPerTargetRequest, **implicit: Any) -> Get:
        return Get(FieldSetsPerTarget, FieldSetsPerTargetRequest, request)

    def hydrate_sources(request: HydrateSourcesRequest, **implicit: Any) -> Get:
        return Get(HydratedSources, HydrateSourcesRequest, request)

    def determine_source_files(request: SourceFilesRequest) -> Get:
        return Get(SourceFiles, SourceFilesRequest, request)

    def strip_source_roots(source_files: SourceFiles, **implicit: Any) -> Get:
        return Get(StrippedSourceFiles, SourceFiles, source_files)

    def get_source_root(request: SourceRootRequest) -> Get:
        return Get(SourceRoot, SourceRootRequest, request)

    def get_source_roots(request: SourceRootsRequest) -> Get:
        return Get(SourceRootsResult, SourceRootsRequest, request)

    def environment_aware_package(request: EnvironmentAwarePackageRequest) -> Get:
        return Get(BuiltPackage, EnvironmentAwarePackageRequest, request)

    # Python.

    def map_module_to_address(request: PythonModuleOwnersRequest, **implicit: Any) -> Get:
        return Get(PythonModuleOwners, PythonModuleOwnersRequest, request)

    def find_ancestor_files(request: AncestorFilesRequest) -> Get:
        return Get(AncestorFiles, AncestorFilesRequest, request)

    def generate_chroot(request: DistBuildChrootRequest, **implicit: Any) -> Get:
        return Get(DistBuildChroot, DistBuildChrootRequest, request)

    def determine_resolve_pex_config(request: ResolvePexConfigRequest, **implicit: Any) -> Get:
        return Get(ResolvePexConfig, ResolvePexConfigRequest, request)

    def get_lockfile_for_resolve(request: Resolve, **implicit: Any) -> Get:
        return Get(Lockfile, Resolve, request)

    def load_lockfile(request: LoadedLockfileRequest, **implicit: Any) -> Get:
        return Get(LoadedLockfile, LoadedLockfileRequest, request)

    # Pex.

    def setup_pex_cli_process(request: PexCliProcess, **implicit: Any) -> Get:
        return Get(Process, PexCliProcess, request)

    def create_pex(request: PexRequest, **implicit: Any) -> Get:
        return Get(Pex, PexRequest, request)

    def create_venv_pex(*args: Any, **implicit: Any) -> Get:
        return Get(VenvPex, PexRequest, _the_input(args, implicit))

    def setup_venv_pex_process(request: VenvPexProcess, **implicit: Any) -> Get:
        return Get(Process, VenvPexProcess, request)

    def _caller(func: Callable) -> Callable:
        """A stand-in for a `@rule`, which can be awaited from other rules."""
        hints = get_type_hints(func)
        output_type = hints.pop("return")
        request_type = next(iter(hints.values()), None)

        def call(*args: Any, **implicit: Any) -> Get:
            return Get(output_type, request_type, _the_input(args, implicit))

        call.__name__ = func.__name__
        call.__doc__ = func.__doc__
        call.rule = func.rule  # type: ignore[attr-defined]
        return call

    def rule(*args: Any, **kwargs: Any) -> Callable:
        if args:
            (func,) = args
            return _caller(_rule(func))
        return lambda func: _caller(_rule(**kwargs)(func))
