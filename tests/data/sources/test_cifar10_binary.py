from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from miniatures import pictures, write_cifar10

from vdu_bench.data.sources.cifar10_binary import Cifar10
from vdu_bench.errors import UserError
from vdu_bench.extras import install

FOLDER = "cifar-10-batches-bin"


class Bomb:
    """Whoever unpickles one makes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


def test_five_batches_and_a_test_batch_are_read(tmp_path: Path) -> None:
    write_cifar10(tmp_path / FOLDER)
    splits = Cifar10().load(tmp_path)
    assert tuple(splits.train.images.shape) == (100, 3, 32, 32)
    assert len(splits.held_out) == 20
    assert splits.train.names[8] == "ship"
    assert splits.train.labels().tolist() == [i % 10 for i in range(20)] * 5
    third = pictures(np.arange(20) % 10, 3, 32, 2)
    assert np.array_equal(splits.train.images[40:60].numpy(), third), "red, green, blue; each row by row"


def test_a_missing_data_set_says_what_to_get_and_where_to_put_it(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        Cifar10().load(tmp_path)
    where, packages = str(tmp_path / FOLDER), install("hub")
    for words in ("cifar-10-binary.tar.gz", "162 MB", "cs.toronto.edu", "licence", where, packages):
        assert words in str(caught.value)
    write_cifar10(tmp_path / FOLDER)
    (tmp_path / FOLDER / "data_batch_3.bin").unlink()
    with pytest.raises(UserError, match=r"data_batch_3\.bin is not there"):
        Cifar10().load(tmp_path)


@pytest.mark.parametrize("folder", ["cifar-10-batches-py", FOLDER])
def test_the_pickled_version_is_refused_and_never_unpickled(tmp_path: Path, folder: str) -> None:
    marker = tmp_path / "unpickled"
    place = tmp_path / folder
    place.mkdir()
    for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta"):
        (place / name).write_bytes(pickle.dumps(Bomb(marker)))
    for source in (Cifar10(), Cifar10(folder=folder)):
        with pytest.raises(UserError, match=r"pickles, which run whatever .* Get the binary version") as caught:
            source.load(tmp_path)
        assert "cifar-10-binary.tar.gz" in str(caught.value)
    assert not marker.exists()
    pickle.loads((place / "test_batch").read_bytes())
    assert marker.exists(), "the bomb works"


@pytest.mark.parametrize("change", [-1, -3072, -20 * 3073])
def test_a_file_cut_short_is_named(tmp_path: Path, change: int) -> None:
    file = write_cifar10(tmp_path / FOLDER) / "data_batch_2.bin"
    file.write_bytes(file.read_bytes()[:change])
    with pytest.raises(UserError, match="damaged") as caught:
        Cifar10().load(tmp_path)
    assert str(file) in str(caught.value)


def test_another_format_is_named(tmp_path: Path) -> None:
    file = write_cifar10(tmp_path / FOLDER) / "test_batch.bin"
    file.write_bytes(b"\x63" + file.read_bytes()[1:])
    with pytest.raises(UserError, match=r"none of 0\.\.9") as caught:
        Cifar10().load(tmp_path)
    assert str(file) in str(caught.value)
