"""Components of an image: the standard library, one wheel, or one first-party folder.

Each is compiled by one process, which knows neither the binary nor its settings, so that all
binaries of a distribution share it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from importlib.resources import read_binary
from typing import Iterable, Tuple

from pants.engine.addresses import Address
from pants.engine.fs import (
    CreateDigest,
    Digest,
    DigestSubset,
    FileContent,
    MergeDigests,
    PathGlobs,
)
from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel

from oxidize_rules import runtime
from oxidize_rules.compat import (
    collect_rules,
    concurrently,
    create_digest,
    digest_subset_to_digest,
    execute_process,
    get_digest_contents,
    implicitly,
    merge_digests,
    rule,
)
from oxidize_rules.sandbox.images.content import left_out
from oxidize_rules.util_rules.distribution import (
    PythonDistributionRequest,
    load_python_distribution,
)
from oxidize_rules.util_rules.host_program import HostProgramRequest, prepare_host_process
from oxidize_rules.util_rules.host_python import HostPythonRequest, find_host_python
from oxidize_rules.util_rules.sandbox_program import raise_on_failure

_INPUT = "__input"
PAYLOAD_OBJECT = "payload.o"
MANIFEST = "manifest.json"
NATIVE_FILE = "native.json"
IMPORTS_FILE = "imports.json"
# The components of the standard library: what an executable has by default, and what it asked for.
STDLIB, STDLIB_EXTRA = "stdlib", "stdlib-extra"
# Of `oxidize_rules.runtime`: what the runtime has in Python. They lie beside the standard library.
RUNTIME_MODULES = ("_oxidized_ctypes.py", "_oxidized_platform.py")

# Where things stand in the image, relative to its root.
APP_DIR = "app"
LIBRARY_DIR = "lib"  # shared libraries that belong to no package


def stdlib_dir(python_version: str) -> str:
    """`python_version` is "3.13" or "3.13.5"."""
    return f"lib/python{'.'.join(python_version.split('.')[:2])}"


def site_packages_dir(python_version: str) -> str:
    return f"{stdlib_dir(python_version)}/site-packages"


@dataclass(frozen=True)
class ComponentRequest:
    """`distribution` is the address of the distribution whose Python compiles.

    `name` also names the payload's symbol: "stdlib", "wheel:requests-2.32.3", "folder:app/cli".
    `compress`: whether sources are stored in zlib's format.
    `input` holds the component's files at `path`. `root` is their place in the image, `path_entry`
    the folder of the image that module names begin at. For messages: `what` the component is,
    `where` (an address) it is needed, and the folder that `input` stands for, `shown_as`.
    Of a standard library: the module globs of what to `leave_out`, or of that to take `only` these.
    """

    distribution: Address
    name: str
    kind: str
    input: Digest
    path: str
    root: str
    path_entry: str
    optimization: int
    sources: bool
    compress: bool
    what: str
    where: str
    shown_as: str = ""
    strict: bool = False
    leave_out: Tuple[str, ...] = ()
    only: Tuple[str, ...] = ()


def library_component(
    name: str, libraries: Digest, distribution: Address, *, what: str, where: str
) -> ComponentRequest:
    """Shared libraries that belong to no package, where the executable's loader looks for them."""
    return ComponentRequest(
        distribution=distribution,
        name=name,
        kind="tree",
        input=libraries,
        path="",
        root=LIBRARY_DIR,
        path_entry=LIBRARY_DIR,
        optimization=0,
        sources=True,
        compress=False,
        what=what,
        where=where,
    )


@dataclass(frozen=True)
class Component:
    """`payload` holds `payload.o` and `manifest` holds `manifest.json` (see `docs/design.md`).

    `native` holds `native.json`, what the manifest tells of ELF files alone; `has_native`: whether
    there are any, `loadable`: whether one is a library that the target's loader would take.
    `imports` holds `imports.json`, which tells what its modules import, also those that a filter
    has taken out.
    """

    name: str
    payload: Digest
    manifest: Digest
    native: Digest
    imports: Digest
    has_native: bool
    loadable: bool

    @property
    def symbol_id(self) -> str:
        """First 16 digits of the name's sha256, as in the payload's symbol and section."""
        return hashlib.sha256(self.name.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class ComponentFiles:
    """`digest` holds `payload.o`, `manifest.json` and `native.json` of the component `name`, and
    `imports` its `imports.json`."""

    name: str
    digest: Digest
    imports: Digest


@dataclass(frozen=True)
class StdlibRequest:
    """The standard library of a distribution: the same for all of its binaries.

    With `only`: no more than what these module globs mean of what is left out by default, as a
    component beside the other.
    """

    distribution: Address
    optimization: int
    sources: bool
    compress: bool
    only: Tuple[str, ...] = ()


@rule
async def load_component(files: ComponentFiles) -> Component:
    payload, manifest, native = await concurrently(
        digest_subset_to_digest(DigestSubset(files.digest, PathGlobs([name])))
        for name in (PAYLOAD_OBJECT, MANIFEST, NATIVE_FILE)
    )
    (content,) = await get_digest_contents(native)
    told = json.loads(content.content)
    return Component(
        files.name,
        payload,
        manifest,
        native,
        files.imports,
        has_native=bool(told["native"]),
        loadable=bool(told["loadable"]),
    )


@rule(desc="Compile one component", level=LogLevel.DEBUG)
async def compile_component(request: ComponentRequest) -> Component:
    python = await find_host_python(HostPythonRequest(request.distribution), **implicitly())
    source = "/".join(part for part in (_INPUT, request.path) if part)
    process = await prepare_host_process(
        HostProgramRequest(
            request.distribution,
            "images.component",
            (
                *("--name", request.name),
                *("--kind", request.kind),
                *("--input", source),
                *("--root", request.root),
                *("--path-entry", request.path_entry),
                *("--optimization", str(request.optimization)),
                *("--sources", "yes" if request.sources else "no"),
                *("--compress", "yes" if request.compress else "no"),
                *("--machine", python.target_machine),
                *(("--leave-out", *request.leave_out) if request.leave_out else ()),
                *(("--only", *request.only) if request.only else ()),
                *(("--strict",) if request.strict else ()),
                *("--output", PAYLOAD_OBJECT),
                *("--manifest", MANIFEST),
                *("--native", NATIVE_FILE),
                *("--imports", IMPORTS_FILE),
            ),
            f"Compile {request.what} for {request.where}",
            inputs=FrozenDict({_INPUT: request.input}),
            output_files=(PAYLOAD_OBJECT, MANIFEST, NATIVE_FILE, IMPORTS_FILE),
        ),
        **implicitly(),
    )
    result = await execute_process(process, **implicitly())
    shown = dataclasses.replace(
        result,
        stderr=result.stderr.replace(f"{_INPUT}/".encode(), request.shown_as.encode()),
    )
    raise_on_failure(shown, where=request.where, doing=f"compile {request.what}")
    imports = await digest_subset_to_digest(
        DigestSubset(result.output_digest, PathGlobs([IMPORTS_FILE]))
    )
    return await load_component(
        ComponentFiles(request.name, result.output_digest, imports), **implicitly()
    )


@rule(desc="Compile a standard library", level=LogLevel.DEBUG)
async def compile_stdlib(request: StdlibRequest) -> Component:
    distribution = await load_python_distribution(
        PythonDistributionRequest(request.distribution), **implicitly()
    )
    root = stdlib_dir(distribution.python_version)
    if request.only:
        more = distribution.tests
    else:
        more = await create_digest(
            CreateDigest(
                FileContent(f"{distribution.stdlib_path}/{name}", read_binary(runtime, name))
                for name in RUNTIME_MODULES
            )
        )
    stdlib = await merge_digests(MergeDigests((distribution.stdlib, more)))
    return await compile_component(
        ComponentRequest(
            distribution=request.distribution,
            name=STDLIB_EXTRA if request.only else STDLIB,
            kind="stdlib",
            input=stdlib,
            path=distribution.stdlib_path,
            root=root,
            path_entry=root,
            optimization=request.optimization,
            sources=request.sources,
            compress=request.compress,
            what="more of the standard library" if request.only else "the standard library",
            where=str(request.distribution),
            leave_out=left_out(distribution.test_packages),
            only=request.only,
        ),
        **implicitly(),
    )


def rules() -> Iterable[object]:
    return collect_rules()
