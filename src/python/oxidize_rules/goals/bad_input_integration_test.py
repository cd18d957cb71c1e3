"""What a person reads after a mistake: one message with the target's address, the field or file,
what was found and expected and what to do; no traceback of ours; nothing in `dist/`.

Each mistake is made in a small project that uses the plugin, and told by the real `pants`.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import re
import shutil
import threading
import zipfile
from typing import Any, Dict, Iterator, Tuple

import pytest

from oxidize_rules.goals.testing_repository import Project
from oxidize_rules.goals.testing_scratch import MUSL, scratch_project
from oxidize_rules.sandbox.distribution.testing_archives import archive

# Synthetic: what is refused before its interpreter would run need not have one.
ARCHIVE = archive()


def hash_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def corrupted(data: bytes) -> bytes:
    """`data` with one bit in its middle turned."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


SERVED: Dict[str, bytes] = {
    "whole.tar.zst": ARCHIVE,
    "truncated.tar.zst": ARCHIVE[: len(ARCHIVE) // 2],
    "corrupted.tar.zst": corrupted(ARCHIVE),
    "page.tar.zst": b"<html>Please log in</html>",
}


@pytest.fixture(scope="module")
def module_project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    made = scratch_project(tmp_path_factory.mktemp("bad_input"))
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def project(module_project: Project) -> Iterator[Project]:
    """The shared project, without what earlier tests wrote."""
    yield module_project
    shutil.rmtree(module_project.root / "app", ignore_errors=True)
    shutil.rmtree(module_project.root / "dist", ignore_errors=True)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URL of a server on a loopback address that has SERVED."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = SERVED.get(self.path.rsplit("/", 1)[-1])
            self.send_response(200 if content else 404)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            # Who sees a wrong length may hang up.
            with contextlib.suppress(ConnectionError):
                self.wfile.write(content or b"")

        def log_message(self, *arguments: Any) -> None:
            """Says nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def refused(project: Project, target: str, *needles: str, culprit: str = "") -> None:
    """Packages `target`, which must fail with one message that has all `needles` and the address
    of the culprit, if it is another target."""
    outcome = project.run("package", target)
    assert outcome.returncode == 1, outcome.log
    assert len(re.findall(r"^\w*(?:Error|Exception): ", outcome.log, re.MULTILINE)) == 1, (
        outcome.log
    )
    assert "1 Exception encountered" in outcome.log
    assert "Traceback (most recent call last)" not in outcome.log
    assert not re.search(r'File ".*", line \d+, in ', outcome.log), outcome.log
    # The message is wrapped for reading.
    (message,) = re.findall(r"^\w*(?:Error|Exception): (.*)\Z", outcome.log, re.M | re.S)
    text = " ".join(message.split())
    for needle in (culprit or target, *needles):
        assert needle in text, f"no {needle!r} in:\n{message}"
    assert project.written() == set()


def write_binary(
    project: Project, folder: str, *fields: str, main: str = "def main(): pass\n"
) -> str:
    """Writes the target `bin`, with the given fields, and `main.py` beside it; its address."""
    fields = ('name="bin"', *fields)
    project.write(
        f"app/{folder}/BUILD", f"python_sources()\noxidized_binary({', '.join(fields)})\n"
    )
    project.write(f"app/{folder}/main.py", main)
    return f"app/{folder}:bin"


# -----------------------------------------------------------------------------------------------
# Entry points and modules
# -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry_point", "needles"),
    [
        pytest.param(
            "mian.py",
            ("`mian.py`", "there is no file `app/entry/mian.py`", "near it: `main.py`", "To fix,"),
            id="file",
        ),
        pytest.param(
            "no.such.module",
            ("there is no module `no.such.module` in the binary", "Give the path of a file"),
            id="module",
        ),
        pytest.param(
            "no.such.module:main",
            ("there is no module `no.such.module` in the binary", "Give the path of a file"),
            id="module-of-a-function",
        ),
        pytest.param(
            "main.py:mian",
            ("the module `main` (`app/main.py`) has no `mian`", "`main`", "Give a function"),
            id="function",
        ),
    ],
)
def test_an_entry_point_that_does_not_exist(
    project: Project, entry_point: str, needles: Tuple[str, ...]
) -> None:
    target = write_binary(project, "entry", f'entry_point="{entry_point}"')
    refused(project, target, "entry_point", *needles)


def test_two_modules_of_one_name(project: Project) -> None:
    for folder in ("one", "two"):
        project.write(f"app/{folder}/BUILD", "python_sources()\n")
        project.write(f"app/{folder}/same.py", f"X = {folder!r}\n")
    target = write_binary(
        project,
        "twice",
        'entry_point="main.py"',
        'dependencies=["app/one/same.py", "app/two/same.py"]',
    )
    refused(
        project,
        target,
        "same place in the executable, `same.py`",
        "`app/one/same.py` of app/one/same.py",
        "`app/two/same.py` of app/two/same.py",
        "Each file needs a place of its own",
        "To fix, rename one of them",
    )


def test_a_module_and_a_package_of_one_name(project: Project) -> None:
    project.write("app/one/BUILD", "python_sources()\n")
    project.write("app/one/same.py", "X = 1\n")
    project.write("app/two/same/BUILD", "python_sources()\n")
    project.write("app/two/same/__init__.py", "X = 2\n")
    target = write_binary(
        project,
        "twice",
        'entry_point="main.py"',
        'dependencies=["app/one/same.py", "app/two/same/__init__.py"]',
    )
    refused(
        project,
        target,
        "same name, `same`",
        "`app/one/same.py` of app/one/same.py",
        "`app/two/same/__init__.py` of app/two/same/__init__.py",
        "To fix, rename one of them",
    )


def test_a_syntax_error_in_first_party_code(project: Project) -> None:
    target = write_binary(
        project, "syntax", 'entry_point="main.py"', main="X = 1\nif X = 1:\n    pass\n"
    )
    refused(
        project,
        target,
        "does not compile with Python 3.13",
        "app/syntax/main.py, line 2: invalid syntax",
        "Mend the code",
    )


# -----------------------------------------------------------------------------------------------
# Fields
# -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "needles"),
    [
        ("target_triple", "x86_64-linux-musl", ("`x86_64-linux-musl`", MUSL, "To fix, use one of")),
        ("glibc_floor", "2.5", ("`2.5`", "from `2.17` on", "To fix, write it")),
        ("distribution", "//archives:none", ("address archives:none", "does not exist", ":good")),
        ("output_path", "../outside", ("`../outside`", "below `dist/`", "To fix, write")),
    ],
)
def test_a_field_with_a_wrong_value(
    project: Project, field: str, value: str, needles: Tuple[str, ...]
) -> None:
    target = write_binary(project, "field", 'entry_point="main.py"', f'{field}="{value}"')
    refused(project, target, f"`{field}`", *needles)
    assert not (project.root / "outside").exists()


@pytest.mark.parametrize(
    ("config", "needles"),
    [
        ('{"utf8_mod": True}', ("no member 'utf8_mod'", "Did you mean utf8_mode?")),
        ('{"verbose": True}', ("verbose is True", "an integer from 0 to 3")),
        ('{"x_options": ["utf8=2"]}', ("xoptions has 'utf8=2'", "`utf8=0`")),
        ('{"run_module": "http.server"}', ("`http.server`", "`entry_point`", "To fix, remove")),
        ('{"thread_inherit_context": True}', ("came with Python 3.14", "has Python 3.13")),
        ('{"optimization_level": 2}', ("`bytecode_optimization` is `0`", "To fix, set")),
    ],
    ids=["name", "type", "value", "entry-point", "version", "level"],
)
def test_an_interpreter_config(project: Project, config: str, needles: Tuple[str, ...]) -> None:
    target = write_binary(
        project, "config", 'entry_point="main.py"', f"interpreter_config={config}"
    )
    refused(project, target, "interpreter_config", *needles)


def test_a_distribution_for_another_triple(project: Project) -> None:
    target = write_binary(
        project,
        "other",
        'entry_point="main.py"',
        'target_triple="x86_64-unknown-linux-gnu"',
        'distribution="//archives:good"',
    )
    refused(
        project,
        target,
        "`target_triple`",
        "`x86_64-unknown-linux-gnu`",
        f"archives:good is for `{MUSL}`",
        "To fix, set the `distribution` field",
    )


# -----------------------------------------------------------------------------------------------
# Dependencies
# -----------------------------------------------------------------------------------------------


def test_a_dependency_that_is_only_a_foreign_wheel(project: Project) -> None:
    wheel = project.root / "wheels/oxidize_foreign-1.0-cp313-cp313-win_amd64.whl"
    info = "oxidize_foreign-1.0.dist-info"
    members = {
        "oxidize_foreign.py": "X = 1\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: oxidize-foreign\nVersion: 1.0\n",
        f"{info}/WHEEL": (
            "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp313-cp313-win_amd64\n"
        ),
    }
    with zipfile.ZipFile(wheel, "w") as written:
        for name, content in members.items():
            written.writestr(name, content)
        names = [*members, f"{info}/RECORD"]
        written.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in names))
    project.write(
        "main.lock", f"oxidize-foreign==1.0 --hash=sha256:{hash_of(wheel.read_bytes())}\n"
    )
    try:
        target = write_binary(
            project, "foreign", 'entry_point="main.py"', main="import oxidize_foreign\n"
        )
        project.write(
            "app/BUILD", 'python_requirement(name="foreign", requirements=["oxidize-foreign>=1"])\n'
        )
        refused(
            project,
            target,
            f"no wheel that fits `{MUSL}`",
            "oxidize-foreign",
            "Expected for each: a wheel for Python 3.13",
            "To fix, lock another version",
        )
    finally:
        project.write("main.lock", "")


# -----------------------------------------------------------------------------------------------
# Archives
# -----------------------------------------------------------------------------------------------


def refused_archive(project: Project, fields: Dict[str, object], *needles: str) -> None:
    """The archive target itself is refused; so is a binary that is made from it."""
    written = "".join(f", {key}={value!r}" for key, value in fields.items())
    project.write("app/dist/BUILD", f'python_distribution_archive(name="archive"{written})\n')
    refused(project, "app/dist:archive", *needles)
    target = write_binary(
        project, "user", 'entry_point="main.py"', 'distribution="app/dist:archive"'
    )
    refused(project, target, *needles, culprit="app/dist:archive")


@pytest.mark.parametrize("served", [True, False], ids=["url", "source"])
@pytest.mark.parametrize(
    ("file", "changes", "needles", "remedies"),
    [
        pytest.param(
            "whole.tar.zst",
            {"sha256": "0" * 64},
            ("sha256", hash_of(ARCHIVE), "0" * 64),
            ("To fix, compare the target's `sha256`", "correct `sha256`"),
            id="wrong-sha256",
        ),
        pytest.param(
            "whole.tar.zst",
            {"size": len(ARCHIVE) + 1},
            ("size", f"{len(ARCHIVE)} bytes", f"expected {len(ARCHIVE) + 1}"),
            ("To fix, compare the target's `sha256` and `size`", "check it against the release"),
            id="wrong-size",
        ),
        pytest.param(
            "truncated.tar.zst",
            {},
            ("the archive is truncated",),
            ("Download it again",) * 2,
            id="truncated",
        ),
        pytest.param(
            "corrupted.tar.zst",
            {},
            ("not intact zstd data", "expected a `.tar.zst`"),
            ("Download it again",) * 2,
            id="corrupted",
        ),
        pytest.param(
            "page.tar.zst",
            {},
            ("not intact zstd data", "expected a `.tar.zst`"),
            ("Download it again",) * 2,
            id="something-else",
        ),
    ],
)
def test_a_broken_archive(
    project: Project,
    server: str,
    served: bool,
    file: str,
    changes: Dict[str, object],
    needles: Tuple[str, ...],
    remedies: Tuple[str, str],
) -> None:
    """`remedies`: for a downloaded archive, and for one in the repository."""
    data = SERVED[file]
    fields: Dict[str, object] = {"sha256": hash_of(data), "size": len(data), **changes}
    if served:
        fields["url"] = f"{server}/{file}"
    else:
        fields["source"] = file
        path = project.root / "app/dist" / file
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
    refused_archive(project, fields, *needles, remedies[0 if served else 1])


def test_an_archive_that_is_not_there(project: Project, server: str) -> None:
    fields: Dict[str, object] = {"url": f"{server}/none.tar.zst", "sha256": "0" * 64, "size": 5}
    refused_archive(project, fields, f"{server}/none.tar.zst", "404", "To fix, check the network")
