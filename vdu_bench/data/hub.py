"""Labelled images from the Hugging Face hub, or from a local folder of the same parquet files."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from vdu_bench.data.source import DataSource
from vdu_bench.errors import UserError
from vdu_bench.models.specs import PositiveInt

if TYPE_CHECKING:
    from vdu_bench.data.image_set import DataSplits, ImageSet

TRAIN = ("train",)
HELD_OUT = ("test", "valid", "val")
"""How the parts of a data set are called, in order of preference; ``valid`` stands for ``validation`` as well."""


class HubDataset(DataSource):
    """A data set with one column of images, all of one size, and one column of class labels, as parquet files.

    A file belongs to the part by which it, or a folder it is in, begins: ``train-00000-of-00001.parquet``,
    ``test/0000.parquet``. With a data folder the files are looked for in its folder ``id`` (or `folder`), and nothing
    is fetched.
    """

    id: str = Field(pattern=r"^\w[\w.-]*/\w[\w.-]*$", description="the data set on the hub, such as ylecun/mnist")
    revision: str | None = Field(None, description="commit, tag or branch; the main branch if not given")
    folder: str | None = Field(None, description="its folder below the data folder; the id if not given")
    mode: Literal["L", "RGB"] = Field("RGB", description="L: one grey channel; RGB: three channels")
    pad_to: PositiveInt | None = Field(None, description="margins up to this height and width")
    classes: tuple[str, ...] | None = Field(
        None, description="class names in the order of the labels; the data set's own if not given"
    )

    def roots(self, data_dir: Path | None) -> list[Path]:
        root = self._snapshot() if data_dir is None else data_dir / (self.folder or self.id)
        return [*_files(root, TRAIN), *_files(root, HELD_OUT)]

    def load(self, data_dir: Path | None) -> DataSplits:
        """Raises UserError where `datasets` is not installed, and for files that are missing, damaged or different."""
        from vdu_bench.data.image_set import DataSplits

        _require_datasets(self.id)
        root = self._snapshot() if data_dir is None else data_dir / (self.folder or self.id)
        return DataSplits(self._read(_files(root, TRAIN)), self._read(_files(root, HELD_OUT)))

    def _snapshot(self) -> Path:
        _require_datasets(self.id)
        from huggingface_hub import snapshot_download

        try:
            folder = snapshot_download(self.id, repo_type="dataset", revision=self.revision, allow_patterns="*.parquet")
        except Exception as error:  # of half a dozen unrelated kinds, and the mend is the same for all
            reason = " ".join(str(error).split())
            raise UserError(
                f"{self.id} cannot be had from the Hugging Face hub ({reason}); a copy on disk is found by --data-dir"
            ) from error
        return Path(folder)

    def _read(self, files: Sequence[Path]) -> ImageSet:
        import torch

        from vdu_bench.data.image_set import ImageSet
        from vdu_bench.data.padding import padded

        count = sum(_rows(file) for file in files)
        rows = _stream(files)
        image_column, label_column = (_column(files[0], rows.features, kind) for kind in ("Image", "ClassLabel"))
        names = self.classes or tuple(rows.features[label_column].names)
        # Decoded into the place they stay in: a list of them would be the whole data set once more.
        pixels: Any = None
        labels = torch.empty(count, dtype=torch.int64)
        for position, row in enumerate(rows):
            image = np.atleast_3d(np.asarray(row[image_column].convert(self.mode))).transpose(2, 0, 1)
            if pixels is None:
                pixels = np.empty((count, *image.shape), np.uint8)
            if image.shape != pixels.shape[1:]:
                raise UserError(f"{self.id}: image {position} of {files[0].parent} is of another size than the first")
            pixels[position] = image
            labels[position] = row[label_column]
        if pixels is None or int(labels.min()) < 0 or int(labels.max()) >= len(names):
            raise UserError(f"{self.id}: {files[0]} is empty, or has labels beyond its {len(names)} classes")
        return ImageSet.of_classes(padded(torch.from_numpy(pixels), self.pad_to), labels, names)


def _require_datasets(name: str) -> None:
    if importlib.util.find_spec("datasets") is None:
        raise UserError(f"{name} is read by the package datasets: pip install 'vdu-bench[hub]'")


def _files(root: Path, parts: Sequence[str]) -> list[Path]:
    files = sorted(root.rglob("*.parquet"))
    for part in parts:
        found = [file for file in files if any(word.startswith(part) for word in file.relative_to(root).parts)]
        if found:
            return found
    raise UserError(f"{root} has no parquet file of the part {parts[0]!r}, such as {parts[0]}-00000-of-00001.parquet")


def _rows(file: Path) -> int:
    from pyarrow import ArrowException
    from pyarrow.parquet import read_metadata

    try:
        return int(read_metadata(file).num_rows)
    except (ArrowException, OSError) as error:
        raise UserError(f"{file} is missing or damaged: {' '.join(str(error).split())}") from error


def _stream(files: Sequence[Path]) -> Any:
    from datasets import load_dataset

    # Streamed, since otherwise a second copy of all files is written to the library's cache.
    names = [str(file) for file in files]
    return load_dataset("parquet", data_files={"train": names}, split="train", streaming=True)


def _column(file: Path, features: Any, kind: str) -> str:
    found = [name for name, feature in features.items() if type(feature).__name__ == kind]
    if len(found) != 1:
        raise UserError(f"{file} must have one column of the kind {kind}, and has {len(found)}")
    return found[0]
