from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from miniatures import face_shows, write_celeba
from PIL import Image

from vdu_bench.data.catalog import data_stamp, load_data
from vdu_bench.data.sources.celeba import ATTRIBUTES, CelebA
from vdu_bench.data.specs import DataSpec
from vdu_bench.errors import UserError

ALL = {"train_images": "all", "held_out_images": "all"}
TRAIN, TEST = range(1, 15), range(18, 24)
"""The numbers of the faces in the two parts; 15 to 17 are for validation."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_celeba(tmp_path / "celeba")


def test_the_official_files_are_read(tmp_path: Path, folder: Path) -> None:
    splits = CelebA(size=178, attributes=ATTRIBUTES, **ALL).load(tmp_path)
    assert tuple(splits.train.images.shape) == (14, 3, 178, 178)
    assert len(splits.held_out) == 6, "the validation part is left out"
    assert splits.train.names == splits.held_out.names == ATTRIBUTES
    assert splits.train.concepts.tolist() == [face_shows(number) for number in TRAIN]
    assert splits.held_out.concepts.tolist() == [face_shows(number) for number in TEST]
    for position, number in enumerate(TEST):
        with Image.open(folder / "img_align_celeba" / f"{number:06d}.jpg") as image:
            middle = np.asarray(image)[20:198].transpose(2, 0, 1)
        assert np.array_equal(splits.held_out.images[position].numpy(), middle), "neither the red nor the blue margin"


@pytest.mark.usefixtures("folder")
def test_images_are_resized_and_concepts_are_those_asked_for_in_their_order(tmp_path: Path) -> None:
    splits = CelebA(size=32, attributes=("Young", "Wearing_Hat"), **ALL).load(tmp_path)
    assert tuple(splits.train.images.shape) == (14, 3, 32, 32)
    assert splits.train.names == ("Young", "Wearing_Hat")
    hats = [face_shows(number)[ATTRIBUTES.index("Wearing_Hat")] for number in TRAIN]
    assert splits.train.shows("Wearing_Hat").tolist() == hats
    level = splits.train.images.float().mean((1, 2, 3))
    expected = torch.tensor([6.0 * number + 9.5 for number in TRAIN])
    torch.testing.assert_close(level, expected, atol=2, rtol=0)


@pytest.mark.usefixtures("folder")
def test_a_subset_is_a_part_of_the_whole_with_its_own_concepts(tmp_path: Path) -> None:
    whole = CelebA(size=16, **ALL).load(tmp_path)
    some = CelebA(size=16, train_images=5, held_out_images=2).load(tmp_path)
    again = CelebA(size=16, train_images=5, held_out_images=2).load(tmp_path)
    assert some.digest() == again.digest() != whole.digest()
    for part, of, count in ((some.train, whole.train, 5), (some.held_out, whole.held_out, 2)):
        assert len(part) == count
        found = [int((of.images == image).flatten(1).all(1).nonzero()) for image in part.images]
        assert found == sorted(set(found))
        assert torch.equal(part.concepts, of.concepts[found])


def test_only_the_images_that_are_drawn_have_to_be_there(tmp_path: Path, folder: Path) -> None:
    """So a command looks at some thousand files, and not at 202,599."""
    source = CelebA(size=16, train_images=5, held_out_images=2)
    roots = source.roots(tmp_path)
    assert [root.name for root in roots[:2]] == ["list_attr_celeba.txt", "list_eval_partition.txt"]
    assert len(roots) == 2 + 5 + 2
    before = source.load(tmp_path).digest()
    for file in (folder / "img_align_celeba").iterdir():
        if file not in roots:
            file.unlink()
    assert source.load(tmp_path).digest() == before
    with pytest.raises(UserError, match=r"\.jpg is not there, and list_eval_partition\.txt names it"):
        CelebA(**ALL).roots(tmp_path)


def test_a_stamp_sees_both_lists_and_every_image_that_is_drawn(tmp_path: Path, folder: Path) -> None:
    spec = DataSpec.model_validate({"source": "celeba", "train_images": 5, "held_out_images": 2})
    drawn = CelebA(train_images=5, held_out_images=2).roots(tmp_path)
    other = next(file for file in (folder / "img_align_celeba").iterdir() if file not in drawn)
    stamps = [data_stamp(spec, tmp_path)]
    os.utime(other, (0, 0))
    assert data_stamp(spec, tmp_path) == stamps[0]
    for file in drawn:
        os.utime(file, (0, 0))
        stamps.append(data_stamp(spec, tmp_path))
    assert len(set(stamps)) == 1 + len(drawn)


def test_images_are_decoded_into_the_place_they_stay_in(tmp_path: Path) -> None:
    write_celeba(tmp_path / "celeba", train=30, test=2)
    CelebA(**ALL).needed(tmp_path / "celeba")
    tracemalloc.start()
    splits = CelebA(size=256, **ALL).load(tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.3 * (splits.train.images.numel() + splits.held_out.images.numel())


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"attributes": ["Wearing_hat"]}, "CelebA has no attribute 'Wearing_hat'; did you mean 'Wearing_Hat'"),
        ({"attributes": ["beret"]}, "CelebA has no attribute 'beret' (they are spelt as in list_attr_celeba.txt)"),
        ({"attributes": []}, "data.attributes of the data source 'celeba'"),
        ({"attributes": ["Bangs", "Young", "Bangs"]}, "an attribute is named twice"),
        ({"size": 0}, "data.size of the data source 'celeba'"),
        ({"train_images": 0}, "data.train_images"),
        ({"images": 3}, "'celeba' has no option 'images'"),
        ({"train_images": 15}, "celeba has 14 images, and train_images asks for 15"),
        ({}, "celeba has 14 images, and train_images asks for 10000"),
    ],
)
def test_wrong_options_are_named(tmp_path: Path, options: dict, words: str) -> None:
    spec = DataSpec.model_validate({"source": "celeba", **options})
    for ask in (load_data, data_stamp):
        with pytest.raises(UserError) as caught:
            ask(spec, tmp_path)
        assert words in str(caught.value)


@pytest.mark.parametrize("lacking", ["img_align_celeba", "list_attr_celeba.txt", "list_eval_partition.txt"])
def test_a_missing_data_set_says_what_to_get_and_where_to_put_it(tmp_path: Path, lacking: str) -> None:
    folder = write_celeba(tmp_path / "celeba")
    (folder / lacking).rename(folder / "elsewhere")
    for ask in (CelebA().load, CelebA().roots):
        with pytest.raises(UserError) as caught:
            ask(tmp_path)
        for words in (
            f"{folder / lacking} is not there",
            "img_align_celeba.zip",
            "list_attr_celeba.txt",
            "list_eval_partition.txt",
            "1.4 GB",
            "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
            "non-commercial research only",
            f"put it into {folder}",
            "flwrlabs/celeba",
        ):
            assert words in str(caught.value)


def cut(folder: Path) -> tuple[Path, str]:
    file = folder / "img_align_celeba" / "000003.jpg"
    file.write_bytes(file.read_bytes()[:500])
    return file, "damaged"


def no_jpeg(folder: Path) -> tuple[Path, str]:
    file = folder / "img_align_celeba" / "000020.jpg"
    file.write_bytes(b"not a picture")
    return file, "damaged"


def in_the_wild(folder: Path) -> tuple[Path, str]:
    file = folder / "img_align_celeba" / "000002.jpg"
    Image.new("RGB", (178, 178)).save(file)
    return file, "178 x 178 pixels, not 178 x 218"


def no_image(folder: Path) -> tuple[Path, str]:
    file = folder / "img_align_celeba" / "000021.jpg"
    file.unlink()
    return file, "unpack img_align_celeba.zip again"


def short_attributes(folder: Path) -> tuple[Path, str]:
    file = folder / "list_attr_celeba.txt"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-4]))
    return file, "promises '23' images, and 19 follow"


def cut_line(folder: Path) -> tuple[Path, str]:
    file = folder / "list_attr_celeba.txt"
    file.write_text(file.read_text()[:-5])
    return file, "the line of 000023.jpg is not 40 times 1 or -1"


def other_value(folder: Path) -> tuple[Path, str]:
    file = folder / "list_attr_celeba.txt"
    file.write_text(file.read_text().replace("000004.jpg -1", "000004.jpg 0").replace("000004.jpg  1", "000004.jpg 0"))
    return file, "the line of 000004.jpg is not 40 times 1 or -1"


def other_header(folder: Path) -> tuple[Path, str]:
    file = folder / "list_attr_celeba.txt"
    file.write_text(file.read_text().replace("Bald ", ""))
    return file, "line 2 does not name CelebA's 40 attributes"


def not_text(folder: Path) -> tuple[Path, str]:
    file = folder / "list_attr_celeba.txt"
    file.write_bytes(bytes(range(256)))
    return file, "damaged, or another file"


def short_partition(folder: Path) -> tuple[Path, str]:
    file = folder / "list_eval_partition.txt"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-4]))
    return file, "names 19 images, and"


def other_partition(folder: Path) -> tuple[Path, str]:
    file = folder / "list_eval_partition.txt"
    file.write_text(file.read_text().replace("000005.jpg 0", "000005.jpg 3"))
    return file, "line 5 is not an image and its partition"


def cut_partition(folder: Path) -> tuple[Path, str]:
    file = folder / "list_eval_partition.txt"
    file.write_text(file.read_text()[:-3])
    return file, "line 23 is not an image and its partition"


def unknown_image(folder: Path) -> tuple[Path, str]:
    file = folder / "list_attr_celeba.txt"
    file.write_text(file.read_text().replace("000007.jpg", "700000.jpg"))
    return file, "has no line for 000007.jpg"


DAMAGE = [
    cut, no_jpeg, in_the_wild, no_image, short_attributes, cut_line, other_value, other_header, not_text,
    short_partition, other_partition, cut_partition, unknown_image,
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_named_with_the_file(tmp_path: Path, folder: Path, damage) -> None:
    file, words = damage(folder)
    with pytest.raises(UserError) as caught:
        CelebA(size=16, **ALL).load(tmp_path)
    assert str(file) in str(caught.value)
    assert words in str(caught.value)
