"""Distributions through the real rules: fetched from a server of the test's own, or out of the
repository, unpacked, read and packaged. The archives are synthetic
(`sandbox/distribution/testing_archives.py`).
"""

from __future__ import annotations

import hashlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Dict, Iterator, List

import pytest
from pants.backend.shell.util_rules import shell_command
from pants.core import target_types as core_target_types
from pants.core.goals.package import BuiltPackage
from pants.core.util_rules import system_binaries
from pants.engine.addresses import Address
from pants.engine.fs import Digest, DigestContents, Snapshot
from pants.engine.internals.scheduler import ExecutionError
from pants.engine.target import InferredDependencies
from pants.testutil.rule_runner import QueryRule, RuleRunner

from oxidize_rules.distribution_targets import PythonDistributionArchiveTarget
from oxidize_rules.goals import package_distribution
from oxidize_rules.goals.package_distribution import PackageDistributionFieldSet
from oxidize_rules.sandbox.distribution import testing_archives as archives
from oxidize_rules.sandbox.distribution.testing_archives import GNU, MUSL, STDLIB, python_json
from oxidize_rules.util_rules.distribution import (
    DistributionArchiveFieldSet,
    InferArchiveSourceRequest,
    PythonDistribution,
    PythonDistributionRequest,
)
from oxidize_rules.util_rules.sandbox_program import OxidizeError
from oxidize_rules.util_rules.testing_distributions import declared, distribution_runner

WHOLE = archives.archive()
NEWER = python_json(target_triple=GNU, build_options="pgo+lto", crt_features=["glibc-dynamic"])
NEWER["build_info"]["object_file_format"] = "llvm-bitcode:%99.1.3"
KNOWN = python_json(target_triple=GNU, build_options="pgo+lto", version="7")
KNOWN["build_info"]["object_file_format"] = "llvm-bitcode:%22.1.3"
KNOWN["crt_features"] = ["glibc-dynamic", "glibc-max-symbol-version:2.17)"]

# What the server has, and `dists/` beside the BUILD file.
FILES = {
    "whole.tar.zst": WHOLE,
    "broken.tar.zst": WHOLE[: len(WHOLE) // 2],
    "escape.tar.zst": archives.archive(None, ("python/../../escape", b"")),
    "newer.tar.zst": archives.archive(NEWER),
    "known.tar.zst": archives.archive(KNOWN),
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        content = FILES.get(self.path.rsplit("/", 1)[-1].replace("cpython%2B", ""))
        self.send_response(200 if content else 404)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    instance = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=instance.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{instance.server_address[1]}"
    instance.shutdown()
    instance.server_close()


def downloaded(name: str, server: str, file: str, **changes: Any) -> str:
    fields: Dict[str, Any] = {
        "url": f"{server}/dl/cpython%2B{file}",
        "sha256": hashlib.sha256(FILES[file]).hexdigest(),
        "size": len(FILES[file]),
        **changes,
    }
    return declared(name, **fields)


@pytest.fixture(scope="module")
def runner(server: str) -> RuleRunner:
    runner = distribution_runner(
        QueryRule(PythonDistribution, [PythonDistributionRequest]),
        QueryRule(Snapshot, [Digest]),
        QueryRule(DigestContents, [Digest]),
        QueryRule(InferredDependencies, [InferArchiveSourceRequest]),
        QueryRule(BuiltPackage, [PackageDistributionFieldSet]),
        *package_distribution.rules(),
        *shell_command.rules(),
        *system_binaries.rules(),
        *core_target_types.rules(),
    )
    whole_hash = hashlib.sha256(WHOLE).hexdigest()
    targets: List[str] = [
        downloaded("pinned", server, "whole.tar.zst", target_triple=MUSL),
        downloaded("no-size", server, "whole.tar.zst", size=None),
        downloaded("wrong-hash", server, "whole.tar.zst", sha256="0" * 64),
        downloaded("wrong-size", server, "whole.tar.zst", size=5),
        downloaded("not-there", server, "whole.tar.zst", url=f"{server}/dl/none.tar.zst"),
        downloaded("broken", server, "broken.tar.zst"),
        downloaded("escape", server, "escape.tar.zst"),
        downloaded("newer", server, "newer.tar.zst"),
        downloaded("known", server, "known.tar.zst"),
        downloaded("other-triple", server, "whole.tar.zst", target_triple=GNU),
        declared("file", source="files/whole.tar.zst"),
        declared("file-pinned", source="files/whole.tar.zst", sha256=whole_hash, size=len(WHOLE)),
        declared("file-wrong-hash", source="files/whole.tar.zst", sha256="1" * 64),
        declared("file-wrong-size", source="files/whole.tar.zst", size=len(WHOLE) + 1),
        declared("named", source="files/whole.tar.zst", output_path="it/is.zst"),
        declared("missing", source="files/missing.tar.zst"),
        declared("stars", source="files/*.tar.zst"),
        declared("address", source=":archive"),
        declared("made", source=":copied"),
        declared("no-archive", source=":nothing"),
        declared("no-address", source=":unknown"),
        "file(name='archive', source='files/whole.tar.zst')\n",
        "target(name='nothing')\n",
        "shell_command(name='copied', command='cp files/whole.tar.zst made.tar.zst',"
        " tools=['cp'], execution_dependencies=[':archive'], output_files=['made.tar.zst'])\n",
    ]
    runner.write_files(
        {
            "dists/BUILD": "".join(targets),
            "dists/files/whole.tar.zst": WHOLE,
            "dists/files/BUILD": "",
        }
    )
    return runner


def load(runner: RuleRunner, name: str) -> PythonDistribution:
    address = Address("dists", target_name=name)
    return runner.request(PythonDistribution, [PythonDistributionRequest(address)])


@pytest.mark.parametrize("name", ["pinned", "no-size", "file", "file-pinned", "address", "made"])
def test_a_distribution(runner: RuleRunner, name: str) -> None:
    found = load(runner, name)
    assert found.address == f"dists:{name}"
    assert (found.target_triple, found.python_version) == (MUSL, "3.13.15")
    assert (found.machine, found.minor_version) == ("x86_64", "3.13")
    assert found.glibc_floor is None
    assert found.object_file_format == "elf"
    assert "build/Modules/config.o" not in found.core_objects
    assert archives.HACL in found.core_objects
    (ssl,) = (one for one in found.extensions if one.name == "_ssl")
    assert ssl.static_libraries == ("build/lib/libcrypto.a", "build/lib/libssl.a")
    assert ssl.licenses == ("Apache-2.0",)

    def files(digest: Digest) -> List[str]:
        return list(runner.request(Snapshot, [digest]).files)

    assert "install/bin/python3.13" in files(found.interpreter)
    assert f"{STDLIB}/os.py" in files(found.interpreter)
    assert f"{STDLIB}/test/__init__.py" not in files(found.stdlib)
    assert f"{STDLIB}/test/__init__.py" in files(found.tests)
    assert files(found.headers) == ["install/include/python3.13/Python.h"]
    assert {*found.core_objects, *ssl.objects, *ssl.static_libraries} <= {*files(found.objects)}
    assert "licenses/LICENSE.cpython.txt" in files(found.licenses)


def test_bitcode_that_the_toolchain_reads(runner: RuleRunner) -> None:
    found = load(runner, "known")
    assert (found.object_file_format, found.glibc_floor) == ("llvm-bitcode:22.1.3", "2.17")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("wrong-hash", r"sha256 differs: found [0-9a-f]{64}, expected 0{64}"),
        ("wrong-size", rf"size differs: found {len(WHOLE)} bytes, expected 5"),
        ("not-there", r"HTTP 404 Not Found"),
        ("broken", r"the archive is truncated: its zstd data ends in the middle"),
        ("escape", r"`python/\.\./\.\./escape` leads out of the archive; refused"),
        ("newer", r"bitcode of LLVM 99\.1\.3, found a toolchain with LLVM .*, expected LLVM 99"),
        ("other-triple", rf"`target_triple` is `{GNU}`, but the archive is for `{MUSL}`"),
        ("file-wrong-hash", r"the archive has the wrong hash: found sha256 .*, expected 1{64}"),
        ("file-wrong-size", rf"wrong size: found {len(WHOLE)} bytes, expected {len(WHOLE) + 1}"),
        ("missing", r"`files/missing.tar.zst`, but there is no file `dists/files/missing.tar.zst`"),
        ("stars", r"there is no file `dists/files/\*\.tar\.zst`"),
        ("no-archive", r"`:nothing`, a `target` target, but one that makes an archive is expected"),
    ],
)
def test_refusals(runner: RuleRunner, name: str, message: str) -> None:
    with pytest.raises(ExecutionError) as caught:
        load(runner, name)
    errors: Any = caught.value.wrapped_exceptions
    (error,) = errors
    assert isinstance(error, OxidizeError)
    text = " ".join(str(error).split())
    assert re.search(message, text), text
    assert f"dists:{name}" in text
    assert "Traceback" not in text


def test_no_such_address(runner: RuleRunner) -> None:
    with pytest.raises(ExecutionError, match=r"`source` field of dists:no-address"):
        load(runner, "no-address")


def test_another_kind_of_target(runner: RuleRunner) -> None:
    with pytest.raises(ExecutionError, match=r"dists:archive is a `file` target.*is expected"):
        load(runner, "archive")


def test_a_source_that_is_a_target_is_a_dependency(runner: RuleRunner) -> None:
    def dependencies(name: str) -> List[Address]:
        target = runner.get_target(Address("dists", target_name=name))
        assert isinstance(target, PythonDistributionArchiveTarget)
        field_set = DistributionArchiveFieldSet.create(target)
        request = InferArchiveSourceRequest(field_set)
        return list(runner.request(InferredDependencies, [request]).include)

    assert dependencies("address") == [Address("dists", target_name="archive")]
    assert dependencies("file") == []


def package(runner: RuleRunner, name: str) -> BuiltPackage:
    target = runner.get_target(Address("dists", target_name=name))
    return runner.request(BuiltPackage, [PackageDistributionFieldSet.create(target)])


@pytest.mark.parametrize("name", ["pinned", "file", "address", "made"])
def test_packaged_it_is_the_same_file(runner: RuleRunner, name: str) -> None:
    built = package(runner, name)
    (content,) = runner.request(DigestContents, [built.digest])
    assert content.content == WHOLE
    (artifact,) = built.artifacts
    assert artifact.relpath == content.path == f"dists/{name}.tar.zst"
    assert artifact.extra_log_lines == (f"  Python 3.13.15, {MUSL}",)


def test_packaged_under_another_name(runner: RuleRunner) -> None:
    assert [one.relpath for one in package(runner, "named").artifacts] == ["it/is.zst"]


@pytest.mark.parametrize("name", ["broken", "escape", "file-wrong-hash", "other-triple"])
def test_what_cannot_be_built_with_is_not_packaged(runner: RuleRunner, name: str) -> None:
    with pytest.raises(ExecutionError, match=f"dists:{name}"):
        package(runner, name)
