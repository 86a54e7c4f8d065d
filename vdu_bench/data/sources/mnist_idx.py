"""MNIST and Fashion-MNIST from their four idx files, plain or gzipped."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from vdu_bench.bounded import gunzip
from vdu_bench.data.source import DataSource, Download, OfficialSource
from vdu_bench.errors import UserError
from vdu_bench.spec import PositiveInt

if TYPE_CHECKING:
    from vdu_bench.data.image_set import ImageSet
    from vdu_bench.data.splits import DataSplits

PARTS = ("train", "t10k")
SPELLINGS = ("{part}-{kind}-idx{rank}-ubyte", "{part}-{kind}.idx{rank}-ubyte")
"""The original names, and those that some archives give the same files; each may end in ``.gz``."""
IMAGES, LABELS = ("images", 3), ("labels", 1)
UNSIGNED_BYTE = 8
GZIP = b"\x1f\x8b"
MOST = 1 << 31
"""So many bytes a file unpacks to at most; the largest of this format that is known has a quarter of that."""


OTHERS = ("fashion", "kmnist", "kuzushiji", "emnist", "qmnist", "notmnist")
"""What folders of other sets in the same format are called."""


class Mnist(OfficialSource):
    """60,000 handwritten digits to learn from and 10,000 held out; grey, ``[N, 1, 28, 28]`` with margins to `pad_to`.

    Source: LeCun, Cortes & Burges, "The MNIST database of handwritten digits".
    """

    folder: str = "mnist"
    pad_to: PositiveInt = 32
    classes: ClassVar[tuple[str, ...]] = tuple("0123456789")
    marks: ClassVar[tuple[str, ...]] = ("train-images*", "train-labels*", "t10k-images*", "t10k-labels*")
    elsewhere: ClassVar[tuple[str, ...]] = ("MNIST/raw", "mnist/raw", "MNIST", "raw")
    download: ClassVar[Download] = Download(
        name="MNIST",
        what="train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, "
        "each plain or as .gz",
        size="12 MB",
        address="https://storage.googleapis.com/cvdf-datasets/mnist/",
        licence="CC BY-SA 3.0 as Keras states it, MIT on the hub",
        hub="ylecun/mnist",
    )

    def accepts(self, folder: Path) -> bool:
        """Whether its path names no other set: several have files of the same names."""
        words = "/".join(folder.absolute().parts[-3:]).lower()
        return not any(other in words for other in OTHERS)

    def needed(self, folder: Path) -> list[Path]:
        return [self._file(folder, part, *kind) for part in PARTS for kind in (IMAGES, LABELS)]

    def read(self, folder: Path) -> DataSplits:
        """Raises UserError, naming the file, where one is cut short, of another format, or does not fit its pair."""
        from vdu_bench.data.splits import DataSplits

        train, held_out = (self._part(folder, part) for part in PARTS)
        return DataSplits(train, held_out)

    def on_hub(self) -> DataSource:
        from vdu_bench.data.sources.hub import HubDataset

        return HubDataset(id=self.download.hub, mode="L", pad_to=self.pad_to, classes=self.classes)

    def _file(self, folder: Path, part: str, kind: str, rank: int) -> Path:
        names = [spelling.format(part=part, kind=kind, rank=rank) for spelling in SPELLINGS]
        candidates = [folder / f"{name}{ending}" for ending in ("", ".gz") for name in names]
        for file in candidates:
            if file.is_file():
                return file
        raise self.missing(candidates[0])

    def _part(self, folder: Path, part: str) -> ImageSet:
        import torch

        from vdu_bench.data.image_set import ImageSet
        from vdu_bench.data.padding import padded

        image_file, label_file = (self._file(folder, part, *kind) for kind in (IMAGES, LABELS))
        images, labels = read_idx(image_file, IMAGES[1]), read_idx(label_file, LABELS[1])
        if len(images) != len(labels):
            raise UserError(f"{image_file} has {len(images)} images, and {label_file} has {len(labels)} labels")
        if len(labels) == 0 or int(labels.max()) >= len(self.classes):
            raise UserError(f"{label_file} has labels that are none of 0..{len(self.classes) - 1}, or has none at all")
        if max(images.shape[1:]) > self.pad_to:
            raise UserError(f"{image_file} has images of {images.shape[1]} x {images.shape[2]}, above {self.pad_to}")
        pixels = padded(torch.from_numpy(images)[:, None], self.pad_to)
        return ImageSet.of_classes(pixels, torch.from_numpy(labels), self.classes)


class FashionMnist(Mnist):
    """60,000 pictures of clothes to learn from and 10,000 held out, in MNIST's format.

    Source: Xiao, Rasul & Vollgraf 2017, "Fashion-MNIST: a novel image dataset for benchmarking machine learning
    algorithms". Debian's package dataset-fashion-mnist has the same four files.
    """

    folder: str = "fashion_mnist"
    elsewhere: ClassVar[tuple[str, ...]] = (
        *("FashionMNIST/raw", "fashion_mnist/raw", "FashionMNIST", "fashion-mnist", "raw"),
    )
    classes: ClassVar[tuple[str, ...]] = (
        "t-shirt/top",
        "trouser",
        "pullover",
        "dress",
        "coat",
        "sandal",
        "shirt",
        "sneaker",
        "bag",
        "ankle boot",
    )

    def accepts(self, folder: Path) -> bool:
        return "fashion" in "/".join(folder.absolute().parts[-3:]).lower()

    download: ClassVar[Download] = Download(
        name="Fashion-MNIST",
        what=Mnist.download.what,
        size="31 MB",
        address="https://github.com/zalandoresearch/fashion-mnist (Debian: dataset-fashion-mnist)",
        licence="MIT",
        hub="zalando-datasets/fashion_mnist",
    )


def read_idx(file: Path, rank: int) -> NDArray[np.uint8]:
    """The array of an idx file of unsigned bytes, plain or gzipped (told by its content, not by its name).

    The format: two zero bytes, the type, the number of dimensions; each dimension as a big-endian 32-bit number; then
    the values in row-major order (LeCun, "The MNIST database", section "file formats").

    Args:
        file: the file.
        rank: how many dimensions are expected.

    Raises:
        UserError: naming the file: it cannot be read, is of another format, or is shorter or longer than it says.
    """
    try:
        content = file.read_bytes()
        if content.startswith(GZIP):
            content = gunzip(content, MOST)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{file} cannot be read; is it cut short? ({error})") from error
    head = 4 + 4 * rank
    magic = bytes([0, 0, UNSIGNED_BYTE, rank])
    if content[:4] != magic:
        raise UserError(f"{file} is not the idx file it is named for: it starts {content[:4].hex()}, not {magic.hex()}")
    shape = tuple(int.from_bytes(content[4 * i + 4 : 4 * i + 8], "big") for i in range(rank))
    expected = head + int(np.prod(shape, dtype=object))
    if len(content) != expected:
        raise UserError(f"{file} is damaged: {len(content)} bytes where its head promises {expected}")
    # A copy, since torch wants an array that can be written to.
    return np.frombuffer(content, np.uint8, offset=head).reshape(shape).copy()
