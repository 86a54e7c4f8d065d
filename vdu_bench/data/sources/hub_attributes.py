"""Photographs with attributes from the Hugging Face hub, or from a local folder of the same parquet files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

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
from vdu_bench.data.subset import SEED, ImageCount, drawn
from vdu_bench.errors import UserError, did_you_mean, flat
from vdu_bench.seeds import derive_seed
from vdu_bench.spec import PositiveInt

if TYPE_CHECKING:
    from vdu_bench.data.image_set import ImageSet
    from vdu_bench.data.splits import DataSplits

OPTIONS = ("train_images", "held_out_images")


class HubAttributes(HubFiles):
    """Images with attributes, as parquet files: a column of images, and a column of truth values for each attribute.

    The images, in colour, are cropped to the square in their middle and resized: uint8 ``[N, 3, size, size]``. Of each
    part only as many files are fetched as have the images that are asked for, in an order drawn at random, and images
    are drawn from their rows. So where a data set is sorted by something, such as by person, a small subset has few of
    those; ``all`` has every one. A copy on disk, whole or of those files, gives the same images as the hub.

    Where the files are, `HubFiles` says.
    """

    attributes: tuple[str, ...] = Field(min_length=1, description="columns that are the concepts, in this order")
    size: PositiveInt = Field(description="height and width of the images in pixels")
    train_images: ImageCount = Field("all", description="how many of the training part")
    held_out_images: ImageCount = Field("all", description="how many of the held-out part")

    @field_validator("attributes")
    @classmethod
    def _each_once(cls, attributes: tuple[str, ...]) -> tuple[str, ...]:
        for name in attributes:
            if attributes.count(name) > 1:
                raise ValueError(f"{name!r} is named twice")
        return attributes

    def roots(self, data_dir: Path | None) -> list[Path]:
        return [file for files in self._parts(data_dir) for file in files]

    def load(self, data_dir: Path | None) -> DataSplits:
        """Raises UserError where `datasets` is not installed, and for files that are missing, damaged or different."""
        from vdu_bench.data.splits import DataSplits

        train, held_out = map(self._read, self._parts(data_dir), OPTIONS)
        return DataSplits(train, held_out)

    def _parts(self, data_dir: Path | None) -> list[list[Path]]:
        require_datasets(self.id)
        root = None if data_dir is None else self.local(data_dir)
        names = self.names() if root is None else parquet_names(root)
        parts = []
        for part, option in zip((TRAIN, HELD_OUT), OPTIONS, strict=True):
            found = {}
            rows, wanted = 0, getattr(self, option)
            # Sorted by a number of each file's own. So a copy that has the first few files alone, and no more than are
            # needed, gives these as well.
            own = of_part(names, part, root or self.id, self.config, whole=wanted == "all")
            for name in sorted(own, key=lambda name: derive_seed(SEED, name.name)):
                if wanted != "all" and rows >= wanted:
                    break
                found[name] = self.fetch(name) if root is None else root / name
                rows += row_count(found[name])
            parts.append([found[name] for name in sorted(found)])
        return parts

    def _read(self, files: Sequence[Path], option: str) -> ImageSet:
        import torch

        from vdu_bench.data.image_set import ImageSet
        from vdu_bench.data.squares import read_squares

        counts = [row_count(file) for file in files]
        chosen = drawn(getattr(self, option), sum(counts), option, files[0].parent)
        image = self._image_column(files)
        concepts = []
        for where, row in _rows(files, counts, chosen, self.attributes):
            if None in row.values():
                raise UserError(f"{where} has no value for an attribute")
            concepts.append([row[name] for name in self.attributes])
        pictures = ((where, _content(where, row[image])) for where, row in _rows(files, counts, chosen, [image]))
        pixels = read_squares(pictures, len(chosen), self.size, f"{self.id}: {option}")
        return ImageSet(pixels, torch.tensor(concepts, dtype=torch.bool), self.attributes)

    def _image_column(self, files: Sequence[Path]) -> str:
        from datasets import Features
        from pyarrow.parquet import read_schema

        found = set()
        for file in files:
            features = Features.from_arrow_schema(read_schema(file))
            found.add(only_column(file, features, "Image"))
            known = [name for name, feature in features.items() if getattr(feature, "dtype", None) == "bool"]
            for name in self.attributes:
                if name not in known:
                    raise UserError(f"{file} has no column of truth values {name!r}{did_you_mean(name, known)}")
        if len(found) > 1:
            raise UserError(f"{self.id}: the column of images is called {' or '.join(sorted(found))}, by the file")
        return found.pop()


def _rows(
    files: Sequence[Path], counts: Sequence[int], chosen: NDArray[np.int64], columns: Sequence[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The chosen rows of files laid end to end, and where each of them is; rows of no interest are not decoded."""
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    for file, own in zip(files, _by_piece(chosen, counts), strict=True):
        try:
            with ParquetFile(file) as parquet:
                sizes = [parquet.metadata.row_group(i).num_rows for i in range(parquet.num_row_groups)]
                start = 0
                for group, inside in enumerate(_by_piece(own, sizes)):
                    if len(inside):
                        rows = parquet.read_row_group(group, columns=list(columns)).take(inside).to_pylist()
                        yield from ((f"{file}, row {start + i}", row) for i, row in zip(inside, rows, strict=True))
                    start += sizes[group]
        except (ArrowException, OSError) as error:
            raise UserError(f"{file} is missing or damaged: {flat(error)}") from error


def _by_piece(positions: NDArray[np.int64], sizes: Sequence[int]) -> list[NDArray[np.int64]]:
    """Ascending positions in pieces laid end to end, as positions within each piece."""
    starts = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
    edges = np.searchsorted(positions, starts)
    return [positions[edges[i] : edges[i + 1]] - starts[i] for i in range(len(sizes))]


def _content(where: str, image: dict[str, Any] | None) -> BytesIO:
    if image is None or image["bytes"] is None:
        raise UserError(f"{where} has no image")
    return BytesIO(image["bytes"])
