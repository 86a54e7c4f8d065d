"""Parquet files as repositories have them: the parts of one configuration, each image once, none lost or undecoded."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import pytest
from miniatures import pictures, write_parquet
from PIL import Image

from vdu_bench.data.hub_files import HELD_OUT, TRAIN, of_part
from vdu_bench.data.sources.hub import HubDataset
from vdu_bench.errors import UserError

pytest.importorskip("datasets", reason="the extra 'hub' is not installed")

LABELS = np.array([0, 1, 1])
NAMES = ["a", "b"]


def _write(root: Path, *names: str, side: int = 28) -> None:
    for number, name in enumerate(names):
        write_parquet(root / f"{name}.parquet", pictures(LABELS, 1, side, number), LABELS, NAMES)


def _load(root: Path, **options: Any) -> Any:
    return HubDataset(id="me/data", folder=root.name, mode="L", **options).load(root.parent)


def test_two_configurations_are_not_read_as_one(tmp_path: Path) -> None:
    root = tmp_path / "copy"
    _write(root, *(f"{config}/{part}-00000-of-00001" for config in ("cropped", "full") for part in ("train", "test")))
    with pytest.raises(UserError, match=r"several configurations of its data, cropped and full: name one by data"):
        _load(root)
    for place, config in enumerate(("cropped", "full")):
        splits = _load(root, config=config)
        assert len(splits.train) == 3
        assert np.array_equal(splits.train.images.numpy(), pictures(LABELS, 1, 28, 2 * place))
    with pytest.raises(UserError, match="no configuration 'crop'; did you mean 'cropped'"):
        _load(root, config="crop")


def _of(part: tuple[str, ...], *names: str, **options: Any) -> list[str]:
    return [name.as_posix() for name in of_part([PurePath(n) for n in names], part, "here", **options)]


def test_the_last_word_that_names_a_part_decides() -> None:
    names = ("training_set/train-0.parquet", "training_set/test-0.parquet")
    assert _of(TRAIN, *names) == ["training_set/train-0.parquet"]
    assert _of(HELD_OUT, *names) == ["training_set/test-0.parquet"]
    assert _of(TRAIN, "default/train/0000.parquet", "default/test/0000.parquet") == ["default/train/0000.parquet"]
    assert _of(HELD_OUT, "data/validation-0.parquet", "data/train-0.parquet") == ["data/validation-0.parquet"]


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        (["train-00000-of-00002", "train-00000-of-00001"], "the same data in two countings of files"),
        (["train-00000-of-00001-0a1b2c", "train-00000-of-00001-ffee01"], "the same data in two countings"),
        (["train-00000-of-00001", "train-00000-of-00001-ffee01"], "the same data in two countings"),
        (["train-00000-of-00003", "train-00002-of-00003"], r"lacks 1 of the 3 files .* train-00001-of-00003$"),
    ],
)
def test_files_that_come_twice_or_are_lost_are_named(names: list[str], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        _of(TRAIN, *(f"data/{name}.parquet" for name in names))


def test_a_part_of_the_files_is_enough_for_a_part_of_the_images() -> None:
    names = ["data/train-00000-of-00003.parquet", "data/train-00002-of-00003.parquet"]
    assert _of(TRAIN, *names, whole=False) == names


def _change(file: Path, column: str, value: Any) -> None:
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(file)
    rows = table.to_pylist()
    rows[1][column] = value
    changed = pyarrow.Table.from_pylist(rows, schema=table.schema)
    pyarrow.parquet.write_table(changed, file)


def _deep() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full((28, 28), 40_000, np.uint16)).save(stream, "PNG")
    return stream.getvalue()


BROKEN: dict[str, tuple[Callable[[Path], None], str]] = {
    "no label": (lambda file: _change(file, "label", None), "row 1 of .* has no label"),
    "no image": (lambda file: _change(file, "image", None), "row 1 of .* has no image"),
    "a damaged image": (
        lambda file: _change(file, "image", {"bytes": b"\x89PNG and no more", "path": None}),
        "row 1 of .* is damaged",
    ),
    "an image that is elsewhere": (
        lambda file: _change(file, "image", {"bytes": None, "path": "nowhere.png"}),
        "row 1 of .* names a file in place of an image",
    ),
    "sixteen bits": (lambda file: _change(file, "image", {"bytes": _deep(), "path": None}), "more than 8 bits"),
    "a pointer": (
        lambda file: file.write_bytes(b"version https://git-lfs.github.com/spec/v1\n") and None,
        "is a pointer of git-lfs",
    ),
}


@pytest.mark.parametrize("damage", BROKEN)
def test_a_row_that_cannot_be_read_is_named(damage: str, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    _write(root, "train-00000-of-00001", "test-00000-of-00001")
    change, complaint = BROKEN[damage]
    change(root / "train-00000-of-00001.parquet")
    with pytest.raises(UserError, match=complaint):
        _load(root)


def test_a_data_folder_that_is_the_copy_itself_is_found(tmp_path: Path) -> None:
    _write(tmp_path / "me" / "data", "train-00000-of-00001", "test-00000-of-00001")
    source = HubDataset(id="me/data", mode="L")
    assert source.load(tmp_path / "me" / "data").digest() == source.load(tmp_path).digest()
    with pytest.raises(UserError, match="no parquet file"):
        HubDataset(id="me/other", mode="L").load(tmp_path / "me" / "data")


def test_margins_that_are_too_small_are_named(tmp_path: Path) -> None:
    root = tmp_path / "copy"
    _write(root, "train-00000-of-00001", "test-00000-of-00001")
    with pytest.raises(UserError, match="an image of 28 x 28 pixels, and pad_to is 16"):
        _load(root, pad_to=16)
    assert _load(root, pad_to=30).train.images.shape[-1] == 30


def test_a_smaller_copy_of_a_part_beside_it_is_no_part_of_it() -> None:
    names = [PurePath(f"data/{name}.parquet") for name in (
        "train-00000-of-00002", "train-00001-of-00002", "train_small-00000-of-00001",
        "validation-00000-of-00001", "validation_corrupted-00000-of-00001",
    )]  # fmt: skip
    assert [name.stem for name in of_part(names, TRAIN, "it")] == ["train-00000-of-00002", "train-00001-of-00002"]
    assert [name.stem for name in of_part(names, HELD_OUT, "it")] == ["validation-00000-of-00001"]
    with pytest.raises(UserError, match="it has several sets of files of .*part, train_a and train_b: keep one"):
        of_part([PurePath(f"train_{one}-00000-of-00001.parquet") for one in "ab"], TRAIN, "it")
