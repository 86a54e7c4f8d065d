"""Data as people have them: in other layouts they are found, and what is missing or doubled is never a smaller set."""

from __future__ import annotations

import codecs
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from miniatures import FISH, ORANGE, write_celeba, write_cifar10, write_mnist, write_tiny_imagenet

from vdu_bench.data.source import OfficialSource
from vdu_bench.data.sources.celeba import CelebA
from vdu_bench.data.sources.cifar10_binary import Cifar10
from vdu_bench.data.sources.mnist_idx import FashionMnist, Mnist
from vdu_bench.data.sources.tiny_imagenet import TinyImageNet
from vdu_bench.errors import UserError

FACES = CelebA(size=16, train_images="all", held_out_images="all")
TINY = "tiny-imagenet-200"

PLACES: list[tuple[OfficialSource, Callable[[Path], Path], str]] = [
    (Mnist(), write_mnist, "MNIST/raw"),
    (Mnist(), write_mnist, "raw"),
    (Mnist(), write_mnist, "."),
    (FashionMnist(), write_mnist, "FashionMNIST/raw"),
    (Cifar10(), write_cifar10, "."),
    (Cifar10(), write_cifar10, "cifar10"),
    (TinyImageNet(), write_tiny_imagenet, "."),
    (TinyImageNet(), write_tiny_imagenet, f"{TINY}/{TINY}"),
    (FACES, write_celeba, "."),
    (FACES, write_celeba, "CelebA"),
]


@pytest.mark.parametrize(("source", "write", "place"), PLACES, ids=lambda one: one if isinstance(one, str) else "")
def test_a_set_is_found_where_other_tools_put_it(
    source: OfficialSource, write: Callable[[Path], Path], place: str, tmp_path: Path
) -> None:
    write(tmp_path / "official" / source.folder)
    write(tmp_path / "mine" / place)
    found = source.load(tmp_path / "mine")
    assert found.digest() == source.load(tmp_path / "official").digest()
    assert all((tmp_path / "mine") in root.parents for root in source.roots(tmp_path / "mine"))


def test_files_of_the_same_names_are_not_taken_for_another_set(tmp_path: Path) -> None:
    for place in ("FashionMNIST/raw", "kmnist", "fashion_mnist"):
        write_mnist(tmp_path / place)
        with pytest.raises(UserError, match="is not there"):
            Mnist().load(tmp_path / place)
    write_mnist(tmp_path / "mnist")
    with pytest.raises(UserError, match="is not there"):
        FashionMnist().load(tmp_path / "mnist")
    # A folder that a task names is meant, and no other.
    with pytest.raises(UserError, match="elsewhere"):
        Mnist(folder="elsewhere").load(tmp_path)


def test_what_is_missing_is_said_beside_what_was_found_and_following_it_works(tmp_path: Path) -> None:
    folder = write_mnist(tmp_path / "MNIST" / "raw")
    lost = (folder / "t10k-labels-idx1-ubyte").read_bytes()
    (folder / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(UserError) as caught:
        Mnist().load(tmp_path)
    message = str(caught.value)
    assert f"{folder / 't10k-labels-idx1-ubyte'} is not there ({folder} has t10k-images-idx3-ubyte, train-im" in message
    assert f"put it into {folder}" in message
    (folder / "t10k-labels-idx1-ubyte").write_bytes(lost)
    assert len(Mnist().load(tmp_path).held_out) == 40


def _kaggle(folder: Path) -> None:
    """CelebA as Kaggle has it."""
    images = folder / "img_align_celeba"
    images.rename(folder / "inner")
    images.mkdir()
    (folder / "inner").rename(images / "img_align_celeba")
    _, header, *rows = (folder / "list_attr_celeba.txt").read_text().splitlines()
    lines = [",".join(["image_id", *header.split()]), *(",".join(row.split()) for row in rows)]
    (folder / "list_attr_celeba.csv").write_text("\n".join(lines) + "\n")
    rows = (folder / "list_eval_partition.txt").read_text().splitlines()
    lines = ["image_id,partition", *(row.replace(" ", ",") for row in rows)]
    (folder / "list_eval_partition.csv").write_text("\n".join(lines))
    for name in ("list_attr_celeba", "list_eval_partition"):
        (folder / f"{name}.txt").unlink()


def test_celeba_as_kaggle_has_it(tmp_path: Path) -> None:
    expected = FACES.load(write_celeba(tmp_path / "official" / "celeba").parent).digest()
    folder = write_celeba(tmp_path / "mine" / "celeba")
    _kaggle(folder)
    assert FACES.load(tmp_path / "mine").digest() == expected
    assert FACES.load(folder).digest() == expected
    (folder / "list_attr_celeba.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match=r"list_attr_celeba\.csv is damaged.* image_id"):
        FACES.load(tmp_path / "mine")


def test_a_byte_order_mark_is_no_part_of_a_list(tmp_path: Path) -> None:
    folder = write_celeba(tmp_path / "celeba")
    expected = FACES.load(tmp_path).digest()
    for name in ("list_attr_celeba.txt", "list_eval_partition.txt"):
        text = (folder / name).read_bytes()
        (folder / name).write_bytes(codecs.BOM_UTF8 + text)
        assert FACES.load(tmp_path).digest() == expected
        (folder / name).write_bytes(text.decode().encode("utf-16"))
        with pytest.raises(UserError, match=rf"{name} is UTF-16"):
            FACES.load(tmp_path)
        (folder / name).write_bytes(text)


def test_tiny_imagenet_s_validation_part_sorted_into_classes(tmp_path: Path) -> None:
    folder = write_tiny_imagenet(tmp_path / TINY)
    expected = TinyImageNet().load(tmp_path).digest()
    lines = (folder / "val" / "val_annotations.txt").read_text().splitlines()
    for inner in ("images", "."):
        place = Path(shutil.copytree(folder, tmp_path / f"sorted{inner}" / TINY))
        for line in lines:
            file, name, *_ = line.split("\t")
            (place / "val" / name / inner).mkdir(parents=True, exist_ok=True)
            (place / "val" / "images" / file).rename(place / "val" / name / inner / file)
        (place / "val" / "images").rmdir()
        assert TinyImageNet().load(place.parent).digest() == expected
        (place / "val" / "val_annotations.txt").unlink()
        assert TinyImageNet().load(place.parent).digest() == expected


def _lose(folder: Path, pattern: str) -> None:
    next(iter(sorted(folder.glob(pattern)))).unlink()


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "a lost image": (lambda f: _lose(f, f"train/{FISH}/images/*"), f"the class {FISH} has 11 images, .* should be 12"),
    "a lost class": (lambda f: shutil.rmtree(f / "train" / ORANGE / "images"), f"{ORANGE} has 0 images"),
    "a stray folder": (lambda f: (f / "train" / "backup").mkdir(), "backup is no class of"),
    "a lost line": (
        lambda f: (f / "val/val_annotations.txt").write_text(
            (f / "val/val_annotations.txt").read_text().partition("\n")[2]
        ),
        "no line for val_0.JPEG",
    ),
    "a lost image and line": (
        lambda f: [
            _lose(f, "val/images/val_0.JPEG"),
            (f / "val/val_annotations.txt").write_text((f / "val/val_annotations.txt").read_text().partition("\n")[2]),
        ],
        f"the class {FISH} has 3 images, and there should be 4",
    ),
    "a listed image": (
        lambda f: [(f / "train" / name / f"{name}_boxes.txt").write_text("x\n" * 13) for name in (FISH,)],
        f"{FISH} has 12 images, and there should be 13",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_lost_images_are_an_error_and_no_smaller_set(damage: str, tmp_path: Path) -> None:
    folder = write_tiny_imagenet(tmp_path / TINY)
    change, complaint = DAMAGE[damage]
    change(folder)
    with pytest.raises(UserError, match=complaint):
        TinyImageNet().load(tmp_path)


def test_what_a_notebook_leaves_is_no_class(tmp_path: Path) -> None:
    folder = write_tiny_imagenet(tmp_path / TINY)
    expected = TinyImageNet().load(tmp_path)
    for place in ("train", f"train/{FISH}", f"train/{FISH}/images", "val/images"):
        (folder / place / ".ipynb_checkpoints").mkdir()
    found = TinyImageNet().load(tmp_path)
    assert found.train.names == expected.train.names
    assert found.digest() == expected.digest()
    (folder / "wnids.txt").unlink()
    assert TinyImageNet().load(tmp_path).digest() == expected.digest()


def test_the_whole_set_has_its_official_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Three classes stand for the two hundred.
    monkeypatch.setattr("vdu_bench.data.sources.tiny_imagenet.CLASSES", 3)
    write_tiny_imagenet(tmp_path / TINY)
    with pytest.raises(UserError, match="has 12 images, and there should be 500"):
        TinyImageNet().load(tmp_path)
    monkeypatch.setattr("vdu_bench.data.sources.tiny_imagenet.PER_CLASS", {"train": 12, "val": 4})
    assert np.array_equal(TinyImageNet().load(tmp_path).held_out.labels().bincount().numpy(), [4, 4, 4])
