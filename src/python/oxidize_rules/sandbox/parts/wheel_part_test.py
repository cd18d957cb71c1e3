from __future__ import annotations

import hashlib
from pathlib import Path

from oxidize_rules.sandbox.parts.testing_licenses import APACHE_2_HEADER, GPL_3, MIT, OWN
from oxidize_rules.sandbox.parts.testing_wheel_facts import INFO, facts, wheel


def test_the_wheel_itself(tmp_path: Path) -> None:
    found = facts(
        tmp_path,
        wheel(
            [
                "License-Expression: MIT or Apache-2.0",
                "License-File: LICENSE",
                "License-File: legal/terms",
                "Author-email: Ann Author <ann@example.org>, bob@example.org",
                "Project-URL: Docs, https://example.org/docs",
                "Project-URL: Home Page, https://example.org",
                "Requires-Dist: Zope.Interface>=5",
                'Requires-Dist: colorama; sys_platform == "win32"',
                'Requires-Dist: tomli; python_version < "3.11"',
                'Requires-Dist: later; python_version >= "3.13" and platform_machine == "x86_64"',
                'Requires-Dist: socks; extra == "proxy"',
                "Requires-Dist: !!!",
            ],
            {
                f"{INFO}/licenses/LICENSE": MIT,
                f"{INFO}/licenses/legal/terms": APACHE_2_HEADER,
                f"{INFO}/AUTHORS": "Ann",
                "some_thing/data/LICENSE.unicode": OWN,
                "some_thing/license.py": "no licence",
                "some_thing/licenses.json": "{}",
                "some_thing/licensing_guide.txt": "no licence",
            },
        ),
    )
    own = found.own
    assert (own["name"], own["version"], own["kind"]) == ("Some.Thing", "1.0", "wheel")
    assert own["license"] == "Apache-2.0 OR MIT"
    assert own["license_from"] == "License-Expression of its metadata"
    assert own["purl"] == "pkg:pypi/some-thing@1.0"
    assert own["component"] == "wheel:Some_Thing-1.0"
    assert own["supplier"] == "Ann Author"
    assert own["homepage"] == "https://example.org"
    assert own["depends_on"] == ["wheel:later", "wheel:zope-interface"]
    assert found.shipped(own) == {
        "AUTHORS": "Ann",
        "LICENSE": MIT,
        "legal/terms": APACHE_2_HEADER,
        "some_thing/data/LICENSE.unicode": OWN,
    }
    content = (tmp_path / "Some_Thing-1.0-py3-none-any.whl").read_bytes()
    assert own["hashes"] == {"sha256": hashlib.sha256(content).hexdigest()}
    assert set(found.parts) == {own["id"]}


def test_a_wheel_that_says_nothing(tmp_path: Path) -> None:
    own = facts(tmp_path, wheel()).own
    assert (own["license"], own["license_from"], own["texts"]) == (None, None, [])
    assert (own["supplier"], own["homepage"]) == (None, None)


def test_unknown_texts_are_kept(tmp_path: Path) -> None:
    found = facts(tmp_path, wheel([], {f"{INFO}/COPYING": OWN}))
    ((ref, digest),) = found.own["extracted"].items()
    assert found.own["license"] == ref
    assert found.texts[digest] == OWN
    assert ref.startswith("LicenseRef-Some.Thing-")


def test_licence_files_beside_the_code_count_where_there_are_no_others(tmp_path: Path) -> None:
    beside = {"some_thing/LICENSE": MIT, "some_thing/deep/inside/LICENSE": GPL_3}
    found = facts(tmp_path, wheel([], beside))
    assert found.own["license"] == "MIT"
    assert set(found.shipped(found.own)) == set(beside)
