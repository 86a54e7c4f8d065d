from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest
from miniatures import write_imagenette, write_parquet
from PIL import Image

import vdu_bench.data.sources.imagenette
from vdu_bench.data.sources.hub import HubDataset
from vdu_bench.data.sources.imagenette import CLASSES, Imagenette
from vdu_bench.data.squares import square
from vdu_bench.errors import UserError

FOLDER = "imagenette2-320"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(vdu_bench.data.sources.imagenette, "IMAGES", {"train": 60, "val": 20})
    return write_imagenette(tmp_path / FOLDER)


def test_the_unpacked_archive_is_read(tmp_path: Path, folder: Path) -> None:
    splits = Imagenette(size=16).load(tmp_path)
    assert tuple(splits.train.images.shape) == (60, 3, 16, 16)
    assert splits.train.names == tuple(CLASSES)
    assert splits.train.exclusive
    assert splits.held_out.labels().tolist() == [place for place in range(10) for _ in range(2)]
    assert splits.titles["n03028079"] == "church"
    assert "'n03028079' (church)" in splits.instead_of("Church")
    for place, name in enumerate(CLASSES):
        with Image.open(folder / "train" / name / f"{name}_1.JPEG") as image:
            assert np.array_equal(splits.train.images[6 * place + 1].permute(1, 2, 0), np.asarray(square(image, 16)))


@pytest.mark.parametrize("name", ["imagenette2", "imagenette", f"{FOLDER}/{FOLDER}", "."])
def test_other_names_of_the_folder_are_found(name: str, tmp_path: Path, folder: Path) -> None:
    place = tmp_path / "elsewhere" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(folder, place, dirs_exist_ok=True)
    assert len(Imagenette(size=8).load(tmp_path / "elsewhere").train) == 60


def test_tiny_imagenet_s_folder_is_not_taken_for_it(tmp_path: Path) -> None:
    (tmp_path / "train" / "n01443537").mkdir(parents=True)
    (tmp_path / "val" / "n01443537").mkdir(parents=True)
    with pytest.raises(UserError, match=rf"{FOLDER}/train is not there"):
        Imagenette().load(tmp_path)


def test_a_missing_data_set_says_what_to_get_and_where_to_put_it(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        Imagenette().load(tmp_path)
    for words in ("imagenette2-320.tgz", "342 MB", "s3.amazonaws.com", "ImageNet's terms", str(tmp_path / FOLDER)):
        assert words in str(caught.value)


def test_a_part_that_is_not_whole_is_told(tmp_path: Path, folder: Path) -> None:
    (folder / "train" / "n03888257" / "n03888257_5.JPEG").unlink()
    with pytest.raises(UserError, match="train has 59 images, and there should be 60; unpack"):
        Imagenette().load(tmp_path)
    shutil.rmtree(folder / "train" / "n03888257")
    with pytest.raises(UserError, match="train lacks the class n03888257"):
        Imagenette().load(tmp_path)
    (folder / "train" / "n03888257").mkdir()
    shutil.copytree(folder / "train" / "n03028079", folder / "train" / "n00000001")
    shutil.copytree(folder / "train" / "n03028079", folder / "train" / "n03888257", dirs_exist_ok=True)
    with pytest.raises(UserError, match="train has the class n00000001"):
        Imagenette().load(tmp_path)


@pytest.mark.skipif(importlib.util.find_spec("datasets") is None, reason="datasets is not installed")
def test_the_hub_s_files_are_brought_to_one_size_and_called_alike(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 255, (10, 3, 24, 40), dtype=np.uint8)
    root = tmp_path / "frgfm" / "imagenette" / "320px"
    for part in ("train", "validation"):
        write_parquet(root / part / "0000.parquet", images, np.arange(10), list(CLASSES.values()))
    source = Imagenette(size=12).on_hub()
    assert isinstance(source, HubDataset)
    assert (source.revision, source.config) == ("refs/convert/parquet", "320px")
    splits = source.load(tmp_path)
    assert splits.train.names == tuple(CLASSES)
    expected = [np.asarray(square(Image.fromarray(image), 12)) for image in images.transpose(0, 2, 3, 1)]
    assert np.array_equal(splits.train.images.permute(0, 2, 3, 1), np.stack(expected))
