"""From a `python_distribution_archive` target to a `PythonDistribution`: fetch, unpack, read.

The distribution's files come in parts, so that each later step takes only what it reads.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Iterable, Mapping, Optional, Tuple
from urllib.parse import unquote, urlsplit

from pants.core.target_types import FileSourceField, ResourceSourceField
from pants.engine.addresses import Address, UnparsedAddressInputs
from pants.engine.fs import (
    Digest,
    DigestSubset,
    PathGlobs,
    RemovePrefix,
)
from pants.engine.target import (
    FieldSet,
    HydrateSourcesRequest,
    InferDependenciesRequest,
    InferredDependencies,
    SourcesField,
    WrappedTargetRequest,
)
from pants.engine.unions import UnionRule
from pants.util.logging import LogLevel
from pants.util.strutil import softwrap

from oxidize_rules.compat import (
    collect_rules,
    concurrently,
    digest_subset_to_digest,
    digest_to_snapshot,
    execute_process,
    get_digest_contents,
    hydrate_sources,
    implicitly,
    path_globs_to_digest,
    remove_prefix,
    resolve_target,
    resolve_unparsed_address_inputs,
    rule,
)
from oxidize_rules.distribution_targets import (
    ArchiveSha256Field,
    ArchiveSizeField,
    ArchiveSourceField,
    ArchiveTargetTripleField,
    ArchiveUrlField,
    PythonDistributionArchiveTarget,
)
from oxidize_rules.native_targets import PythonDistributionBuildTarget
from oxidize_rules.util_rules.distribution_build import (
    BuiltDistributionRequest,
    PythonDistributionBuildFieldSet,
    build_distribution,
)
from oxidize_rules.util_rules.fetch import FetchRequest, fetch_file
from oxidize_rules.util_rules.sandbox_program import OxidizeError, raise_on_failure
from oxidize_rules.util_rules.tools_pex import prepare_tool_process, sandbox_tool
from oxidize_rules.util_rules.zig import ZigToolchainRequest, prepare_zig

_TREE = "tree"
_METADATA = "PYTHON.json"
_MEMBERS = "members.txt"
_RESULT = "distribution.json"


@dataclass(frozen=True)
class Extension:
    """An extension module of the standard library that can be built in.

    `init_function` is None for `builtins` and `sys`, which CPython starts by itself. `objects` and
    `static_libraries` are paths in the distribution; `system_libraries` are names as for `-l`.
    """

    name: str
    init_function: Optional[str]
    objects: Tuple[str, ...]
    static_libraries: Tuple[str, ...]
    system_libraries: Tuple[str, ...]
    required: bool
    in_core: bool
    licenses: Tuple[str, ...]
    license_paths: Tuple[str, ...]
    license_public_domain: Optional[bool]


@dataclass(frozen=True)
class PythonDistribution:
    """What an archive holds. All paths, and those in the digests, are relative to its `python/`.

    `interpreter`: what it takes to run Python (program and standard library). `stdlib`: the
    standard library's own files, without its packages of tests, which are in `tests`. `objects`:
    `build/**/*.o` and `build/lib/*.a`.
    `object_file_format`: "elf", or "llvm-bitcode:<version>". `glibc_floor`: None on musl.
    `needs_musl`: its interpreter runs only where musl's dynamic loader is installed.
    """

    address: str
    target_triple: str
    python_version: str
    build_options: str
    object_file_format: str
    glibc_floor: Optional[str]
    needs_musl: bool
    bytecode_magic: str
    core_objects: Tuple[str, ...]
    core_system_libraries: Tuple[str, ...]
    extensions: Tuple[Extension, ...]
    test_packages: Tuple[str, ...]
    has_mimalloc: bool
    stdlib_path: str
    include_path: str
    python_exe: str
    interpreter: Digest
    stdlib: Digest
    tests: Digest
    objects: Digest
    headers: Digest
    licenses: Digest

    @property
    def machine(self) -> str:
        """ "x86_64" or "aarch64"."""
        return self.target_triple.split("-")[0]

    @property
    def minor_version(self) -> str:
        """Such as "3.13"."""
        return ".".join(self.python_version.split(".")[:2])


@dataclass(frozen=True)
class DistributionArchiveFieldSet(FieldSet):
    required_fields = (ArchiveUrlField, ArchiveSourceField)

    url: ArchiveUrlField
    source: ArchiveSourceField
    sha256: ArchiveSha256Field
    size: ArchiveSizeField
    target_triple: ArchiveTargetTripleField


# -----------------------------------------------------------------------------------------------
# The archive
# -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DistributionArchiveRequest:
    address: Address


@dataclass(frozen=True)
class DistributionArchive:
    """The archive as it is, not yet looked into: `path` in `digest`."""

    fields: DistributionArchiveFieldSet
    digest: Digest
    path: str


def names_a_target(source: str) -> bool:
    """Whether a `source` field's value is an address rather than a file."""
    return ":" in source or source.startswith("//")


def download_name(url: str) -> str:
    """What a URL's file is called: its last part, without what no file name should have."""
    name = unquote(urlsplit(url).path).rstrip("/").rsplit("/", 1)[-1]
    return re.sub(r"[^\w.+-]", "_", name, flags=re.ASCII).lstrip(".-") or "distribution.tar.zst"


def _source_error(fields: DistributionArchiveFieldSet, found: str, remedy: str) -> OxidizeError:
    return OxidizeError(
        softwrap(
            f"""
            The `{fields.source.alias}` field of the `{PythonDistributionArchiveTarget.alias}`
            target {fields.address} is `{fields.source.value}`, {found}.

            To fix, {remedy}.
            """
        )
    )


async def _archive_from_target(fields: DistributionArchiveFieldSet) -> Tuple[Digest, str]:
    origin = f"the `{fields.source.alias}` field of {fields.address}"
    addresses = await resolve_unparsed_address_inputs(
        UnparsedAddressInputs(
            [fields.source.value or ""],
            owning_address=fields.address,
            description_of_origin=origin,
        ),
        **implicitly(),
    )
    wrapped = await resolve_target(
        WrappedTargetRequest(addresses[0], description_of_origin=origin), **implicitly()
    )
    target = wrapped.target
    if PythonDistributionBuildFieldSet.is_applicable(target):
        built = await build_distribution(BuiltDistributionRequest(target.address), **implicitly())
        return built.digest, built.path
    if not target.has_field(SourcesField):
        raise _source_error(
            fields,
            f"a `{target.alias}` target, but one that makes an archive is expected",
            f"name a `{PythonDistributionBuildTarget.alias}` or a `file` target",
        )
    sources = await hydrate_sources(
        HydrateSourcesRequest(
            target[SourcesField],
            for_sources_types=(FileSourceField, ResourceSourceField),
            enable_codegen=True,
        ),
        **implicitly(),
    )
    if len(sources.snapshot.files) != 1:
        raise _source_error(
            fields,
            f"a `{target.alias}` target with {len(sources.snapshot.files)} files, but exactly one "
            "archive is expected",
            "name a `file` target with the archive as its source",
        )
    return sources.snapshot.digest, sources.snapshot.files[0]


async def _archive_from_file(fields: DistributionArchiveFieldSet) -> Tuple[Digest, str]:
    path = "/".join(part for part in (fields.address.spec_path, fields.source.value) if part)
    digest = await path_globs_to_digest(PathGlobs([path]))
    snapshot = await digest_to_snapshot(digest)
    if snapshot.files != (path,):
        raise _source_error(
            fields,
            f"but there is no file `{path}`",
            "give the path of a `.tar.zst` relative to the BUILD file, or the address of a target",
        )
    return digest, path


@rule(desc="Get the archive of a Python distribution", level=LogLevel.DEBUG)
async def get_distribution_archive(request: DistributionArchiveRequest) -> DistributionArchive:
    wrapped = await resolve_target(
        WrappedTargetRequest(request.address, description_of_origin="a `distribution` field"),
        **implicitly(),
    )
    if not DistributionArchiveFieldSet.is_applicable(wrapped.target):
        raise OxidizeError(
            f"{request.address} is a `{wrapped.target.alias}` target, but a "
            f"`{PythonDistributionArchiveTarget.alias}` is expected as a distribution. To fix, "
            f"name one (its `{ArchiveSourceField.alias}` may be {request.address})."
        )
    fields = DistributionArchiveFieldSet.create(wrapped.target)
    if fields.url.value is None:
        if names_a_target(fields.source.value or ""):
            digest, path = await _archive_from_target(fields)
        else:
            digest, path = await _archive_from_file(fields)
        return DistributionArchive(fields, digest, path)
    assert fields.sha256.value is not None
    fetched = await fetch_file(
        FetchRequest(
            where=str(fields.address),
            filename=download_name(fields.url.value),
            urls=(fields.url.value,),
            debian_path=None,
            sha256=fields.sha256.value,
            size=fields.size.value,
        ),
        **implicitly(),
    )
    return DistributionArchive(fields, fetched.digest, fetched.path)


# -----------------------------------------------------------------------------------------------
# Its content
# -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class UnpackedArchiveRequest:
    address: Address


@dataclass(frozen=True)
class UnpackedArchive:
    """The archive's `python/` folder, with `members.txt` beside its content."""

    fields: DistributionArchiveFieldSet
    digest: Digest


@rule(desc="Unpack a Python distribution", level=LogLevel.DEBUG)
async def unpack_archive(request: UnpackedArchiveRequest) -> UnpackedArchive:
    archive = await get_distribution_archive(
        DistributionArchiveRequest(request.address), **implicitly()
    )
    fields = archive.fields
    process = await prepare_tool_process(
        sandbox_tool(
            "distribution.unpack",
            archive.path,
            _TREE,
            *((f"--sha256={fields.sha256.value}",) if fields.sha256.value else ()),
            *((f"--size={fields.size.value}",) if fields.size.value else ()),
            description=f"Unpack the Python distribution {fields.address}",
            input_digest=archive.digest,
            output_directories=(_TREE,),
        ),
        **implicitly(),
    )
    result = await execute_process(process, **implicitly())
    raise_on_failure(result, where=str(fields.address), doing="unpack the archive")
    digest = await remove_prefix(RemovePrefix(result.output_digest, _TREE))
    return UnpackedArchive(fields, digest)


@dataclass(frozen=True)
class DistributionMetadataRequest:
    address: Address


@dataclass(frozen=True)
class DistributionMetadata:
    """`content`: JSON, as `sandbox/distribution/distribution_metadata.py` writes it."""

    content: str


@rule(desc="Read the metadata of a Python distribution", level=LogLevel.DEBUG)
async def read_metadata(request: DistributionMetadataRequest) -> DistributionMetadata:
    unpacked = await unpack_archive(UnpackedArchiveRequest(request.address), **implicitly())
    fields = unpacked.fields
    inputs = await digest_subset_to_digest(
        DigestSubset(unpacked.digest, PathGlobs([_METADATA, _MEMBERS]))
    )
    triple = fields.target_triple.value
    process = await prepare_tool_process(
        sandbox_tool(
            "distribution.distribution_metadata",
            _METADATA,
            _MEMBERS,
            _RESULT,
            *((f"--target-triple={triple}",) if triple else ()),
            description=f"Read the metadata of {fields.address}",
            input_digest=inputs,
            output_files=(_RESULT,),
            level=LogLevel.DEBUG,
        ),
        **implicitly(),
    )
    result = await execute_process(process, **implicitly())
    raise_on_failure(result, where=str(fields.address), doing="read PYTHON.json")
    contents = await get_digest_contents(result.output_digest)
    return DistributionMetadata(contents[0].content.decode())


def check_object_format(address: str, object_format: str, llvm_version: str) -> None:
    """Raises OxidizeError for bitcode that is newer than the toolchain. A reader of LLVM bitcode
    must be at least as new as its writer; major versions decide."""
    if object_format == "elf":
        return
    writer = object_format.split(":", 1)[1]
    if int(writer.split(".")[0]) > int(llvm_version.split(".")[0]):
        raise OxidizeError(
            f"{address}: its objects are bitcode of LLVM {writer}, found a toolchain with LLVM "
            f"{llvm_version}, expected LLVM {writer.split('.')[0]} or newer. To fix, use an "
            "archive with ELF objects (build option `noopt+static`), or a newer "
            "`[oxidize-zig].version`."
        )


def interpreter_globs(metadata: Mapping[str, Any]) -> PathGlobs:
    stdlib = metadata["stdlib_path"]
    left_out = (
        "__pycache__",
        "config-*",
        "ensurepip",
        "idlelib",
        "lib-dynload",
        "lib2to3",
        "pydoc_data",
        "site-packages",
        "test",
        "tkinter",
        "turtledemo",
    )
    return PathGlobs(
        [
            metadata["python_exe"],
            f"{stdlib}/**",
            *(f"!{stdlib}/{name}/**" for name in left_out),
            f"!{stdlib}/**/__pycache__/**",
        ]
    )


def globs_of_tests(metadata: Mapping[str, Any]) -> Tuple[str, ...]:
    """The standard library's packages of tests: two thousand files that few steps want to see."""
    return tuple(
        f"{metadata['stdlib_path']}/{package.replace('.', '/')}/**"
        for package in metadata["test_packages"]
    )


def stdlib_globs(metadata: Mapping[str, Any]) -> PathGlobs:
    stdlib = metadata["stdlib_path"]
    return PathGlobs(
        [
            f"{stdlib}/**",
            f"!{stdlib}/**/__pycache__/**",
            f"!{stdlib}/config-*/**",
            f"!{stdlib}/lib-dynload/**",
            f"!{stdlib}/site-packages/**",
            *(f"!{glob}" for glob in globs_of_tests(metadata)),
        ]
    )


@dataclass(frozen=True)
class PythonDistributionRequest:
    """The address of a `python_distribution_archive` target."""

    address: Address


@rule(desc="Load a Python distribution", level=LogLevel.DEBUG)
async def load_python_distribution(request: PythonDistributionRequest) -> PythonDistribution:
    unpacked, read, zig = await concurrently(
        unpack_archive(UnpackedArchiveRequest(request.address), **implicitly()),
        read_metadata(DistributionMetadataRequest(request.address), **implicitly()),
        prepare_zig(ZigToolchainRequest(), **implicitly()),
    )
    metadata = json.loads(read.content)
    check_object_format(str(request.address), metadata["object_file_format"], zig.llvm_version)
    interpreter, stdlib, tests, objects, headers, licenses = await concurrently(
        digest_subset_to_digest(DigestSubset(unpacked.digest, globs))
        for globs in (
            interpreter_globs(metadata),
            stdlib_globs(metadata),
            PathGlobs(globs_of_tests(metadata)),
            PathGlobs(["build/**/*.o", "build/lib/*.a"]),
            PathGlobs([f"{metadata['include_path']}/**"]),
            PathGlobs(["licenses/**"]),
        )
    )
    return PythonDistribution(
        address=str(request.address),
        target_triple=metadata["target_triple"],
        python_version=metadata["python_version"],
        build_options=metadata["build_options"],
        object_file_format=metadata["object_file_format"],
        glibc_floor=metadata["glibc_floor"],
        needs_musl=metadata["needs_musl"],
        bytecode_magic=metadata["bytecode_magic"],
        core_objects=tuple(metadata["core_objects"]),
        core_system_libraries=tuple(metadata["core_system_libraries"]),
        extensions=tuple(_extension(one) for one in metadata["extensions"]),
        test_packages=tuple(metadata["test_packages"]),
        has_mimalloc=metadata["has_mimalloc"],
        stdlib_path=metadata["stdlib_path"],
        include_path=metadata["include_path"],
        python_exe=metadata["python_exe"],
        interpreter=interpreter,
        stdlib=stdlib,
        tests=tests,
        objects=objects,
        headers=headers,
        licenses=licenses,
    )


def _extension(one: Mapping[str, Any]) -> Extension:
    return Extension(
        name=one["name"],
        init_function=one["init_function"],
        objects=tuple(one["objects"]),
        static_libraries=tuple(one["static_libraries"]),
        system_libraries=tuple(one["system_libraries"]),
        required=one["required"],
        in_core=one["in_core"],
        licenses=tuple(one["licenses"]),
        license_paths=tuple(one["license_paths"]),
        license_public_domain=one["license_public_domain"],
    )


# -----------------------------------------------------------------------------------------------
# Dependencies: a `source` that is an address is one, so that `dependencies` and `--changed` see it.
# -----------------------------------------------------------------------------------------------


class InferArchiveSourceRequest(InferDependenciesRequest):  # type: ignore[type-arg]
    infer_from = DistributionArchiveFieldSet


@rule
async def infer_archive_source(request: InferArchiveSourceRequest) -> InferredDependencies:
    field_set = request.field_set
    source = field_set.source.value
    if source is None or not names_a_target(source):
        return InferredDependencies([])
    addresses = await resolve_unparsed_address_inputs(
        UnparsedAddressInputs(
            [source],
            owning_address=field_set.address,
            description_of_origin=f"the `source` field of {field_set.address}",
        ),
        **implicitly(),
    )
    return InferredDependencies(addresses)


def rules() -> Iterable[object]:
    return [
        *collect_rules(),
        UnionRule(InferDependenciesRequest, InferArchiveSourceRequest),
    ]
