"""Pixel-art portraits, 16x16 in colour, with attributes and counterfactual pairs: the embedded tier's faces.

The pictures ship with the package in ``vdu_bench/assets/faces`` (CC0 1.0); `vdu_bench.data.make_faces` made them.
"""

from __future__ import annotations

import csv
import hashlib
import importlib.resources
import io
import json
from collections.abc import Sequence
from importlib.resources.abc import Traversable
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vdu_bench.data.counterfactuals import CounterfactualPairs
from vdu_bench.data.image_set import ImageSet
from vdu_bench.data.splits import DataSplits
from vdu_bench.errors import UserError, did_you_mean

NAMES = ("eyeglasses", "hat", "bangs", "long_hair", "beard")
PAIRED = ("eyeglasses", "hat", "bangs")
TILE = 16


def load_faces(folder: Traversable | None = None) -> DataSplits:
    """5,000 portraits to learn from and 1,000 held out; ``[N, 3, 16, 16]``, with the five concepts of `NAMES`.

    The concepts are drawn independently of each other, except that no face under a hat has bangs: there they could
    not be seen. Every attribute is visible where it is labelled, and no two images are equal.

    Args:
        folder: where the data lie; the packaged ones if not given.

    Raises:
        UserError: a file is missing or damaged.
    """
    folder = folder or packaged_faces()
    manifest = _manifest(folder)
    rows = _rows(folder, "faces.csv", manifest)
    images = unpack(_read(folder, "faces.png", manifest), len(rows))
    everything = ImageSet(images, _concepts(rows), NAMES)
    first = int(manifest["splits"]["train"])
    place = torch.arange(len(everything))
    train, held_out = everything.subset(place < first), everything.subset(place >= first)
    return DataSplits(train, held_out, pairs={attribute: load_pairs(attribute, folder) for attribute in PAIRED})


def load_pairs(attribute: str, folder: Traversable | None = None) -> CounterfactualPairs:
    """400 faces, none of them among `load_faces`, each without and with `attribute`.

    Eyeglasses and hats are drawn on top of an otherwise unchanged picture. For bangs the hair style is swapped for the
    most similar one of the same length, so that a few pixels beside the forehead change as well. Where hats are
    toggled, the hair below has no bangs; where bangs are, there is no hat.

    Args:
        attribute: one of `PAIRED`.
        folder: where the data lie; the packaged ones if not given.

    Raises:
        UserError: there are no pairs for `attribute`, or a file is missing or damaged.
    """
    if attribute not in PAIRED:
        raise UserError(f"no counterfactual pairs for {attribute!r}{did_you_mean(attribute, PAIRED)}")
    folder = folder or packaged_faces()
    manifest = _manifest(folder)
    rows = [row for row in _rows(folder, "pairs.csv", manifest) if row["attribute"] == attribute]
    images = unpack(_read(folder, f"pairs_{attribute}.png", manifest), 2 * len(rows))
    without = _concepts(rows)
    with_ = without.clone()
    with_[:, NAMES.index(attribute)] = True
    return CounterfactualPairs(attribute, NAMES, images[0::2], images[1::2], without, with_)


def packaged_faces() -> Traversable:
    """The folder of the data that ship with the package."""
    return importlib.resources.files("vdu_bench") / "assets" / "faces"


def unpack(png: bytes, count: int) -> Tensor:
    """The first `count` tiles of a contact sheet, row by row: uint8 ``[count, 3, 16, 16]``.

    Raises:
        ValueError: the sheet holds fewer.
    """
    sheet = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
    rows, columns = sheet.shape[0] // TILE, sheet.shape[1] // TILE
    if rows * columns < count:
        raise ValueError(f"a sheet of {rows} x {columns} tiles cannot hold {count}")
    tiles = sheet.reshape(rows, TILE, columns, TILE, 3).transpose(0, 2, 4, 1, 3).reshape(-1, 3, TILE, TILE)
    return torch.from_numpy(tiles[:count].copy())


def _manifest(folder: Traversable) -> dict[str, Any]:
    file = folder / "manifest.json"
    try:
        manifest: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{file} is missing or damaged ({type(error).__name__}); reinstall vdu-bench") from error
    return manifest


def _read(folder: Traversable, name: str, manifest: dict[str, Any]) -> bytes:
    file = folder / name
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UserError(f"{file} cannot be read ({type(error).__name__}); reinstall vdu-bench") from error
    if hashlib.sha256(content).hexdigest() != manifest["files"][name]["sha256"]:
        raise UserError(f"{file} is damaged: its sha256 is not the one in manifest.json; reinstall vdu-bench")
    return content


def _rows(folder: Traversable, name: str, manifest: dict[str, Any]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(_read(folder, name, manifest).decode())))


def _concepts(rows: Sequence[dict[str, str]]) -> Tensor:
    return torch.tensor([[row[name] == "1" for name in NAMES] for row in rows], dtype=torch.bool)
