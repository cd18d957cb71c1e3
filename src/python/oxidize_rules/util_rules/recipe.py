"""Runs a recipe: a shell script that builds one thing from source (toolchains/README.md).

One cached process for each (recipe, sources, libraries, target). The C compiler is the sysroot's;
make, perl and their like are the building machine's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, Optional

from pants.engine.addresses import Address, UnparsedAddressInputs
from pants.engine.fs import (
    AddPrefix,
    CreateDigest,
    Digest,
    FileContent,
    FileEntry,
    MergeDigests,
    RemovePrefix,
)
from pants.engine.process import Process
from pants.engine.target import HydrateSourcesRequest
from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel

from oxidize_rules.compat import (
    add_prefix,
    collect_rules,
    concurrently,
    create_digest,
    execute_process,
    get_digest_entries,
    hydrate_sources,
    implicitly,
    merge_digests,
    remove_prefix,
    resolve_unparsed_address_inputs,
    rule,
)
from oxidize_rules.native_targets import RecipeField, SourceAddressField
from oxidize_rules.sandbox.toolchain.hardening import HARDENING
from oxidize_rules.util_rules.sandbox_program import raise_on_failure
from oxidize_rules.util_rules.source_archive import SourceArchiveRequest, fetch_source_archive
from oxidize_rules.util_rules.sysroot import SYSROOT_DIR, SysrootRequest, prepare_sysroot
from oxidize_rules.util_rules.zig import ZIG_DIR, ZigToolchainRequest, prepare_zig

# More jobs than this have not been seen to help.
MAX_JOBS = 16

# $1: the archive, $2: the number of jobs. A recipe's output is long: only its end is shown.
RUNNER = """\
missing=
for tool in tar $(sed -n 's/^# Needs: *//p' recipe.sh); do
  command -v "$tool" >/dev/null || missing="$missing $tool"
done
if [ -n "$missing" ]; then
  echo "this machine lacks programs that the recipe needs:$missing" >&2
  echo "To fix, install them (on Debian: apt-get install, the packages are named alike)." >&2
  exit 2
fi
mkdir -p source deps out
tar --extract --file "$1" --strip-components=1 --no-same-owner --directory source
export JOBS="$2" OXIDIZE_SANDBOX="$PWD" PATH="$PWD/__sysroot/bin:$PATH"
status=0
sh -eu recipe.sh >recipe.log 2>&1 </dev/null || status=$?
if [ $status -ne 0 ]; then
  echo "the recipe failed for $TARGET_TRIPLE with exit code $status. Its last lines:" >&2
  tail -n 60 recipe.log >&2
  exit 2
fi
"""


@dataclass(frozen=True)
class RecipeRequest:
    """`libraries`: include/, lib/, licenses/ of what the recipe builds on."""

    address: Address
    source: SourceAddressField
    recipe: RecipeField
    libraries: Digest
    target_triple: str
    glibc_floor: Optional[str]


@dataclass(frozen=True)
class BuiltRecipe:
    """`digest`: what the recipe left in `out/`, without that prefix."""

    digest: Digest


def gnu_triple(target_triple: str) -> str:
    """The triple as configure scripts spell it: without the vendor."""
    architecture, _, system, libc = target_triple.split("-")
    return f"{architecture}-{system}-{libc}"


def recipe_environment(request: RecipeRequest) -> dict[str, str]:
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "CC": "cc",
        "CXX": "c++",
        "AR": "ar",
        "RANLIB": "ranlib",
        "HOST_CC": "host-cc",
        "TARGET_TRIPLE": request.target_triple,
        "GLIBC_FLOOR": request.glibc_floor or "",
        "GNU_TRIPLE": gnu_triple(request.target_triple),
        "BUILD_GNU_TRIPLE": "x86_64-pc-linux-gnu",
        "CFLAGS": " ".join(("-O2 -fPIC -ffunction-sections -fdata-sections", *HARDENING)),
        "SOURCE_DATE_EPOCH": "1700000000",
        "LC_ALL": "C",
        "TZ": "UTC",
    }


def target_description(request: RecipeRequest) -> str:
    floor = f" (glibc {request.glibc_floor})" if request.glibc_floor else ""
    return f"{request.target_triple}{floor}"


@rule(desc="Run a recipe", level=LogLevel.DEBUG)
async def run_recipe(request: RecipeRequest) -> BuiltRecipe:
    sources = await resolve_unparsed_address_inputs(
        UnparsedAddressInputs(
            [request.source.value],
            owning_address=request.address,
            description_of_origin=f"the `source` field of {request.address}",
        ),
        **implicitly(),
    )
    zig, sysroot, source, hydrated = await concurrently(
        prepare_zig(ZigToolchainRequest(), **implicitly()),
        prepare_sysroot(SysrootRequest(request.target_triple, request.glibc_floor), **implicitly()),
        fetch_source_archive(SourceArchiveRequest(sources[0]), **implicitly()),
        hydrate_sources(HydrateSourcesRequest(request.recipe), **implicitly()),
    )
    entries = await get_digest_entries(hydrated.snapshot.digest)
    files = [entry for entry in entries if isinstance(entry, FileEntry)]
    recipe, runner, libraries = await concurrently(
        # A name of its own, so that a recipe that moves is not run again.
        create_digest(CreateDigest([FileEntry("recipe.sh", files[0].file_digest)])),
        create_digest(CreateDigest([FileContent("__run.sh", RUNNER.encode())])),
        add_prefix(AddPrefix(request.libraries, "deps")),
    )
    inputs = await merge_digests(MergeDigests([source.digest, recipe, runner, libraries]))
    result = await execute_process(
        Process(
            ("/bin/sh", "-eu", "__run.sh", source.path, "{pants_concurrency}"),
            input_digest=inputs,
            immutable_input_digests=FrozenDict({ZIG_DIR: zig.digest, SYSROOT_DIR: sysroot.digest}),
            env=recipe_environment(request),
            output_directories=("out",),
            concurrency_available=MAX_JOBS,
            description=f"Build {request.address} for {target_description(request)}",
            level=LogLevel.INFO,
        ),
        **implicitly(),
    )
    doing = f"build it for {target_description(request)}"
    raise_on_failure(result, where=str(request.address), doing=doing)
    return BuiltRecipe(await remove_prefix(RemovePrefix(result.output_digest, "out")))


def rules() -> Iterable[Any]:
    return collect_rules()
