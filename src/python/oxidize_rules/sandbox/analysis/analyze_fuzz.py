"""Damaged files against the analysis: each must give a report or a clear refusal, and soon.

    python -m oxidize_rules.sandbox.analysis.analyze_fuzz ROUNDS SEED [FILE...]

Changes copies of the FILEs (without any, of files as `testing_analyze` writes them) ROUNDS times:
single bits and bytes, numbers that are telling (0, -1, sizes), parts that are cut off, doubled or
moved. Most changes are in headers and tables. The rest of a report's way (rules, text, HTML) is
gone for each. An input that fails, or takes longer than SLOW seconds, is written to
`fuzz-<round>.bin`; exit code 1 tells of one. The same seed makes the same inputs.
"""

from __future__ import annotations

import json
import random
import re
import resource
import struct
import sys
import time
import traceback

from oxidize_rules.sandbox.analysis.analyze import analyze
from oxidize_rules.sandbox.analysis.analyze_file import NotElf
from oxidize_rules.sandbox.analysis.analyze_html import page
from oxidize_rules.sandbox.analysis.analyze_requirements import REQUIREMENTS
from oxidize_rules.sandbox.analysis.analyze_rules import Rules, check
from oxidize_rules.sandbox.analysis.analyze_text import as_text
from oxidize_rules.sandbox.analysis.testing_analyze import seeds

SLOW = 5.0
MEMORY_LIMIT = 4 << 30
TELLING = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1)
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
RULES = Rules(
    max_glibc="2.17",
    deny_needed=["lib*"],
    require=list(REQUIREMENTS),
    max_isa="x86-64-v2",
    count_dispatched=True,
)


def mutated(content: bytes, choose: random.Random) -> bytes:
    """A damaged copy."""
    data = bytearray(content)
    for _ in range(choose.choice((1, 1, 1, 2, 3, 8))):
        if not data:
            break
        # Half of the changes are in the headers in front.
        size = min(len(data), 600) if choose.random() < 0.5 else len(data)
        at = choose.randrange(size)
        kind = choose.randrange(8)
        if kind == 0:
            data[at] ^= 1 << choose.randrange(8)
        elif kind == 1:
            data[at] = choose.randrange(256)
        elif kind in (2, 3, 4):
            width = choose.choice("BHIQ")
            at -= at % struct.calcsize(width)
            value = choose.choice((*TELLING, len(data), len(data) - 1, at))
            value &= (1 << 8 * struct.calcsize(width)) - 1
            packed = struct.pack(choose.choice("<>") + width, value)
            data[at : at + len(packed)] = packed
        elif kind == 5:
            del data[at:]
        elif kind == 6:
            start = choose.randrange(len(data))
            piece = data[start : start + choose.randrange(1, 64)]
            data[at : at + len(piece)] = piece
        else:
            piece = data[at : at + choose.randrange(1, 64)]
            if choose.random() < 0.5:
                data[at:at] = piece
            else:
                del data[at : at + len(piece)]
    return bytes(data)


def try_one(content: bytes) -> str:
    """`read` or `refused`. Whatever else happens is an error."""
    try:
        report = analyze("fuzz", content)
    except NotElf:
        return "refused"
    report = json.loads(json.dumps(report))
    text = as_text(report) + page([report], check(report, RULES))
    assert not CONTROL.search(text), "a control character"
    return "read"


def fuzz(rounds: int, seed: int, contents: list[bytes], *, keep: bool = True) -> list[str]:
    """What went wrong, each as text."""
    choose = random.Random(seed)
    wrong: list[str] = []
    outcomes: dict[str, int] = {}
    slowest = 0.0
    for number in range(rounds):
        content = mutated(contents[number % len(contents)], choose)
        start = time.monotonic()
        failure = ""
        try:
            outcome = try_one(content)
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
        except Exception:
            failure = traceback.format_exc()
        taken = time.monotonic() - start
        slowest = max(slowest, taken)
        if taken > SLOW:
            failure = failure or f"it took {taken:.1f} seconds"
        if failure:
            wrong.append(f"round {number} of seed {seed}: {failure}")
            if keep:
                with open(f"fuzz-{number}.bin", "wb") as stream:
                    stream.write(content)
    told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    print(f"{rounds} inputs of seed {seed}: {told}, {len(wrong)} wrong; slowest {slowest:.2f} s")
    return wrong


def main(argv: list[str]) -> None:
    rounds, seed = int(argv[0]), int(argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    contents = []
    for path in argv[2:]:
        with open(path, "rb") as stream:
            contents.append(stream.read())
    wrong = fuzz(rounds, seed, contents or seeds())
    for failure in wrong[:20]:
        print(failure, file=sys.stderr)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
