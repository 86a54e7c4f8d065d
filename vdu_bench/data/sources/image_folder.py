"""A folder of one's own images: a folder for each class, or a table of attributes beside them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator, model_validator

from vdu_bench.data.image_files import Labelled, by_class, by_table, parts_of, places_of
from vdu_bench.data.source import DataSource
from vdu_bench.errors import UserError

if TYPE_CHECKING:
    from vdu_bench.data.image_set import ImageSet
    from vdu_bench.data.splits import DataSplits

SEED = 0
"""The same for everybody, so that the numbers of two people are of the same images."""


class ImageFolder(DataSource):
    """Images of one's own: FOLDER/CLASS/*.png, as torchvision's ImageFolder has them; or a CSV file of attributes.

    Or FOLDER/train/CLASS and FOLDER/test/CLASS; without a part `test` (or `val`), a share of each class is held out,
    always the same images. Hidden folders are no classes. With `attributes`, the CSV file (of each part its own) has a
    column file_name and a column of 0 and 1 for each attribute. Images are grey or in colour, of 8 bits a channel;
    where they are not squares of one size, `size` says which square in their middle they are resized to.
    """

    folder: str = Field(
        description="the folder: ./NAME as seen from the task file, an absolute path, or NAME below --data-dir"
    )
    size: int | None = Field(None, gt=0, le=2048, description="height and width in pixels; as they are if not given")
    channels: Literal[1, 3] | None = Field(None, description="1, grey, or 3; 1 if not given and all images are grey")
    held_out: float = Field(0.2, gt=0, lt=1, description="share of each class that is held out, where there is no test")
    attributes: str | None = Field(
        None, description="the CSV file of attributes in the folder, or in each part; folders are classes if not given"
    )
    names: tuple[str, ...] | None = Field(
        None, min_length=1, description="the columns that are attributes; all but file_name if not given"
    )

    @field_validator("names")
    @classmethod
    def _each_once(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for name in names or ():
            if not name.strip():
                raise ValueError("a column's name is empty")
            if (names or ()).count(name) > 1:
                raise ValueError(f"{name!r} is named twice")
        return names

    @model_validator(mode="after")
    def _names_of_a_table(self) -> ImageFolder:
        if self.names is not None and self.attributes is None:
            raise ValueError("names: they are columns of the file that attributes names, and none is named")
        return self

    def place(self, data_dir: Path | None) -> Path:
        """The folder itself. Raises UserError for a relative one where no data folder was named."""
        # Not Path's own, which raises where there is no such user.
        folder = Path(os.path.expanduser(self.folder))
        if folder.is_absolute():
            return folder
        if data_dir is None:
            raise UserError(
                f"data.folder {self.folder!r} is looked for below --data-dir, and none is given; write ./{self.folder} "
                "for a folder beside the task file, or an absolute path"
            )
        return data_dir / folder

    def parts(self, data_dir: Path | None) -> tuple[Labelled, Labelled | None]:
        """The files of both parts; None where a share of the first is to be held out. Raises UserError, as `load`."""
        train, held_out = (None if part is None else self._labelled(part) for part in self._parts(data_dir))
        assert train is not None  # parts_of gives a first part
        if held_out is not None and (other := set(train.names) ^ set(held_out.names)):
            name = min(other)
            has, lacks = ("train", "test") if name in train.names else ("test", "train")
            raise UserError(f"{self.place(data_dir)}: the {has} part has {name!r}, and the {lacks} part has not")
        return train, None if held_out is None else held_out.in_order_of(train.names)

    def roots(self, data_dir: Path | None) -> list[Path]:
        parts = [part for part in self._parts(data_dir) if part is not None]
        if self.attributes is None:
            return [place for part in parts for place in places_of(part)]
        return [place for part in parts for place in (part / self.attributes, *self._labelled(part).files)]

    def load(self, data_dir: Path | None) -> DataSplits:
        """Raises UserError, naming the file, for what is missing, damaged, of no class, or of another size."""
        from vdu_bench.data.pictures import channels_in
        from vdu_bench.data.splits import DataSplits

        train, held_out = self.parts(data_dir)
        everything = train.files if held_out is None else (*train.files, *held_out.files)
        channels = self.channels or channels_in(everything)
        first = self._read(train, channels)
        if held_out is None:
            return self._split(first)
        second = self._read(held_out, channels)
        if second.images.shape[1:] != first.images.shape[1:]:
            sizes = " and ".join(f"{images.images.shape[-1]} pixels" for images in (first, second))
            raise UserError(f"{self.place(data_dir)}: its parts have images of {sizes}: give one for all by data.size")
        return DataSplits(first, second)

    def _parts(self, data_dir: Path | None) -> tuple[Path, Path | None]:
        return parts_of(self.place(data_dir), classes=self.attributes is None)

    def _labelled(self, part: Path) -> Labelled:
        return by_class(part) if self.attributes is None else by_table(part / self.attributes, self.names)

    def _read(self, part: Labelled, channels: int) -> ImageSet:
        import torch

        from vdu_bench.data.image_set import ImageSet
        from vdu_bench.data.pictures import read_pictures

        pixels = read_pictures(part.files, channels, self.size, f"{self.folder}: images")
        return ImageSet(pixels, torch.tensor(part.shown, dtype=torch.bool), part.names)

    def _split(self, everything: ImageSet) -> DataSplits:
        import torch

        from vdu_bench.data.splits import DataSplits
        from vdu_bench.data.splitting import split_by_share

        # With attributes there are no classes to draw from one by one; their shares stay the same, but for chance.
        whole = self.attributes is not None
        labels = torch.zeros(len(everything), dtype=torch.int64) if whole else everything.labels()
        try:
            train, held_out = split_by_share(labels, self.held_out, SEED)
        except ValueError as error:
            (label,) = error.args[1:]
            what = "it" if whole else f"the class {everything.names[label]!r}"
            raise UserError(f"{self.folder}: {what} has one image alone, and one is to be held out") from error
        return DataSplits(everything.subset(train), everything.subset(held_out))
