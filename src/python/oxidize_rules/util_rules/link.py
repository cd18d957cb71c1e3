"""Links an executable: one process, whose inputs are objects only."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Mapping, Optional, Tuple

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
from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel

from oxidize_rules.compat import (
    add_prefix,
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
from oxidize_rules.sandbox.linking.portability import PYTHON_API
from oxidize_rules.sandbox.parts.facts import FACTS_FILE, TEXTS_DIR, named_texts
from oxidize_rules.util_rules import extension_filter
from oxidize_rules.util_rules.component import NATIVE_FILE
from oxidize_rules.util_rules.distribution import (
    PythonDistribution,
    PythonDistributionRequest,
    load_python_distribution,
)
from oxidize_rules.util_rules.distribution_facts import (
    DistributionFactsRequest,
    find_distribution_facts,
)
from oxidize_rules.util_rules.extension_filter import ALL
from oxidize_rules.util_rules.facts import Facts
from oxidize_rules.util_rules.host_program import HostProgramRequest, prepare_host_process
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
from oxidize_rules.util_rules.runtime_facts import RuntimeFactsRequest, find_runtime_facts
from oxidize_rules.util_rules.sandbox_program import raise_on_failure
from oxidize_rules.util_rules.sysroot import SYSROOT_DIR, SysrootRequest, prepare_sysroot
from oxidize_rules.util_rules.system_libraries import made_from
from oxidize_rules.util_rules.zig import ZIG, ZIG_DIR, ZigToolchainRequest, prepare_zig

# lld itself, and a table that serves error messages: a fresh daemon need not lay out all of zig.
_ZIG_FILES = ("ziglang/zig", "ziglang/lib/libc/glibc/abilists")
_DISTRIBUTION_DIR = "__distribution"
_COMPONENTS_DIR = "__components"
_REQUEST = "__link.json"
_WRAP = "__wrap.txt"
_REPORT = "__portability.json"
_MAP = "__link.map"
_FACTS_DIR = "__facts"
_NATIVE_DIR = "__native"
INVENTORY = "inventory.json"


@dataclass(frozen=True)
class LinkObject:
    """An object `path` in `digest`, and what it belongs to, in words for a message. One that is a
    component's payload names it, as facts do; with ELF files inside, `native` has its native.json.

    One that seldom changes is `stable`: it is not copied into each link's sandbox, but stays in
    the daemon's folder of inputs for as long as the daemon lives.
    """

    digest: Digest
    path: str
    owner: str
    stable: bool = False
    component: str = "image"
    native: Optional[Digest] = None


@dataclass(frozen=True)
class LinkRequest:
    """`where` is the binary's address, for messages, `name` its name; `glibc_floor` is None on
    musl. `facts` are those of components; what else is linked is known without.

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
    name: str = ""
    facts: Tuple[Facts, ...] = ()


@dataclass(frozen=True)
class LinkedExecutable:
    """`digest` holds the executable at `path` alone. `inventory` holds `inventory.json`, what is in
    it, and `texts/` with the texts that it names (docs/licensing.md). `report` holds the findings
    and figures of sandbox/linking/portability.py at `report_path`; `link_map` holds lld's map at
    `link_map_path`; `debug` holds the file of symbols at `<path>.debug`."""

    digest: Digest
    path: str
    report: Digest
    link_map: Optional[Digest]
    debug: Optional[Digest]
    inventory: Digest
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
    request: LinkRequest,
    inittab: Inittab,
    runtime: RuntimeObjects,
    inventory: Optional[Mapping[str, Any]] = None,
) -> dict[str, Any]:
    """The input of sandbox/linking/link.py (see there), as paths of the link's sandbox."""

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
        "inventory": inventory,
    }


def inventory_request(
    request: LinkRequest, distribution: PythonDistribution, extensions: Tuple[str, ...], facts: int
) -> dict[str, Any]:
    """The input of sandbox/linking/inventory.py (see there). `facts`: how many files of facts there
    are."""
    by_name = {extension.name: extension for extension in distribution.extensions}
    return {
        "output": INVENTORY,
        "facts": [f"{_FACTS_DIR}/{number}/{FACTS_FILE}" for number in range(facts)],
        "subject": {
            "name": request.name,
            "address": request.where,
            "version": None,
            "target_triple": distribution.target_triple,
            "python_version": distribution.python_version,
            "filename": request.output_filename,
        },
        "prefixes": [[f"{_DISTRIBUTION_DIR}/", ""], [f"{SYSROOT_DIR}/", "sysroot/"]],
        "components": [
            [
                one.component,
                f"{_COMPONENTS_DIR}/{number}/{one.path}",
                list(made_from(one.component)),
                f"{_NATIVE_DIR}/{number}/{NATIVE_FILE}" if one.native else None,
            ]
            for number, one in enumerate(request.objects)
        ],
        "extensions": {
            name: {
                "objects": list(by_name[name].objects),
                "archives": list(by_name[name].static_libraries),
                "droppable": not extension_filter.is_needed(by_name[name]),
            }
            for name in extensions
        },
        "decompresses": request.zlib,
    }


@dataclass(frozen=True)
class NamedTextsRequest:
    """`inventory` holds `inventory.json`; `facts` have the texts that it names."""

    inventory: Digest
    facts: Tuple[Facts, ...]


@dataclass(frozen=True)
class NamedTexts:
    """`digest` holds `inventory.json`, and in `texts/` no other texts than it names."""

    digest: Digest


@rule
async def take_named_texts(request: NamedTextsRequest) -> NamedTexts:
    (content,) = await get_digest_contents(request.inventory)
    names = {name for part in json.loads(content.content)["parts"] for name in named_texts(part)}
    everything = await merge_digests(
        MergeDigests(
            await concurrently(
                digest_subset_to_digest(DigestSubset(one.digest, PathGlobs([f"{TEXTS_DIR}/*"])))
                for one in request.facts
            )
        )
    )
    texts = await digest_subset_to_digest(
        DigestSubset(everything, PathGlobs([f"{TEXTS_DIR}/{name}.txt" for name in sorted(names)]))
    )
    return NamedTexts(await merge_digests(MergeDigests((request.inventory, texts))))


@rule
async def link_executable(request: LinkRequest) -> LinkedExecutable:
    address, floor = request.distribution, request.glibc_floor
    distribution = await load_python_distribution(
        PythonDistributionRequest(address), **implicitly()
    )
    zig, sysroot = await concurrently(
        prepare_zig(ZigToolchainRequest(), **implicitly()),
        prepare_sysroot(SysrootRequest(distribution.target_triple, floor), **implicitly()),
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
    facts = (
        *await concurrently(
            find_distribution_facts(DistributionFactsRequest(address), **implicitly()),
            find_runtime_facts(RuntimeFactsRequest(distribution.target_triple), **implicitly()),
        ),
        *request.facts,
    )
    facts_files = await concurrently(
        digest_subset_to_digest(DigestSubset(one.digest, PathGlobs([FACTS_FILE]))) for one in facts
    )
    facts_places = await concurrently(
        add_prefix(AddPrefix(digest, f"{_FACTS_DIR}/{number}"))
        for number, digest in enumerate(facts_files)
    )
    native_places = await concurrently(
        add_prefix(AddPrefix(one.native, f"{_NATIVE_DIR}/{number}"))
        for number, one in enumerate(request.objects)
        if one.native
    )
    linker = await digest_subset_to_digest(DigestSubset(zig.digest, PathGlobs(_ZIG_FILES)))
    changing = await concurrently(
        add_prefix(AddPrefix(one.digest, f"{_COMPONENTS_DIR}/{number}"))
        for number, one in enumerate(request.objects)
        if not one.stable
    )
    program_request = link_program_request(
        request,
        inittab,
        runtime,
        inventory_request(request, distribution, inittab.parts.extensions, len(facts)),
    )
    written = await create_digest(
        CreateDigest(
            [
                FileContent(_REQUEST, json.dumps(program_request, indent=1).encode()),
                FileContent(_WRAP, "".join(f"{name}\n" for name in runtime.wrapped).encode()),
            ]
        )
    )
    inputs = await merge_digests(
        MergeDigests(
            (written, inittab.digest, runtime.digest, *facts_places, *native_places, *changing)
        )
    )
    debug = debug_filename(request.output_filename)
    outputs = (
        request.output_filename,
        _REPORT,
        INVENTORY,
        *((_MAP,) if request.link_map else ()),
        *((debug,) if request.debug else ()),
    )
    process = await prepare_host_process(
        HostProgramRequest(
            address,
            "linking.link",
            (_REQUEST,),
            f"Link {request.where}",
            input_digest=inputs,
            inputs=FrozenDict(
                {
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
            level=LogLevel.INFO,
        ),
        **implicitly(),
    )
    result = await execute_process(process, **implicitly())
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
    inventory = await take_named_texts(NamedTextsRequest(digests[INVENTORY], facts), **implicitly())
    return LinkedExecutable(
        digest=digests[request.output_filename],
        path=request.output_filename,
        report=digests[_REPORT],
        link_map=digests.get(_MAP),
        debug=digests.get(debug),
        inventory=inventory.digest,
    )


def rules():  # type: ignore[no-untyped-def]
    return collect_rules()
