"""Builds `static_library` targets, each in a process of its own, what they depend on first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, Optional, Tuple

from pants.engine.addresses import Address, UnparsedAddressInputs
from pants.engine.fs import Digest, MergeDigests
from pants.engine.target import Target, WrappedTargetRequest
from pants.util.logging import LogLevel

from oxidize_rules.compat import (
    collect_rules,
    concurrently,
    implicitly,
    merge_digests,
    resolve_target,
    resolve_unparsed_address_inputs,
    rule,
)
from oxidize_rules.native_targets import (
    RecipeField,
    SourceAddressField,
    StaticLibraryDependenciesField,
    StaticLibraryTarget,
)
from oxidize_rules.util_rules import recipe
from oxidize_rules.util_rules.recipe import RecipeRequest, run_recipe
from oxidize_rules.util_rules.sandbox_program import OxidizeError


@dataclass(frozen=True)
class LibraryTargetRequest:
    address: Address


@dataclass(frozen=True)
class LibraryTarget:
    """A `static_library` target, and the addresses it depends on directly."""

    target: Target
    dependencies: Tuple[Address, ...]


@dataclass(frozen=True)
class StaticLibrariesRequest:
    """`addresses` name what is wanted; what these depend on is added."""

    addresses: Tuple[Address, ...]
    target_triple: str
    glibc_floor: Optional[str]


@dataclass(frozen=True)
class StaticLibraries:
    """`digest`: include/, lib/ and licenses/ of all of them together."""

    digest: Digest


@rule
async def find_library_target(request: LibraryTargetRequest) -> LibraryTarget:
    wrapped = await resolve_target(
        WrappedTargetRequest(request.address, description_of_origin="a `libraries` field"),
        **implicitly(),
    )
    target = wrapped.target
    if not target.has_field(StaticLibraryDependenciesField):
        raise OxidizeError(
            f"{request.address} is a `{target.alias}` target, but only "
            f"`{StaticLibraryTarget.alias}` targets can be built into a distribution."
        )
    dependencies = await resolve_unparsed_address_inputs(
        UnparsedAddressInputs(
            target[StaticLibraryDependenciesField].value or (),
            owning_address=request.address,
            description_of_origin=f"the `dependencies` field of {request.address}",
        ),
        **implicitly(),
    )
    return LibraryTarget(target, tuple(dependencies))


def closure(address: Address, libraries: dict[Address, LibraryTarget]) -> set[Address]:
    """What a library depends on, at any distance."""
    found: set[Address] = set()
    todo = list(libraries[address].dependencies)
    while todo:
        dependency = todo.pop()
        if dependency not in found:
            found.add(dependency)
            todo.extend(libraries[dependency].dependencies)
    return found


@rule(desc="Build libraries from source", level=LogLevel.DEBUG)
async def build_static_libraries(request: StaticLibrariesRequest) -> StaticLibraries:
    libraries: dict[Address, LibraryTarget] = {}
    unknown = list(dict.fromkeys(request.addresses))
    while unknown:
        found = await concurrently(
            find_library_target(LibraryTargetRequest(address), **implicitly())
            for address in unknown
        )
        libraries.update(zip(unknown, found))
        named = (address for library in found for address in library.dependencies)
        unknown = [address for address in dict.fromkeys(named) if address not in libraries]

    needs = {address: closure(address, libraries) for address in libraries}
    built: dict[Address, Digest] = {}
    while len(built) < len(libraries):
        ready = [
            address
            for address in libraries
            if address not in built and needs[address] <= set(built)
        ]
        if not ready:
            circle = ", ".join(
                sorted(str(address) for address in libraries if address not in built)
            )
            raise OxidizeError(f"These libraries depend on each other in a circle: {circle}.")
        inputs = await concurrently(
            merge_digests(MergeDigests(built[need] for need in sorted(needs[address])))
            for address in ready
        )
        results = await concurrently(
            run_recipe(
                RecipeRequest(
                    address,
                    libraries[address].target[SourceAddressField],
                    libraries[address].target[RecipeField],
                    digest,
                    request.target_triple,
                    request.glibc_floor,
                ),
                **implicitly(),
            )
            for address, digest in zip(ready, inputs)
        )
        built.update((address, result.digest) for address, result in zip(ready, results))
    return StaticLibraries(await merge_digests(MergeDigests(built.values())))


def rules() -> Iterable[Any]:
    return [*collect_rules(), *recipe.rules()]
