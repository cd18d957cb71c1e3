"""What can be required of a file: names for options, and how a broken one is told.

Apart from the programs that read files, because options are checked without their libraries.
"""

from __future__ import annotations

# Name -> the property of `analyze_hardening.describe`, and what to say where it is missing.
REQUIREMENTS = {
    "pie": ("pie", "it is not position-independent"),
    "nx": ("nx", "its stack is executable"),
    "relro": ("relro", "its relocated data stays writable (no RELRO)"),
    "full-relro": ("full_relro", "it has no full RELRO"),
    "bindnow": ("bind_now", "its functions are bound lazily (no BIND_NOW)"),
    "no-rwx": ("no_rwx", "a part of it is writable and executable"),
    "no-textrel": ("no_textrel", "its code is changed by relocations (TEXTREL)"),
    "no-rpath": ("no_rpath", "it looks for libraries in a path of its own (RPATH)"),
    "canary": ("stack_protector", "no stack protector was found"),
    "fortify": ("fortify", "no fortified calls were found"),
    "ibt": ("ibt", "it is not marked for indirect branch tracking (IBT)"),
    "shstk": ("shadow_stack", "it is not marked for shadow stacks (SHSTK)"),
    "stripped": ("stripped", "it is not stripped"),
    "no-secrets": ("no_secrets", "it contains what looks like a secret"),
}
# Levels of x86-64 by their names (x86-64 psABI, "Micro-Architecture Levels").
LEVEL_NAMES = {1: "x86-64", 2: "x86-64-v2", 3: "x86-64-v3", 4: "x86-64-v4"}
LEVEL_NUMBERS = {**{name: number for number, name in LEVEL_NAMES.items()}, "x86-64-v1": 1}
