"""tinyImageNet from the folder that its archive unpacks to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from vdu_bench.data.source import DataSource, Download, OfficialSource
from vdu_bench.errors import UserError

if TYPE_CHECKING:
    from vdu_bench.data.image_set import ImageSet
    from vdu_bench.data.splits import DataSplits

SIDE = 64
ANNOTATIONS = "val/val_annotations.txt"


class TinyImageNet(OfficialSource):
    """100,000 images of 200 classes to learn from, and 10,000 (the validation part) held out; ``[N, 3, 64, 64]``.

    Classes are named by their WordNet ids, as in the files and on the hub; `DataSplits.titles` has the words for them.
    The few grey images become three equal channels. Source: Le & Yang 2015, "Tiny ImageNet visual recognition
    challenge", from ImageNet. Decoders of JPEG may differ in the last bit, and then so do digests.
    """

    folder: str = "tiny-imagenet-200"
    only: tuple[str, ...] | None = Field(None, min_length=2, description="ids of the classes to keep; all if not given")
    download: ClassVar[Download] = Download(
        name="tinyImageNet",
        what="tiny-imagenet-200.zip, unpacked",
        size="248 MB",
        address="http://cs231n.stanford.edu/tiny-imagenet-200.zip",
        licence="ImageNet's terms: research and education, not commercial",
        hub="zh-plus/tiny-imagenet",
    )

    def needed(self, folder: Path) -> list[Path]:
        parts = [folder / "train", folder / "val", folder / "words.txt"]
        for part in (*parts, folder / ANNOTATIONS):
            if not part.exists():
                raise self.missing(part)
        return parts

    def read(self, folder: Path) -> DataSplits:
        """Raises UserError, naming the file, where one is missing, damaged or not of 64 x 64 pixels."""
        from vdu_bench.data.splits import DataSplits

        names = _class_names(folder)
        train = [(file, name) for name in names for file in sorted((folder / "train" / name / "images").glob("*.JPEG"))]
        return DataSplits(_images(train, names), _images(_annotated(folder, names), names), _titles(folder, names))

    def load(self, data_dir: Path | None) -> DataSplits:
        splits = super().load(data_dir)
        return splits if self.only is None else splits.only(self.only)

    def on_hub(self) -> DataSource:
        from vdu_bench.data.sources.hub import HubDataset

        return HubDataset(id=self.download.hub)


def _class_names(folder: Path) -> list[str]:
    found = sorted(place.name for place in (folder / "train").iterdir() if place.is_dir())
    listing = folder / "wnids.txt"
    if listing.is_file() and (lacking := set(listing.read_text().split()) - set(found)):
        raise UserError(f"{folder / 'train'} lacks the class {sorted(lacking)[0]} of {listing}; unpack it again")
    return found


def _annotated(folder: Path, names: Sequence[str]) -> list[tuple[Path, str]]:
    file = folder / ANNOTATIONS
    known = set(names)
    found = []
    for number, line in enumerate(file.read_text().splitlines(), 1):
        words = line.split("\t")
        if len(words) < 2 or words[1] not in known:
            raise UserError(f"{file} is damaged: line {number} does not name an image and a class")
        found.append((folder / "val" / "images" / words[0], words[1]))
    return found


def _titles(folder: Path, names: Sequence[str]) -> dict[str, str]:
    words = (line.split("\t", 1) for line in (folder / "words.txt").read_text().splitlines())
    wanted = set(names)
    return {word[0]: word[1] for word in words if len(word) == 2 and word[0] in wanted}


def _images(labelled: Sequence[tuple[Path, str]], names: Sequence[str]) -> ImageSet:
    import torch

    from vdu_bench.data.image_set import ImageSet

    if not labelled:
        raise UserError("tiny_imagenet: there are no images in train/*/images or in val/images; unpack it again")
    # Decoded into the place they stay in: 100,000 images are 1.2 GB, and a list of them would be as much again.
    pixels = np.empty((len(labelled), 3, SIDE, SIDE), np.uint8)
    for target, (file, _) in zip(pixels, labelled, strict=True):
        _decode(file, target)
    position = {name: i for i, name in enumerate(names)}
    labels = torch.tensor([position[name] for _, name in labelled])
    return ImageSet.of_classes(torch.from_numpy(pixels), labels, names)


def _decode(file: Path, target: NDArray[np.uint8]) -> None:
    from PIL import Image

    try:
        with Image.open(file) as image:
            if image.size != (SIDE, SIDE):
                raise UserError(f"{file} has {image.width} x {image.height} pixels, not {SIDE} x {SIDE}")
            target[:] = np.asarray(image.convert("RGB")).transpose(2, 0, 1)
    except OSError as error:
        raise UserError(f"{file} is missing or damaged: {error}") from error
