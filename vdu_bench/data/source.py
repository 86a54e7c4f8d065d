"""What a data set that lies outside the package has to be able to do. Nothing here imports torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from vdu_bench.errors import NotFetched, UserError
from vdu_bench.extras import install
from vdu_bench.spec import Spec

if TYPE_CHECKING:
    from vdu_bench.data.splits import DataSplits


@dataclass(frozen=True)
class Download:
    """What somebody who lacks a data set has to know.

    Attributes:
        name: of the data set.
        what: the files to get.
        size: of the download.
        address: where it is.
        licence: and who says so, where that is not plain.
        hub: the same data on the Hugging Face hub.
    """

    name: str
    what: str
    size: str
    address: str
    licence: str
    hub: str

    def in_words(self) -> str:
        """What, how big, from where, under which licence."""
        return f"{self.what} ({self.size}) from {self.address}, licence: {self.licence}"


class DataSource(Spec, ABC):
    """A data set on disk or on the Hugging Face hub; its fields are the options that a task file may set.

    A module with a source imports torch inside `load` and not before, so that a command whose cells are all done
    answers at once.
    """

    @abstractmethod
    def roots(self, data_dir: Path | None) -> list[Path]:
        """The files, and the folders with all that is in them, that decide what `load` gives.

        Args:
            data_dir: where data sets lie, each in a folder of its own; None where none was named.

        Raises:
            UserError: the data are not there.
        """

    @abstractmethod
    def load(self, data_dir: Path | None) -> DataSplits:
        """The images. Raises UserError where they are not there, or a file is damaged (it is named)."""


class OfficialSource(DataSource):
    """A data set in the format that its makers publish, below the data folder; from the hub where none was named."""

    folder: str = Field(description="the data set's folder below the data folder, or an absolute path")
    download: ClassVar[Download]
    marks: ClassVar[tuple[str, ...]] = ()
    """What lies in the set's folder, as glob patterns: it is known by them where it is called otherwise."""
    elsewhere: ClassVar[tuple[str, ...]] = ()
    """What other tools call the folder, below the data folder."""

    @abstractmethod
    def needed(self, folder: Path) -> list[Path]:
        """What has to be in `folder`, as `roots` gives it. Raises UserError where something is missing."""

    @abstractmethod
    def read(self, folder: Path) -> DataSplits:
        """The images of a folder that has all that is `needed`."""

    @abstractmethod
    def on_hub(self) -> DataSource:
        """The same data on the Hugging Face hub."""

    def roots(self, data_dir: Path | None) -> list[Path]:
        folder = self._place(data_dir)
        if folder is None:
            with self._naming_the_files():
                return self.on_hub().roots(None)
        return self.needed(folder)

    def load(self, data_dir: Path | None) -> DataSplits:
        folder = self._place(data_dir)
        if folder is None:
            with self._naming_the_files():
                return self.on_hub().load(None)
        self.needed(folder)
        return self.read(folder)

    def accepts(self, folder: Path) -> bool:  # noqa: ARG002
        """Whether a folder with such files may be taken for this set's, by how it is called."""
        return True

    def missing(self, lacking: Path) -> UserError:
        """The error that says what to get, from where, how big, under which licence, and where to put it."""
        folder = next((place for place in lacking.parents if place.is_dir()), lacking.parent)
        inside = folder.iterdir() if folder.is_dir() else ()
        there = sorted(file.name for file in inside if not file.name.startswith("."))
        listed = ", ".join([*there[:8], *["..."][: len(there) > 8]]) or "nothing"
        return UserError(
            f"{lacking} is not there ({folder} has {listed}). {self.download.name}: get {self.download.in_words()}; "
            f"put it into {lacking.parent}. Or {install('hub')}, and give no --data-dir (nor "
            f"VDU_BENCH_DATA): then it comes from {self.download.hub} on the Hugging Face hub"
        )

    def _place(self, data_dir: Path | None) -> Path | None:
        """The set's folder: where it is to be, or where its files are, as other tools and people lay them."""
        folder = Path(self.folder)
        if folder.is_absolute():
            return folder
        if data_dir is None:
            return None
        own = data_dir / folder
        places = [own]
        # A folder that a task names is meant.
        if self.folder == type(self).model_fields["folder"].default:
            places += [data_dir / name for name in self.elsewhere]
            # Last, the data folder itself: people name the set's own.
            places.append(data_dir)
        found = [sum(any(place.glob(mark)) for mark in self.marks) for place in places]
        best = max(found)
        chosen = places[found.index(best)] if best else own
        return chosen if chosen == own or self.accepts(chosen) else own

    @contextmanager
    def _naming_the_files(self) -> Iterator[None]:
        try:
            yield
        except NotFetched as gap:
            raise NotFetched(f"{gap}; {self.download.size}, licence: {self.download.licence}") from gap
        except UserError as error:
            raise UserError(
                f"{error}. Or get {self.download.in_words()}; put it into DIR/{self.folder} and give --data-dir DIR"
            ) from error
