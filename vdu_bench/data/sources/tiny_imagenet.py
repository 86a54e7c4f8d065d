"""tinyImageNet from the folder that its archive unpacks to."""

from __future__ import annotations

from collections import Counter
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
CLASSES = 200
PER_CLASS = {"train": 500, "val": 50}
"""How many images each class of the whole set has."""


class TinyImageNet(OfficialSource):
    """100,000 images of 200 classes to learn from, and 10,000 (the validation part) held out; ``[N, 3, 64, 64]``.

    Classes are named by their WordNet ids, as in the files and on the hub; `DataSplits.titles` has the words for them.
    The few grey images become three equal channels. Source: Le & Yang 2015, "Tiny ImageNet visual recognition
    challenge", from ImageNet. Decoders of JPEG may differ in the last bit, and then so do digests.
    """

    folder: str = "tiny-imagenet-200"
    marks: ClassVar[tuple[str, ...]] = ("wnids.txt", "words.txt", "train/n*", "val")
    elsewhere: ClassVar[tuple[str, ...]] = ("tiny-imagenet", "tiny_imagenet", "tiny-imagenet-200/tiny-imagenet-200")
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
        for part in parts:
            if not part.exists():
                raise self.missing(part)
        if not (folder / ANNOTATIONS).is_file() and not any((folder / "val").glob("n*/")):
            raise self.missing(folder / ANNOTATIONS)
        return parts

    def read(self, folder: Path) -> DataSplits:
        """Raises UserError, naming the file, where one is missing, damaged or not of 64 x 64 pixels."""
        from vdu_bench.data.splits import DataSplits

        names = _class_names(folder)
        train = [(file, name) for name in names for file in sorted(_inside(folder / "train" / name))]
        held_out = _annotated(folder, names) if any((folder / "val").glob("images/*.JPEG")) else _sorted(folder, names)
        _check_counts(folder / "train", train, names)
        _check_counts(folder / "val", held_out, names)
        return DataSplits(_images(train, names), _images(held_out, names), _titles(folder, names))

    def load(self, data_dir: Path | None) -> DataSplits:
        splits = super().load(data_dir)
        return splits if self.only is None else splits.only(self.only)

    def on_hub(self) -> DataSource:
        from vdu_bench.data.sources.hub import HubDataset

        return HubDataset(id=self.download.hub)


def _class_names(folder: Path) -> list[str]:
    """The classes in order. Raises UserError where the folders are not those of the list, if there is one."""
    # What a notebook or a file manager leaves is hidden.
    found = sorted(p.name for p in (folder / "train").iterdir() if p.is_dir() and not p.name.startswith("."))
    listing = folder / "wnids.txt"
    if not listing.is_file():
        return found
    listed = set(listing.read_text(encoding="utf-8-sig").split())
    if lacking := listed - set(found):
        raise UserError(f"{folder / 'train'} lacks the class {sorted(lacking)[0]} of {listing}; unpack it again")
    if stray := [name for name in found if name not in listed]:
        raise UserError(f"{folder / 'train' / stray[0]} is no class of {listing}; take it away")
    return found


def _inside(folder: Path) -> list[Path]:
    """The images of a class: in the folder ``images`` of its own, or where that is not, in its own."""
    return list((folder / "images" if (folder / "images").is_dir() else folder).glob("*.JPEG"))


def _sorted(folder: Path, names: Sequence[str]) -> list[tuple[Path, str]]:
    """The validation part, sorted into classes as PyTorch's folders of images want it, in its official order."""
    found = [(file, name) for name in names for file in _inside(folder / "val" / name)]
    return sorted(found, key=lambda one: (len(one[0].name), one[0].name))


def _check_counts(part: Path, labelled: Sequence[tuple[Path, str]], names: Sequence[str]) -> None:
    """Raise UserError where a class has other images than the set has: each has as many."""
    counts = Counter(name for _, name in labelled)
    wanted = PER_CLASS[part.name] if len(names) == CLASSES else max(counts.values(), default=0)
    for name in names:
        listing = part / name / f"{name}_boxes.txt"
        listed = len(listing.read_text(encoding="utf-8").splitlines()) if listing.is_file() else wanted
        if counts[name] != max(listed, wanted):
            raise UserError(
                f"{part}: the class {name} has {counts[name]} images, and there should be {max(listed, wanted)}; "
                "unpack it again"
            )


def _annotated(folder: Path, names: Sequence[str]) -> list[tuple[Path, str]]:
    file = folder / ANNOTATIONS
    known = set(names)
    found = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        words = line.split("\t")
        if len(words) < 2 or words[1] not in known:
            raise UserError(f"{file} is damaged: line {number} does not name an image and a class")
        found.append((folder / "val" / "images" / words[0], words[1]))
    # A lost image is named where it is read; here, one that no line has.
    if unlisted := {f.name for f in (folder / "val" / "images").glob("*.JPEG")} - {f.name for f, _ in found}:
        raise UserError(f"{file} has no line for {sorted(unlisted)[0]}; unpack it again")
    return found


def _titles(folder: Path, names: Sequence[str]) -> dict[str, str]:
    words = (line.split("\t", 1) for line in (folder / "words.txt").read_text(encoding="utf-8").splitlines())
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
