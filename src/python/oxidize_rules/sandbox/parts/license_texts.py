"""Recognises well-known licences by phrases of their texts.

A text is compared as words: lower case, without punctuation, mark-up and line ends. Source of the
phrases: the texts of SPDX' licence list 3.27; every phrase of a row has to be there. A text that
restricts what it grants is not recognised at all.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself is not imported: it takes 5 ms
    from collections.abc import Iterable

_WORD = re.compile(r"[a-z0-9]+(?:\.[0-9]+)*")

# What a text may have beside the licences that it was recognised as: copyright lines and a title.
_SLACK, _SLACK_SHARE = 800, 0.4


class Row:
    """`identifiers`: what it may be under. `length`: of the licence, in characters of `words`.

    `phrases` all have to be there, `without` must not.
    """

    def __init__(
        self, identifier: str, length: int, *phrases: str, without: Iterable[str] = ()
    ) -> None:
        # The text is the same for `-only` and `-or-later`; who uses it says which.
        gnu = ("-only", "-or-later") if re.search("GPL-[0-9.]+$", identifier) else ("",)
        self.identifiers = tuple(f"{identifier}{ending}" for ending in gnu)
        self.length = length
        self.phrases = phrases
        self.without = tuple(without)

    def fits(self, text: str) -> bool:
        return all(phrase in text for phrase in self.phrases) and not any(
            phrase in text for phrase in self.without
        )


class Recognized:
    """`licenses`: of each that is in a text, the identifiers that it can mean.
    `says_more`: whether there is much text beside them."""

    def __init__(self, licenses: list[tuple[str, ...]], says_more: bool) -> None:
        self.licenses = licenses
        self.says_more = says_more


_RESTRICTING = (
    "commons clause",
    "non commercial use only",
    "noncommercial use only",
    "non commercial purposes only",
    "for evaluation purposes only",
)

_BSD = "redistribution and use in source and binary forms with or without modification"
_BSD_SOURCE = "redistributions of source code must retain"
_BSD_BINARY = "redistributions in binary form must reproduce"
_MIT = "permission is hereby granted free of charge to any person"
_MIT_NOTICE = "copyright notice and this permission notice"
_AS_IS = "the software is provided as is without warrant"
# Licences that begin alike and can stand in a text several times. Of each beginning, up to the
# next, the first row that fits tells.
_BEGINNING: dict[str, tuple[Row, ...]] = {
    _BSD: (
        Row("BSD-4-Clause", 1700, _BSD_SOURCE, "all advertising materials mentioning features"),
        Row("BSD-3-Clause-Clear", 1500, _BSD_SOURCE, "no express or implied licenses to any party"),
        Row(
            "BSD-3-Clause",
            1450,
            *(_BSD_SOURCE, _BSD_BINARY, "be used to endorse or promote", "in no event shall"),
        ),
        Row("BSD-2-Clause", 1250, _BSD_SOURCE, _BSD_BINARY, "in no event shall"),
        Row("BSD-1-Clause", 1000, _BSD_SOURCE, "in no event shall"),
    ),
    _MIT: (
        Row("JSON", 1050, "the software shall be used for good not evil"),
        Row("OFL-1.1", 4200, "obtaining a copy of the font software"),
        Row("NCSA", 1500, "to deal with the software without restriction", _BSD_SOURCE),
        Row("X11", 1350, _MIT_NOTICE, _AS_IS, "except as contained in this notice the name"),
        Row("MIT", 1050, _MIT_NOTICE, _AS_IS),
        Row("MIT-0", 900, "obtaining a copy of this software", _AS_IS),
    ),
}

_ISC = "distribute this software for any purpose with or without fee is hereby granted"
_ISC_PROVIDED = f"{_ISC} provided that the above copyright notice and this permission notice appear"
_APACHE_TITLE = "apache license version 2.0 january 2004"
_PSF = "between the python software foundation psf and the individual or organization"
_MPL_DEFINITION = "contributor means each individual or legal entity that creates contributes to"
_ROWS = (
    Row("Apache-2.0", 11000, _APACHE_TITLE, "grant of patent license", "redistribution"),
    Row(
        "Apache-2.0",
        600,
        "licensed under the apache license version 2.0 the license",
        without=[_APACHE_TITLE],
    ),
    Row("ISC", 700, _ISC_PROVIDED),
    Row("0BSD", 600, _ISC, without=[_ISC_PROVIDED]),
    Row(
        "MIT-CMU",
        1200,
        "permission to use copy modify and distribute this software and its associated "
        "documentation for any purpose and without fee is hereby granted",
    ),
    Row("BSL-1.0", 1350, "boost software license version 1.0", "machine executable object code"),
    Row("PSF-2.0", 2500, _PSF, without=["beopen"]),
    Row("Python-2.0", 14000, _PSF, "beopen", "cnri"),
    Row("MPL-2.0", 16500, "mozilla public license version 2.0", _MPL_DEFINITION),
    Row(
        "MPL-2.0",
        300,
        "subject to the terms of the mozilla public license v 2.0",
        without=[_MPL_DEFINITION],
    ),
    Row(
        "Unlicense",
        1250,
        "this is free and unencumbered software released into the public domain",
        "anyone is free to copy modify publish use compile sell or distribute this software",
    ),
    Row(
        "Zlib",
        1000,
        "in no event will the authors be held liable for any damages arising from the use of",
        "altered source versions must be plainly marked as such",
        "this notice may not be removed or altered from any source distribution",
    ),
    Row("CC0-1.0", 6500, "cc0 1.0 universal", "waives abandons and surrenders"),
    Row("GPL-2.0", 17700, "gnu general public license version 2 june 1991"),
    Row(
        "GPL-3.0",
        34500,
        "gnu general public license version 3 29 june 2007",
        "this license refers to version 3 of the gnu general public license",
    ),
    Row("LGPL-2.0", 24500, "gnu library general public license version 2 june 1991"),
    Row("LGPL-2.1", 26000, "gnu lesser general public license version 2.1 february 1999"),
    Row("LGPL-3.0", 7500, "gnu lesser general public license version 3 29 june 2007"),
    Row("AGPL-3.0", 34000, "gnu affero general public license version 3 19 november 2007"),
)
# A notice that names a licence of the GNU project, as the licences' own appendix has it.
_GNU_NOTICE = re.compile(
    r"under the terms of the gnu (?P<kind>affero |lesser |library |)general public license as "
    r"published by the free software foundation (?:either )?version (?P<version>[0-9.]+)"
    r"(?: of the license)?(?P<later> or at your option any later version)?"
)
_GNU_KINDS = {"": "GPL", "affero ": "AGPL", "lesser ": "LGPL", "library ": "LGPL"}
_GNU_NOTICE_LENGTH = 650
_GCC_EXCEPTION = "gcc runtime library exception version 3.1 31 march 2009"
_GCC_EXCEPTION_LENGTH = 3100
GCC_RUNTIME = "GPL-3.0-or-later WITH GCC-exception-3.1"


def words(text: str) -> str:
    """The text's words, with one space between them."""
    return " ".join(_WORD.findall(text.lower()))


def recognize(text: str) -> Recognized:
    said = words(text)
    if any(phrase in said for phrase in _RESTRICTING):
        return Recognized([], says_more=bool(said))
    found: list[tuple[str, ...]] = []
    explained = 0
    for beginning, rows in _BEGINNING.items():
        for part in said.split(beginning)[1:]:
            row = next((one for one in rows if one.fits(part)), None)
            if row:
                found.append(row.identifiers)
                explained += row.length
    for row in _ROWS:
        if row.fits(said):
            found.append(row.identifiers)
            explained += row.length
    found, more = _with_gnu_notices(said, found)
    explained += more
    if _GCC_EXCEPTION in said:
        found = [(GCC_RUNTIME,) if one[-1] == "GPL-3.0-or-later" else one for one in found]
        explained += _GCC_EXCEPTION_LENGTH
    room = explained * (1 + _SLACK_SHARE) + _SLACK if found else 0
    return Recognized(list(dict.fromkeys(found)), says_more=len(said) > room)


def _with_gnu_notices(said: str, found: list[tuple[str, ...]]) -> tuple[list[tuple[str, ...]], int]:
    """The same with what notices tell of licences of the GNU project; and the notices' length."""
    notices: dict[str, list[bool]] = {}
    for match in _GNU_NOTICE.finditer(said):
        version = match["version"] if "." in match["version"] else f"{match['version']}.0"
        name = f"{_GNU_KINDS[match['kind']]}-{version}"
        notices.setdefault(name, []).append(bool(match["later"]))
    length = 0
    for name, later in notices.items():
        both = (f"{name}-only", f"{name}-or-later")
        if both in found and True in later and name != "LGPL-3.0":
            later.remove(True)  # The one in the licence's own appendix, an example.
        if later:
            length += len(later) * _GNU_NOTICE_LENGTH
            exact = (both[1] if all(later) else both[0],)
            found = [exact if one == both else one for one in found]
            if exact not in found:
                found.append(exact)
    return found, length
