"""The reports of `sandbox/analysis/analyze.py` as one HTML page, which needs no network and no
scripts."""

from __future__ import annotations

from html import escape
from typing import Any, Mapping, Sequence

from oxidize_rules.sandbox.analysis.analyze_text import facts
from oxidize_rules.sandbox.analysis.treemap import SCRIPT, STYLE, treemap

PAGE_STYLE = """\
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.4rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 1.6rem 0 .3rem; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; padding: .6rem 0 .2rem; font-weight: 600; }
th, td { text-align: left; vertical-align: top; padding: .15rem .8rem .15rem 0;
  border-bottom: 1px solid #8885; overflow-wrap: anywhere; }
.facts th { width: 14rem; font-weight: 500; }
.broken { border-left: 4px solid #b00020; padding-left: .8rem; }
"""


def page(reports: Sequence[Mapping[str, Any]], broken: Sequence[str] = ()) -> str:
    """`broken` are the lines of `sandbox/analysis/analyze_rules.py`."""
    title = "What is in " + ", ".join(str(report["file"]) for report in reports)
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>",
        f"<style>\n{PAGE_STYLE}{STYLE}</style></head><body>",
    ]
    if broken:
        lines = "".join(f"<li>{escape(line)}</li>\n" for line in broken)
        parts.append(f'<section class="broken"><h2>Broken rules</h2>\n<ul>{lines}</ul></section>')
    for number, report in enumerate(reports):
        parts.append(_report(report, f"file{number}"))
    parts.append(f"<script>\n{SCRIPT}</script>\n</body></html>\n")
    return "\n".join(parts)


def _report(report: Mapping[str, Any], prefix: str) -> str:
    parts = [f"<article>\n<h1>{escape(report['file'])}</h1>"]
    if "not_elf" in report:
        parts.append(f"<p>{escape(report['not_elf'])}</p>")
    else:
        parts += ["<h2>Where its bytes go</h2>", treemap(report["sizes"], prefix)]
        if report["sizes_by_component"]:
            parts += [
                "<h2>By component of its bill of materials</h2>",
                treemap(report["sizes_by_component"], f"{prefix}-parts"),
            ]
        for title, rows in facts(report):
            body = "".join(
                f'<tr><th scope="row">{escape(name)}</th><td>{escape(text)}</td></tr>\n'
                for name, text in rows
            )
            parts.append(f'<h2>{escape(title)}</h2>\n<table class="facts">\n{body}</table>')
    return "\n".join([*parts, "</article>"])
