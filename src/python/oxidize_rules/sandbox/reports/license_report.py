"""Writes the licence reports of an executable, or says what breaks the policy.

    license_report.py --inventory FOLDER --policy FILE --output FOLDER --formats NAME...

The inventory's folder has `inventory.json` and `texts/<sha256>.txt`; the policy is a JSON file:
`binary` (its address, for messages), `allow`, `deny`, `overrides`, `fail_on_unknown` (true or
false) and `first_party_license` (an expression, or null: first-party code that states none is no
part of the reports). FORMATS has the files that the formats are written to.

Nothing is written unless everything is well. Exit code 2 and one message for a broken policy or one
that makes no sense. Standard output: one line for each warning.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path

from oxidize_rules.sandbox.errors import UserError, run
from oxidize_rules.sandbox.options import parse_options
from oxidize_rules.sandbox.parts import cyclonedx, license_expressions
from oxidize_rules.sandbox.parts.licenses import BadExpression, combine, is_copyleft
from oxidize_rules.sandbox.reports import report_html, spdx
from oxidize_rules.sandbox.reports.license_policy import (
    corrected,
    find_override,
    message,
    unknown_names,
    unused_overrides,
    violations,
)
from oxidize_rules.sandbox.reports.notices import notices
from oxidize_rules.sandbox.reports.report_text import text

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself is not imported: it takes 5 ms
    from collections.abc import Iterable, Mapping
    from typing import Any

# The formats, and their files' names; `{name}` is the executable's.
FORMATS = {
    "text": "licenses.txt",
    "html": "licenses.html",
    "json": "licenses.json",
    "notices": "NOTICES.txt",
    "spdx-json": "{name}.spdx.json",
    "spdx-tag-value": "{name}.spdx",
    "cyclonedx-json": "{name}.cdx.json",
}
# In which order people read of parts.
KINDS = (
    *("interpreter", "vendored", "library", "libc", "compiler-runtime", "runtime", "wheel"),
    *("bundled", "first-party"),
)
# The text of a licence of which a person told no more than a name of their own.
OWN_TERMS = "The terms of {reference} are those of the owner of {name}; they are not told here.\n"


def main(argv: list[str]) -> None:
    options = parse_options(argv, required=("inventory", "policy", "output"), lists=("formats",))
    policy = json.loads(Path(options.one["policy"]).read_text(encoding="utf-8"))
    inventory, texts = read_inventory(Path(options.one["inventory"]))
    check_names(policy)
    made = report(inventory, texts, policy)
    for warning in warnings(made, policy):
        print(warning)
    output = Path(options.one["output"])
    subject = re.sub(r"[^A-Za-z0-9._-]+", "-", made["subject"]["name"])
    files = {
        FORMATS[name].format(name=subject): _written(name, made) for name in options.many["formats"]
    }
    output.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        temporary = output / f"{name}.new"
        temporary.write_bytes(data)
        os.replace(temporary, output / name)


def read_inventory(folder: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """`inventory.json`, and the texts by their hash. A text that is not UTF-8 is Latin-1."""
    inventory = json.loads((folder / "inventory.json").read_text(encoding="utf-8"))
    texts = {}
    for path in sorted((folder / "texts").glob("*.txt")):
        data = path.read_bytes()
        try:
            texts[path.stem] = data.decode()
        except UnicodeDecodeError:
            texts[path.stem] = data.decode("latin-1")
    return inventory, texts


def check_names(policy: dict[str, Any]) -> None:
    """Raises UserError for what SPDX does not know; else spells expressions as SPDX does."""
    licenses = license_expressions.known_identifiers()
    exceptions = license_expressions.known_exceptions()
    for key in ("allow", "deny"):
        for pattern, like in unknown_names(policy[key], licenses, exceptions):
            raise UserError(
                f"the `{key}` field has `{pattern}`, which fits no licence of SPDX' list, so it "
                f"would never do anything. Write {f'`{like}`' if like else 'an identifier of SPDX'}"
                ", or a pattern such as `GPL-*`."
            )
    for name, override in policy["overrides"].items():
        for key in ("license", "accept"):
            if key in override:
                override[key] = _normal(override[key], f"the `overrides` field has for `{name}`")
    if policy["first_party_license"]:
        policy["first_party_license"] = _normal(
            policy["first_party_license"], "the `first_party_license` field is"
        )


def _normal(expression: str, where: str) -> str:
    try:
        return license_expressions.normalize(expression)
    except license_expressions.BadExpression as error:
        raise UserError(
            f"{where} `{expression}`, which is no SPDX expression: {error}. Write one such as "
            "`MIT` or `LicenseRef-Own`."
        ) from None


def report(
    inventory: Mapping[str, Any], texts: Mapping[str, str], policy: Mapping[str, Any]
) -> dict[str, Any]:
    """What all formats are made of, and the format `json` is. Raises UserError by the policy."""
    texts = dict(texts)
    parts = []
    for part in inventory["parts"]:
        # What the team's own distribution states is said, too.
        if part["kind"] != "first-party" or part["license"]:
            parts.append(_with_terms(corrected(part, policy), texts))
        elif policy["first_party_license"]:
            told = {
                "license": policy["first_party_license"],
                "license_from": "the `first_party_license` field",
            }
            parts.append(_with_terms({**part, **told}, texts))
    parts.sort(key=_in_order)
    broken = violations(parts, policy)
    if broken:
        raise UserError(message(broken, len(parts), policy["binary"]))
    for part in parts:
        part["copyleft"] = is_copyleft([part["license"]]) if part["license"] else None
        found = find_override(part, policy["overrides"])
        part["overrides"] = [{"name": found[0], **found[1]}] if found else []
    wanted = {
        sha256
        for part in parts
        for sha256 in (*(sha256 for _, sha256 in part["texts"]), *part["extracted"].values())
    }
    return {
        "format": 1,
        "subject": inventory["subject"],
        "license": _whole(part["license"] for part in parts),
        "extensions": inventory["extensions"],
        "parts": parts,
        "policy": {key: policy[key] for key in ("allow", "deny", "fail_on_unknown")},
        "texts": {sha256: texts[sha256] for sha256 in sorted(wanted)},
    }


def warnings(made: Mapping[str, Any], policy: Mapping[str, Any]) -> list[str]:
    """What is no fault, but should be known."""
    found = [
        f"`overrides` has `{name}`, and no part of {policy['binary']} is called so"
        for name in unused_overrides(made["parts"], policy)
    ]
    unknown = [part["name"] for part in made["parts"] if not part["license"]]
    if unknown:
        found.append("no licence is known of: " + ", ".join(unknown))
    return found


def _in_order(part: Mapping[str, Any]) -> tuple[int, str, str]:
    index = KINDS.index(part["kind"]) if part["kind"] in KINDS else len(KINDS)
    return index, part["name"].lower(), part["id"]


def _with_terms(part: dict[str, Any], texts: dict[str, str]) -> dict[str, Any]:
    """The part with a text for every `LicenseRef-` that a person gave it, as SPDX asks."""
    extracted = dict(part["extracted"])
    for reference in license_expressions.references(part["license"] or ""):
        if reference not in extracted:
            terms = OWN_TERMS.format(reference=reference, name=part["name"])
            extracted[reference] = hashlib.sha256(terms.encode()).hexdigest()
            texts[extracted[reference]] = terms
    return {**part, "extracted": extracted}


def _whole(licenses: Iterable[str | None]) -> str | None:
    """The licences of all parts together; None if one is not known."""
    known = []
    for license in licenses:
        if not license:
            return None
        known.append(license)
    try:
        return combine(known)
    except BadExpression:
        return None


def _written(name: str, made: Mapping[str, Any]) -> bytes:
    if name == "text":
        return text(made).encode()
    if name == "html":
        return report_html.page(made).encode()
    if name == "notices":
        return notices(made).encode()
    if name == "cyclonedx-json":
        return cyclonedx.encode(cyclonedx.document(made, made["texts"]))
    if name == "json":
        return (json.dumps(made, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
    document = spdx.document(made, made["texts"])
    return spdx.encode(document) if name == "spdx-json" else spdx.tag_value(document)


if __name__ == "__main__":
    run(main)
