"""Labelled images from the Hugging Face hub, or from a local folder of the same parquet files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from vdu_bench.data.hub_files import (
    HELD_OUT,
    TRAIN,
    HubFiles,
    of_part,
    only_column,
    parquet_names,
    require_datasets,
    row_count,
)
from vdu_bench.errors import UserError, in_short
from vdu_bench.spec import PositiveInt

if TYPE_CHECKING:
    from vdu_bench.data.image_set import ImageSet
    from vdu_bench.data.splits import DataSplits


class HubDataset(HubFiles):
    """Images with class labels, as parquet files: a column of images and a column of labels.

    The images are of one size, or are brought to one by `size`. Where the files are, `HubFiles` says.
    """

    later: ClassVar[tuple[str, ...]] = ("size",)

    mode: Literal["L", "RGB"] = Field("RGB", description="L: one grey channel; RGB: three channels")
    pad_to: PositiveInt | None = Field(None, description="margins up to this height and width")
    size: PositiveInt | None = Field(
        None, description="height and width that the square in the middle is resized to; as they are if not given"
    )
    classes: tuple[str, ...] | None = Field(
        None, description="class names in the order of the labels; the data set's own if not given"
    )

    def roots(self, data_dir: Path | None) -> list[Path]:
        train, held_out = self._parts(data_dir)
        return [*train, *held_out]

    def load(self, data_dir: Path | None) -> DataSplits:
        """Raises UserError where `datasets` is not installed, and for files that are missing, damaged or different."""
        from vdu_bench.data.splits import DataSplits

        require_datasets(self.id)
        train, held_out = self._parts(data_dir)
        return DataSplits(self._read(train), self._read(held_out))

    def _parts(self, data_dir: Path | None) -> tuple[list[Path], list[Path]]:
        if data_dir is None:
            require_datasets(self.id)
        root = self.snapshot() if data_dir is None else self.local(data_dir)
        names = parquet_names(root)
        train, held_out = (
            [root / name for name in of_part(names, part, root, self.config)] for part in (TRAIN, HELD_OUT)
        )
        return train, held_out

    def _read(self, files: Sequence[Path]) -> ImageSet:
        import torch

        from vdu_bench.data.image_set import ImageSet
        from vdu_bench.data.padding import padded

        count = sum(row_count(file) for file in files)
        rows = _stream(files)
        image_column, label_column = (only_column(files[0], rows.features, kind) for kind in ("Image", "ClassLabel"))
        names = self.classes or tuple(rows.features[label_column].names)
        rows = _undecoded(rows, image_column)
        # Decoded into the place they stay in: a list of them would be the whole data set once more.
        pixels: Any = None
        labels = torch.empty(count, dtype=torch.int64)
        for position, row in enumerate(_whole(rows, self.id, files)):
            where = f"{self.id}: row {position} of {files[0].parent}"
            image = _pixels(_picture(row[image_column], where), self.mode, where, self.size)
            if pixels is None:
                pixels = np.empty((count, *image.shape), np.uint8)
                if self.pad_to is not None and max(image.shape[1:]) > self.pad_to:
                    size = f"{image.shape[1]} x {image.shape[2]}"
                    raise UserError(f"{where} has an image of {size} pixels, and pad_to is {self.pad_to}")
            if image.shape != pixels.shape[1:]:
                raise UserError(
                    f"{self.id}: image {position} of {files[0].parent} is of another size than the first: give one for "
                    "all by data.size"
                )
            if row[label_column] is None:
                raise UserError(f"{where} has no label")
            pixels[position] = image
            labels[position] = row[label_column]
        if pixels is None or int(labels.min()) < 0 or int(labels.max()) >= len(names):
            raise UserError(f"{self.id}: {files[0]} is empty, or has labels beyond its {len(names)} classes")
        return ImageSet.of_classes(padded(torch.from_numpy(pixels), self.pad_to), labels, names)


def _whole(rows: Any, name: str, files: Sequence[Path]) -> Iterator[dict[str, Any]]:
    """The rows. Raises UserError for the first that cannot be read."""
    position = 0
    reading = iter(rows)
    while True:
        try:
            row = next(reading)
        except StopIteration:
            return
        except Exception as error:  # whatever the libraries make of a damaged file
            raise UserError(f"{name}: row {position} of {files[0].parent} is damaged: {in_short(error)}") from error
        yield row
        position += 1


def _undecoded(rows: Any, column: str) -> Any:
    """The same rows with images as they lie in the file: `datasets` would open whatever path or address a row names."""
    from datasets import Image

    return rows.cast_column(column, Image(decode=False))


def _picture(stored: Any, where: str) -> Any:
    """The image of a row, turned as its camera was held. Raises UserError for one that is damaged or lies elsewhere."""
    from PIL import Image, ImageOps

    if stored is None or (stored["bytes"] is None and stored["path"] is None):
        return None
    if stored["bytes"] is None:
        raise UserError(
            f"{where} names a file in place of an image, and such files are not read: store the images themselves, or "
            "name their folder as a data source (image_folder)"
        )
    try:
        return ImageOps.exif_transpose(Image.open(BytesIO(stored["bytes"])))
    except Exception as error:  # whatever the library makes of a damaged image
        raise UserError(f"{where} is damaged: {in_short(error)}") from error


def _pixels(image: Any, mode: str, where: str, size: int | None) -> NDArray[np.uint8]:
    """uint8 ``[C, H, W]``, of `size` if it is given.

    Raises UserError for no image, and for one that is not of 8 bits a channel.
    """
    if image is None:
        raise UserError(f"{where} has no image")
    if image.mode.startswith(("I", "F")):
        raise UserError(f"{where} has an image of {image.mode}, more than 8 bits a channel, which would be cut off")
    image = image.convert(mode)
    if size is not None:
        from vdu_bench.data.squares import square

        image = square(image, size)
    found: NDArray[np.uint8] = np.atleast_3d(np.asarray(image)).transpose(2, 0, 1)
    return found


def _stream(files: Sequence[Path]) -> Any:
    from datasets import load_dataset

    # Streamed, since otherwise a second copy of all files is written to the library's cache.
    names = [str(file) for file in files]
    return load_dataset("parquet", data_files={"train": names}, split="train", streaming=True)
