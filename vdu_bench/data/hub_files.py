"""The parquet files of a data set on the Hugging Face hub, or of a copy of it on disk."""

from __future__ import annotations

import importlib.util
from abc import ABC
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any

from pydantic import Field

from vdu_bench.data.source import DataSource
from vdu_bench.errors import UserError, flat

TRAIN = ("train",)
HELD_OUT = ("test", "valid", "val")
"""How the parts of a data set are called, in order of preference; ``valid`` stands for ``validation`` as well."""


class HubFiles(DataSource, ABC):
    """Where the files are. With a data folder they are looked for in its folder ``id`` (or `folder`).

    A file belongs to the part by which it, or a folder it is in, begins: ``train-00000-of-00001.parquet``,
    ``test/0000.parquet``.
    """

    id: str = Field(pattern=r"^\w[\w.-]*/\w[\w.-]*$", description="the data set on the hub, such as ylecun/mnist")
    revision: str | None = Field(None, description="commit, tag or branch; the main branch if not given")
    folder: str | None = Field(None, description="its folder below the data folder; the id if not given")

    def local(self, data_dir: Path) -> Path:
        """The folder of a copy on disk."""
        return data_dir / (self.folder or self.id)

    def snapshot(self) -> Path:
        """The folder with all files, fetched from the hub. Raises UserError where they cannot be had."""
        from huggingface_hub import snapshot_download

        with self._asking_the_hub():
            return Path(
                snapshot_download(self.id, repo_type="dataset", revision=self.revision, allow_patterns="*.parquet")
            )

    def names(self) -> list[PurePath]:
        """The files on the hub; without a network, those that were fetched before. Raises UserError for neither."""
        from huggingface_hub import HfApi

        with self._asking_the_hub():
            try:
                found = HfApi().list_repo_files(self.id, repo_type="dataset", revision=self.revision)
            except Exception:  # as below; unlike a file and a snapshot, a listing is not cached
                if not (known := self._fetched()):
                    raise
                return known
        return [PurePath(name) for name in found if name.endswith(".parquet")]

    def fetch(self, name: PurePath) -> Path:
        """One file, from the hub or as it was fetched before. Raises UserError where it cannot be had."""
        from huggingface_hub import hf_hub_download

        with self._asking_the_hub():
            return Path(hf_hub_download(self.id, name.as_posix(), repo_type="dataset", revision=self.revision))

    def _fetched(self) -> list[PurePath]:
        from huggingface_hub import scan_cache_dir
        from huggingface_hub.errors import CacheNotFound

        try:
            repos = scan_cache_dir().repos
        except CacheNotFound:
            return []
        wanted = self.revision or "main"
        return [
            name
            for repo in repos
            if (repo.repo_type, repo.repo_id) == ("dataset", self.id)
            for revision in repo.revisions
            if wanted == revision.commit_hash or wanted in revision.refs
            for name in parquet_names(revision.snapshot_path)
        ]

    @contextmanager
    def _asking_the_hub(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # of half a dozen unrelated kinds, and the mend is the same for all
            reason = flat(error)
            raise UserError(
                f"{self.id} cannot be had from the Hugging Face hub ({reason}); a copy on disk is found by --data-dir"
            ) from error


def require_datasets(name: str) -> None:
    """Raises UserError, which says how to install it, where `datasets` is not there to read the data set `name`."""
    if importlib.util.find_spec("datasets") is None:
        raise UserError(f"{name} is read by the package datasets: pip install 'vdu-bench[hub]'")


def parquet_names(root: Path) -> list[PurePath]:
    """The parquet files below a folder, as seen from it."""
    return [file.relative_to(root) for file in root.rglob("*.parquet")]


def of_part(names: Iterable[PurePath], part: Sequence[str], where: object) -> list[PurePath]:
    """Those of the first name for a part that has any, sorted. Raises UserError, which says `where`, for none."""
    names = sorted(names)
    for prefix in part:
        found = [name for name in names if any(word.startswith(prefix) for word in name.parts)]
        if found:
            return found
    raise UserError(f"{where} has no parquet file of the part {part[0]!r}, such as {part[0]}-00000-of-00001.parquet")


def row_count(file: Path) -> int:
    """How many rows a parquet file has. Raises UserError where it is missing or damaged."""
    from pyarrow import ArrowException
    from pyarrow.parquet import read_metadata

    try:
        return int(read_metadata(file).num_rows)
    except (ArrowException, OSError) as error:
        raise UserError(f"{file} is missing or damaged: {flat(error)}") from error


def only_column(file: Path, features: Any, kind: str) -> str:
    """The one column of a kind, such as ``Image``. Raises UserError for none or several."""
    found = [name for name, feature in features.items() if type(feature).__name__ == kind]
    if len(found) != 1:
        raise UserError(f"{file} must have one column of the kind {kind}, and has {len(found)}")
    return found[0]
