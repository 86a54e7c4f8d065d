from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from miniatures import BUTCHER_SHOP, FISH, ORANGE, write_tiny_imagenet
from PIL import Image

from vdu_bench.data.sources.tiny_imagenet import TinyImageNet
from vdu_bench.errors import UserError

FOLDER = "tiny-imagenet-200"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny_imagenet(tmp_path / FOLDER)


def test_the_unzipped_folder_is_read(tmp_path: Path, folder: Path) -> None:
    splits = TinyImageNet().load(tmp_path)
    assert tuple(splits.train.images.shape) == (36, 3, 64, 64)
    assert len(splits.held_out) == 12
    assert splits.train.names == (FISH, BUTCHER_SHOP, ORANGE)
    assert splits.train.shows(FISH).tolist() == [True] * 12 + [False] * 24
    assert splits.held_out.labels().tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert splits.titles == {
        FISH: "goldfish, Carassius auratus",
        BUTCHER_SHOP: "butcher shop, meat market",
        ORANGE: "orange",
    }
    second = folder / "train" / FISH / "images" / f"{FISH}_1.JPEG"
    with Image.open(second) as image:
        assert np.array_equal(splits.train.images[1].numpy(), np.asarray(image).transpose(2, 0, 1))
    assert (splits.train.images[0, 0] == splits.train.images[0, 2]).all(), "grey becomes three equal channels"


def test_words_lead_to_the_class_that_was_meant(folder: Path) -> None:
    splits = TinyImageNet().load(folder.parent)
    assert splits.instead_of("Goldfish") == f"; did you mean '{FISH}' (goldfish, Carassius auratus)?"
    assert FISH in splits.instead_of("n0144353")


def test_images_are_decoded_into_the_place_they_stay_in(tmp_path: Path) -> None:
    write_tiny_imagenet(tmp_path / FOLDER, per_class=200, held_out_per_class=1)
    TinyImageNet().needed(tmp_path / FOLDER)
    tracemalloc.start()
    splits = TinyImageNet().load(tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.3 * (splits.train.images.numel() + splits.held_out.images.numel())


def test_a_missing_data_set_says_what_to_get_and_where_to_put_it(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        TinyImageNet().load(tmp_path)
    for words in ("tiny-imagenet-200.zip", "248 MB", "cs231n.stanford.edu", "not commercial", str(tmp_path / FOLDER)):
        assert words in str(caught.value)


def cut(folder: Path) -> Path:
    file = folder / "train" / ORANGE / "images" / f"{ORANGE}_3.JPEG"
    file.write_bytes(file.read_bytes()[:300])
    return file


def no_jpeg(folder: Path) -> Path:
    file = folder / "val" / "images" / "val_2.JPEG"
    file.write_bytes(b"not a picture")
    return file


def large(folder: Path) -> Path:
    file = folder / "train" / FISH / "images" / f"{FISH}_0.JPEG"
    Image.new("RGB", (65, 64)).save(file, "JPEG")
    return file


def unlisted(folder: Path) -> Path:
    file = folder / "val" / "images" / "val_5.JPEG"
    file.unlink()
    return file


def no_class(folder: Path) -> Path:
    (folder / "wnids.txt").write_text("n99999999\n")
    return folder / "wnids.txt"


def bad_line(folder: Path) -> Path:
    file = folder / "val" / "val_annotations.txt"
    file.write_text("val_0.JPEG\tn99999999\n")
    return file


@pytest.mark.parametrize("damage", [cut, no_jpeg, large, unlisted, no_class, bad_line])
def test_damage_is_named_with_the_file(tmp_path: Path, folder: Path, damage) -> None:
    file = damage(folder)
    with pytest.raises(UserError) as caught:
        TinyImageNet().load(tmp_path)
    assert str(file) in str(caught.value)
