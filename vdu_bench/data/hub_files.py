"""The parquet files of a data set on the Hugging Face hub, or of a copy of it on disk."""

from __future__ import annotations

import importlib.util
import re
from abc import ABC
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any

from pydantic import Field

from vdu_bench.data.source import DataSource
from vdu_bench.errors import NotFetched, UserError, did_you_mean, flat
from vdu_bench.extras import install
from vdu_bench.fetching import hub_file, may_fetch, not_fetched
from vdu_bench.files import what_it_is

TRAIN = ("train",)
HELD_OUT = ("test", "valid", "val")
"""How the parts of a data set are called, in order of preference; ``valid`` stands for ``validation`` as well."""


NUMBERED = re.compile(r"-(\d{5})-of-(\d{5})(?:-[0-9a-f]+)?$")
"""How the files of one part are numbered."""


class HubFiles(DataSource, ABC):
    """Where the files are. With a data folder they are looked for in its folder ``id`` (or `folder`).

    A file belongs to the part by which it, or a folder it is in, begins: ``train-00000-of-00001.parquet``,
    ``test/0000.parquet``; and to the configuration that the folder above is called.
    """

    id: str = Field(pattern=r"^\w[\w.-]*/\w[\w.-]*$", description="the data set on the hub, such as ylecun/mnist")
    revision: str | None = Field(None, description="commit, tag or branch; the main branch if not given")
    folder: str | None = Field(None, description="its folder below the data folder; the id if not given")
    config: str | None = Field(None, description="which of several configurations: the folder above its parts")

    def local(self, data_dir: Path) -> Path:
        """The folder of a copy on disk; the data folder itself, where that is called like the data set."""
        own = data_dir / (self.folder or self.id)
        name = PurePath(self.id).name
        return data_dir if self.folder is None and not own.is_dir() and data_dir.name == name else own

    def snapshot(self) -> Path:
        """The folder with all files (of the configuration that is named), fetched from the hub.

        Raises UserError where they cannot be had.
        """
        from huggingface_hub import snapshot_download

        with self._asking_the_hub():
            return Path(
                snapshot_download(
                    self.id,
                    repo_type="dataset",
                    revision=self.revision,
                    allow_patterns="*.parquet" if self.config is None else f"{self.config}/*.parquet",
                    local_files_only=not may_fetch(),
                )
            )

    def names(self) -> list[PurePath]:
        """The files on the hub; without a network, those that were fetched before. Raises UserError for neither."""
        from huggingface_hub import HfApi

        with self._asking_the_hub():
            try:
                if not may_fetch():
                    raise not_fetched(self.id)
                found = HfApi().list_repo_files(self.id, repo_type="dataset", revision=self.revision)
            except Exception:  # as below; unlike a file and a snapshot, a listing is not cached
                if not (known := self._fetched()):
                    raise
                return known
        return [PurePath(name) for name in found if name.endswith(".parquet")]

    def fetch(self, name: PurePath) -> Path:
        """One file, from the hub or as it was fetched before. Raises UserError where it cannot be had."""
        with self._asking_the_hub():
            return hub_file(self.id, name.as_posix(), repo_type="dataset", revision=self.revision)

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
        except NotFetched:
            raise
        except Exception as error:  # of half a dozen unrelated kinds, and the mend is the same for all
            if not may_fetch():
                raise not_fetched(self.id) from error
            reason = flat(error)
            raise UserError(
                f"{self.id} cannot be had from the Hugging Face hub ({reason}); a copy on disk is found by --data-dir"
            ) from error


def require_datasets(name: str) -> None:
    """Raises UserError, which says how to install it, where `datasets` is not there to read the data set `name`."""
    if importlib.util.find_spec("datasets") is None:
        raise UserError(f"{name} is read by the package datasets: {install('hub')}")


def parquet_names(root: Path) -> list[PurePath]:
    """The parquet files below a folder, as seen from it."""
    return [file.relative_to(root) for file in root.rglob("*.parquet")]


def of_part(
    names: Iterable[PurePath], part: Sequence[str], where: object, config: str | None = None, whole: bool = True
) -> list[PurePath]:
    """Those of the first name for a part that has any, sorted.

    Args:
        names: all that there are.
        part: its names, in order of preference.
        where: what has them, for messages.
        config: the configuration that is wanted; None where there must be one alone.
        whole: whether all files that their names promise have to be there.

    Raises:
        UserError: there is none, there are several configurations, or a file comes twice or is missing.
    """
    found: dict[str, dict[str, list[PurePath]]] = {}
    for name in sorted(names):
        if (place := _part_of(name)) is not None:
            found.setdefault(place[1], {}).setdefault(place[0], []).append(name)
    for prefix in part:
        configs = found.get(prefix, {})
        if config is None and len(configs) > 1:
            listed = " and ".join(sorted(name or "none" for name in configs))
            raise UserError(f"{where} has several configurations of its data, {listed}: name one by data.config")
        chosen = configs.get(config, []) if config is not None else next(iter(configs.values()), [])
        if chosen:
            chosen = _one_set(chosen, prefix, where)
            _check_numbers(chosen, where, whole)
            return chosen
    known = sorted({name for configs in found.values() for name in configs})
    if config is not None and config not in known:
        raise UserError(f"{where} has no configuration {config!r}{did_you_mean(config, known)}")
    raise UserError(f"{where} has no parquet file of the part {part[0]!r}, such as {part[0]}-00000-of-00001.parquet")


def _part_of(name: PurePath) -> tuple[str, str] | None:
    """The configuration, which is the folder above, and the part that a file is of; None for neither.

    The last word of its path that begins like a part decides: of ``train_set/test-00000.parquet`` that is the test.
    """
    for place in range(len(name.parts) - 1, -1, -1):
        for prefix in (*TRAIN, *HELD_OUT):
            if name.parts[place].startswith(prefix):
                return "/".join(name.parts[:place]), prefix
    return None


def _one_set(names: list[PurePath], prefix: str, where: object) -> list[PurePath]:
    """Of ``train-...`` and ``train_small-...``, the first. Raises UserError where none is called as the part is."""
    sets: dict[str, list[PurePath]] = {}
    for name in names:
        if name.stem.startswith(prefix) and (found := NUMBERED.search(name.stem)) is not None:
            sets.setdefault(name.stem[: found.start()], []).append(name)
    if len(sets) < 2:
        return names
    own = [sets[stem] for stem in (prefix, f"{prefix}ation") if stem in sets]
    if not own:
        raise UserError(
            f"{where} has several sets of files of one part, {' and '.join(sorted(sets))}: keep one of them"
        )
    return own[0]


def _check_numbers(names: Sequence[PurePath], where: object, whole: bool) -> None:
    """Raise UserError where files called NAME-00000-of-00002 come twice, are of several countings, or are missing."""
    numbered = [(name, found) for name in names if (found := NUMBERED.search(name.stem)) is not None]
    totals: dict[str, int] = {}
    seen: dict[tuple[str, int], PurePath] = {}
    for name, found in numbered:
        stem = name.stem[: found.start()]
        number, total = int(found[1]), int(found[2])
        if (other := seen.setdefault((stem, number), name)) != name or totals.setdefault(stem, total) != total:
            raise UserError(
                f"{where} has {name.as_posix()} beside {other.as_posix()}: the same data in two countings of files; "
                "remove one of them"
            )
    for stem, total in totals.items() if whole else ():
        lacking = [number for number in range(total) if (stem, number) not in seen]
        if lacking:
            first = f"{stem}-{lacking[0]:05d}-of-{total:05d}"
            raise UserError(f"{where} lacks {len(lacking)} of the {total} files of its part, such as {first}")


def row_count(file: Path) -> int:
    """How many rows a parquet file has. Raises UserError where it is missing or damaged."""
    from pyarrow import ArrowException
    from pyarrow.parquet import read_metadata

    if other := what_it_is(file):
        raise UserError(f"{file} {other}")
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
