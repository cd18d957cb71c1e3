"""Links an executable: one process, whose inputs are objects only."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Optional, Tuple

from pants.engine.addresses import Address
from pants.engine.fs import (
    AddPrefix,
    CreateDigest,
    Digest,
    DigestSubset,
    FileContent,
    MergeDigests,
    PathGlobs,
)
from pants.engine.process import Process
from pants.util.frozendict import FrozenDict

from oxidize_rules.compat import (
    add_prefix,
    collect_rules,
    concurrently,
    create_digest,
    digest_subset_to_digest,
    execute_process,
    implicitly,
    merge_digests,
    rule,
)
from oxidize_rules.sandbox.portability import PYTHON_API
from oxidize_rules.util_rules.distribution import (
    PythonDistributionRequest,
    load_python_distribution,
)
from oxidize_rules.util_rules.extension_filter import ALL
from oxidize_rules.util_rules.host_python import HostPythonRequest, find_host_python
from oxidize_rules.util_rules.inittab import (
    CORE,
    Inittab,
    InittabRequest,
    OwnedFile,
    compile_inittab,
)
from oxidize_rules.util_rules.runtime import (
    RUNTIME_DIR,
    RuntimeObjects,
    RuntimeObjectsRequest,
    compile_runtime,
)
from oxidize_rules.util_rules.sandbox_program import (
    PROGRAMS_DIR,
    SandboxProgramRequest,
    prepare_sandbox_program,
    raise_on_failure,
)
from oxidize_rules.util_rules.sysroot import SYSROOT_DIR, SysrootRequest, prepare_sysroot
from oxidize_rules.util_rules.zig import ZIG, ZIG_DIR, ZigToolchainRequest, prepare_zig

# Modules of `oxidize_rules.sandbox` that make up the link program.
_PROGRAM = ("link", "debug_file", "portability", "elf_reader", "glibc_symbols")
# lld itself, and a table that serves error messages: a fresh daemon need not lay out all of zig.
_ZIG_FILES = ("ziglang/zig", "ziglang/lib/libc/glibc/abilists")
_DISTRIBUTION_DIR = "__distribution"
_COMPONENTS_DIR = "__components"
_REQUEST = "__link.json"
_WRAP = "__wrap.txt"
_REPORT = "__portability.json"
_MAP = "__link.map"


@dataclass(frozen=True)
class LinkObject:
    """An object `path` in `digest`, and what it belongs to, in words for a message.

    One that seldom changes is `stable`: it is not copied into each link's sandbox, but stays in
    the daemon's folder of inputs for as long as the daemon lives.
    """

    digest: Digest
    path: str
    owner: str
    stable: bool = False


@dataclass(frozen=True)
class LinkRequest:
    """`where` is the binary's address, for messages; `glibc_floor` is None on musl.

    `objects` are the image and the components' payloads. `link_args` are lld's own, or in the
    compiler's form (`-Wl,...`). With `link_map` the result has a map of what is in the file.
    `dynamic_loading`: on musl, whether the executable contains a loader for shared libraries.
    `zlib`: where something is compressed inside, the path of zlib's archive in the distribution.
    With `debug` the result has a file of symbols, which the executable refers to by its name.
    """

    where: str
    distribution: Address
    glibc_floor: Optional[str]
    output_filename: str
    objects: Tuple[LinkObject, ...]
    excluded_extensions: Tuple[str, ...] = ()
    included_extensions: Tuple[str, ...] = ()
    extension_filter: str = ALL
    strip: bool = True
    link_args: Tuple[str, ...] = ()
    link_map: bool = False
    dynamic_loading: bool = False
    debug: bool = False
    zlib: Optional[str] = None


@dataclass(frozen=True)
class LinkedExecutable:
    """`digest` holds the executable at `path` alone. `report` holds the findings and figures of
    sandbox/portability.py at `report_path`; `link_map` holds lld's map at `link_map_path`;
    `debug` holds the file of symbols at `<path>.debug`."""

    digest: Digest
    path: str
    report: Digest
    link_map: Optional[Digest]
    debug: Optional[Digest]
    report_path: str = _REPORT
    link_map_path: str = _MAP


def debug_filename(output_filename: str) -> str:
    """The name of the file of symbols beside an executable."""
    return f"{output_filename}.debug"


# What of the runtime stands for dlopen() on musl, with the C library's own loader and without it.
_WITH_LOADER = f"{RUNTIME_DIR}/library.o"
_WITHOUT_LOADER = f"{RUNTIME_DIR}/dl.o"
# What decompresses, with zlib's archive and without it.
_WITH_ZLIB = f"{RUNTIME_DIR}/inflate.o"
_WITHOUT_ZLIB = f"{RUNTIME_DIR}/no_inflate.o"


def link_program_request(
    request: LinkRequest, inittab: Inittab, runtime: RuntimeObjects
) -> dict[str, Any]:
    """The input of sandbox/link.py (see there), as paths of the link's sandbox."""

    def owned(files: Tuple[OwnedFile, ...], folder: str = "") -> list[list[str]]:
        return [[f"{folder}{file.name}", file.owner] for file in files]

    parts = inittab.parts
    unused = (
        _WITHOUT_LOADER if request.dynamic_loading else _WITH_LOADER,
        _WITHOUT_ZLIB if request.zlib else _WITH_ZLIB,
    )
    archives = parts.static_libraries
    if request.zlib and request.zlib not in (archive.name for archive in archives):
        archives += (OwnedFile(request.zlib, "the runtime"),)
    return {
        "zig": ZIG,
        "sysroot": SYSROOT_DIR,
        "output": request.output_filename,
        "report": _REPORT,
        "map": _MAP if request.link_map else None,
        "objects": [
            *([path, "the runtime"] for path in runtime.paths if path not in unused),
            [inittab.path, CORE],
            *owned(parts.objects, f"{_DISTRIBUTION_DIR}/"),
            *(
                [f"{_COMPONENTS_DIR}/{number}/{one.path}", one.owner]
                for number, one in enumerate(request.objects)
            ),
        ],
        "static_libraries": owned(archives, f"{_DISTRIBUTION_DIR}/"),
        "system_libraries": owned(parts.system_libraries),
        "dynamic_loading": request.dynamic_loading,
        "wrap": _WRAP,
        "exports": [*PYTHON_API, *runtime.exports],
        "strip": request.strip,
        "debug": debug_filename(request.output_filename) if request.debug else None,
        "link_args": list(request.link_args),
    }


@rule
async def link_executable(request: LinkRequest) -> LinkedExecutable:
    address, floor = request.distribution, request.glibc_floor
    distribution = await load_python_distribution(
        PythonDistributionRequest(address), **implicitly()
    )
    zig, sysroot, program, python = await concurrently(
        prepare_zig(ZigToolchainRequest(), **implicitly()),
        prepare_sysroot(SysrootRequest(distribution.target_triple, floor), **implicitly()),
        prepare_sandbox_program(SandboxProgramRequest(_PROGRAM), **implicitly()),
        find_host_python(HostPythonRequest(address), **implicitly()),
    )
    runtime, inittab = await concurrently(
        compile_runtime(RuntimeObjectsRequest(address, floor), **implicitly()),
        compile_inittab(
            InittabRequest(
                address,
                floor,
                request.excluded_extensions,
                request.where,
                request.included_extensions,
                request.extension_filter,
            ),
            **implicitly(),
        ),
    )
    linker = await digest_subset_to_digest(DigestSubset(zig.digest, PathGlobs(_ZIG_FILES)))
    changing = await concurrently(
        add_prefix(AddPrefix(one.digest, f"{_COMPONENTS_DIR}/{number}"))
        for number, one in enumerate(request.objects)
        if not one.stable
    )
    program_request = link_program_request(request, inittab, runtime)
    written = await create_digest(
        CreateDigest(
            [
                FileContent(_REQUEST, json.dumps(program_request, indent=1).encode()),
                FileContent(_WRAP, "".join(f"{name}\n" for name in runtime.wrapped).encode()),
            ]
        )
    )
    inputs = await merge_digests(MergeDigests((written, inittab.digest, runtime.digest, *changing)))
    debug = debug_filename(request.output_filename)
    outputs = (
        request.output_filename,
        _REPORT,
        *((_MAP,) if request.link_map else ()),
        *((debug,) if request.debug else ()),
    )
    result = await execute_process(
        Process(
            argv=(*python.argv("link"), _REQUEST),
            env=python.env,
            input_digest=inputs,
            immutable_input_digests=FrozenDict(
                {
                    **python.immutable_input_digests,
                    PROGRAMS_DIR: program.digest,
                    ZIG_DIR: linker,
                    SYSROOT_DIR: sysroot.digest,
                    _DISTRIBUTION_DIR: distribution.objects,
                    **{
                        f"{_COMPONENTS_DIR}/{number}": one.digest
                        for number, one in enumerate(request.objects)
                        if one.stable
                    },
                }
            ),
            output_files=outputs,
            description=f"Link {request.where}",
        ),
        **implicitly(),
    )
    raise_on_failure(result, where=request.where, doing="link the executable")
    digests = dict(
        zip(
            outputs,
            await concurrently(
                digest_subset_to_digest(DigestSubset(result.output_digest, PathGlobs([path])))
                for path in outputs
            ),
        )
    )
    return LinkedExecutable(
        digest=digests[request.output_filename],
        path=request.output_filename,
        report=digests[_REPORT],
        link_map=digests.get(_MAP),
        debug=digests.get(debug),
    )


def rules():  # type: ignore[no-untyped-def]
    return collect_rules()
