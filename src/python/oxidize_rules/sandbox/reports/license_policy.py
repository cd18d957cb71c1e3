"""Whether an executable's parts are under licences that its makers allow.

A policy is `{"allow": [pattern, ...], "deny": [...], "overrides": {part: {...}},
"fail_on_unknown": bool}`. A pattern is an SPDX identifier in which `*` and `?` stand for other
characters (`GPL-*`), one with an exception (`GPL-* WITH GCC-exception-*`), or a word for a group of
licences (GROUPS), whose truth is in `licenses.py`.

A pattern without `WITH` means the licence as it is. So an exception that takes away what a copyleft
licence asks of the whole executable takes it out of reach of `deny`; and since an exception only
permits more, what is allowed is allowed with any exception.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from fnmatch import fnmatchcase

from oxidize_rules.sandbox.parts.licenses import (
    BadExpression,
    allows_linking,
    evaluate,
    is_copyleft,
    is_copyleft_license,
    parse,
    render,
)

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself is not imported: it takes 5 ms
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from oxidize_rules.sandbox.parts.licenses import Answer, Tree

# Groups of licences, and what `is_copyleft_license` answers of their members.
GROUPS = {"copyleft": True, "permissive": False}
OVERRIDE_KEYS = ("license", "accept", "reason")

# Identifiers that documents make up for texts that SPDX has no name for.
_OWN = ("licenseref-", "documentref-")
# A name that is worth to be written into `overrides`; else the id is.
_NAME = re.compile(r"[A-Za-z0-9._-]+\Z")
_PATTERN = re.compile(r"[A-Za-z0-9.+*?:-]+( WITH [A-Za-z0-9.+*?-]+)?\Z")


# ------------------------------------------------------------------------------------------------
# Is the policy itself well-formed?
# ------------------------------------------------------------------------------------------------


def is_pattern(text: str) -> bool:
    """Whether a text can be a pattern: one licence, not an expression of several."""
    return bool(_PATTERN.match(text)) and text.upper() not in ("AND", "OR", "WITH")


def override_fault(part: str, override: object) -> str | None:
    """What is wrong with an entry of `overrides`, as the end of "it has ..."; None: nothing."""
    if not part.strip():
        return "an entry without a part's name"
    if not isinstance(override, dict):
        return f"{override!r} for `{part}`"
    strange = sorted(str(key) for key in override if key not in OVERRIDE_KEYS)
    if strange:
        return f"`{strange[0]}` for `{part}`"
    for key, value in sorted(override.items()):
        if not isinstance(value, str) or not value.strip():
            return f"{value!r} as `{key}` of `{part}`"
    if "reason" not in override:
        return f"no `reason` for `{part}`"
    told = [key for key in ("license", "accept") if key in override]
    if not told:
        return f"neither `license` nor `accept` for `{part}`"
    if len(told) > 1:
        return f"both `license` and `accept` for `{part}`"
    try:
        parse(override[told[0]])
    except BadExpression as error:
        return f"a bad expression for `{part}` ({error})"
    return None


def unknown_names(
    patterns: Iterable[str], licenses: Sequence[str], exceptions: Sequence[str]
) -> list[tuple[str, str]]:
    """The patterns that mean no licence of SPDX' list, each with a name that is like it.

    A policy that names a licence wrongly would never find it.
    """
    found = []
    for pattern in patterns:
        name, _, exception = pattern.partition(" WITH ")
        if _is_group(pattern):
            continue
        for given, known in ((name, licenses), (exception, exceptions)):
            if not given or given.lower().startswith(_OWN):
                continue
            if not any(_fits(given, one) for one in known):
                found.append((pattern, _like(given, known)))
                break
    return found


def _like(name: str, known: Sequence[str]) -> str:
    """The known name that was probably meant: `GPL3` means `GPL-3.0-only`. "" for none."""
    squeezed = re.sub(r"[^a-z0-9]+", "", name.lower())
    longer = [one for one in known if re.sub(r"[^a-z0-9]+", "", one.lower()).startswith(squeezed)]
    if squeezed and longer:
        return min(longer, key=lambda one: (len(one), one))
    return (*get_close_matches(name, known, 1, 0.5), "")[0]


# ------------------------------------------------------------------------------------------------
# Overrides
# ------------------------------------------------------------------------------------------------


def find_override(
    part: Mapping[str, Any], overrides: Mapping[str, Mapping[str, str]]
) -> tuple[str, Mapping[str, str]] | None:
    """The entry for a part: of its name and version, else of its name. The id is a name, too."""
    by_name = {_key(name): (name, override) for name, override in overrides.items()}
    for name in (part["name"], part["id"]):
        for key in (f"{name}=={part['version']}", name):
            if _key(key) in by_name:
                return by_name[_key(key)]
    return None


def corrected(part: Mapping[str, Any], policy: Mapping[str, Any]) -> dict[str, Any]:
    """The part with the licence that an override tells, if one does."""
    found = find_override(part, policy["overrides"])
    if found is None or "license" not in found[1]:
        return dict(part)
    reason = found[1]["reason"]
    return {
        **part,
        "license": found[1]["license"],
        "license_from": f"corrected: by an override, because: {reason}",
    }


def unused_overrides(parts: Iterable[Mapping[str, Any]], policy: Mapping[str, Any]) -> list[str]:
    """The names in `overrides` that are no part's."""
    found = (find_override(part, policy["overrides"]) for part in parts)
    return sorted(set(policy["overrides"]) - {one[0] for one in found if one})


def _key(name: str) -> str:
    name, separator, version = name.partition("==")
    return re.sub(r"[-_.]+", "-", name.strip()).lower() + separator + version.strip()


# ------------------------------------------------------------------------------------------------
# What breaks it
# ------------------------------------------------------------------------------------------------


def violations(
    parts: Iterable[Mapping[str, Any]], policy: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """What breaks the policy, in the parts' order; their licences are already `corrected`.

    Each has the part's `id`, `name`, `version`, `license`, `license_from` and `why`, the `problem`
    ("denied", "not allowed" or "unknown"), `because` (in words) and `remedies`. First-party code
    is nobody else's: no policy is about it.
    """
    found = []
    for part in parts:
        if part["kind"] != "first-party":
            problem, because = _problem(part, policy)
            if problem:
                found.append(
                    {
                        **{key: part[key] for key in ("id", "name", "version", "license", "why")},
                        "license_from": part["license_from"],
                        "problem": problem,
                        "because": because,
                        "remedies": _remedies(part, problem),
                    }
                )
    return found


def message(found: Sequence[Mapping[str, Any]], count: int, binary: str) -> str:
    """The violations as a person reads them; `count` is that of all parts."""
    lines = [f"{len(found)} of the {count} parts of {binary} break the policy:"]
    for one in found:
        lines += ["", f"  {_titled(one)}: {one['because']}"]
        lines.append(f"    licence: {one['license'] or 'not known'}" + _source(one))
        lines.append(f"    in by:   {' > '.join(one['why']) or binary}")
        for index, remedy in enumerate(one["remedies"]):
            lines.append(f"    {'to do:  ' if index == 0 else '     or:'} {remedy}")
    return "\n".join(lines)


def _titled(one: Mapping[str, Any]) -> str:
    return f"{one['name']} {one['version']}" if one["version"] else str(one["name"])


def _source(one: Mapping[str, Any]) -> str:
    return f" ({one['license_from']})" if one["license_from"] else ""


def _problem(part: Mapping[str, Any], policy: Mapping[str, Any]) -> tuple[str, str]:
    """("", "") where all is well; else the problem and what it is about."""
    tree = _tree(part["license"])
    if tree is None:
        if not policy["fail_on_unknown"]:
            return "", ""
        if part["license"]:
            return "unknown", "its licence cannot be read"
        return "unknown", "its licence is not known"
    override = find_override(part, policy["overrides"])
    accepted = override[1].get("accept") if override else None
    if accepted is not None and _same(accepted, part["license"]):
        return "", ""
    answer = evaluate(tree, lambda name, exception: _forbidden(name, exception, policy)[0])
    if answer is False or (answer is None and not policy["fail_on_unknown"]):
        return "", ""
    told = []
    problem = "unknown"
    for name, exception in _licenses(tree):
        one, what = _forbidden(name, exception, policy)
        if one is answer:
            told.append(f"{render((name, exception))} is {what}")
            problem = what.split(" (")[0] if answer else problem
    because = "; ".join(sorted(set(told)))
    if accepted is not None:
        because += f" (the override accepts {accepted}, which this is not)"
    return problem, because


def _forbidden(name: str, exception: str, policy: Mapping[str, Any]) -> tuple[Answer, str]:
    """Whether one licence is forbidden (None: one cannot know), and what it is, in words."""
    copyleft = is_copyleft_license(name, exception)
    for pattern in policy["deny"]:
        out_of_reach = " WITH " not in pattern and allows_linking(exception)
        if _hits(pattern, name, exception) and (_is_group(pattern) or not out_of_reach):
            return True, f"denied (by `{pattern}`)"
    if any(_hits(pattern, name, exception) for pattern in policy["allow"]):
        return False, "allowed"
    if copyleft is None and name.lower().startswith(_OWN):
        return None, "no licence of SPDX' list: its text has to be read"
    if copyleft is None and any(map(_is_group, (*policy["deny"], *policy["allow"]))):
        return None, "a licence of which it is not known whether it is copyleft"
    if policy["allow"]:
        return True, "not allowed"
    return False, "not denied"


def _is_group(pattern: str) -> bool:
    return pattern.lower() in GROUPS


def _hits(pattern: str, name: str, exception: str) -> bool:
    if _is_group(pattern):
        return is_copyleft_license(name, exception) is GROUPS[pattern.lower()]
    wanted, _, wanted_exception = pattern.partition(" WITH ")
    return _fits(wanted, name) and (
        not wanted_exception or (bool(exception) and _fits(wanted_exception, exception))
    )


def _fits(pattern: str, name: str) -> bool:
    return fnmatchcase(name.lower(), pattern.lower())


def _tree(license: str | None) -> Tree | None:
    try:
        return parse(license) if license else None
    except BadExpression:
        return None


def _same(one: str, other: str) -> bool:
    tree, other_tree = _tree(one), _tree(other)
    return (
        tree is not None
        and other_tree is not None
        and render(tree).lower() == render(other_tree).lower()
    )


def _licenses(tree: Tree) -> list[tuple[str, str]]:
    first, second = tree
    if isinstance(second, str):
        return [(first, second)]
    return [one for operand in second for one in _licenses(operand)]


def _remedies(part: Mapping[str, Any], problem: str) -> list[str]:
    name = part["name"] if _NAME.match(part["name"]) else part["id"]
    name += f"=={part['version']}" if part["version"] else ""
    remedies = [part["drop"]] if part["drop"] else []
    of_an_extension = any(step.startswith("extension `") for step in part["why"])
    if of_an_extension and part["license"] and is_copyleft([part["license"]]) is not False:
        remedies.append('set `extension_filter="no-copyleft"` on the binary')
    if part["license"] and _tree(part["license"]) is not None:
        entry = f'"accept": "{part["license"]}"'
        remedies.append(f'if you may ship it, overrides={{"{name}": {{{entry}, "reason": "..."}}}}')
    if problem == "unknown":
        entry = '"license": "...", "reason": "..."'
        remedies.append(f'find its licence out, and tell it by overrides={{"{name}": {{{entry}}}}}')
    return remedies
