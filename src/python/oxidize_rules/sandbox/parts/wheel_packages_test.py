from __future__ import annotations

from pathlib import Path
from typing import Dict

from oxidize_rules.sandbox.parts.testing_licenses import APACHE_2_HEADER, BSD_3, GPL_3, MIT
from oxidize_rules.sandbox.parts.testing_wheel_facts import INFO, Content, archive, facts, wheel


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


def test_packages_that_only_a_list_tells_of(tmp_path: Path) -> None:
    # As in pip up to 25.1, which has no licence files of them.
    vendor = "some_thing/_vendor"
    files: Dict[str, Content] = {
        f"{vendor}/vendor.txt": (
            "CacheControl==0.14.2\nsetuptools==70.3.0\ntyping_extensions==4.13.2\n"
            "gone==1\n  nobody-knows==2\nidna==3.10\nsix==1.17.0\n"
        ),
        f"{vendor}/__init__.py": "",
        f"{vendor}/cachecontrol/__init__.py": "",
        f"{vendor}/pkg_resources/__init__.py": "",
        f"{vendor}/typing_extensions.py": "",
        f"{vendor}/nobody_knows/inner/code.py": "",
        f"{vendor}/idna/core.py": "",
        f"{vendor}/six.py": "",
        f"{vendor}/six.LICENSE": MIT,
        f"{vendor}/idna-3.10.dist-info/METADATA": "Name: idna\nVersion: 3.10\nLicense: BSD\n",
        f"{vendor}/idna-3.10.dist-info/LICENSE": BSD_3,
    }
    found = facts(tmp_path, wheel(["License: MIT"], files))
    assert {name: (part["version"], part["license"]) for name, part in found.bundled.items()} == {
        "cachecontrol": ("0.14.2", "Apache-2.0"),
        "idna": ("3.10", "BSD-3-Clause"),
        "nobody-knows": ("2", None),
        "setuptools": ("70.3.0", "MIT"),
        "six": ("1.17.0", "MIT"),
        "typing-extensions": ("4.13.2", "PSF-2.0"),
    }
    control, unknown = found.bundled["cachecontrol"], found.bundled["nobody-knows"]
    assert (control["name"], control["purl"]) == ("CacheControl", "pkg:pypi/cachecontrol@0.14.2")
    assert control["license_from"] == "the project's own licence file, which is not in the wheel"
    assert list(found.shipped(control)) == ["Apache-2.0.txt"]
    assert unknown["license_from"] == (
        "the list `some_thing/_vendor/vendor.txt` in its wheel, which tells no licence"
    )
    # A module that may be that of an entry with another name.
    files[f"{vendor}/mystery/__init__.py"] = ""
    assert "gone" in facts(tmp_path, wheel(["License: MIT"], files)).bundled


def test_a_vendored_module_of_a_project_with_another_name(tmp_path: Path) -> None:
    vendor = "some_thing/_vendor"
    files: Dict[str, Content] = {
        f"{vendor}/vendor.txt": "setuptools==70.3.0\n",
        f"{vendor}/pkg_resources/LICENSE": MIT,
        f"{vendor}/pkg_resources/__init__.py": "",
    }
    part = facts(tmp_path, wheel(["License: MIT"], files)).bundled["setuptools"]
    assert (part["version"], part["license"]) == ("70.3.0", "MIT")
    assert part["purl"] == "pkg:pypi/setuptools@70.3.0"
