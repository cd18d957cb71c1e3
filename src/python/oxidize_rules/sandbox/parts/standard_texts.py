"""Texts of licences that are the same for every work under them, for parts that came without any.

MIT and BSD are none of these: their texts need the names of their authors, which nobody told.
"""

from __future__ import annotations

import re
from typing import Any, Dict, Iterable

from oxidize_rules.sandbox.parts.facts import Texts

# In a folder such as that of `oxidize_rules.texts`, by the beginnings of SPDX' identifiers.
STANDARD_TEXTS = {
    "Apache-2.0": "Apache-2.0.txt",
    "GCC-exception-3.1": "GCC-exception-3.1.txt",
    "GPL-2.0": "GPL-2.0.txt",
    "GPL-3.0": "GPL-3.0.txt",
    "LGPL-2.1": "LGPL-2.1.txt",
    "LGPL-3.0": "LGPL-3.0.txt",
    "LLVM-exception": "LLVM-exception.txt",
    "MPL-2.0": "MPL-2.0.txt",
}


def add_standard_texts(parts: Iterable[Dict[str, Any]], texts: Texts, folder: str) -> None:
    """Gives the parts that have no text those of their licences, which `folder` has."""
    for part in parts:
        if part["texts"] or not part["license"]:
            continue
        words = re.findall(r"[A-Za-z0-9.+:-]+", part["license"])
        names = {re.sub(r"(-only|-or-later|\+)$", "", word) for word in words}
        if "LGPL-3.0" in names:
            names.add("GPL-3.0")  # Which it adds permissions to.
        for name in sorted(names & STANDARD_TEXTS.keys()):
            with open(f"{folder}/{STANDARD_TEXTS[name]}", "rb") as stream:
                part["texts"].append([STANDARD_TEXTS[name], texts.add(stream.read())])
