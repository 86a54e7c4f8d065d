"""A folder of one's own images."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from data_folders import CLASSES, class_folders, picture, table
from PIL import Image
from torchvision.datasets import ImageFolder

from vdu_bench.data.catalog import data_stamp, load_data
from vdu_bench.data.image_set import ImageSet
from vdu_bench.data.specs import DataSpec
from vdu_bench.data.splits import DataSplits
from vdu_bench.errors import UserError
from vdu_bench.files import stamp


def load(folder: Path | str, data_dir: Path | None = None, **options: Any) -> DataSplits:
    return load_data(DataSpec.model_validate({"source": "image_folder", "folder": str(folder), **options}), data_dir)


def test_classes_files_and_labels_are_torchvision_s(tmp_path: Path) -> None:
    splits = load(class_folders(tmp_path))
    theirs = ImageFolder(str(tmp_path))
    assert splits.train.names == tuple(theirs.classes)
    everything = {
        (int(label), np.asarray(image.convert("RGB")).transpose(2, 0, 1).tobytes()) for image, label in theirs
    }
    ours = [
        (int(label), image.numpy().tobytes())
        for part in (splits.train, splits.held_out)
        for image, label in zip(part.images, part.labels(), strict=True)
    ]
    assert len(ours) == 35
    assert set(ours) == everything


def test_a_share_of_each_class_is_held_out_and_always_the_same_images(tmp_path: Path) -> None:
    first = load(class_folders(tmp_path / "a"))
    assert first.held_out.labels().bincount().tolist() == [2, 4, 1]
    assert first.train.labels().bincount().tolist() == [8, 16, 4]
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert load(tmp_path / "b").digest() == first.digest()
    assert load(tmp_path / "a", held_out=0.4).held_out.labels().bincount().tolist() == [4, 8, 2]
    assert load(tmp_path / "a", held_out=0.001).held_out.labels().bincount().tolist() == [1, 1, 1]
    assert load(tmp_path / "a", held_out=0.999).train.labels().bincount().tolist() == [1, 1, 1]


@pytest.mark.parametrize("part", ["test", "val", "validation"])
def test_parts_of_their_own(tmp_path: Path, part: str) -> None:
    class_folders(tmp_path / "train")
    class_folders(tmp_path / part, dict.fromkeys(CLASSES, 3), first=100)
    splits = load(tmp_path)
    assert (len(splits.train), len(splits.held_out)) == (35, 9)
    assert torch.equal(splits.train.images, load(tmp_path / "train").train.images) is False, "nothing was split off"
    shutil.rmtree(tmp_path / part)
    assert (len(load(tmp_path).train), len(load(tmp_path).held_out)) == (28, 7)


def test_the_test_part_goes_before_the_validation_part(tmp_path: Path) -> None:
    class_folders(tmp_path / "train")
    class_folders(tmp_path / "test", dict.fromkeys(CLASSES, 2))
    class_folders(tmp_path / "val", dict.fromkeys(CLASSES, 9))
    assert len(load(tmp_path).held_out) == 6


def test_hidden_folders_and_files_are_nobody_s_images(tmp_path: Path) -> None:
    class_folders(tmp_path)
    before = load(tmp_path).digest()
    for name in (".ipynb_checkpoints", "__MACOSX", ".thumbnails"):
        picture(tmp_path / name / "a.png", 1)
    picture(tmp_path / "cat" / ".thumbnails" / "a.png", 1)
    picture(tmp_path / "cat" / "._000.png", 1)
    (tmp_path / ".DS_Store").write_text("")
    (tmp_path / "README.txt").write_text("my cats")
    (tmp_path / "cat" / "notes.txt").write_text("my cats")
    assert load(tmp_path).digest() == before


def test_parts_are_found_in_any_spelling_of_their_names(tmp_path: Path) -> None:
    class_folders(tmp_path / "Train")
    class_folders(tmp_path / "TEST", dict.fromkeys(CLASSES, 3), first=100)
    splits = load(tmp_path)
    assert (splits.train.names, len(splits.train), len(splits.held_out)) == (tuple(CLASSES), 35, 9)
    class_folders(tmp_path / "test")
    with pytest.raises(UserError, match="has TEST/ and test/, which are the same part: put all that is in them into"):
        load(tmp_path)


def test_beside_a_table_folders_and_images_are_called_as_they_like(tmp_path: Path) -> None:
    portraits(tmp_path)
    picture(tmp_path / "test" / "sheet.png", 1)
    picture(tmp_path / "stray.png", 1)
    assert len(load(tmp_path, attributes="metadata.csv").train) == 8


def test_images_lie_at_any_depth_and_links_are_taken_for_what_they_lead_to(tmp_path: Path) -> None:
    class_folders(tmp_path / "data")
    picture(tmp_path / "data" / "cat" / "winter" / "a.JPG", 1)
    picture(tmp_path / "data" / "cat" / "b.jpg", 2).rename(tmp_path / "data" / "cat" / "b.JFIF")
    (tmp_path / "data" / "cat" / "c.png").symlink_to(picture(tmp_path / "elsewhere" / "fox" / "0.png", 3))
    picture(tmp_path / "elsewhere" / "fox" / "1.png", 4)
    (tmp_path / "data" / "fox").symlink_to(tmp_path / "elsewhere" / "fox")
    (tmp_path / "data" / "cat" / ".up").symlink_to(tmp_path)
    splits = load(tmp_path / "data")
    assert splits.train.names == ("cat", "dog", "eel", "fox")
    assert len(splits.train) + len(splits.held_out) == 35 + 3 + 2


def test_grey_images_have_one_channel_unless_three_are_asked_for(tmp_path: Path) -> None:
    class_folders(tmp_path, mode="L")
    grey = load(tmp_path).train.images
    assert grey.shape[1:] == (1, 8, 8)
    assert torch.equal(load(tmp_path, channels=3).train.images, grey.expand(-1, 3, -1, -1))
    picture(tmp_path / "eel" / "colour.png", 99)
    assert load(tmp_path).train.images.shape[1] == 3
    assert load(tmp_path, channels=1).train.images.shape[1] == 1


def test_a_size_takes_the_square_in_the_middle(tmp_path: Path) -> None:
    class_folders(tmp_path, size=(12, 8))
    with pytest.raises(UserError, match=r"000\.png has 12 x 8 pixels: give the height and width of all images by data"):
        load(tmp_path)
    cropped = load(tmp_path, size=8).train.images
    assert cropped.shape[1:] == (3, 8, 8)
    whole = np.asarray(Image.open(tmp_path / "cat" / "000.png")).transpose(2, 0, 1)[:, :, 2:10]
    everything = [*cropped, *load(tmp_path, size=8).held_out.images]
    assert any(np.array_equal(image.numpy(), whole) for image in everything)
    assert load(tmp_path, size=5).train.images.shape[1:] == (3, 5, 5)


def test_transparency_palettes_and_turned_photographs_are_read(tmp_path: Path) -> None:
    class_folders(tmp_path, {"cat": 2, "dog": 2}, mode="L")
    solid = Image.new("RGBA", (8, 8), (10, 20, 30, 255))
    solid.save(tmp_path / "cat" / "000.png")
    solid.convert("RGB").quantize(4).save(tmp_path / "cat" / "001.png")
    both = load(tmp_path)
    cats = torch.cat([part.images[part.shows("cat")] for part in (both.train, both.held_out)])
    assert cats[0, :, 0, 0].tolist() == [10, 20, 30]
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: turn by 90 degrees
    half = Image.new("RGB", (8, 8), "black")
    half.paste("white", (0, 0, 4, 8))
    for name in ("000", "001"):
        half.save(tmp_path / "dog" / f"{name}.png", exif=exif)
    both = load(tmp_path)
    dog = both.train.images[both.train.shows("dog")][0]
    assert (dog[:, :4] == 255).all()
    assert (dog[:, 4:] == 0).all()


def portraits(folder: Path, count: int = 10, first: int = 0) -> Path:
    for number in range(count):
        picture(folder / "faces" / f"{number}.png", first + number)
    rows = [f"faces/{number}.png,{number % 2},{'yes' if number < 3 else 'No'}" for number in range(count)]
    return table(folder, list(reversed(rows)))


def test_a_table_of_attributes(tmp_path: Path) -> None:
    splits = load(portraits(tmp_path), attributes="metadata.csv")
    assert splits.train.names == ("hat", "beard")
    assert (len(splits.train), len(splits.held_out)) == (8, 2)
    both = torch.cat([splits.train.concepts, splits.held_out.concepts])
    assert both.sum(0).tolist() == [5, 3]
    images = torch.cat([splits.train.images, splits.held_out.images])
    third = torch.from_numpy(np.asarray(Image.open(tmp_path / "faces" / "3.png")).transpose(2, 0, 1).copy())
    (place,) = (i for i, image in enumerate(images) if torch.equal(image, third))
    assert both[place].tolist() == [True, False]
    assert load(tmp_path, attributes="metadata.csv", names=["beard"]).train.names == ("beard",)
    shuffled = (tmp_path / "metadata.csv").read_text().splitlines()
    table(tmp_path, sorted(shuffled[1:]))
    assert load(tmp_path, attributes="metadata.csv").digest() == splits.digest(), "the order of lines does not matter"
    table(tmp_path, [f"./{line}" for line in shuffled[1:]], " file_name,hat , beard")
    again = load(tmp_path, attributes="metadata.csv")
    assert (again.train.names, again.digest()) == (splits.train.names, splits.digest()), "nor do spellings"


def test_columns_that_are_no_attributes_are_left_out_by_names(tmp_path: Path) -> None:
    portraits(tmp_path)
    rows = [f"{number},faces/{number}.png,a man, {number % 2},{number % 3 == 0:d}" for number in range(10)]
    table(tmp_path, rows, ",file_name,text,hat,beard")
    splits = load(tmp_path, attributes="metadata.csv", names=["beard", "hat"])
    assert splits.train.names == ("beard", "hat")
    assert int(splits.train.shows("hat").sum() + splits.held_out.shows("hat").sum()) == 5


def test_an_image_in_two_spellings_comes_twice(tmp_path: Path) -> None:
    folder = portraits(tmp_path / "mine")
    for name in (
        "./faces/1.png",
        "faces//1.png",
        "faces/../faces/1.png",
        "../mine/faces/1.png",
        f"{folder}/faces/1.png",
    ):
        table(folder, ["faces/1.png,0,1", f"{name},1,1"])
        with pytest.raises(UserError, match=r"line 3: .*faces/+1\.png comes twice"):
            load(folder, attributes="metadata.csv")


def test_each_part_has_a_table_of_its_own(tmp_path: Path) -> None:
    portraits(tmp_path / "train")
    portraits(tmp_path / "test", 4, first=50)
    splits = load(tmp_path, attributes="metadata.csv")
    assert (len(splits.train), len(splits.held_out)) == (10, 4)


TABLES = {
    "no file_name": (["1,0,1"], "image,hat,beard", "no column 'file_name'"),
    "no such file": (["faces/77.png,0,1"], "file_name,hat,beard", r"line 2: there is no file .*77\.png"),
    "twice": (["faces/1.png,0,1", "faces/1.png,0,1"], "file_name,hat,beard", r"line 3: faces/1\.png comes twice"),
    "short": (["faces/1.png,0"], "file_name,hat,beard", "line 2 has not as many values"),
    "long": (["faces/1.png,0,1,1"], "file_name,hat,beard", "line 2 has not as many values"),
    "text": (["faces/1.png,0,a man"], "file_name,hat,text", "text is 'a man', and a truth value is 1 or 0"),
    "empty": ([], "file_name,hat,beard", "has no row"),
    "alone": (["faces/1.png"], "file_name", "no column beside 'file_name'"),
    "doubled column": (["faces/1.png,0,1"], "file_name,hat, hat", "two columns 'hat' in its first line: rename one"),
    "unnamed column": (["2,faces/1.png,0"], ",file_name,hat", "column 1 has no name in the first line; give it one"),
}


@pytest.mark.parametrize("case", TABLES)
def test_a_malformed_table_names_the_line(tmp_path: Path, case: str) -> None:
    rows, head, message = TABLES[case]
    table(portraits(tmp_path), rows, head)
    with pytest.raises(UserError, match=message) as caught:
        load(tmp_path, attributes="metadata.csv")
    assert "\n" not in str(caught.value)


def in_parts(folder: Path) -> Path:
    """Class folders moved into train/."""
    folder.rename(folder.with_name("train"))
    folder.mkdir()
    return folder.with_name("train").rename(folder / "train")


MISTAKES = {
    "no folder": (lambda folder: shutil.rmtree(folder), {}, "data is not there"),
    "a file": (lambda folder: (shutil.rmtree(folder), folder.write_text("")), {}, "data is no folder"),
    "an empty class": (lambda folder: (folder / "fox").mkdir(), {}, "the class .*fox has no image"),
    "one image": (lambda folder: picture(folder / "fox" / "a.png", 1), {}, "class 'fox' has one image alone"),
    "no class": (lambda folder: [shutil.rmtree(folder / name) for name in CLASSES], {}, "has no class"),
    "one class": (lambda folder: [shutil.rmtree(folder / name) for name in ("cat", "dog")], {}, "one class alone"),
    "stray": (lambda folder: picture(folder / "a.png", 1), {}, r"a\.png is in no class"),
    "stray beside parts": (
        lambda folder: (in_parts(folder), picture(folder / "a.png", 1)),
        {},
        r"a\.png is in no part of the data: put it into its class in train/, or take it away",
    ),
    "test beside classes": (
        lambda folder: picture(folder / "Test" / "a.png", 1),
        {},
        "has Test/, a name of the held-out part, and no train/: move the folders of the classes into train/, or",
    ),
    "a broken link": (
        lambda folder: (folder / "cat" / "a.png").symlink_to(folder / "nowhere"),
        {},
        r"cat/a\.png is a link to what is not there: mend it",
    ),
    "a broken link for a class": (
        lambda folder: (folder / "fox").symlink_to(folder / "nowhere"),
        {},
        "data/fox is a link to what is not there: mend it",
    ),
    "a broken link for a part": (
        lambda folder: (in_parts(folder), (folder / "test").symlink_to(folder / "nowhere")),
        {},
        "data/test is a link to what is not there: mend it",
    ),
    "a linked folder": (
        lambda folder: (folder / "cat" / "up").symlink_to(folder),
        {},
        "cat/up is a link to a folder, which is not followed: put the images there",
    ),
    "a format that is not read": (
        lambda folder: [picture(folder / "cat" / name, 1) for name in ("b.GIF", "a.gif")],
        {},
        r"cat/a\.gif is of a format that is not read: convert it to PNG",
    ),
    "not an image": (
        lambda folder: (folder / "cat" / "a.png").write_text("no"),
        {},
        "cannot be read: no image",
    ),
    "cut short": (
        lambda folder: (folder / "cat" / "a.png").write_bytes((folder / "cat" / "000.png").read_bytes()[:90]),
        {},
        r"a\.png (is damaged|cannot be read)",
    ),
    "deep": (lambda folder: picture(folder / "cat" / "a.tif", 1, mode="F"), {}, "more than 8 bits"),
    "another size": (lambda folder: picture(folder / "dog" / "a.png", 1, (9, 9)), {}, "9 x 9 pixels, and others are 8"),
    "train beside classes": (lambda folder: class_folders(folder / "train"), {}, "train/ beside cat/"),
    "unknown option": (lambda _: None, {"sizes": 8}, "no option 'sizes'; did you mean 'size'"),
    "names alone": (lambda _: None, {"names": ["hat"]}, "names: they are columns"),
    "no table": (lambda _: None, {"attributes": "metadata.csv"}, "cannot read .*metadata.csv"),
    "names twice": (
        lambda _: None,
        {"attributes": "metadata.csv", "names": ["hat", "beard", "hat"]},
        r"data\.names .*'hat' is named twice",
    ),
    "an empty name": (lambda _: None, {"attributes": "metadata.csv", "names": [""]}, "a column's name is empty"),
    "held out": (lambda _: None, {"held_out": 1.5}, "data.held_out"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_are_named_on_one_line(tmp_path: Path, case: str) -> None:
    spoil, options, message = MISTAKES[case]
    folder = class_folders(tmp_path / "data")
    spoil(folder)
    with pytest.raises(UserError, match=message) as caught:
        load(folder, **options)
    assert "\n" not in str(caught.value)


def test_parts_that_do_not_go_together(tmp_path: Path) -> None:
    class_folders(tmp_path / "train")
    class_folders(tmp_path / "test", {"cat": 3, "dog": 3})
    with pytest.raises(UserError, match="the train part has 'eel', and the test part has not"):
        load(tmp_path)
    class_folders(tmp_path / "test", CLASSES, size=(4, 4))
    with pytest.raises(UserError, match=r"images of 8 pixels and 4 pixels: give one for all by data\.size"):
        load(tmp_path)


def test_where_a_relative_folder_lies(tmp_path: Path) -> None:
    class_folders(tmp_path / "mine")
    assert len(load("mine", tmp_path).train) == 28
    with pytest.raises(UserError, match=r"looked for below --data-dir, and none is given; write \./mine"):
        load("mine")
    with pytest.raises(UserError, match="'?~no-such-user/mine"):
        load("~no-such-user/mine")


def test_the_stamp_follows_the_images_and_nothing_beside_them(tmp_path: Path) -> None:
    class_folders(tmp_path)
    spec = DataSpec.model_validate({"source": "image_folder", "folder": str(tmp_path)})
    before = data_stamp(spec, None)
    (tmp_path / "notes.txt").write_text("x")
    assert data_stamp(spec, None) == before
    picture(tmp_path / "cat" / "more.png", 1)
    after = data_stamp(spec, None)
    assert after != before
    (tmp_path / "fox").mkdir()
    picture(tmp_path / "fox" / "a.png", 1)
    assert data_stamp(spec, None) != after
    attributes = DataSpec.model_validate({**spec.model_dump(), "attributes": "metadata.csv"})
    before = data_stamp(attributes, None) if portraits(tmp_path) else ""
    table(tmp_path, ["faces/1.png,0,0"])
    assert data_stamp(attributes, None) != before


def test_a_broken_link_has_a_stamp_which_changes_when_it_is_mended(tmp_path: Path) -> None:
    class_folders(tmp_path / "data")
    (tmp_path / "data" / "cat" / ".#lock").symlink_to(tmp_path / "later.png")
    (tmp_path / "data" / "cat" / ".round").symlink_to(tmp_path / "data" / "cat" / ".round")
    spec = DataSpec.model_validate({"source": "image_folder", "folder": str(tmp_path / "data")})
    before = data_stamp(spec, None)
    assert before == data_stamp(spec, None)
    picture(tmp_path / "later.png", 1)
    assert data_stamp(spec, None) != before
    assert stamp([tmp_path / "nowhere"]) != stamp([tmp_path / "later.png"])


def test_columns_of_two_parts_in_another_order_are_the_same_concepts(tmp_path: Path) -> None:
    for part, count in (("train", 6), ("test", 4)):
        portraits(tmp_path / part, count)
    plain = load(tmp_path, attributes="metadata.csv")
    file = tmp_path / "test" / "metadata.csv"
    rows = [line.split(",") for line in file.read_text().splitlines()]
    file.write_text("".join(f"{name},{second},{first}\n" for name, first, second in rows))
    turned = load(tmp_path, attributes="metadata.csv")
    assert turned.held_out.names == turned.train.names == ("hat", "beard")
    assert turned.digest() == plain.digest()


def test_splits_whose_concepts_stand_in_another_order_are_no_data_set(tmp_path: Path) -> None:
    splits = load(portraits(tmp_path), attributes="metadata.csv")
    turned = ImageSet(splits.held_out.images, splits.held_out.concepts, splits.held_out.names[::-1])
    with pytest.raises(ValueError, match="the same concepts in the same order, not hat, beard and beard, hat"):
        DataSplits(splits.train, turned)
