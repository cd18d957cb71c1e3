"""A licence report as one HTML page that needs nothing else: no network, no other file.

Without JavaScript it is a plain table with folded texts; with it, parts can be searched, filtered
and sorted. The page forbids itself everything but its own style and script (a content security
policy with their hashes), and all that comes from others is escaped.
"""

from __future__ import annotations

import base64
import hashlib
import re
from html import escape

from oxidize_rules.sandbox.parts.cyclonedx import web_address
from oxidize_rules.sandbox.parts.licenses import BadExpression, identifiers
from oxidize_rules.sandbox.reports.notices import normal, texts_of
from oxidize_rules.sandbox.reports.report_text import (
    NOT_KNOWN,
    one_line,
    policy_in_words,
    size,
    titled,
)

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself is not imported: it takes 5 ms
    from collections.abc import Iterable, Mapping
    from typing import Any

STYLE = """
:root {
  color-scheme: light dark;
  --ink: #1c1c1e; --paper: #ffffff; --faint: #5f6368; --line: #d8dadd; --band: #f5f6f7;
  --accent: #0b57d0; --strong: #a3401a; --strong-band: #fdeee7; --doubt: #6b5300;
  --doubt-band: #fdf5d8;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e6e6e8; --paper: #17181a; --faint: #a2a7ad; --line: #3a3d41; --band: #202225;
    --accent: #8ab4f8; --strong: #ffb499; --strong-band: #46281c; --doubt: #f1d774;
    --doubt-band: #3d3411;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 2.5rem 1.5rem 4rem; max-width: 76rem;
  font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif;
  color: var(--ink); background: var(--paper); overflow-wrap: anywhere;
}
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .4rem; letter-spacing: -.01em; }
h2 { font-size: 1.25rem; margin: 3rem 0 .8rem; }
p { max-width: 46rem; margin: 0 0 .8rem; }
.about { color: var(--faint); }
a { color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.controls {
  display: flex; flex-wrap: wrap; gap: .8rem 1.2rem; align-items: end; margin: 1.5rem 0 1rem;
}
.controls[hidden] { display: none; }
.controls label { display: grid; gap: .2rem; font-size: .85rem; color: var(--faint); }
.controls input, .controls select, .controls button {
  font: inherit; font-size: 1rem; color: var(--ink); background: var(--paper);
  border: 1px solid var(--line); border-radius: 6px; padding: 0 .6rem;
  height: 2.3rem; max-width: 18rem;
}
.controls output { margin-left: auto; line-height: 2.3rem; color: var(--faint); }
code { font: .95em ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .55rem .9rem .55rem 0; }
th {
  font-size: .85rem; font-weight: 600; color: var(--faint); border-bottom: 2px solid var(--line);
}
td, tbody th { border-bottom: 1px solid var(--line); }
tbody th { font-size: 1rem; font-weight: 600; color: var(--ink); min-width: 12rem; }
tbody th details { font-weight: 400; }
th button {
  all: unset; cursor: pointer; font: inherit;
}
th button:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
th button::after { content: " \\2195"; opacity: .4; }
th[aria-sort="ascending"] button::after { content: " \\2191"; opacity: 1; }
th[aria-sort="descending"] button::after { content: " \\2193"; opacity: 1; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.why { color: var(--faint); font-size: .9rem; }
.mark {
  display: inline-block; font-size: .8rem; border-radius: 4px; padding: 0 .4rem;
  white-space: nowrap;
}
.copyleft { color: var(--strong); background: var(--strong-band); }
.unknown { color: var(--doubt); background: var(--doubt-band); }
summary { cursor: pointer; }
tbody summary { color: var(--faint); font-size: .85rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem .8rem; margin: .4rem 0;
  font-size: .85rem; }
dt { color: var(--faint); }
dd { margin: 0; }
.texts > details { border-bottom: 1px solid var(--line); padding: .5rem 0; }
.texts summary span { color: var(--faint); font-size: .9rem; }
pre {
  font: .82rem/1.45 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  white-space: pre-wrap; background: var(--band); border-radius: 6px; padding: 1rem;
  margin: .6rem 0;
}
@media (max-width: 50rem) {
  body { padding: 1.2rem .9rem 3rem; }
  thead { display: none; }
  table, tbody, tr, td, tbody th { display: block; }
  tr { border-bottom: 1px solid var(--line); padding: .6rem 0; }
  td, tbody th { border: 0; padding: .1rem 0; }
  .number { text-align: left; }
  [hidden] { display: none !important; }
}
@media print {
  :root {
    color-scheme: light; --ink: #000; --paper: #fff; --faint: #333; --band: #fff; --line: #999;
  }
  body { font-size: 10pt; padding: 0; max-width: none; }
  .controls { display: none; }
  thead { display: table-header-group; }
  tr, summary { break-inside: avoid; }
  th button::after { content: ""; }
  pre { border: 1px solid var(--line); font-size: 8pt; }
  details::details-content { content-visibility: visible; display: block; }
}
"""

SCRIPT = """
"use strict";
(() => {
  const find = id => document.getElementById(id);
  const body = document.querySelector("#parts tbody");
  const rows = [...body.rows];
  const fields = ["search", "license", "kind"].map(find);
  const show = () => {
    const words = find("search").value.toLowerCase().split(/\\s+/).filter(word => word);
    const license = find("license").value, kind = find("kind").value;
    let count = 0;
    for (const row of rows) {
      const licenses = row.dataset.licenses.split("\\n");
      const text = row.textContent.toLowerCase();
      const fits = (!license || licenses.includes(license)) && (!kind || row.dataset.kind === kind)
        && words.every(word => text.includes(word));
      row.hidden = !fits;
      count += fits;
    }
    find("count").value = `${count} of ${rows.length} parts`;
  };
  for (const field of fields) field.addEventListener("input", show);
  find("clear").addEventListener("click", () => {
    for (const field of fields) field.value = "";
    show();
    find("search").focus();
  });
  const heads = [...document.querySelectorAll("#parts thead th")];
  const order = new Intl.Collator("en", {numeric: true});
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = row => row.cells[column].dataset.sort;
      rows.sort((a, b) => (down ? -1 : 1) * order.compare(key(a), key(b)));
      body.append(...rows);
    });
  });
  const unfold = () => {
    const goal = find(decodeURIComponent(location.hash.slice(1)));
    const folded = goal && goal.closest("details");
    if (folded) { folded.open = true; goal.scrollIntoView(); }
  };
  addEventListener("hashchange", unfold);
  unfold();
  find("controls").hidden = false;
  show();
})();
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{security}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>{title}</h1>
<p class="about">{about}</p>
<p>{whole}</p>
{policy}
</header>
<main>
<h2 id="parts-title">Parts</h2>
<div class="controls" id="controls" role="search" hidden>
<label>Search <input id="search" type="search" autocomplete="off"></label>
<label>Licence <select id="license"><option value="">all</option>{licenses}</select></label>
<label>Kind <select id="kind"><option value="">all</option>{kinds}</select></label>
<button id="clear" type="button">Show all</button>
<output id="count" for="search license kind"></output>
</div>
<table id="parts" aria-labelledby="parts-title">
<thead><tr>
<th scope="col">Part</th><th scope="col">Kind</th><th scope="col">Licence</th>
<th scope="col">In by</th><th scope="col" class="number">Size</th>
</tr></thead>
<tbody>
{rows}
</tbody>
</table>
<h2>Texts</h2>
<div class="texts">
{texts}
</div>
</main>
<script>{script}</script>
</body>
</html>
"""


def page(report: Mapping[str, Any]) -> str:
    """The whole page. The report is what `license_report.py` makes."""
    subject, parts = report["subject"], report["parts"]
    names = _text_names(report)
    policy = policy_in_words(report["policy"])
    kinds = sorted({part["kind"] for part in parts})
    atoms = sorted({one for part in parts for one in _atoms(part)}, key=str.lower)
    return _PAGE.format(
        security=escape(
            f"default-src 'none'; style-src {_hash(STYLE)}; script-src {_hash(SCRIPT)}; "
            "base-uri 'none'; form-action 'none'"
        ),
        title=escape(f"Licences of {subject['name']}"),
        style=STYLE,
        script=SCRIPT,
        about=escape(
            f"{subject['address']}, for {subject['target_triple']}, "
            f"with Python {subject['python_version']}: {len(parts)} parts"
        ),
        whole="As a whole: " + escape(report["license"] or NOT_KNOWN)
        if report["license"]
        else "Of some parts no licence is known.",
        policy=f"<p>Policy: {escape(policy)}.</p>" if policy else "",
        licenses=_options(atoms),
        kinds=_options(kinds),
        rows="\n".join(_row(part, names, subject["address"]) for part in parts),
        texts="\n".join(_texts(report, names)),
    )


def _hash(content: str) -> str:
    digest = hashlib.sha256(content.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _options(values: Iterable[str]) -> str:
    return "".join(f'<option value="{escape(one)}">{escape(one)}</option>' for one in values)


def _atoms(part: Mapping[str, Any]) -> list[str]:
    """The single licences that a part's expression names, to filter by."""
    if not part["license"]:
        return [NOT_KNOWN]
    try:
        return identifiers(part["license"])
    except BadExpression:
        return [part["license"]]


def _text_names(report: Mapping[str, Any]) -> dict[str, str]:
    """The anchor of each text by its hash; texts that differ in white space alone share one."""
    first: dict[str, str] = {}
    names = {}
    for sha256, text in report["texts"].items():
        names[sha256] = "text-" + first.setdefault(normal(text), sha256)[:12]
    return names


def _row(part: Mapping[str, Any], names: Mapping[str, str], address: str) -> str:
    # The page says once of which target it is.
    why = " > ".join(step for step in part["why"] if step != address)
    licenses = "\n".join(_atoms(part))
    license = escape(part["license"] or NOT_KNOWN)
    if not part["license"]:
        license = f'<span class="mark unknown">{license}</span>'
    elif part["copyleft"]:
        license += ' <span class="mark copyleft">copyleft</span>'
    links = ", ".join(
        f'<a href="#{names[sha256]}">{escape(one_line(name))}</a>'
        for name, sha256 in texts_of(part)
    )
    details = _details(part)
    return (
        f'<tr data-kind="{escape(part["kind"])}" data-licenses="{escape(licenses)}">'
        f'<th scope="row" data-sort="{escape(titled(part))}">{escape(titled(part))}{details}</th>'
        f'<td data-sort="{escape(part["kind"])}">{escape(part["kind"])}</td>'
        f'<td data-sort="{escape(part["license"] or "~")}">{license}'
        + (f'<div class="why">{links}</div>' if links else "")
        + f'</td><td class="why" data-sort="{escape(why)}">'
        + _with_code(why)
        + f'</td><td class="number" data-sort="{part["size"] or 0}">{size(part["size"])}</td></tr>'
    )


def _with_code(words: str) -> str:
    """HTML of a text in which names stand between backquotes."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(words))


def _details(part: Mapping[str, Any]) -> str:
    homepage = web_address(part["homepage"])
    entries = [
        ("Licence from", _with_code(part["license_from"] or "")),
        *(("Accepted", escape(one["reason"])) for one in part["overrides"]),
        *(("Copyright", escape(one_line(line))) for line in part["copyright"]),
        ("Supplier", escape(part["supplier"] or "")),
        (
            "Homepage",
            f'<a href="{escape(homepage)}" rel="noreferrer noopener">{escape(homepage)}</a>'
            if homepage
            else escape(part["homepage"] or ""),
        ),
        ("Package", escape(part["purl"] or "")),
        ("SHA-256", escape(part["hashes"].get("sha256", ""))),
        ("Without it", _with_code(part["drop"] or "")),
    ]
    shown = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in entries if value)
    return f"<details><summary>Details</summary><dl>{shown}</dl></details>" if shown else ""


def _texts(report: Mapping[str, Any], names: Mapping[str, str]) -> Iterable[str]:
    owners: dict[str, list[str]] = {}
    titles: dict[str, str] = {}
    contents = {}
    for part in report["parts"]:
        for file_name, sha256 in texts_of(part):
            name = names[sha256]
            contents[name] = normal(report["texts"][sha256])
            titles.setdefault(name, one_line(file_name))
            if titled(part) not in owners.setdefault(name, []):
                owners[name].append(titled(part))
    for name, content in contents.items():
        yield (
            f"<details><summary>{escape(titles[name])} <span>of {escape(', '.join(owners[name]))}"
            f'</span></summary><pre id="{name}" tabindex="0">{escape(content)}</pre></details>'
        )
