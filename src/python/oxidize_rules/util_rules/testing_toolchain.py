"""For tests: zig and the sysroots by the real rules, made once for all tests of a machine.

The `ziglang` wheel comes from the configured index. `PANTS_PEX_CLI_URL_TEMPLATE` names the pex, as
`build-support/test` sets it.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Optional

from pants.backend.python.util_rules import pex
from pants.engine.fs import Digest, Snapshot
from pants.testutil.rule_runner import QueryRule, RuleRunner

from oxidize_rules.util_rules import fetch, sandbox_program, sysroot, tools_pex, zig
from oxidize_rules.util_rules.sysroot import Sysroot, SysrootRequest
from oxidize_rules.util_rules.testing_pex import pinned_pex
from oxidize_rules.util_rules.zig import ZigToolchain, ZigToolchainRequest

TARGETS = {
    "musl": SysrootRequest("x86_64-unknown-linux-musl", None),
    "gnu": SysrootRequest("x86_64-unknown-linux-gnu", "2.17"),
}


def new_runner(folder: Optional[Path] = None) -> RuleRunner:
    """A runner whose store and caches stand in `folder`: nothing is there yet. Without a folder it
    has those of the machine, and takes half a minute for each sysroot at most once."""
    own = [f"--local-store-dir={folder}/store", f"--named-caches-dir={folder}/named"]
    runner = RuleRunner(
        rules=[
            *pex.rules(),
            *fetch.rules(),
            *sandbox_program.rules(),  # type: ignore[no-untyped-call]
            *sysroot.rules(),
            *tools_pex.rules(),
            *zig.rules(),
            QueryRule(Sysroot, [SysrootRequest]),
            QueryRule(ZigToolchain, [ZigToolchainRequest]),
            QueryRule(Snapshot, [Digest]),
        ],
        bootstrap_args=own if folder else [],
    )
    runner.set_options(
        pinned_pex(),
        env_inherit=set(os.environ),
    )
    return runner


def write_digest(runner: RuleRunner, digest: Digest, folder: Path) -> None:
    """Writes the files of a digest as `folder`, which must not be there."""
    runner.write_digest(digest, path_prefix=folder.name)
    shutil.move(f"{runner.build_root}/{folder.name}", folder)


def write_toolchain(folder: Path) -> Path:
    """Fills `folder` with `zig` (the tree that holds `ziglang/`), and a sysroot for each of
    `TARGETS` by its name."""
    runner = new_runner()
    folder.mkdir(exist_ok=True)
    toolchain = runner.request(ZigToolchain, [ZigToolchainRequest()])
    write_digest(runner, toolchain.digest, folder / "zig")
    for name, request in TARGETS.items():
        write_digest(runner, runner.request(Sysroot, [request]).digest, folder / name)
    return folder
