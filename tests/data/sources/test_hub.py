from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from data_folders import picture
from miniatures import FISH, pictures, write_mnist, write_parquet

from vdu_bench.data.catalog import load_data
from vdu_bench.data.sources.hub import HubDataset
from vdu_bench.data.sources.mnist_idx import Mnist
from vdu_bench.data.specs import DataSpec
from vdu_bench.errors import UserError
from vdu_bench.files import stamp

DIGITS = [str(digit) for digit in range(10)]

needs_datasets = pytest.mark.skipif(
    importlib.util.find_spec("datasets") is None,
    reason="datasets is not installed",
)


def write_mnist_parquet(root: Path) -> None:
    for name, count in (("train", 120), ("test", 40)):
        labels = np.arange(count) % 10
        write_parquet(root / "mnist" / f"{name}-00000-of-00001.parquet", pictures(labels, 1, 28, count), labels, DIGITS)


@needs_datasets
def test_a_local_folder_has_the_same_content_as_the_official_files(tmp_path: Path) -> None:
    write_mnist(tmp_path / "mnist")
    write_mnist_parquet(tmp_path / "ylecun" / "mnist")
    spec = DataSpec(source="hub", id="ylecun/mnist", mode="L", pad_to=32)
    assert load_data(spec, tmp_path).digest() == Mnist().load(tmp_path).digest()


@needs_datasets
def test_without_a_data_folder_it_comes_from_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the hub gives is a folder of parquet files; here a local one, under the revision that was asked for."""
    write_mnist(tmp_path / "mnist")
    write_mnist_parquet(tmp_path / "snapshot")
    asked = []

    def snapshot_download(name: str, local_files_only: bool, **facts: str) -> str:
        assert not local_files_only
        asked.append((name, facts))
        return str(tmp_path / "snapshot")

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    assert Mnist().load(None).digest() == Mnist().load(tmp_path).digest()
    assert asked == [("ylecun/mnist", {"repo_type": "dataset", "revision": None, "allow_patterns": "*.parquet"})]
    assert stamp(Mnist().roots(None)) != stamp(Mnist().roots(tmp_path))


@needs_datasets
def test_colour_several_files_and_the_part_called_valid(tmp_path: Path) -> None:
    names = [FISH, "n02927161"]
    root = tmp_path / "copy"
    labels = np.array([0, 1, 1])
    write_parquet(root / "data" / "train-00000-of-00002.parquet", pictures(labels, 3, 64, 0), labels, names)
    write_parquet(root / "data" / "train-00001-of-00002.parquet", pictures(labels, 1, 64, 1), labels, names)
    write_parquet(root / "data" / "valid-00000-of-00001.parquet", pictures(labels, 3, 64, 2), labels, names)
    splits = HubDataset(id="zh-plus/tiny-imagenet", folder="copy").load(tmp_path)
    assert tuple(splits.train.images.shape) == (6, 3, 64, 64), "grey ones become three channels"
    assert splits.train.labels().tolist() == [0, 1, 1, 0, 1, 1]
    assert splits.train.names == tuple(names)
    assert np.array_equal(splits.held_out.images.numpy(), pictures(labels, 3, 64, 2))


@needs_datasets
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda root: (root / "train-0.parquet").unlink(), "no parquet file of the part 'train'"),
        (lambda root: (root / "test-0.parquet").unlink(), "no parquet file of the part 'test'"),
        (
            lambda root: (root / "train-0.parquet").write_bytes(b"PAR1 and no more"),
            r"train-0\.parquet is missing or dam",
        ),
        (lambda root: write_pair(root, labels=np.array([0, 7])), "labels beyond its 2 classes"),
        (lambda root: write_pair(root, side=30, second=28), "another size"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, damage, words: str) -> None:
    root = tmp_path / "me" / "data"
    write_pair(root)
    damage(root)
    with pytest.raises(UserError, match=words) as caught:
        HubDataset(id="me/data").load(tmp_path)
    assert str(root) in str(caught.value)


@needs_datasets
def test_a_row_that_names_a_file_has_no_image(tmp_path: Path) -> None:
    """Whoever wrote the data set would have the files of whoever reads it put into it."""
    from datasets import ClassLabel, Dataset, Features, Image

    secret = picture(tmp_path / "secret.png", 0, size=(28, 28), mode="L")
    root = tmp_path / "me" / "data"
    write_pair(root)
    features = Features({"image": Image(), "label": ClassLabel(names=["a", "b"])})
    rows = {"image": [str(secret), str(secret)], "label": [0, 1]}
    Dataset.from_dict(rows, features=features).to_parquet(str(root / "train-0.parquet"))
    with pytest.raises(UserError, match=r"row 0 of .* names a file in place of an image"):
        HubDataset(id="me/data").load(tmp_path)


def write_pair(root: Path, labels: np.ndarray | None = None, side: int = 28, second: int | None = None) -> None:
    truth = np.array([0, 1])
    for name in ("train-0", "test-0"):
        write_parquet(
            root / f"{name}.parquet", pictures(truth, 1, side, 0), truth if labels is None else labels, ["a", "b"]
        )
    if second is not None:
        write_parquet(root / "train-1.parquet", pictures(truth, 1, second, 0), truth, ["a", "b"])


def test_without_datasets_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vdu_bench.data.hub_files.importlib.util.find_spec", lambda _: None)
    for source in (HubDataset(id="me/data"), Mnist()):
        for ask in (source.roots, source.load):
            with pytest.raises(UserError, match=r"pip install 'datasets>=3'"):
                ask(None)


@needs_datasets
def test_without_a_network_the_message_names_the_other_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> str:
        raise ConnectionError("no route\nto host")

    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    with pytest.raises(UserError, match=r"ylecun/mnist cannot be had .* \(no route to host\)") as caught:
        Mnist().load(None)
    for words in ("12 MB", "https://", "CC BY-SA 3.0", "DIR/mnist", "--data-dir DIR"):
        assert words in str(caught.value)


@pytest.mark.parametrize("name", ["mnist", "a/b/c", "../etc", "/etc/x"])
def test_an_id_is_an_owner_and_a_name(name: str) -> None:
    with pytest.raises(UserError, match=r"data\.id of the data source 'hub'"):
        load_data(DataSpec(source="hub", id=name), None)
