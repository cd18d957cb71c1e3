from __future__ import annotations

from pathlib import Path

from oxidize_rules.sandbox.testing_licenses import APACHE_2_HEADER, BSD_3, GPL_3, MIT
from oxidize_rules.sandbox.testing_wheel_facts import INFO, archive, facts, wheel


def test_packages_of_others(tmp_path: Path) -> None:
    inner = archive(
        {
            "pip-26.dist-info/METADATA": "Name: pip\nVersion: 26\nLicense-Expression: MIT\n",
            "pip-26.dist-info/licenses/LICENSE": MIT,
            "pip/_vendor/idna/LICENSE": BSD_3,
        }
    )
    vendor = "some_thing/_vendor"
    found = facts(
        tmp_path,
        wheel(
            ["License: MIT"],
            {
                f"{INFO}/licenses/LICENSE": MIT,
                # As in setuptools: what is vendored has another licence.
                f"{vendor}/autocommand-2.dist-info/METADATA": (
                    "Name: autocommand\nVersion: 2\nLicense: LGPLv3\nAuthor: Nathan\n"
                ),
                f"{vendor}/autocommand-2.dist-info/LICENSE": GPL_3,
                # As in pip: a licence file for a folder, and one for a module.
                f"{vendor}/six/LICENSE": MIT,
                f"{INFO}/licenses/{vendor}/six/LICENSE": MIT,
                f"{vendor}/distro.LICENSE.txt": APACHE_2_HEADER,
                f"{vendor}/LICENSE": BSD_3,
                f"{vendor}/vendor.txt": "CacheControl==1 # http\n  Six==1.17.0\n\ttomli\n",
                "some_thing/embed/pip-26-py3-none-any.whl": inner,
                "some_thing/embed/broken.whl": inner[: len(inner) // 2],
            },
        ),
    )
    assert {name: (part["version"], part["license"]) for name, part in found.bundled.items()} == {
        "autocommand": ("2", "LGPL-3.0-only"),
        "six": ("1.17.0", "MIT"),
        "distro": (None, "Apache-2.0"),
        "pip": ("26", "MIT"),
        "idna": (None, "BSD-3-Clause"),
    }
    assert set(found.shipped(found.own)) == {"LICENSE", f"{vendor}/LICENSE"}
    assert found.shipped(found.bundled["autocommand"]) == {"LICENSE": GPL_3}
    assert found.bundled["autocommand"]["purl"] == "pkg:pypi/autocommand@2"
    assert found.bundled["autocommand"]["supplier"] == "Nathan"
    assert found.bundled["six"]["purl"] == "pkg:pypi/six@1.17.0"
    assert found.bundled["distro"]["purl"] is None
    assert found.shipped(found.bundled["six"]) == {"LICENSE": MIT}
    assert found.bundled["six"]["license_from"] == "recognised from its licence file `LICENSE`"
