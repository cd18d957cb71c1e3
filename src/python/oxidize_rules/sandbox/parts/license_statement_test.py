from __future__ import annotations

import email
from typing import Mapping, Sequence

import pytest

from oxidize_rules.sandbox.parts.license_expressions import known_identifier, normalize
from oxidize_rules.sandbox.parts.license_names import (
    CLASSIFIERS,
    DEFAULTS,
    NAMES,
    SAYINGS,
    UNLISTED,
)
from oxidize_rules.sandbox.parts.license_statement import Statement, key, state, state_of_texts
from oxidize_rules.sandbox.parts.testing_licenses import (
    APACHE_2_HEADER,
    BSD_2,
    BSD_3,
    GPL_3,
    GPL_3_NOTICE,
    LGPL_3,
    MIT,
    OWN,
    ZERO_BSD,
)

OSI = "OSI Approved :: "


def stated(
    field: str = "",
    classifiers: Sequence[str] = (),
    files: Mapping[str, str] = {},
    expression: str = "",
) -> Statement:
    folded = field.replace("\n", "\n        ")
    headers = [
        *(f"Classifier: License :: {one}" for one in classifiers),
        *([f"License: {folded}"] if field else []),
        *([f"License-Expression: {expression}"] if expression else []),
    ]
    return state("thing", email.message_from_string("\n".join(headers)), list(files.items()))


@pytest.mark.parametrize(
    ("field", "expression"),
    [
        ("MIT", "MIT"),
        ("MIT License", "MIT"),
        ("The MIT License (MIT)", "MIT"),
        ("MIT/X11", "MIT"),
        ("Expat license", "MIT"),
        ("Apache 2", "Apache-2.0"),
        ("Apache 2.0", "Apache-2.0"),
        ("Apache License, Version 2.0", "Apache-2.0"),
        ("Apache Software License 2.0", "Apache-2.0"),
        ("ASL v2", "Apache-2.0"),
        ("http://www.apache.org/licenses/LICENSE-2.0", "Apache-2.0"),
        ("3-Clause BSD License", "BSD-3-Clause"),
        ("BSD 3-Clause", "BSD-3-Clause"),
        ('BSD 3-Clause "New" or "Revised" License', "BSD-3-Clause"),
        ("new BSD", "BSD-3-Clause"),
        ("Simplified BSD", "BSD-2-Clause"),
        ("0BSD", "0BSD"),
        ("GPLv2", "GPL-2.0-only"),
        ("GPLv3+", "GPL-3.0-or-later"),
        ("GPL-3.0", "GPL-3.0-only"),
        ("GNU GPL v3 or later", "GPL-3.0-or-later"),
        ("GNU General Public License v2 or later (GPLv2+)", "GPL-2.0-or-later"),
        ("GNU Lesser General Public License v3.0", "LGPL-3.0-only"),
        ("GNU Library or Lesser General Public License (LGPL)", "LGPL-2.0-or-later"),
        ("LGPLv2.1+", "LGPL-2.1-or-later"),
        ("LGPL 2.1 or any later version", "LGPL-2.1-or-later"),
        ("GNU AFFERO GPL 3.0", "AGPL-3.0-only"),
        ("GPL", "GPL-1.0-or-later"),
        ("PSF", "PSF-2.0"),
        ("Python Software Foundation License", "PSF-2.0"),
        ("MPL 2.0", "MPL-2.0"),
        ("Mozilla Public License 2.0 (MPL 2.0)", "MPL-2.0"),
        ("ISC License", "ISC"),
        ("The Unlicense (Unlicense)", "Unlicense"),
        ("zlib/libpng", "Zlib"),
        ("Boost Software License 1.0", "BSL-1.0"),
        ("ZPL 2.1", "ZPL-2.1"),
        ("MIT OR Apache-2.0", "Apache-2.0 OR MIT"),
        ("MIT License or Apache License 2.0", "Apache-2.0 OR MIT"),
        ("BSD 3-Clause and MIT", "BSD-3-Clause AND MIT"),
        # A slash and a comma say no "or".
        ("MIT/Apache-2.0", "Apache-2.0 AND MIT"),
        ("MIT, BSD-2-Clause", "BSD-2-Clause AND MIT"),
        ("BSD-3-Clause, see LICENSE.txt", "BSD-3-Clause"),
        ("MIT license (see license.txt for details), Copyright (c) 2000-2022, Us Inc.", "MIT"),
        ("GPL-2.0-or-later WITH Bison-exception-2.2", "GPL-2.0-or-later WITH Bison-exception-2.2"),
    ],
)
def test_spellings_of_the_free_text(field: str, expression: str) -> None:
    found = stated(field)
    assert found.expression == expression
    assert found.origin == "the License field of its metadata"
    assert found.extracted == {}


@pytest.mark.parametrize("field", ["", "UNKNOWN", "LICENSE", "see LICENSE.txt", "Dual License"])
def test_fields_that_say_nothing(field: str) -> None:
    assert stated(field).expression is None
    assert stated(field, [f"{OSI}MIT License"]).expression == "MIT"


@pytest.mark.parametrize(
    ("field", "word"),
    [
        ("BSD", "BSD"),
        ("Apache", "Apache"),
        ("Proprietary", "Proprietary"),
        ("Public domain", "Public-Domain"),
        ("MIT, with my own words", "thing"),
        ("MIT or something", "thing"),
        ("Frobnication License", "thing"),
        (OWN * 5, "thing"),
    ],
)
def test_what_is_unknown_is_kept(field: str, word: str) -> None:
    found = stated(field)
    assert found.expression is not None
    assert found.expression.rpartition("-")[0] == f"LicenseRef-{word}"
    (text,) = found.extracted.values()
    assert " ".join(field.split()) in " ".join(text.split())


@pytest.mark.parametrize(
    ("classifiers", "expression"),
    [
        ([OSI + "MIT License"], "MIT"),
        ([OSI[:-4]], None),
        (["DFSG approved", OSI + "ISC License (ISCL)"], "ISC"),
        ([OSI + "MIT License", OSI + "zlib/libpng License"], "MIT AND Zlib"),
        ([OSI + "GNU General Public License v3 (GPLv3)"], "GPL-3.0-only"),
        ([OSI + "GNU General Public License v3 or later (GPLv3+)"], "GPL-3.0-or-later"),
        ([OSI + "GNU General Public License (GPL)"], "GPL-1.0-or-later"),
        ([OSI + "GNU Lesser General Public License v2 or later (LGPLv2+)"], "LGPL-2.0-or-later"),
        ([OSI + "Python Software Foundation License"], "PSF-2.0"),
    ],
)
def test_classifiers(classifiers: Sequence[str], expression: str | None) -> None:
    found = stated(classifiers=classifiers)
    assert found.expression == expression
    assert found.origin == ("classifiers" if expression else "")


def test_ambiguous_classifiers_are_made_exact() -> None:
    bsd, apache = OSI + "BSD License", OSI + "Apache Software License"
    assert stated("BSD-3-Clause", [bsd]).expression == "BSD-3-Clause"
    exact = stated("BSD", [bsd], {"LICENSE": BSD_2})
    assert exact.expression == "BSD-2-Clause"
    assert exact.origin == (
        "classifiers and the License field of its metadata, made exact by its licence files"
    )
    assert stated("", [apache], {"NOTICE": APACHE_2_HEADER}).expression == "Apache-2.0"
    # A text that is none of those that the classifier may mean says nothing about it.
    unknown = stated("", [bsd], {"LICENSE": MIT})
    assert str(unknown.expression).startswith("LicenseRef-BSD-License-")
    assert list(unknown.extracted.values()) == [MIT]
    alone = stated("", [apache])
    assert list(alone.extracted.values()) == [f"License :: {apache}"]
    lgpl = OSI + "GNU Lesser General Public License v2 or later (LGPLv2+)"
    assert stated("LGPL-2.1-or-later", [lgpl]).expression == "LGPL-2.1-or-later"


def test_two_texts_of_one_classifier_are_both_there() -> None:
    # As in docutils.
    found = stated(
        "",
        ["Public Domain", OSI + "BSD License", OSI + "GNU General Public License (GPL)"],
        {"COPYING": "See below.", "licenses/0": ZERO_BSD, "licenses/2": BSD_2, "licenses/3": GPL_3},
    )
    parts = str(found.expression).split(" AND ")
    assert parts[:3] == ["0BSD", "BSD-2-Clause", "GPL-3.0-only"]
    assert parts[3].startswith("LicenseRef-Public-Domain-")
    assert list(found.extracted) == parts[3:]


def test_or_is_only_what_the_project_says() -> None:
    both = [OSI + "MIT License", OSI + "Apache Software License"]
    assert stated("MIT OR Apache-2.0", both).expression == "Apache-2.0 OR MIT"
    assert stated("Apache 2.0 or MIT", both).expression == "Apache-2.0 OR MIT"
    # As in uvloop: the field names one, the classifiers two.
    files = {"LICENSE-APACHE": APACHE_2_HEADER, "LICENSE-MIT": MIT}
    assert stated("MIT License", both, files).expression == "Apache-2.0 AND MIT"
    assert stated("Dual License", both, files).expression == "Apache-2.0 AND MIT"
    # What contradicts is told, too.
    assert stated("ISC OR Zlib", both[:1]).expression == "(ISC OR Zlib) AND MIT"


def test_whole_texts_in_the_field() -> None:
    assert stated(MIT).expression == "MIT"
    assert stated(BSD_3, [OSI + "BSD License"]).expression == "BSD-3-Clause"
    more = stated(MIT + OWN * 40)
    assert str(more.expression).startswith("LicenseRef-thing-")
    assert str(more.expression).endswith(" AND MIT")
    # As in matplotlib: its own licence is none of those, though it bundles what is under one.
    own = stated(OWN * 40 + MIT, [OSI + "Python Software Foundation License"])
    parts = str(own.expression).split(" AND ")
    assert [one for one in parts if not one.startswith("LicenseRef-thing-")] == ["MIT", "PSF-2.0"]
    assert len(parts) == 3
    # As in scipy: it is what the classifier says, with what it bundles.
    bundling = stated(BSD_3 + OWN * 40 + MIT, [OSI + "BSD License"])
    assert bundling.expression == "BSD-3-Clause AND MIT"


def test_declared_expressions_alone_count() -> None:
    found = stated("BSD", [OSI + "ISC License (ISCL)"], {"LICENSE": MIT}, "mit or apache-2.0")
    assert found.expression == "Apache-2.0 OR MIT"
    assert found.origin == "License-Expression of its metadata"


def test_declared_references_get_their_text() -> None:
    found = stated("", [], {"LICENSE": OWN}, "MIT AND LicenseRef-Own AND LicenseRef-Own-2")
    assert sorted(found.extracted.values()) == [OWN, OWN]
    first, second = sorted(found.extracted)
    assert found.expression == f"{first} AND {second} AND MIT"
    assert first.startswith("LicenseRef-Own-2-")
    other = stated("", [], {"LICENSE": "Other."}, "LicenseRef-Own")
    assert other.expression not in (first, second)


def test_an_expression_that_is_none_is_read_as_text() -> None:
    found = stated(expression="Apache License 2.0")
    assert found.expression == "Apache-2.0"
    assert found.origin == "the License-Expression field of its metadata"


def test_licence_files_where_the_metadata_says_nothing() -> None:
    found = stated("UNKNOWN", [], {"LICENSE": MIT, "AUTHORS": "Somebody"})
    assert found.expression == "MIT"
    assert found.origin == "recognised from its licence file `LICENSE`"
    both = state_of_texts("thing", [("LICENSE", MIT), ("COPYING", OWN)])
    assert str(both.expression).startswith("LicenseRef-thing-")
    assert both.origin == (
        "recognised from its licence file `LICENSE`; "
        "`COPYING`, with a text that is no well-known licence's"
    )
    more = state_of_texts("thing", [("LICENSE", MIT + OWN * 40)])
    assert list(more.extracted.values()) == [MIT + OWN * 40]
    assert state_of_texts("thing", []).expression is None
    lgpl = state_of_texts("thing", [("COPYING", GPL_3), ("COPYING.LESSER", LGPL_3)])
    assert lgpl.expression == "LGPL-3.0-only"
    notice = state_of_texts("thing", [("COPYING", GPL_3_NOTICE + GPL_3)])
    assert notice.expression == "GPL-3.0-or-later"


def test_a_licence_file_that_lets_one_choose() -> None:
    # As in packaging and outcome.
    choice = (
        "This software is made available under the terms of *either* of the licenses\n"
        "found in LICENSE.APACHE or LICENSE.MIT."
    )
    files = [("LICENSE", choice), ("LICENSE.APACHE", APACHE_2_HEADER), ("LICENSE.MIT", MIT)]
    found = state_of_texts("thing", files)
    assert found.expression == "Apache-2.0 OR MIT"
    assert found.origin == (
        "recognised from its licence files `LICENSE.APACHE`, `LICENSE.MIT`, of which `LICENSE` "
        "lets one choose"
    )
    # What it does not name is not to be chosen.
    more = str(state_of_texts("thing", [*files, ("COPYING", BSD_3)]).expression)
    assert " OR " not in more
    assert "BSD-3-Clause" in more
    assert " OR " not in str(state_of_texts("thing", files[:2]).expression)


def test_statements_that_nobody_has_heard_of() -> None:
    found = stated("", ["OSI Approved :: Frobnication License", "Other/Proprietary License"])
    assert len(found.extracted) == 2
    assert str(found.expression).count("LicenseRef-") == 2
    nothing = state("thing", email.message_from_string("Classifier: Topic :: Games"), [])
    assert nothing.expression is None


def test_the_tables_name_what_spdx_has() -> None:
    tables = [
        *CLASSIFIERS.values(),
        *NAMES.values(),
        *DEFAULTS,
        *((one,) for one in DEFAULTS.values()),
    ]
    for identifiers in tables:
        for identifier in identifiers:
            assert known_identifier(identifier) == identifier
            assert normalize(identifier) == identifier
    assert not set(CLASSIFIERS) & set(UNLISTED)


def test_rows_are_written_as_the_field_is_read() -> None:
    for name in (*NAMES, *SAYINGS):
        assert key(name) == name
