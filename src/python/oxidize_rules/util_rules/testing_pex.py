"""For tests: the pex that the repository pins, for runners that read no `pants.toml`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import List

REPOSITORY = Path(__file__).resolve().parents[4]


def pinned_pex() -> List[str]:
    """Options of Pants. `PANTS_PEX_CLI_URL_TEMPLATE`, which `build-support/test` sets, names the
    file."""
    known = re.findall(r'"(v[\d.]+\|linux_x86_64\|.*)"', (REPOSITORY / "pants.toml").read_text())
    return [f"--pex-cli-version={known[0].split('|')[0]}", f"--pex-cli-known-versions={known}"]
