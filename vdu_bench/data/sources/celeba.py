"""CelebA from the aligned photographs and the two lists that its makers publish."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, field_validator

from vdu_bench.data.source import DataSource, Download, OfficialSource
from vdu_bench.data.subset import ImageCount, drawn
from vdu_bench.errors import UserError, did_you_mean
from vdu_bench.spec import PositiveInt

if TYPE_CHECKING:
    from vdu_bench.data.image_set import ImageSet
    from vdu_bench.data.splits import DataSplits

IMAGES = "img_align_celeba"
ATTRIBUTE_LIST = "list_attr_celeba.txt"
PARTITION_LIST = "list_eval_partition.txt"
PARTITIONS = ("0", "1", "2")
"""Training, validation and test."""
PARTS = (("train_images", "0"), ("held_out_images", "2"))
ORIGINAL = (178, 218)
"""Width and height of an aligned photograph."""
YES, NO = "1", "-1"
ATTRIBUTES = (
    *("5_o_Clock_Shadow", "Arched_Eyebrows", "Attractive", "Bags_Under_Eyes", "Bald", "Bangs", "Big_Lips", "Big_Nose"),
    *("Black_Hair", "Blond_Hair", "Blurry", "Brown_Hair", "Bushy_Eyebrows", "Chubby", "Double_Chin", "Eyeglasses"),
    *("Goatee", "Gray_Hair", "Heavy_Makeup", "High_Cheekbones", "Male", "Mouth_Slightly_Open", "Mustache"),
    *("Narrow_Eyes", "No_Beard", "Oval_Face", "Pale_Skin", "Pointy_Nose", "Receding_Hairline", "Rosy_Cheeks"),
    *("Sideburns", "Smiling", "Straight_Hair", "Wavy_Hair", "Wearing_Earrings", "Wearing_Hat", "Wearing_Lipstick"),
    *("Wearing_Necklace", "Wearing_Necktie", "Young"),
)


class CelebA(OfficialSource):
    """Photographs of faces with attributes; in colour, uint8 ``[N, 3, size, size]``, concepts in CelebA's spelling.

    The square of 178 pixels in the middle of the 178 x 218 is resized to `size`. That is 512 unless a task says
    otherwise, since it has to be the size at which the model samples, and Stable Diffusion 1 does at 512; there is no
    more to be seen in them than at 178.

    Of 162,770 training images (partition 0), 10,000 are drawn, some 480 of them with a hat; of 19,962 test images
    (partition 2), 2,000 are held out. An image of 512 pixels takes 0.79 MB of memory: the 12,000 take 9.4 GB, and 2.4
    GB at 256; all would take 144 GB. The validation images (partition 1) are left to whoever tunes something; no
    person is in two partitions.

    What is on the hub is the same, but in other files and without the images' names: the images drawn there are others,
    and so is their digest. Decoders of JPEG may differ in the last bit, and then so do digests.

    Source: Liu, Luo, Wang & Tang 2015, "Deep learning face attributes in the wild".
    """

    folder: str = "celeba"
    marks: ClassVar[tuple[str, ...]] = (IMAGES, "list_attr_celeba.*", "list_eval_partition.*")
    elsewhere: ClassVar[tuple[str, ...]] = ("CelebA", "celeba-dataset", "img_align_celeba")
    size: PositiveInt = Field(512, description="height and width of the images in pixels")
    attributes: tuple[str, ...] = Field(
        (
            *("Wearing_Hat", "Eyeglasses", "Bangs", "Smiling", "Male", "Young", "Blond_Hair", "Black_Hair"),
            *("Wearing_Lipstick", "No_Beard"),
        ),
        min_length=1,
        description="those of its 40 that are the concepts, in this order",
    )
    train_images: ImageCount = Field(10_000, description="how many of the training images")
    held_out_images: ImageCount = Field(2_000, description="how many of the test images")
    download: ClassVar[Download] = Download(
        name="CelebA",
        what=f"{IMAGES}.zip, unpacked ({IMAGES}/000001.jpg and so on), {ATTRIBUTE_LIST} and {PARTITION_LIST}",
        size="1.4 GB",
        address="https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
        licence="non-commercial research only, by the agreement on that page",
        hub="flwrlabs/celeba",
    )

    @field_validator("attributes")
    @classmethod
    def _known(cls, attributes: tuple[str, ...]) -> tuple[str, ...]:
        for name in attributes:
            if name not in ATTRIBUTES:
                hint = did_you_mean(name, ATTRIBUTES)
                raise UserError(f"CelebA has no attribute {name!r}{hint} (they are spelt as in {ATTRIBUTE_LIST})")
        if len(set(attributes)) < len(attributes):
            raise ValueError("an attribute is named twice")
        return attributes

    def needed(self, folder: Path) -> list[Path]:
        """The two lists and the images that are drawn: to look at all 202,599 would take seconds at every command."""
        lists = [_list(folder, name) for name in (ATTRIBUTE_LIST, PARTITION_LIST)]
        for part in (folder / IMAGES, *lists):
            if not part.exists():
                raise self.missing(part)
        images = _images(folder)
        names = [name for part in self._drawn(folder) for name in part]
        for name in names:
            if not (images / name).is_file():
                raise UserError(
                    f"{images / name} is not there, and {lists[1].name} names it; unpack {IMAGES}.zip again"
                )
        return [*lists, *(images / name for name in names)]

    def read(self, folder: Path) -> DataSplits:
        """Raises UserError, naming the file, where one is missing, damaged, cut short or not of 178 x 218 pixels."""
        from vdu_bench.data.splits import DataSplits

        lines = _attribute_lines(folder)
        train, held_out = (
            self._part(folder, names, lines, option)
            for names, (option, _) in zip(self._drawn(folder), PARTS, strict=True)
        )
        return DataSplits(train, held_out)

    def on_hub(self) -> DataSource:
        from vdu_bench.data.sources.hub_attributes import HubAttributes

        return HubAttributes(
            id=self.download.hub,
            attributes=self.attributes,
            size=self.size,
            train_images=self.train_images,
            held_out_images=self.held_out_images,
        )

    def _drawn(self, folder: Path) -> list[list[str]]:
        partition = _partition(_list(folder, PARTITION_LIST))
        return [
            [partition[part][i] for i in drawn(getattr(self, option), len(partition[part]), option, folder)]
            for option, part in PARTS
        ]

    def _part(self, folder: Path, names: Sequence[str], lines: dict[str, str], option: str) -> ImageSet:
        import torch

        from vdu_bench.data.image_set import ImageSet
        from vdu_bench.data.squares import read_squares

        listing, images = _list(folder, ATTRIBUTE_LIST), _images(folder)
        shown = [_values(listing, name, lines) for name in names]
        columns = [ATTRIBUTES.index(name) for name in self.attributes]
        concepts = torch.tensor(shown, dtype=torch.bool)[:, columns]
        files = ((str(images / name), images / name) for name in names)
        pixels = read_squares(files, len(names), self.size, f"celeba: {option}", ORIGINAL)
        return ImageSet(pixels, concepts, self.attributes)


def _partition(file: Path) -> dict[str, list[str]]:
    """The images' names by partition, in the file's order."""
    found: dict[str, list[str]] = {part: [] for part in PARTITIONS}
    for number, line in enumerate(_lines(file), 1):
        words = line.split()
        if len(words) != 2 or words[1] not in found:
            raise UserError(f"{file} is damaged: line {number} is not an image and its partition, 0, 1 or 2")
        found[words[1]].append(words[0])
    return found


def _attribute_lines(folder: Path) -> dict[str, str]:
    """What the list of attributes says of each image, as it stands there: most of them are never asked for."""
    file, partition = _list(folder, ATTRIBUTE_LIST), _list(folder, PARTITION_LIST)
    lines = _lines(file)
    if len(lines) < 2 or tuple(lines[1].split()) != ATTRIBUTES:
        raise UserError(
            f"{file} is damaged, or another file: line 2 does not name CelebA's {len(ATTRIBUTES)} attributes"
        )
    if lines[0].strip() != str(len(lines) - 2):
        raise UserError(f"{file} is damaged: line 1 promises {lines[0].strip()!r} images, and {len(lines) - 2} follow")
    of_image = {line.split(maxsplit=1)[0]: line for line in lines[2:] if line.strip()}
    listed = sum(map(len, _partition(partition).values()))
    if listed != len(of_image):
        raise UserError(f"{partition} names {listed} images, and {file} {len(of_image)}; the shorter is damaged")
    return of_image


def _values(file: Path, name: str, lines: dict[str, str]) -> list[bool]:
    if name not in lines:
        raise UserError(f"{file} has no line for {name}, which {PARTITION_LIST} names")
    values = lines[name].split()[1:]
    if len(values) != len(ATTRIBUTES) or not set(values) <= {YES, NO}:
        raise UserError(f"{file} is damaged: the line of {name} is not {len(ATTRIBUTES)} times 1 or -1")
    return [value == YES for value in values]


def _list(folder: Path, name: str) -> Path:
    """One of the two lists: as its makers publish it, or as Kaggle has it, with commas."""
    with_commas = (folder / name).with_suffix(".csv")
    return with_commas if with_commas.is_file() and not (folder / name).is_file() else folder / name


def _images(folder: Path) -> Path:
    """The folder of the images, which Kaggle's archive has within another one of the same name."""
    nested = folder / IMAGES / IMAGES
    return nested if nested.is_dir() else folder / IMAGES


def _lines(file: Path) -> list[str]:
    """A list's lines, as its makers write them. Raises UserError for one in UTF-16."""
    content = file.read_bytes().removeprefix(codecs.BOM_UTF8)
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UserError(f"{file} is UTF-16; save it as plain text (ASCII or UTF-8)")
    # What is not text fails as a line that cannot be understood, and is named like one.
    lines = content.decode("ascii", errors="replace").splitlines()
    if file.suffix != ".csv" or not lines:
        return lines
    header, *rows = (line.replace(",", " ") for line in lines if line.strip())
    if header.split()[0] != "image_id":
        raise UserError(f"{file} is damaged, or another file: its first line does not begin with image_id")
    return rows if file.stem == Path(PARTITION_LIST).stem else [str(len(rows)), header.removeprefix("image_id"), *rows]
