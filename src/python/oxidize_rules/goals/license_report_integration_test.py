"""`license_report` targets by the real `pants`: what is written, and what a policy refuses.

The refusals are shown on a distribution that is made from the repository's own: its `readline` is
linked with a library that is GNU readline by its name, and it has a `_dbm` with a Berkeley DB.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any, Dict, Iterator, Tuple

import pytest
import zstandard
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from oxidize_rules.goals.testing_binaries import LIBCS
from oxidize_rules.goals.testing_pants import REPOSITORY, package_targets
from oxidize_rules.goals.testing_repository import Project
from oxidize_rules.goals.testing_scratch import distribution_archive, scratch_project
from oxidize_rules.sandbox.reports.license_report import FORMATS
from oxidize_rules.sandbox.testing_browser import browser

FILES = (
    *("NOTICES.txt", "bin.cdx.json", "bin.spdx", "bin.spdx.json"),
    *("licenses.html", "licenses.json", "licenses.txt"),
)

# -----------------------------------------------------------------------------------------------
# testprojects/cli
# -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reports() -> Dict[str, Path]:
    """The folder of the reports by C library."""
    done = package_targets("testprojects/cli:licenses")
    found = dict(re.findall(r"Wrote \S*?(dist/\S*@binary=(?:musl|gnu))/(\S*)\n", done.stderr))
    folders = {path.rpartition("=")[2]: REPOSITORY / path for path in found}
    assert sorted(folders) == sorted(LIBCS), done.stderr
    return folders


def report(reports: Dict[str, Path], libc: str) -> Dict[str, Any]:
    found: Dict[str, Any] = json.loads((reports[libc] / "licenses.json").read_text())
    return found


@pytest.mark.parametrize("libc", LIBCS)
def test_all_formats_are_written_and_valid(reports: Dict[str, Path], libc: str) -> None:
    folder = reports[libc]
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    count = len(report(reports, libc)["parts"])
    for name in ("bin.spdx", "bin.spdx.json"):
        document = parse_file(str(folder / name))
        assert [one.validation_message for one in validate_full_spdx_document(document)] == []
        assert len(document.packages) == count + 1
    bill = (folder / "bin.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill) is None
    assert len(json.loads(bill)["components"]) == count


@pytest.mark.parametrize("libc", LIBCS)
def test_every_part_has_a_licence_and_every_text_is_in_the_notices(
    reports: Dict[str, Path], libc: str
) -> None:
    told = report(reports, libc)
    parts = {one["id"]: one for one in told["parts"]}
    assert [name for name, one in parts.items() if not one["license"]] == []
    assert parts["library:openssl"]["license"] == "Apache-2.0"
    assert "library:openssl" in told["extensions"]["_ssl"]
    assert parts["wheel:rich"]["license"] == "MIT"
    assert parts["wheel:certifi"]["license"] == "MPL-2.0"
    notices = (reports[libc] / "NOTICES.txt").read_text()
    for one in parts.values():
        if one["kind"] != "first-party":
            assert one["name"] in notices
        for name, sha256 in one["texts"]:
            assert sha256 in told["texts"], (one["id"], name)
            for line in told["texts"][sha256].split("\n")[:3]:
                assert line.strip("\f\r ") in notices
    assert ("libc:musl" in parts) == (libc == "musl")


@pytest.mark.parametrize("libc", LIBCS)
def test_the_page_in_a_browser(reports: Dict[str, Path], libc: str, tmp_path: Path) -> None:
    parts = report(reports, libc)["parts"]
    with browser(tmp_path) as window:
        window.open(reports[libc] / "licenses.html")
        assert window.complaints() == []
        assert window.texts("#count") == [f"{len(parts)} of {len(parts)} parts"]
        window.type("#search", "openssl libcrypto")
        assert window.texts("#count") == [f"1 of {len(parts)} parts"]
        window.click("#parts tbody tr:not([hidden]) a[href^='#text']")
        assert any("Apache License" in text for text in window.texts("pre"))


@pytest.mark.parametrize("libc", LIBCS)
def test_the_same_bytes_in_another_place(
    reports: Dict[str, Path], libc: str, tmp_path: Path
) -> None:
    """The program runs again, elsewhere and in another mood, on what it was given at first."""
    told = report(reports, libc)
    (tmp_path / "in/texts").mkdir(parents=True)
    (tmp_path / "in/inventory.json").write_text(json.dumps(told))
    for sha256, text in told["texts"].items():
        (tmp_path / f"in/texts/{sha256}.txt").write_bytes(text.encode())
    used = [override for one in told["parts"] for override in one["overrides"]]
    policy = {
        **told["policy"],
        "binary": told["subject"]["address"],
        "overrides": {override.pop("name"): override for override in used},
        "first_party_license": "MIT",
    }
    (tmp_path / "policy.json").write_text(json.dumps(policy))
    subprocess.run(
        [
            *(sys.executable, "-m", "oxidize_rules.sandbox.reports.license_report"),
            *("--inventory", "in", "--policy", "policy.json", "--output", "out"),
            *("--formats", *FORMATS),
        ],
        cwd=tmp_path,
        env={"PYTHONPATH": str(REPOSITORY / "src/python"), "PYTHONHASHSEED": "7", "TZ": "UTC+9"},
        check=True,
    )
    for name in FILES:
        assert (tmp_path / "out" / name).read_bytes() == (reports[libc] / name).read_bytes(), name


# -----------------------------------------------------------------------------------------------
# Policies
# -----------------------------------------------------------------------------------------------

RENAMED = {
    "build/lib/libedit.a": "build/lib/libreadline.a",
    "build/lib/libuuid.a": "build/lib/libdb.a",
}


def encumbered(source: Path, destination: Path) -> None:
    """Copies a distribution's archive as one with GNU readline, and with `_dbm` in `_uuid`'s
    place, which links Berkeley DB. The code behind the names is what it was."""
    with (
        zstandard.open(source, "rb") as packed,
        tarfile.open(fileobj=packed, mode="r|") as old,
        zstandard.open(destination, "wb", cctx=zstandard.ZstdCompressor(level=1)) as result,
        tarfile.open(fileobj=result, mode="w|") as new,
    ):
        for member in old:
            content = old.extractfile(member) if member.isreg() else None
            data = content.read() if content else b""
            path = member.name.partition("/")[2]
            if path in RENAMED:
                member.name = member.name.replace(path, RENAMED[path])
            if path == "build/Modules/_uuidmodule.o":
                # One string of the symbol table; those after it stay where they are.
                assert data.count(b"PyInit__uuid\0") == 1
                data = data.replace(b"PyInit__uuid\0", b"PyInit__dbm\0\0")
            if path == "PYTHON.json":
                data = json.dumps(encumbered_metadata(json.loads(data))).encode()
            member.size = len(data)
            new.addfile(member, io.BytesIO(data) if content else None)


def encumbered_metadata(metadata: Dict[str, Any]) -> Dict[str, Any]:
    extensions = metadata["build_info"]["extensions"]
    (readline,), (dbm,) = extensions["readline"], extensions.pop("_uuid")
    readline["links"][0] = {"name": "readline", "path_static": "build/lib/libreadline.a"}
    readline["licenses"] = ["GPL-3.0-only", "X11-distribute-modifications-variant"]
    dbm.update(
        init_fn="PyInit__dbm",
        links=[{"name": "db", "path_static": "build/lib/libdb.a"}],
        licenses=["Sleepycat"],
    )
    extensions["_dbm"] = [dbm]
    return metadata


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    made = scratch_project(tmp_path_factory.mktemp("license_report"))
    try:
        archive = made.root / "archives/good.tar.zst"
        archive.unlink()
        encumbered(distribution_archive(), archive)
        made.write("app/one/main.py", "print('hello')\n")
        made.write(
            "app/one/BUILD",
            """\
python_sources()
oxidized_binary(name="all", entry_point="main.py")
oxidized_binary(name="dbm", entry_point="main.py", include_extensions=["_dbm"])
oxidized_binary(name="dropped", entry_point="main.py", exclude_extensions=["readline"])
oxidized_binary(name="filtered", entry_point="main.py", extension_filter="no-copyleft")
license_report(name="all-denied", binary=":all", deny=["copyleft"])
license_report(name="dbm-denied", binary=":dbm", deny=["Sleepycat", "GPL-*"])
license_report(name="dbm-not-allowed", binary=":dbm", allow=["permissive", "GPL-*"])
license_report(name="dropped-denied", binary=":dropped", deny=["copyleft"])
license_report(name="filtered-denied", binary=":filtered", deny=["copyleft"])
license_report(name="no-policy", binary=":all", formats=["json"])
license_report(
    name="accepted",
    binary=":all",
    formats=["json", "text"],
    deny=["copyleft"],
    overrides={
        "GNU readline": {"accept": "GPL-3.0-or-later", "reason": "ours is GPL, too"},
        "vendored:readline": {"accept": "GPL-3.0-only", "reason": "as its archive says"},
        "left-over": {"license": "MIT", "reason": "no part is called so"},
    },
)
license_report(name="misspelled", binary=":all", deny=["GPL3"])
license_report(name="of-sources", binary="app/one/main.py", deny=["GPL-*"])
license_report(name="of-nothing", binary=":none")
license_report(name="outside", binary=":all", output_path="../outside")
""",
        )
        yield made
    finally:
        made.close()


def refused(project: Project, name: str, *needles: str) -> str:
    """Packages a report, which must fail with one message that has all `needles`; the message."""
    outcome = project.run("package", f"app/one:{name}")
    assert outcome.returncode == 1, outcome.log
    assert "Traceback (most recent call last)" not in outcome.log
    assert "1 Exception encountered" in outcome.log
    (message,) = re.findall(r"^\w*(?:Error|Exception): (.*)\Z", outcome.log, re.M | re.S)
    text = " ".join(message.split())
    for needle in needles:
        assert needle in text, f"no {needle!r} in:\n{message}"
    assert project.written() == set()
    return text


def test_gnu_readline_is_caught(project: Project) -> None:
    message = refused(
        project,
        "all-denied",
        "app/one:all-denied: ",
        "parts of app/one:all break the policy:",
        "GNU readline: GPL-3.0-or-later is denied (by `copyleft`)",
        "in by: app/one:all > extension `readline` > libreadline.a",
        "name `readline` in `exclude_extensions`",
        "libedit",
        'set `extension_filter="no-copyleft"` on the binary',
        'overrides={"library:readline": {"accept": "GPL-3.0-or-later", "reason": "..."}}',
    )
    # `_dbm` is left out by default.
    assert "Berkeley" not in message


def test_berkeley_db_is_caught(project: Project) -> None:
    needles = ("in by: app/one:dbm > extension `_dbm` > libdb.a", "Berkeley DB")
    refused(project, "dbm-denied", "Sleepycat is denied (by `Sleepycat`)", *needles)
    message = refused(project, "dbm-not-allowed", "Sleepycat is not allowed", *needles)
    assert "GNU readline" not in message


def test_who_does_without_is_free(project: Project) -> None:
    """By one name, or by the binary's filter, which agrees with the policy."""
    project.good("package", "app/one:dropped-denied", "app/one:filtered-denied")
    written = project.written()
    assert {path.rpartition("/")[2] for path in written} == {
        *("licenses.html", "NOTICES.txt"),
        *(f"{name}.{end}.json" for name in ("dropped", "filtered") for end in ("spdx", "cdx")),
    }
    for path in written:
        content = (project.root / "dist" / path).read_text()
        assert "readline.a" not in content
    shutil.rmtree(project.root / "dist")


def test_without_a_policy_everything_is_told(project: Project) -> None:
    project.good("package", "app/one:no-policy")
    (path,) = project.written()
    told = json.loads((project.root / "dist" / path).read_text())
    (readline,) = (one for one in told["parts"] if one["id"] == "library:readline")
    assert readline["copyleft"] is True
    assert "GNU GENERAL PUBLIC LICENSE" in told["texts"][readline["texts"][0][1]]
    shutil.rmtree(project.root / "dist")


def test_overrides_are_told_with_their_reason(project: Project) -> None:
    outcome = project.good("package", "app/one:accepted")
    assert "`overrides` has `left-over`, and no part of app/one:all is called so" in outcome.log
    (text,) = (path for path in project.written() if path.endswith(".txt"))
    assert "accepted    ours is GPL, too" in (project.root / "dist" / text).read_text()
    shutil.rmtree(project.root / "dist")


@pytest.mark.parametrize(
    ("name", "needles"),
    [
        ("misspelled", ("app/one:misspelled: the `deny` field has `GPL3`", "`GPL-3.0-only`")),
        ("of-sources", ("`binary` field", "app/one:of-sources", "a `python_source` target")),
        ("of-nothing", ("app/one:none", "does not exist")),
        ("outside", ("`output_path` field", "app/one:outside", "`../outside`", "To fix,")),
    ],
)
def test_mistakes(project: Project, name: str, needles: Tuple[str, ...]) -> None:
    refused(project, name, *needles)
