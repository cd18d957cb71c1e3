"""musl, built from its source with a loader that executables can contain
(sandbox/toolchain/musl.py)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable

from pants.engine.fs import Digest, RemovePrefix
from pants.option.option_types import StrListOption
from pants.option.subsystem import Subsystem
from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel
from pants.util.strutil import softwrap

from oxidize_rules.compat import collect_rules, execute_process, implicitly, remove_prefix, rule
from oxidize_rules.util_rules.fetch import FetchRequest, fetch_file
from oxidize_rules.util_rules.sandbox_program import raise_on_failure
from oxidize_rules.util_rules.tools_pex import prepare_tool_process, sandbox_tool
from oxidize_rules.util_rules.zig import ZIG, ZIG_DIR, ZigToolchainRequest, prepare_zig

# The result as an immutable input of a process.
MUSL_DIR = "__musl"

WHERE = "[oxidize-musl]"
# Pinned here, not in an option: sandbox/toolchain/musl_edits.py is made for this file.
VERSION = "1.2.5"
SHA256 = "a9a118bbe84d8764da0ea0d28b3ab3fae8477fc7e4085d90102b8596fc7c75e4"
SIZE = 1080786  # Bytes.
DEBIAN_PATH = f"pool/main/m/musl/musl_{VERSION}.orig.tar.gz"


class MuslSubsystem(Subsystem):
    options_scope = "oxidize-musl"
    help = softwrap(
        f"""
        The C library of executables for musl: musl {VERSION} (https://musl.libc.org), built from
        its source.
        """
    )

    urls = StrListOption(
        default=[f"https://musl.libc.org/releases/musl-{VERSION}.tar.gz"],
        advanced=True,
        help=softwrap(
            f"""
            Where the source archive of musl {VERSION} is, in the order to ask; Debian's source pool
            on the mirrors of this machine's apt comes after these. Its hash is known to the plugin.
            """
        ),
    )


@dataclass(frozen=True)
class MuslRequest:
    target_triple: str


@dataclass(frozen=True)
class Musl:
    """For `MUSL_DIR`: lib/ and licenses/, as sandbox/toolchain/musl.py describes them."""

    digest: Digest


@rule(desc="Build musl", level=LogLevel.DEBUG)
async def build_musl(request: MuslRequest, musl: MuslSubsystem) -> Musl:
    zig = await prepare_zig(ZigToolchainRequest(), **implicitly())
    source = await fetch_file(
        FetchRequest(
            where=WHERE,
            filename=f"musl-{VERSION}.tar.gz",
            urls=tuple(musl.urls),
            debian_path=DEBIAN_PATH,
            sha256=SHA256,
            size=SIZE,
        ),
        **implicitly(),
    )
    target = request.target_triple
    process = await prepare_tool_process(
        sandbox_tool(
            "toolchain.musl",
            f"--zig={ZIG}",
            f"--source={source.path}",
            f"--target-triple={target}",
            "--jobs=2",
            f"--output={MUSL_DIR}",
            description=f"Build musl {VERSION} for {target}",
            input_digest=source.digest,
            immutable_input_digests=FrozenDict({ZIG_DIR: zig.digest}),
            output_directories=(MUSL_DIR,),
        ),
        **implicitly(),
    )
    result = await execute_process(process, **implicitly())
    raise_on_failure(result, where=WHERE, doing=f"build musl for {target}")
    return Musl(await remove_prefix(RemovePrefix(result.output_digest, MUSL_DIR)))


def rules() -> Iterable[Any]:
    return [*collect_rules(), *MuslSubsystem.rules()]
