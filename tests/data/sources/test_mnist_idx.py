from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch
from miniatures import idx, pictures, write_mnist

from vdu_bench.data.padding import padded
from vdu_bench.data.sources.mnist_idx import FashionMnist, Mnist, read_idx
from vdu_bench.errors import UserError
from vdu_bench.extras import install

TRAIN_IMAGES = "train-images-idx3-ubyte"


def test_the_four_files_are_read_and_padded(tmp_path: Path) -> None:
    write_mnist(tmp_path / "mnist")
    splits = Mnist().load(tmp_path)
    assert tuple(splits.train.images.shape) == (120, 1, 32, 32)
    assert tuple(splits.held_out.images.shape) == (40, 1, 32, 32)
    assert splits.train.labels().tolist() == [i % 10 for i in range(120)]
    assert splits.train.names == tuple("0123456789")
    original = pictures(np.arange(120) % 10, 1, 28, 120)
    assert np.array_equal(splits.train.images[:, :, 2:-2, 2:-2].numpy(), original)
    assert int(splits.train.images.sum()) == int(original.sum()), "the margins are black"


def test_zipped_is_the_same_as_plain(tmp_path: Path) -> None:
    write_mnist(tmp_path / "plain" / "mnist")
    write_mnist(tmp_path / "zipped" / "mnist", zipped=True)
    prints = {Mnist().load(tmp_path / kind).digest() for kind in ("plain", "zipped")}
    assert len(prints) == 1


def test_the_other_spelling_and_a_gz_without_its_ending_are_read(tmp_path: Path) -> None:
    folder = write_mnist(tmp_path / "mnist")
    (folder / TRAIN_IMAGES).rename(folder / "train-images.idx3-ubyte")
    labels = folder / "t10k-labels-idx1-ubyte"
    labels.write_bytes(gzip.compress(labels.read_bytes()))
    assert len(Mnist().load(tmp_path).held_out) == 40


def test_fashion_mnist_is_the_same_format_with_names(tmp_path: Path) -> None:
    write_mnist(tmp_path / "clothes")
    splits = FashionMnist(folder="clothes", pad_to=28).load(tmp_path)
    assert splits.train.names[1] == "trouser"
    assert tuple(splits.train.images.shape[1:]) == (1, 28, 28)


def test_an_absolute_folder_needs_no_data_folder(tmp_path: Path) -> None:
    folder = write_mnist(tmp_path / "elsewhere")
    assert len(FashionMnist(folder=str(folder)).load(None).train) == 120


@pytest.mark.parametrize(("source", "where"), [(Mnist(), "mnist"), (FashionMnist(), "fashion_mnist")])
def test_a_missing_data_set_says_what_to_get_and_where_to_put_it(tmp_path: Path, source: Mnist, where: str) -> None:
    with pytest.raises(UserError) as caught:
        source.load(tmp_path)
    message = str(caught.value)
    facts = source.download
    wanted = (facts.name, TRAIN_IMAGES, facts.size, "https://", facts.licence, str(tmp_path / where), install("hub"))
    for words in wanted:
        assert words in message
    assert "\n" not in message


def damaged(content: bytes, way: str) -> bytes:
    return {
        "cut": content[:-1],
        "longer": content + b"\0",
        "other magic": b"\0\0\x0d" + content[3:],
        "other rank": content[:3] + b"\1" + content[4:],
        "empty": b"",
        "head only": content[:6],
        "gz, cut": gzip.compress(content)[:-20],
        "gz, broken": gzip.compress(content)[:30] + b"\xff" * 40,
    }[way]


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("cut", "damaged"),
        ("longer", "damaged"),
        ("other magic", "starts 00000d03, not 00000803"),
        ("other rank", "starts 00000801"),
        ("empty", "not the idx file"),
        ("head only", "damaged"),
        ("gz, cut", "cut short"),
        ("gz, broken", "cannot be read"),
    ],
)
def test_damage_is_named_with_the_file(tmp_path: Path, way: str, words: str) -> None:
    file = write_mnist(tmp_path / "mnist") / TRAIN_IMAGES
    file.write_bytes(damaged(file.read_bytes(), way))
    with pytest.raises(UserError, match=words) as caught:
        Mnist().load(tmp_path)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    ("labels", "words"),
    [(np.arange(119) % 10, "has 120 images"), (np.arange(120) % 11, "none of 0..9")],
)
def test_labels_that_do_not_fit_are_refused(tmp_path: Path, labels: np.ndarray, words: str) -> None:
    file = write_mnist(tmp_path / "mnist") / "train-labels-idx1-ubyte"
    file.write_bytes(idx(labels.astype(np.uint8)))
    with pytest.raises(UserError, match=words) as caught:
        Mnist().load(tmp_path)
    assert str(file) in str(caught.value)


def test_a_head_that_promises_the_moon_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes([0, 0, 8, 3]) + b"\xff" * 12 + b"\0" * 10)
    with pytest.raises(UserError, match="damaged"):
        read_idx(tmp_path / "file", 3)


@pytest.mark.parametrize(("size", "top", "bottom"), [(28, 0, 0), (32, 2, 2), (33, 2, 3)])
def test_padding_is_even_and_black(size: int, top: int, bottom: int) -> None:
    image = torch.full((1, 2, 28, 28), 255, dtype=torch.uint8)
    out = padded(image, size)
    assert tuple(out.shape) == (1, 2, size, size)
    assert out.dtype == torch.uint8
    inside = out[:, :, top : size - bottom, top : size - bottom]
    assert torch.equal(inside, image)
    assert int(out.long().sum()) == int(image.long().sum())


def test_no_padding_to_less() -> None:
    with pytest.raises(ValueError, match="28 x 28"):
        padded(torch.zeros(1, 1, 28, 28, dtype=torch.uint8), 16)


def test_a_zipped_file_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vdu_bench.data.sources.mnist_idx.MOST", 5000)
    (tmp_path / "images.gz").write_bytes(gzip.compress(bytes(5001)))
    with pytest.raises(UserError, match="unpacks to more than 5,000 bytes"):
        read_idx(tmp_path / "images.gz", 3)
