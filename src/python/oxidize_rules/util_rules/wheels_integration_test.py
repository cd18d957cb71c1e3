"""Wheels and source archives through the real rules: from a loopback index whose projects the test
writes, from both kinds of lock file and without one; and a few real packages from the indexes of
`[python-repos]`, for each triple and floor.

`PANTS_PEX_CLI_URL_TEMPLATE` names the pex, as `build-support/test` sets it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import tarfile
import threading
import zipfile
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple, Union

import pytest
from pants.backend.python import target_types_rules
from pants.backend.python.dependency_inference import rules as dependency_inference
from pants.backend.python.target_types import PythonRequirementTarget
from pants.backend.python.util_rules import pex, pex_requirements
from pants.engine.addresses import Address
from pants.engine.fs import DigestContents
from pants.engine.internals.scheduler import ExecutionError
from pants.testutil.rule_runner import QueryRule, RuleRunner

from oxidize_rules import target_type_rules
from oxidize_rules.binary_targets import BinaryResolveField, OxidizedBinaryTarget
from oxidize_rules.util_rules import fetch, sandbox_program, tools_pex, wheels
from oxidize_rules.util_rules.sandbox_program import OxidizeError
from oxidize_rules.util_rules.testing_pex import pinned_pex
from oxidize_rules.util_rules.wheels import Sdist, Wheel, Wheels, WheelsRequest

ADDRESS = Address("app", target_name="bin")
MUSL, GNU = "x86_64-unknown-linux-musl", "x86_64-unknown-linux-gnu"
# Names that no public index has.
PREFIX = "oxidize-test-"


class Index:
    """A simple index on a loopback address. It answers to ranges of bytes, as real ones do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: List[str] = []
        self.hashes: Dict[str, str] = {}
        asked = self.asked

        class Handler(SimpleHTTPRequestHandler):
            def __init__(self, *args: Any) -> None:
                super().__init__(*args, directory=str(folder))

            def do_GET(self) -> None:
                asked.append(self.path)
                path = folder / self.path.lstrip("/")
                span = re.match(r"bytes=(\d*)-(\d*)$", self.headers.get("Range") or "")
                if span is None or not path.is_file():
                    super().do_GET()
                    return
                content = path.read_bytes()
                start = int(span[1]) if span[1] else max(0, len(content) - int(span[2]))
                end = int(span[2]) if span[1] and span[2] else len(content) - 1
                part = content[start : end + 1]
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{end}/{len(content)}")
                self.send_header("Content-Length", str(len(part)))
                self.end_headers()
                with contextlib.suppress(ConnectionError):
                    self.wfile.write(part)

            def log_message(self, *arguments: Any) -> None:
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://{self.host}/simple/"

    def add(self, project: str, filename: str, content: bytes) -> None:
        folder = self.folder / "simple" / f"{PREFIX}{project}"
        folder.mkdir(parents=True, exist_ok=True)
        (self.folder / filename).write_bytes(content)
        sha256 = self.hashes[filename] = hashlib.sha256(content).hexdigest()
        with (folder / "index.html").open("a") as page:
            page.write(f'<a href="/{filename}#sha256={sha256}">{filename}</a><br/>\n')

    def wheel(self, project: str, tag: str, *requires: str, version: str = "1.0") -> str:
        name = f"{PREFIX}{project}".replace("-", "_")
        info = f"{name}-{version}.dist-info"
        metadata = [
            "Metadata-Version: 2.1",
            f"Name: {name}",
            f"Version: {version}",
            *(f"Requires-Dist: {requirement}" for requirement in requires),
        ]
        written = io.BytesIO()
        with zipfile.ZipFile(written, "w") as archive:
            archive.writestr(f"{name}.py", f"# {tag}\n")
            archive.writestr(f"{info}/METADATA", "\n".join(metadata) + "\n")
        filename = f"{name}-{version}-{tag}.whl"
        self.add(project, filename, written.getvalue())
        return filename

    def sdist(self, project: str, members: Dict[str, str], version: str = "1.0") -> str:
        name = f"{PREFIX}{project}".replace("-", "_")
        written = io.BytesIO()
        with tarfile.open(fileobj=written, mode="w:gz") as archive:
            for path, text in members.items():
                member = tarfile.TarInfo(f"{name}-{version}/{path}")
                member.size = len(text)
                archive.addfile(member, io.BytesIO(text.encode()))
        filename = f"{name}-{version}.tar.gz"
        self.add(project, filename, written.getvalue())
        return filename


# Code that must not run: it would leave its trace in the folder it names.
HOSTILE = "import pathlib\npathlib.Path({!r}).write_text('run')\n"


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    index = Index(tmp_path / "index")
    (tmp_path / "index").mkdir()
    index.wheel(
        "top",
        "py3-none-any",
        f"{PREFIX}native>=0.5",
        f"{PREFIX}leaf; python_version >= '3.13'",
        f"{PREFIX}gone; sys_platform == 'win32'",
        f"{PREFIX}gone; extra == 'more'",
    )
    index.wheel("leaf", "cp313-none-any")
    for tag in (
        "cp313-cp313-musllinux_1_1_x86_64",
        "cp313-cp313-musllinux_1_2_x86_64",
        "cp313-cp313-musllinux_1_3_x86_64",
        "cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64",
        "cp313-cp313-manylinux_2_28_x86_64",
        "cp39-abi3-manylinux_2_17_x86_64",
        "cp312-cp312-musllinux_1_2_x86_64",
        "cp313-cp313-musllinux_1_2_aarch64",
    ):
        index.wheel("native", tag)
    index.wheel("glibc", "cp313-cp313-manylinux_2_28_x86_64")
    index.sdist(
        "source",
        {
            "PKG-INFO": f"Metadata-Version: 2.2\nName: x\nRequires-Dist: {PREFIX}leaf\n",
            "setup.py": HOSTILE.format(str(tmp_path / "trace")),
        },
    )
    index.sdist("rust", {"pyproject.toml": '[build-system]\nrequires = ["maturin>=1"]\n'})
    yield index
    index.server.shutdown()
    index.server.server_close()


def make_runner(
    requirements: Sequence[str], lock: Optional[str], options: Sequence[str] = ()
) -> RuleRunner:
    runner = RuleRunner(
        rules=[
            *dependency_inference.rules(),
            *fetch.rules(),
            *pex.rules(),
            *pex_requirements.rules(),
            *sandbox_program.rules(),  # type: ignore[no-untyped-call]
            *target_type_rules.rules(),
            *target_types_rules.rules(),
            *tools_pex.rules(),
            *wheels.rules(),
            QueryRule(Wheels, [WheelsRequest]),
        ],
        target_types=[OxidizedBinaryTarget, PythonRequirementTarget],
    )
    runner.set_options(
        [
            *pinned_pex(),
            "--python-interpreter-constraints=['CPython==3.13.*']",
            f"--python-enable-resolves={lock is not None}",
            "--python-resolves={'app': 'app/lock.txt'}",
            "--python-default-resolve=app",
            "--python-infer-use-rust-parser",
            *options,
        ],
        env_inherit=set(os.environ),
    )
    names = [f"r{number}" for number in range(len(requirements))]
    runner.write_files(
        {
            "app/BUILD": "".join(
                f"python_requirement(name={name!r}, requirements=[{requirement!r}])\n"
                for name, requirement in zip(names, requirements)
            )
            + f"oxidized_binary(name='bin', dependencies={[f':{name}' for name in names]})\n",
            "app/lock.txt": lock or "",
        }
    )
    return runner


def request(
    runner: RuleRunner, triple: str = MUSL, floor: Optional[str] = None, *, native: bool = True
) -> Wheels:
    resolve = BinaryResolveField(None, ADDRESS)
    return runner.request(
        Wheels, [WheelsRequest(ADDRESS, resolve, "3.13.5", triple, floor, native=native)]
    )


def files(found: Wheels) -> List[Union[Wheel, Sdist]]:
    return [*found.wheels, *found.sdists]


def resolve(
    index: Index,
    projects: Sequence[str],
    lock: Optional[str],
    triple: str = MUSL,
    floor: Optional[str] = None,
    options: Sequence[str] = (),
) -> Wheels:
    runner = make_runner(
        [f"{PREFIX}{project}" for project in projects],
        lock,
        [f"--python-repos-indexes=+['{index.url}']", *options],
    )
    found = request(runner, triple, floor)
    for one in files(found):
        (file,) = runner.request(DigestContents, [one.digest])
        assert file.path == one.filename
        assert file.content == (index.folder / one.filename).read_bytes()
    return found


def requirements_lock(index: Index) -> str:
    """Every file of the index, as `pip-compile --generate-hashes` writes them."""
    hashes: Dict[str, List[str]] = {}
    for filename, sha256 in index.hashes.items():
        project = re.split(r"-1\.0[-.]", filename)[0].replace("_", "-")
        hashes.setdefault(project, []).append(sha256)
    return "".join(
        f"{project}==1.0 " + " ".join(f"--hash=sha256:{one}" for one in sorted(found)) + "\n"
        for project, found in sorted(hashes.items())
    )


def pex_lock(index: Index) -> str:
    """The same in the form of `pex3 lock create`, with the comments that Pants writes before it."""
    artifacts: Dict[str, List[Dict[str, str]]] = {}
    for filename, sha256 in index.hashes.items():
        project = re.split(r"-1\.0[-.]", filename)[0].replace("_", "-")
        artifacts.setdefault(project, []).append(
            {"algorithm": "sha256", "hash": sha256, "url": f"http://{index.host}/{filename}"}
        )
    requires = {
        "top": [
            f"{PREFIX}native>=0.5",
            f'{PREFIX}leaf; python_version >= "3.13"',
            f'{PREFIX}gone; sys_platform == "win32"',
        ],
        "source": [f"{PREFIX}leaf"],
    }
    locked = [
        {
            "project_name": project,
            "version": "1.0",
            "requires_python": ">=3.8",
            "requires_dists": requires.get(project[len(PREFIX) :], []),
            "artifacts": found,
        }
        for project, found in artifacts.items()
    ]
    return "// comment\n" + json.dumps({"locked_resolves": [{"locked_requirements": locked}]})


def no_lock(index: Index) -> None:
    return None


LOCKS: Dict[str, Callable[[Index], Optional[str]]] = {
    "requirements": requirements_lock,
    "pex": pex_lock,
    "none": no_lock,
}


def told(error: ExecutionError) -> str:
    errors: List[Exception] = list(error.wrapped_exceptions)
    assert isinstance(errors[0], OxidizeError)
    return str(errors[0])


def names(found: Wheels) -> List[str]:
    return [one.filename[len(PREFIX) :] for one in files(found)]


@pytest.mark.parametrize(
    ("kind", "triple", "floor", "native"),
    [
        ("requirements", MUSL, None, "musllinux_1_2_x86_64"),
        ("pex", MUSL, None, "musllinux_1_2_x86_64"),
        ("none", MUSL, None, "musllinux_1_2_x86_64"),
        ("requirements", GNU, "2.17", "manylinux_2_17_x86_64.manylinux2014_x86_64"),
        ("pex", GNU, "2.17", "manylinux_2_17_x86_64.manylinux2014_x86_64"),
        ("requirements", GNU, "2.28", "manylinux_2_28_x86_64"),
        ("none", GNU, "2.28", "manylinux_2_28_x86_64"),
        ("pex", GNU, "2.16", None),
    ],
)
def test_the_needed_wheels_and_no_others(
    index: Index, kind: str, triple: str, floor: Optional[str], native: Optional[str]
) -> None:
    lock = LOCKS[kind](index)
    if native is None:
        with pytest.raises(ExecutionError, match=r'set `glibc_floor="2\.17"` or higher'):
            resolve(index, ["top"], lock, triple, floor)
        return
    found = resolve(index, ["top"], lock, triple, floor)
    assert names(found) == [
        "leaf-1.0-cp313-none-any.whl",
        f"native-1.0-cp313-cp313-{native}.whl",
        "top-1.0-py3-none-any.whl",
    ]


@pytest.mark.parametrize("kind", list(LOCKS))
def test_a_source_archive_where_no_wheel_is(index: Index, kind: str, tmp_path: Path) -> None:
    found = resolve(index, ["source"], LOCKS[kind](index))
    assert names(found) == ["leaf-1.0-cp313-none-any.whl", "source-1.0.tar.gz"]
    (sdist,) = found.sdists
    assert (sdist.project, sdist.version) == (f"{PREFIX}source", "1.0")
    assert not (tmp_path / "trace").exists()


def test_find_links_and_no_requirements(index: Index) -> None:
    links = [f"--python-repos-find-links=['{index.folder.as_uri()}']"]
    runner = make_runner([f"{PREFIX}leaf"], requirements_lock(index), links)
    assert [one.filename for one in request(runner).wheels] == [
        "oxidize_test_leaf-1.0-cp313-none-any.whl"
    ]
    assert not [path for path in index.asked if path.endswith(".whl")]
    assert request(make_runner([], "", links)) == Wheels((), ())


def test_without_a_loader_only_wheels_without_native_code(index: Index) -> None:
    runner = make_runner(
        [f"{PREFIX}top"],
        requirements_lock(index),
        [f"--python-repos-indexes=+['{index.url}']"],
    )
    with pytest.raises(ExecutionError) as caught:
        request(runner, native=False)
    error = told(caught.value)
    assert f"{PREFIX}native 1.0" in error
    assert 'remove `dynamic_loading="never"`' in error


@pytest.mark.parametrize(
    ("kind", "project", "parts"),
    [
        ("pex", "glibc", ["glibc 1.0", f'target_triple="{GNU}"` and `glibc_floor="2.28"']),
        ("none", "rust", ["rust 1.0", "maturin", "Rust is not compiled"]),
        ("requirements", "absent", [f"{PREFIX}absent: the lock file `app/lock.txt`"]),
        ("none", "absent", [f"{PREFIX}absent: no file of it"]),
    ],
)
def test_what_cannot_be_had(index: Index, kind: str, project: str, parts: List[str]) -> None:
    lock = LOCKS[kind](index)
    with pytest.raises(ExecutionError) as caught:
        resolve(index, [project], lock)
    error = told(caught.value)
    for part in ("app:bin", "To fix, ", *parts):
        assert part in error
    assert "Traceback" not in error


def test_another_file_than_the_lock_file_has(index: Index) -> None:
    lock = re.sub(r"sha256:[0-9a-f]{64}", "sha256:" + "0" * 64, requirements_lock(index))
    with pytest.raises(ExecutionError) as caught:
        resolve(index, ["leaf"], lock)
    error = told(caught.value)
    filename = "oxidize_test_leaf-1.0-cp313-none-any.whl"
    for part in (f"wrong hash of `{filename}`", index.hashes[filename], "0" * 64, "app/lock.txt"):
        assert part in error


def test_a_file_that_changed_after_the_lock_file_was_written(index: Index) -> None:
    lock = pex_lock(index)
    (index.folder / "oxidize_test_leaf-1.0-cp313-none-any.whl").write_bytes(b"another")
    with pytest.raises(ExecutionError, match="sha256 differs"):
        resolve(index, ["leaf"], lock)


# Real packages, as their projects released them: psutil 7.1.3 has no wheel for musl, numpy 2.3.4
# none for a glibc older than 2.27.
REAL = {
    "cffi": "2.0.0",
    "cryptography": "46.0.3",
    "msgpack": "1.1.2",
    "numpy": "2.3.4",
    "psutil": "7.1.3",
    "pycparser": "2.23",
    "PyYAML": "6.0.3",
}


@pytest.mark.parametrize(
    ("triple", "floor", "expected", "sdists"),
    [
        (
            MUSL,
            None,
            {
                "cffi": "cp313-cp313-musllinux_1_2_x86_64",
                "cryptography": "cp311-abi3-musllinux_1_2_x86_64",
                "msgpack": "cp313-cp313-musllinux_1_2_x86_64",
                "numpy": "cp313-cp313-musllinux_1_2_x86_64",
                "pycparser": "py3-none-any",
                "pyyaml": "cp313-cp313-musllinux_1_2_x86_64",
            },
            {"psutil": ("7.1.3", "glibc")},
        ),
        (
            GNU,
            "2.17",
            {
                "cffi": "cp313-cp313-manylinux2014_x86_64.manylinux_2_17_x86_64",
                "cryptography": "cp311-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64",
                "msgpack": "cp313-cp313-manylinux2014_x86_64.manylinux_2_17_x86_64"
                ".manylinux_2_28_x86_64",
                "psutil": "cp36-abi3-manylinux2010_x86_64.manylinux_2_12_x86_64"
                ".manylinux_2_28_x86_64",
                "pycparser": "py3-none-any",
                "pyyaml": "cp313-cp313-manylinux2014_x86_64.manylinux_2_17_x86_64"
                ".manylinux_2_28_x86_64",
            },
            {"numpy": ("2.3.4", 'glibc_floor="2.27"')},
        ),
        (
            GNU,
            "2.28",
            {
                "cffi": "cp313-cp313-manylinux2014_x86_64.manylinux_2_17_x86_64",
                "cryptography": "cp311-abi3-manylinux_2_28_x86_64",
                "msgpack": "cp313-cp313-manylinux2014_x86_64.manylinux_2_17_x86_64"
                ".manylinux_2_28_x86_64",
                "numpy": "cp313-cp313-manylinux_2_27_x86_64.manylinux_2_28_x86_64",
                "psutil": "cp36-abi3-manylinux2010_x86_64.manylinux_2_12_x86_64"
                ".manylinux_2_28_x86_64",
                "pycparser": "py3-none-any",
                "pyyaml": "cp313-cp313-manylinux2014_x86_64.manylinux_2_17_x86_64"
                ".manylinux_2_28_x86_64",
            },
            {},
        ),
    ],
)
def test_real_packages(
    triple: str,
    floor: Optional[str],
    expected: Dict[str, str],
    sdists: Dict[str, Tuple[str, str]],
) -> None:
    runner = make_runner([f"{name}=={version}" for name, version in REAL.items()], None)
    found = request(runner, triple, floor)
    tags = {
        wheel.filename.split("-")[0].lower(): wheel.filename[: -len(".whl")].split("-", 2)[2]
        for wheel in found.wheels
    }
    assert tags == expected
    assert {sdist.project: sdist.version for sdist in found.sdists} == {
        project: version for project, (version, _) in sdists.items()
    }
    for sdist in found.sdists:
        assert sdists[sdist.project][1] in " ".join(sdist.ways)
    for wheel in found.wheels:
        (file,) = runner.request(DigestContents, [wheel.digest])
        assert zipfile.is_zipfile(io.BytesIO(file.content))
