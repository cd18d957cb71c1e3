"""The report of `sandbox/analysis/analyze.py` as text for a person."""

from __future__ import annotations

from typing import Any, Iterable, Iterator, Mapping, Sequence

PARTS_SHOWN = 14
INNER_SHOWN = 4
REASONS_SHOWN = 5
# Longer names of rows stand out of their column.
NAME_WIDTH = 36


def bytes_text(size: int) -> str:
    """A size in decimal units: `38.2 MB`."""
    if size < 1000:
        return f"{size} B"
    if size < 1_000_000:
        return f"{size / 1000:.1f} kB"
    return f"{size / 1_000_000:.1f} MB"


def answer(value: bool | None) -> str:
    return {True: "yes", False: "no", None: "unknown"}[value]


def shortened(names: Iterable[str], limit: int = REASONS_SHOWN) -> str:
    found = list(names)
    more = f" and {len(found) - limit} more" if len(found) > limit else ""
    return ", ".join(found[:limit]) + more


def facts(report: Mapping[str, Any]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Sections of the report: a title, and rows of what and how. Text and HTML show these."""
    identity, needs = report["identity"], report["needs"]
    yield "What it is", list(_identity(report, identity))
    yield "Where it runs", list(_hosts(needs))
    yield "What it needs", list(_needs(needs))
    yield "Instructions", list(_isa(report["isa"]))
    yield "Hardening", list(_hardening(report["hardening"]))
    yield "Strings that tell more than they should", list(_strings(report))
    if report["image"]:
        yield "The image inside", list(_image(report["image"]))
    if report["components"] is not None:
        yield "Its own bill of materials", list(_components(report["components"]))
    if report["problems"]:
        yield "What could not be read", [("", problem) for problem in report["problems"]]


def _identity(report: Mapping[str, Any], identity: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    order = "" if identity["byte_order"] == "little" else ", big-endian"
    yield "kind", f"{identity['kind']}, {identity['machine']}, {identity['bits']}-bit{order}"
    yield "size", f"{report['size']} bytes ({bytes_text(report['size'])})"
    yield "sha256", report["sha256"]
    for title, key in (
        ("interpreter", "interpreter"),
        ("name", "soname"),
        ("build id", "build_id"),
        ("oldest kernel", "oldest_kernel"),
    ):
        if identity[key]:
            yield title, identity[key]
    if identity["package"]:
        yield "package", ", ".join(f"{key} {value}" for key, value in identity["package"].items())
    if identity["compilers"]:
        yield "made by", shortened(identity["compilers"])
    if identity["debug_information"]:
        yield "debug information", "yes"
    if not identity["section_headers"]:
        yield "section headers", "none"


def _hosts(needs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    hosts = needs["hosts"]
    yield "runs on", hosts["words"]
    for family, releases in hosts["runs"].items():
        missing = hosts["not"].get(family)
        newer = " and newer" if releases[-1][:1].isdigit() else ""
        text = f"{releases[0]}{newer}" if len(releases) > 1 else releases[0]
        yield family, text + (f" (not {', '.join(missing)})" if missing else "")
    for family, releases in hosts["not"].items():
        if family not in hosts["runs"]:
            yield family, f"no: {shortened(releases)}"
    if hosts["extra"]:
        yield "if installed", shortened(hosts["extra"], 20)


def _needs(needs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if not needs["needed"]:
        yield "libraries", "none"
    for one in needs["needed"]:
        marks = [
            words
            for mark, words in ((one["glibc"], "glibc"), (one["lsb_core"], "LSB 5.0 Core"))
            if mark
        ]
        versions = needs["versions"].get(one["name"], {})
        newest = list(versions)[-1] if versions else None
        parts = [*marks, *([f"up to {newest}"] if newest else [])]
        yield one["name"], "; ".join(parts) or "in no standard list"
    for title, key in (("RPATH", "rpath"), ("RUNPATH", "runpath")):
        if needs[key]:
            yield title, shortened(needs[key])
    if needs["glibc_floor"]:
        reasons = shortened(needs["floor_because"])
        yield "glibc", f"{needs['glibc_floor']} or newer, because of {reasons}"
    for one in needs["special_versions"]:
        yield (
            one["version"],
            f"{one['library']}: {one['meaning']}"
            + (f"; glibc {one['glibc']} or newer" if one["glibc"] else ""),
        )


def _isa(isa: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if not isa["examined"]:
        yield "not examined", isa["why"]
        return
    yield "declared", isa["declared_needed"] or "nothing"
    yield (
        "occurs",
        f"{isa['highest']}, in {isa['functions']} functions"
        + (
            ": " + ", ".join(_levels(isa["functions_by_level"]))
            if isa["functions_by_level"]
            else ""
        ),
    )
    if isa["functions_by_extension"]:
        yield (
            "extensions",
            ", ".join(f"{one} {count}" for one, count in isa["functions_by_extension"].items()),
        )
    for level, names in isa["examples"].items():
        yield f"{level} in", shortened(names)
    if isa["outside_functions"]["functions_by_extension"]:
        yield (
            "outside functions",
            f"{isa['outside_functions']['highest']} (assembly without unwind information, or data)",
        )
    if isa["chosen_at_run_time"] is not None:
        if isa["chosen_at_run_time"]:
            text = f"likely: it asks the CPU in {isa['asks_the_cpu']} places (cpuid)"
        elif isa["asks_the_cpu"]:
            text = "not all: most of its vector code is newer than the baseline"
        else:
            text = "no: nothing in it asks the CPU"
        yield "chosen at run time", text


def _levels(functions: Mapping[str, int]) -> Iterator[str]:
    for level, count in functions.items():
        # Functions are counted for an extension: those of the baseline have one of no level.
        yield f"{count} {'AES and others of no level' if level == 'x86-64' else level}"


def _hardening(hardening: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    detail = hardening["detail"]
    relro = hardening["relro"]
    yield "position-independent", answer(hardening["pie"])
    yield "stack not executable", answer(hardening["nx"])
    yield (
        "RELRO",
        ("full" if hardening["full_relro"] else "partial") if relro else answer(relro),
    )
    yield "BIND_NOW", answer(hardening["bind_now"])
    rwx = f": {', '.join(detail['rwx'])}" if detail["rwx"] else ""
    yield "no writable code", answer(hardening["no_rwx"]) + rwx
    if not hardening["no_textrel"]:
        yield "text relocations", "yes"
    yield (
        "stack protector",
        f"{answer(hardening['stack_protector'])} ({detail['stack_protector']})",
    )
    yield "fortify", f"{answer(hardening['fortify'])} ({detail['fortify']})"
    for title, key in (
        ("CET: IBT", "ibt"),
        ("CET: shadow stack", "shadow_stack"),
        ("BTI", "bti"),
        ("PAC", "pac"),
    ):
        if hardening[key] is not None:
            yield title, "marked" if hardening[key] else "not marked"
    yield "stripped", answer(hardening["stripped"])


def _strings(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if not report["secrets"]:
        yield "secrets", "none found"
    for what, found in report["secrets"].items():
        places = shortened(f"{one['begins']} in {one['where']}" for one in found["examples"])
        yield what, f"{found['count']}: {places}"
    if not report["paths"]:
        yield "paths", "none found"
    for what, found in report["paths"].items():
        places = shortened(f"{one['path']} ({one['where'][0]})" for one in found["examples"])
        yield what, f"{found['count']}: {places}"


def _image(image: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "Python", str(image["python"])
    yield "entry point", image["entry_point"] or "none: it is an interpreter"
    yield "content", f"{image['files']} files, {image['modules']} modules"
    for one in image["components"][:PARTS_SHOWN]:
        yield one["name"], f"{bytes_text(one['size'])} in {one['files']} files"
    if len(image["components"]) > PARTS_SHOWN:
        yield "more", f"{len(image['components']) - PARTS_SHOWN} smaller ones"
    for one in image["native"]:
        if "problem" in one:
            yield one["path"], one["problem"]
            continue
        parts = [bytes_text(one["size"])]
        if one["glibc_floor"]:
            parts.append(f"glibc {one['glibc_floor']}")
        if one["isa"] and one["isa"] != "x86-64":
            chosen = ", chosen at run time" if one["chosen_at_run_time"] else ""
            parts.append(f"{one['isa']}{chosen}")
        yield one["path"], "; ".join(parts)


def _components(components: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for one in components:
        parts = [
            one["license"] or ("own" if one["kind"] == "first-party" else "no licence known"),
            *([bytes_text(one["size"])] if one["size"] else []),
        ]
        yield f"{one['name']} {one['version'] or ''}".strip(), ", ".join(parts)


def sizes(tree: Mapping[str, Any]) -> Iterator[str]:
    """The largest parts, and the largest parts of these."""

    def line(one: Mapping[str, Any], indent: int) -> str:
        share = 100 * one["size"] / max(tree["size"], 1)
        name = " " * indent + one["name"]
        return f"  {name:<44} {bytes_text(one['size']):>9} {share:5.1f} %"

    for one in tree.get("children", [])[:PARTS_SHOWN]:
        yield line(one, 0)
        inner_shown = PARTS_SHOWN if one["name"] == "image" else INNER_SHOWN
        for inner in one.get("children", [])[:inner_shown]:
            yield line(inner, 2)


def as_text(report: Mapping[str, Any]) -> str:
    """The whole report of a file."""
    if "not_elf" in report:
        return f"{report['file']}\n  {report['not_elf']}\n"
    lines = [report["file"]]
    for title, rows in facts(report):
        lines += ["", title]
        width = max((len(name) for name, _ in rows if len(name) <= NAME_WIDTH), default=0)
        lines += [f"  {name:<{width}}  {text}" if name else f"  {text}" for name, text in rows]
    lines += ["", "Where its bytes go", *sizes(report["sizes"])]
    return "\n".join(lines) + "\n"
