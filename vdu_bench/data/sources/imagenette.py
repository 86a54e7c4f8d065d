"""Imagenette from the folder that its archive unpacks to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from vdu_bench.data.image_files import by_class
from vdu_bench.data.source import DataSource, Download, OfficialSource
from vdu_bench.errors import UserError
from vdu_bench.spec import PositiveInt

if TYPE_CHECKING:
    from vdu_bench.data.splits import DataSplits

CLASSES = {
    "n01440764": "tench",
    "n02102040": "English springer",
    "n02979186": "cassette player",
    "n03000684": "chain saw",
    "n03028079": "church",
    "n03394916": "French horn",
    "n03417042": "garbage truck",
    "n03425413": "gas pump",
    "n03445777": "golf ball",
    "n03888257": "parachute",
}
"""By WordNet id, in the order of the labels on the hub."""
IMAGES = {"train": 9469, "val": 3925}
"""How many images each part has."""


class Imagenette(OfficialSource):
    """9,469 photographs of ten classes of ImageNet to learn from, and 3,925 held out; uint8 ``[N, 3, size, size]``.

    Classes are named by their WordNet ids, as in the files; `DataSplits.titles` has the words for them. The largest
    square in the middle is resized to `size`, which has to be the size at which the model samples: 512 unless a task
    says otherwise. The archive's images have 320 pixels on their shorter side. At 512 all take 10.5 GB of memory.

    What is on the hub is the same, but in another order, and so is its digest. Decoders of JPEG may differ in the last
    bit, and then so do digests. Source: Howard 2019, "Imagenette" (github.com/fastai/imagenette), from ImageNet.
    """

    folder: str = "imagenette2-320"
    marks: ClassVar[tuple[str, ...]] = ("train/n*", "val/n*")
    elsewhere: ClassVar[tuple[str, ...]] = ("imagenette2", "imagenette", "imagenette2-320/imagenette2-320")
    size: PositiveInt = Field(512, description="height and width of the images in pixels")
    download: ClassVar[Download] = Download(
        name="Imagenette",
        what="imagenette2-320.tgz, unpacked",
        size="342 MB",
        address="https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-320.tgz",
        licence="Apache 2.0, for images under ImageNet's terms",
        hub="frgfm/imagenette",
    )

    def accepts(self, folder: Path) -> bool:
        """Whether it has one of the ten classes: tinyImageNet's folders are called like these."""
        return any((folder / "train" / name).is_dir() for name in CLASSES)

    def needed(self, folder: Path) -> list[Path]:
        parts = [folder / part for part in IMAGES]
        for part in parts:
            if not part.is_dir():
                raise self.missing(part)
            found = by_class(part)
            if odd := sorted(set(found.names) ^ set(CLASSES)):
                what = "lacks" if odd[0] in CLASSES else "has"
                raise UserError(f"{part} {what} the class {odd[0]}: Imagenette's ten are {', '.join(CLASSES)}")
            if len(found.files) != IMAGES[part.name]:
                raise UserError(
                    f"{part} has {len(found.files):,} images, and there should be {IMAGES[part.name]:,}; unpack "
                    "imagenette2-320.tgz again"
                )
        return parts

    def read(self, folder: Path) -> DataSplits:
        """Raises UserError, naming the file, where one is damaged."""
        from vdu_bench.data.sources.image_folder import ImageFolder
        from vdu_bench.data.splits import DataSplits

        splits = ImageFolder(folder=str(folder.absolute()), size=self.size, channels=3).load(None)
        return DataSplits(splits.train, splits.held_out, CLASSES)

    def on_hub(self) -> DataSource:
        from vdu_bench.data.sources.hub import HubDataset

        return HubDataset(
            id=self.download.hub,
            revision="refs/convert/parquet",
            config="320px",
            size=self.size,
            classes=tuple(CLASSES),
        )
