"""CIFAR-10 from its binary version."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from vdu_bench.data.source import DataSource, Download, OfficialSource
from vdu_bench.errors import UserError

if TYPE_CHECKING:
    from vdu_bench.data.image_set import ImageSet
    from vdu_bench.data.splits import DataSplits

TRAIN = tuple(f"data_batch_{i}.bin" for i in range(1, 6))
HELD_OUT = ("test_batch.bin",)
SHAPE = (3, 32, 32)
ROW = 1 + 3 * 32 * 32
"""Bytes of an image: its label, then red, green and blue, each row by row."""
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
PICKLED = "cifar-10-batches-py"


class Cifar10(OfficialSource):
    """50,000 images to learn from and 10,000 held out; in colour, ``[N, 3, 32, 32]``.

    Source: Krizhevsky 2009, "Learning multiple layers of features from tiny images". Of the three versions it is
    published in, the one for Python is refused: it is made of pickles, and reading a pickle runs whatever its writer
    put into it.
    """

    folder: str = "cifar-10-batches-bin"
    marks: ClassVar[tuple[str, ...]] = ("data_batch_?.bin", "test_batch.bin")
    elsewhere: ClassVar[tuple[str, ...]] = ("cifar10", "cifar-10", "CIFAR10", "cifar10/cifar-10-batches-bin")
    download: ClassVar[Download] = Download(
        name="CIFAR-10",
        what="cifar-10-binary.tar.gz, unpacked (data_batch_1.bin to data_batch_5.bin, test_batch.bin)",
        size="162 MB",
        address="https://www.cs.toronto.edu/~kriz/cifar.html",
        licence="none stated; its page asks to cite the report",
        hub="uoft-cs/cifar10",
    )

    def needed(self, folder: Path) -> list[Path]:
        files = [folder / name for name in (*TRAIN, *HELD_OUT)]
        lacking = [file for file in files if not file.is_file()]
        if not lacking:
            return files
        for pickled in (folder / "data_batch_1", folder.parent / PICKLED, folder.parent / "data_batch_1"):
            if pickled.exists():
                raise UserError(
                    f"{pickled} is CIFAR-10's version for Python. It is made of pickles, which run whatever their "
                    f"writer put into them, and is not read. Get the binary version, cifar-10-binary.tar.gz "
                    f"({self.download.size}), from {self.download.address} and unpack it in {folder.parent}"
                )
        raise self.missing(lacking[0])

    def read(self, folder: Path) -> DataSplits:
        """Raises UserError, naming the file, where one is cut short or of another format."""
        from vdu_bench.data.splits import DataSplits

        train, held_out = (_read([folder / name for name in names]) for names in (TRAIN, HELD_OUT))
        return DataSplits(train, held_out)

    def on_hub(self) -> DataSource:
        from vdu_bench.data.sources.hub import HubDataset

        return HubDataset(id=self.download.hub, classes=CLASSES)


def _read(files: Sequence[Path]) -> ImageSet:
    import torch

    from vdu_bench.data.image_set import ImageSet

    counts = [_rows(file) for file in files]
    images, labels = np.empty((sum(counts), *SHAPE), np.uint8), np.empty(sum(counts), np.uint8)
    start = 0
    for file, count in zip(files, counts, strict=True):
        rows = np.fromfile(file, np.uint8).reshape(count, ROW)
        if int(rows[:, 0].max()) >= len(CLASSES):
            raise UserError(f"{file} is not CIFAR-10's binary format: it has labels that are none of 0..9")
        labels[start : start + count] = rows[:, 0]
        images[start : start + count] = rows[:, 1:].reshape(count, *SHAPE)
        start += count
    return ImageSet.of_classes(torch.from_numpy(images), torch.from_numpy(labels), CLASSES)


def _rows(file: Path) -> int:
    size = file.stat().st_size
    if size == 0 or size % ROW:
        raise UserError(f"{file} is damaged: {size} bytes are not a number of images of {ROW} bytes each")
    return size // ROW
