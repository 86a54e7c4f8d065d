"""A few images in the real byte format of each data set: what a test puts where a user puts the real files."""

from __future__ import annotations

import gzip
import io
import json
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vdu_bench.data.sources.celeba import ATTRIBUTES
from vdu_bench.data.sources.imagenette import CLASSES

FISH, BUTCHER_SHOP, ORANGE = "n01443537", "n02927161", "n07747607"
HUB_CONFIG = "img_align+identity+attr"
WORDS = {
    FISH: "goldfish, Carassius auratus",
    BUTCHER_SHOP: "butcher shop, meat market",
    ORANGE: "orange",
    "n00000001": "a word for none of the classes",
}


def pictures(labels: NDArray[np.int64], channels: int, side: int, seed: int) -> NDArray[np.uint8]:
    """uint8 ``[N, C, side, side]``: noise, with a bright bar whose place tells the class."""
    images = np.random.default_rng(seed).integers(0, 60, (len(labels), channels, side, side))
    for image, label in zip(images, labels, strict=True):
        image[:, 2 * int(label) : 2 * int(label) + 3] += 180
    return images.astype(np.uint8)


def idx(values: NDArray[np.uint8]) -> bytes:
    """The bytes of an idx file."""
    return bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


def write_mnist(folder: Path, train: int = 120, held_out: int = 40, zipped: bool = False, seed: int = 0) -> Path:
    """Four idx files in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, count in (("train", train), ("t10k", held_out)):
        labels = np.arange(count) % 10
        images = pictures(labels, 1, 28, seed + count)[:, 0]
        for name, values in ((f"{part}-images-idx3-ubyte", images), (f"{part}-labels-idx1-ubyte", labels)):
            content = idx(values.astype(np.uint8))
            if zipped:
                (folder / f"{name}.gz").write_bytes(gzip.compress(content))
            else:
                (folder / name).write_bytes(content)
    return folder


def write_cifar10(folder: Path, per_file: int = 20) -> Path:
    """Five training batches and a test batch of the binary version in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate([*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]):
        labels = np.arange(per_file) % 10
        images = pictures(labels, 3, 32, number)
        rows = [bytes([label]) + image.tobytes() for label, image in zip(labels, images, strict=True)]
        (folder / name).write_bytes(b"".join(rows))
    return folder


def write_tiny_imagenet(folder: Path, per_class: int = 12, held_out_per_class: int = 4) -> Path:
    """Three classes of JPEGs in `folder`, the first image of each grey, as some of the real ones are."""
    classes = (FISH, BUTCHER_SHOP, ORANGE)
    annotations = []
    (folder / "val" / "images").mkdir(parents=True)
    for number, name in enumerate(classes):
        train = folder / "train" / name / "images"
        train.mkdir(parents=True)
        made = pictures(np.full(per_class + held_out_per_class, number), 3, 64, number)
        for i, image in enumerate(made.transpose(0, 2, 3, 1)):
            picture = Image.fromarray(image).convert("L" if i == 0 else "RGB")
            if i < per_class:
                picture.save(train / f"{name}_{i}.JPEG", "JPEG")
            else:
                file = f"val_{len(annotations)}.JPEG"
                picture.save(folder / "val" / "images" / file, "JPEG")
                annotations.append(f"{file}\t{name}\t0\t0\t62\t62\n")
    (folder / "val" / "val_annotations.txt").write_text("".join(annotations))
    (folder / "wnids.txt").write_text("".join(f"{name}\n" for name in classes))
    (folder / "words.txt").write_text("".join(f"{name}\t{words}\n" for name, words in WORDS.items()))
    return folder


def write_imagenette(folder: Path, train: int = 6, held_out: int = 2) -> Path:
    """Its ten classes in `folder`, so many JPEGs of each, wide and tall ones in turn."""
    for part, count in (("train", train), ("val", held_out)):
        for place, name in enumerate(CLASSES):
            own = folder / part / name
            own.mkdir(parents=True)
            made = pictures(np.full(count, place), 3, 48, 100 * place + count)
            for i, image in enumerate(made.transpose(0, 2, 3, 1)):
                cut = image[:, 4:-4] if i % 2 else image[4:-4]
                Image.fromarray(cut).save(own / f"{name}_{i}.JPEG", "JPEG", quality=95)
    (folder / "noisy_imagenette.csv").write_text("path,noisy_labels_0\n")
    return folder


def face(number: int) -> Image.Image:
    """178 x 218 pixels: noise of a grey that tells the number, below a red and above a blue margin of 20 rows each."""
    pixels = np.random.default_rng(number).integers(0, 20, (218, 178, 3)) + 6 * (number % 40)
    pixels[:20], pixels[-20:] = (255, 0, 0), (0, 0, 255)
    return Image.fromarray(pixels.astype(np.uint8))


def face_shows(number: int) -> list[bool]:
    """Which of CelebA's attributes a face shows, in their order."""
    return [(number * (column + 3)) % 7 < 2 for column in range(len(ATTRIBUTES))]


def write_celeba(folder: Path, train: int = 14, validation: int = 3, test: int = 6) -> Path:
    """Faces as JPEGs and both lists in `folder`. Their numbers count from 1; the partitions follow each other."""
    (folder / "img_align_celeba").mkdir(parents=True)
    partition = [0] * train + [1] * validation + [2] * test
    names = [f"{number:06d}.jpg" for number in range(1, len(partition) + 1)]
    rows = []
    for number, name in enumerate(names, 1):
        face(number).save(folder / "img_align_celeba" / name, "JPEG", quality=95)
        rows.append(f"{name} {' '.join(' 1' if shown else '-1' for shown in face_shows(number))}\n")
    (folder / "list_attr_celeba.txt").write_text(f"{len(names)}\n{' '.join(ATTRIBUTES)} \n{''.join(rows)}")
    lines = [f"{name} {part}\n" for name, part in zip(names, partition, strict=True)]
    (folder / "list_eval_partition.txt").write_text("".join(lines))
    return folder


def write_celeba_parquet(file: Path, faces: Mapping[int, Image.Image], rows_per_group: int = 4) -> Path:
    """Faces by their numbers as the hub stores them: images, the person's number, a truth value for each attribute."""
    shown = np.array([face_shows(number) for number in faces])
    columns = {"image": _encoded(faces.values()), "celeb_id": list(faces)}
    columns |= {name: shown[:, i].tolist() for i, name in enumerate(ATTRIBUTES)}
    kinds = {"image": {"_type": "Image"}, "celeb_id": {"dtype": "int64", "_type": "Value"}}
    kinds |= {name: {"dtype": "bool", "_type": "Value"} for name in ATTRIBUTES}
    return _write_columns(file, columns, kinds, rows_per_group)


def write_celeba_hub(root: Path, per_file: int = 6) -> Path:
    """The hub's files of CelebA: four of the training part, one of each other."""
    for i in range(4):
        numbers = range(per_file * i, per_file * (i + 1))
        write_celeba_parquet(root / HUB_CONFIG / f"train-0000{i}-of-00004.parquet", {n: face(n) for n in numbers})
    for part, numbers in (("valid", range(50, 53)), ("test", range(100, 110))):
        write_celeba_parquet(root / HUB_CONFIG / f"{part}-00000-of-00001.parquet", {n: face(n) for n in numbers})
    return root


def write_parquet(file: Path, images: NDArray[np.uint8], labels: NDArray[np.int64], names: list[str]) -> Path:
    """PNGs of ``[N, C, H, W]`` and labels as the hub stores them."""
    pictures = (
        Image.fromarray(image[..., 0] if image.shape[2] == 1 else image) for image in images.transpose(0, 2, 3, 1)
    )
    kinds = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
    return _write_columns(file, {"image": _encoded(pictures), "label": labels.tolist()}, kinds)


def _encoded(pictures: Iterable[Image.Image]) -> list[dict[str, Any]]:
    encoded = []
    for picture in pictures:
        stream = io.BytesIO()
        picture.save(stream, "PNG")
        encoded.append({"bytes": stream.getvalue(), "path": None})
    return encoded


def _write_columns(
    file: Path, columns: Mapping[str, list[Any]], kinds: Mapping[str, Any], rows_per_group: int | None = None
) -> Path:
    """A parquet file with the columns' kinds in its metadata, as `datasets` writes it."""
    import pyarrow
    import pyarrow.parquet

    image = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    types = {"Image": image, "ClassLabel": pyarrow.int64()}
    schema = pyarrow.schema(
        [(name, types.get(kind["_type"]) or kind["dtype"]) for name, kind in kinds.items()],
        metadata={"huggingface": json.dumps({"info": {"features": kinds}})},
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.table(columns, schema=schema), file, row_group_size=rows_per_group)
    return file
