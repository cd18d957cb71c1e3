"""For tests: small projects of their own that use the plugin as a team does, and a distribution."""

from __future__ import annotations

import functools
import os
import shutil
from pathlib import Path

from oxidize_rules.goals.testing_pants import REPOSITORY, package_distribution
from oxidize_rules.goals.testing_repository import Project, take_pants

MUSL = "x86_64-unknown-linux-musl"

_SETTINGS = """\
[GLOBAL]
pants_version = "2.17.1"
pythonpath = ["{repository}/src/python"]
backend_packages = ["pants.backend.python", "oxidize_rules"]

[anonymous-telemetry]
enabled = false

[source]
root_patterns = ["/app/*"]

[python]
interpreter_constraints = ["CPython==3.13.*"]
interpreter_versions_universe = ["3.9", "3.10", "3.11", "3.12", "3.13", "3.14"]
enable_resolves = true
default_resolve = "main"
resolves_generate_lockfiles = false

[python.resolves]
main = "main.lock"

[python-repos]
find_links = ["file://%(buildroot)s/wheels"]

[python-infer]
use_rust_parser = true

[python-bootstrap]
names = ["python", "python3", "python3.9"]

[oxidize.default_distributions]
{triple} = "//archives:good"
"""


@functools.cache
def distribution_archive() -> Path:
    """The repository's own distribution for musl; the first call on a machine builds it.

    The environment variable OXIDIZE_TEST_ARCHIVE names another one, to spare that while developing.
    """
    given = os.environ.get("OXIDIZE_TEST_ARCHIVE")
    if given:
        return Path(given)
    return package_distribution("musl")


def scratch_project(root: Path) -> Project:
    """A project with the plugin, the distribution `//archives:good` and an empty lock file.

    Each folder of `app/` is a source root.
    """
    project = Project(root)
    take_pants(project)
    settings = (REPOSITORY / "pants.toml").read_text()
    (pex,) = (part for part in settings.split("\n\n") if part.startswith("[pex-cli]"))
    project.write("pants.toml", _SETTINGS.format(repository=REPOSITORY, triple=MUSL) + f"\n{pex}\n")
    project.write("main.lock", "")
    (root / "wheels").mkdir()
    project.write(
        "archives/BUILD", 'python_distribution_archive(name="good", source="good.tar.zst")\n'
    )
    shutil.copyfile(distribution_archive(), root / "archives/good.tar.zst")
    return project
