"""What files of projects say of themselves: their hashes, and what they require.

Both may have to be asked of an index, so each is asked once, and requirements ahead in threads.
"""

from __future__ import annotations

import tempfile
from concurrent.futures import Executor, Future
from typing import Callable, Dict, Optional, Tuple

from oxidize_rules.sandbox.errors import UserError
from oxidize_rules.sandbox.fetch import without_password as shown
from oxidize_rules.sandbox.wheels.index_page import ProjectFile
from oxidize_rules.sandbox.wheels.sdist_metadata import SdistFacts, read_sdist
from oxidize_rules.sandbox.wheels.wheel_index import Places


class MetadataReader:
    def __init__(self, places: Places, pool: Executor) -> None:
        self._places = places
        self._pool = pool
        self._hashes: Dict[ProjectFile, Future[str]] = {}
        self._facts: Dict[ProjectFile, Future[SdistFacts]] = {}

    def cancel(self) -> None:
        """What has not begun is not done any more."""
        for future in self._facts.values():
            future.cancel()

    def hash_of(self, file: ProjectFile) -> str:
        """Its sha256, for which it is downloaded where the index does not say."""
        if file.sha256 is not None:
            return file.sha256
        if file not in self._hashes:
            self._hashes[file] = _done(lambda: self._hash(file))
        return self._hashes[file].result()

    def _hash(self, file: ProjectFile) -> str:
        with tempfile.TemporaryFile(dir=".") as target:
            return self._places.download(file, target)

    def requires(self, file: ProjectFile) -> Tuple[str, ...]:
        """Requirements of a wheel or of a source archive."""
        return self.look_ahead(file).result().requires

    def rust(self, file: ProjectFile) -> Optional[str]:
        """How a source archive shows that it is Rust, or None."""
        return self.look_ahead(file).result().rust

    def look_ahead(self, file: ProjectFile) -> Future[SdistFacts]:
        if file not in self._facts:
            self._facts[file] = self._pool.submit(self._read, file)
        return self._facts[file]

    def _read(self, file: ProjectFile) -> SdistFacts:
        if file.filename.endswith(".whl"):
            metadata = self._places.metadata(file)
            requires = metadata.get_all("Requires-Dist") or ()
            return SdistFacts(tuple(str(text) for text in requires), None)
        with tempfile.NamedTemporaryFile(dir=".") as target:
            found = self._places.download(file, target)  # type: ignore[arg-type]
            target.flush()
            if file.sha256 is not None and file.sha256 != found:
                raise UserError(
                    f"wrong hash of `{file.filename}` at {shown(file.url)}: found sha256 {found}, "
                    f"expected {file.sha256}. To fix, find out which is right; if the index is, "
                    "write the lock file anew."
                )
            try:
                return read_sdist(target.name)
            except ValueError as error:
                raise UserError(
                    f"`{file.filename}` at {shown(file.url)} is no usable source archive: {error}. "
                    "To fix, lock another version."
                ) from None


def _done(work: Callable[[], str]) -> Future[str]:
    """A future that is worked out here: threads of the pool may not wait for each other."""
    future: Future[str] = Future()
    try:
        future.set_result(work())
    except UserError as error:
        future.set_exception(error)
    return future
