"""A wheel as its facts are found in it: its files, what it is called, and texts that it has."""

from __future__ import annotations

from typing import Mapping, Optional

from packaging.utils import canonicalize_name

from oxidize_rules.sandbox.parts.core_metadata import requirements
from oxidize_rules.sandbox.parts.facts import Texts
from oxidize_rules.sandbox.parts.vendored_packages import Files
from oxidize_rules.sandbox.parts.wheel_texts import parse_metadata


class WheelContents:
    """files:     by their path in an installation
    dist_info: the metadata folder
    component: in the image, the wheel's or that which it is a file of
    id_name:   what its parts' ids have in place of the project's name
    linked:    of libraries that were linked into its modules, the versions that are known, by name
    texts:     collects those that its parts name
    """

    def __init__(
        self,
        files: Files,
        dist_info: str,
        component: str,
        id_name: Optional[str] = None,
        linked: Mapping[str, str] = {},
    ) -> None:
        self.files, self.dist_info, self.component = files, dist_info, component
        self.linked = linked
        self.metadata = parse_metadata(files[f"{dist_info}/METADATA"])
        self.name = str(self.metadata.get("Name") or dist_info.split("-")[0]).strip()
        self.project = str(canonicalize_name(self.name))
        self.id_name = id_name or self.project
        self.version = str(self.metadata.get("Version") or "").strip() or None
        self.purl = f"pkg:pypi/{self.project}" + (f"@{self.version}" if self.version else "")
        self.requirements = list(requirements(self.metadata))
        self.texts = Texts()
