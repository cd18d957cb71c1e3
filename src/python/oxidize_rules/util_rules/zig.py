"""zig: clang, lld and the C libraries' sources, from the `ziglang` wheel.

The wheel comes from the indexes of `[python-repos]`, as any other Python requirement, pinned by
hash; pip finds it there. `[oxidize-zig].urls` names other places.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable

from pants.backend.python.subsystems.repos import PythonRepos
from pants.engine.fs import CreateDigest, Digest, DigestSubset, FileContent, PathGlobs
from pants.engine.platform import Platform
from pants.option.option_types import StrListOption, StrOption
from pants.option.subsystem import Subsystem
from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel
from pants.util.strutil import softwrap

from oxidize_rules.compat import (
    collect_rules,
    create_digest,
    digest_subset_to_digest,
    execute_process,
    implicitly,
    rule,
)
from oxidize_rules.util_rules.fetch import FetchRequest, fetch_file
from oxidize_rules.util_rules.sandbox_program import OxidizeError, raise_on_failure
from oxidize_rules.util_rules.tools_pex import (
    NetworkEnvironmentRequest,
    ToolProcessRequest,
    network_environment,
    prepare_tool_process,
    sandbox_tool,
)

# The toolchain as an immutable input of a process, and the program in it.
ZIG_DIR = "__zig"
ZIG = f"{ZIG_DIR}/ziglang/zig"

WHERE = "[oxidize-zig]"
# Which tags of wheels run on a platform of Pants: zig is static, so that any will do.
WHEEL_PLATFORMS = {
    Platform.linux_x86_64: ("manylinux_2_12_x86_64", "musllinux_1_1_x86_64"),
    Platform.linux_arm64: ("manylinux_2_17_aarch64", "musllinux_1_1_aarch64"),
}


class ZigSubsystem(Subsystem):
    options_scope = "oxidize-zig"
    help = softwrap(
        """
        The zig toolchain, which compiles and links executables (https://ziglang.org). It is the
        `ziglang` wheel of the Python indexes in `[python-repos]`.
        """
    )

    version = StrOption(
        default="0.17.0",
        advanced=True,
        help="The version to use; one of those in `[oxidize-zig].known_versions`.",
    )
    known_versions = StrListOption(
        default=[
            "0.17.0|linux_x86_64"
            "|97079827064a7492cce5541ceb438ae8003ce1e54e399676da2d62fb7a5dc08b|101011302|22.1.8",
        ],
        advanced=True,
        help=softwrap(
            """
            What is known about versions, as `version|platform|sha256|size|LLVM version`: hash and
            size in bytes of the wheel for the platform that builds (`linux_x86_64`,
            `linux_arm64`).
            """
        ),
    )
    urls = StrListOption(
        default=[],
        advanced=True,
        help=softwrap(
            """
            Where the wheel is downloaded from, instead of an index: URLs of the file itself,
            tried in their order. `{version}` and `{platform}` are replaced.
            """
        ),
    )


@dataclass(frozen=True)
class KnownZig:
    version: str
    platform: str
    sha256: str
    size: int
    llvm_version: str


@dataclass(frozen=True)
class ZigToolchainRequest:
    pass


@dataclass(frozen=True)
class ZigToolchain:
    """`digest`: the tree `ziglang/...`, for `ZIG_DIR`. `linker`: `ziglang/zig` alone, which is
    all that `zig ld.lld` and `zig ar` need.
    """

    digest: Digest
    linker: Digest
    version: str
    llvm_version: str


@dataclass(frozen=True)
class ZigWheelRequest:
    known: KnownZig


@dataclass(frozen=True)
class ZigWheel:
    digest: Digest
    path: str


def known_zig(zig: ZigSubsystem, platform: Platform) -> KnownZig:
    """The entry of `known_versions` for the version in use."""
    for entry in zig.known_versions:
        fields = [field.strip() for field in entry.split("|")]
        if len(fields) != 5 or not fields[3].isdigit():
            raise OxidizeError(
                f"{WHERE}: `known_versions` has {entry!r}; expected "
                "`version|platform|sha256|size|LLVM version`."
            )
        version, name, sha256, size, llvm_version = fields
        if version == zig.version and name == platform.value:
            return KnownZig(version, name, sha256, int(size), llvm_version)
    raise OxidizeError(
        f"{WHERE}: `version` is {zig.version!r}, but `known_versions` has no such entry for "
        f"{platform.value}. To fix, add "
        f"`{zig.version}|{platform.value}|<sha256>|<size>|<LLVM version>` of the `ziglang` wheel."
    )


@rule(desc="Download zig", level=LogLevel.DEBUG)
async def fetch_zig_wheel(
    request: ZigWheelRequest, zig: ZigSubsystem, repos: PythonRepos, platform: Platform
) -> ZigWheel:
    known = request.known
    if zig.urls:
        fetched = await fetch_file(
            FetchRequest(
                where=WHERE,
                filename=f"ziglang-{known.version}.whl",
                urls=tuple(
                    url.replace("{version}", known.version).replace("{platform}", known.platform)
                    for url in zig.urls
                ),
                debian_path=None,
                sha256=known.sha256,
                size=known.size,
            ),
            **implicitly(),
        )
        return ZigWheel(fetched.digest, fetched.path)
    requirements = await create_digest(
        CreateDigest(
            [
                FileContent(
                    "requirements.txt",
                    f"ziglang=={known.version} --hash=sha256:{known.sha256}\n".encode(),
                )
            ]
        )
    )
    first_index, *more_indexes = (*repos.indexes, "")
    network = await network_environment(NetworkEnvironmentRequest(), **implicitly())
    bundle = network.variables.get("REQUESTS_CA_BUNDLE") or network.variables.get("SSL_CERT_FILE")
    process = await prepare_tool_process(
        ToolProcessRequest(
            "pip",
            (
                "download",
                "--no-deps",
                "--require-hashes",
                "--only-binary=:all:",
                "--no-cache-dir",
                "--disable-pip-version-check",
                "--no-input",
                "--progress-bar=off",
                "--retries=5",
                *((f"--index-url={first_index}",) if first_index else ("--no-index",)),
                *(f"--extra-index-url={index}" for index in more_indexes if index),
                *(f"--find-links={link}" for link in repos.find_links),
                *(f"--platform={tag}" for tag in WHEEL_PLATFORMS[platform]),
                "--dest=wheel",
                "--requirement=requirements.txt",
            ),
            description=f"Download zig {known.version} ({known.size / 1e6:.0f} MB)",
            input_digest=requirements,
            # No configuration of this machine; pip's own variable for certificates.
            env=FrozenDict(
                {"PIP_CONFIG_FILE": "/dev/null", **({"PIP_CERT": bundle} if bundle else {})}
            ),
            output_directories=("wheel",),
            network=True,
        ),
        **implicitly(),
    )
    result = await execute_process(process, **implicitly())
    raise_on_failure(result, where=WHERE, doing=f"download the wheel of zig {known.version}")
    return ZigWheel(result.output_digest, "wheel")


@rule(desc="Prepare zig", level=LogLevel.DEBUG)
async def prepare_zig(
    request: ZigToolchainRequest, zig: ZigSubsystem, platform: Platform
) -> ZigToolchain:
    if platform not in WHEEL_PLATFORMS:
        raise OxidizeError(
            f"{WHERE}: this machine is {platform.value}; executables are built on "
            f"{' or '.join(known.value for known in WHEEL_PLATFORMS)}. "
            "To fix, use an environment of Pants (`docker_environment`, `remote_environment`)."
        )
    known = known_zig(zig, platform)
    wheel = await fetch_zig_wheel(ZigWheelRequest(known), **implicitly())
    process = await prepare_tool_process(
        sandbox_tool(
            "toolchain.zig_wheel",
            f"--wheel={wheel.path}",
            "--output=ziglang",
            description=f"Unpack zig {known.version}",
            input_digest=wheel.digest,
            output_directories=("ziglang",),
        ),
        **implicitly(),
    )
    result = await execute_process(process, **implicitly())
    raise_on_failure(result, where=WHERE, doing=f"unpack the wheel of zig {known.version}")
    linker = await digest_subset_to_digest(
        DigestSubset(result.output_digest, PathGlobs(["ziglang/zig"]))
    )
    return ZigToolchain(result.output_digest, linker, known.version, known.llvm_version)


def rules() -> Iterable[Any]:
    return [*collect_rules(), *ZigSubsystem.rules()]
