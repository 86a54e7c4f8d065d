"""Makes the data of the source ``faces``: ``python -m vdu_bench.data.make_faces --out vdu_bench/assets/faces``.

What is drawn, and what each attribute means, stands in `vdu_bench.data.portraits`. Needs the extra ``faces``
(dicebear-core, dicebear-styles, resvg-py); the suite itself does not.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import importlib.metadata
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from vdu_bench.data.counterfactuals import CounterfactualPairs
from vdu_bench.data.image_set import ImageSet
from vdu_bench.data.portraits import SEED, Drawn, attributes, draw_face, draw_pair, render
from vdu_bench.data.sources.faces import NAMES, PAIRED, TILE
from vdu_bench.data.splits import DataSplits

PACKAGES = ("dicebear-core", "dicebear-styles", "resvg-py")
TRAIN, HELD_OUT, PAIRS = 5000, 1000, 400
# tiles in a row of a contact sheet; even for pairs, so that the halves stay side by side
FACES_COLUMNS, PAIRS_COLUMNS = 100, 40
LICENCE = (
    "CC0 1.0 Universal (https://creativecommons.org/publicdomain/zero/1.0/). The pictures are derived from "
    "“Pixel Art” (https://www.figma.com/community/file/1198754108850888330) by “DiceBear” "
    "(https://www.dicebear.com), licensed under CC0 1.0; they are dedicated to the public domain in the same way. "
    "Changed: beards have the colour of the hair and are opaque."
)


def make_faces(folder: Path, train: int = TRAIN, held_out: int = HELD_OUT, pairs: int = PAIRS) -> None:
    """Draws the whole data set into `folder`. Takes some two minutes.

    Pixels and labels are the same on every machine; the PNG files may differ where another zlib packs them.

    Raises:
        UserError: the packages of the extra ``faces`` are not installed.
        ValueError: two pictures are equal, or a pair differs in more than its attribute.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn = [render(draw_face("faces", number)) for number in range(train + held_out)]
    _write_sheet(folder / "faces.png", drawn, FACES_COLUMNS)
    faces = _image_set(drawn)
    rows = [
        [number, *map(int, attributes(options)), options["hairVariant"]] for number, (_, options) in enumerate(drawn)
    ]
    _write_table(folder / "faces.csv", ["face", *NAMES, "hair"], rows)
    splits = DataSplits(faces.subset(torch.arange(train)), faces.subset(torch.arange(train, train + held_out)))
    fingerprints = {"faces": splits.digest()}

    pictures = [faces.images]
    rows = []
    for attribute in PAIRED:
        drawn = [render(face) for number in range(pairs) for face in draw_pair(attribute, number)]
        _write_sheet(folder / f"pairs_{attribute}.png", drawn, PAIRS_COLUMNS)
        both = _image_set(drawn)
        without, with_ = both.subset(torch.arange(0, 2 * pairs, 2)), both.subset(torch.arange(1, 2 * pairs, 2))
        fingerprints[f"pairs_{attribute}"] = CounterfactualPairs(
            attribute, NAMES, without.images, with_.images, without.concepts, with_.concepts
        ).digest()
        pictures.append(both.images)
        for number, ((_, before), (_, after)) in enumerate(zip(drawn[0::2], drawn[1::2], strict=True)):
            _check_toggled(attribute, before, after)
            shown = map(int, attributes(before))
            rows.append([attribute, number, *shown, before["hairVariant"], after["hairVariant"]])
    _write_table(folder / "pairs.csv", ["attribute", "pair", *NAMES, "hair_without", "hair_with"], rows)

    everything = torch.cat(pictures).numpy()
    if len({picture.tobytes() for picture in everything}) != len(everything):
        raise ValueError("two pictures are equal; choose another SEED")
    _write_manifest(folder, {"train": train, "held_out": held_out}, pairs, fingerprints)
    print(f"{len(everything)} pictures in {folder}")


def _image_set(drawn: Sequence[Drawn]) -> ImageSet:
    images = torch.from_numpy(np.stack([pixels for pixels, _ in drawn]))
    return ImageSet(images, torch.tensor([attributes(options) for _, options in drawn]), NAMES)


def _check_toggled(attribute: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    prefix = {"eyeglasses": "glasses", "hat": "hat", "bangs": "hair"}[attribute]
    changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    if not changed or any(not key.startswith(prefix) for key in changed):
        raise ValueError(f"toggling {attribute} changed {sorted(changed)}")


def _write_sheet(file: Path, drawn: Sequence[Drawn], columns: int) -> None:
    rows = math.ceil(len(drawn) / columns)
    tiles = np.zeros((rows * columns, 3, TILE, TILE), np.uint8)
    tiles[: len(drawn)] = [pixels for pixels, _ in drawn]
    sheet = tiles.reshape(rows, columns, 3, TILE, TILE).transpose(0, 3, 1, 4, 2).reshape(-1, 3)
    # with a palette the file has half the size; the style has few enough colours for an exact one
    codes = sheet.astype(np.int64) @ np.array([1 << 16, 1 << 8, 1])
    palette = sorted(set(codes.tolist()))
    if len(palette) > 256:
        raise ValueError(f"{len(palette)} colours do not fit a palette")
    places = np.searchsorted(palette, codes).astype(np.uint8)
    picture = Image.fromarray(places.reshape(rows * TILE, columns * TILE))
    picture.putpalette(b"".join(code.to_bytes(3, "big") for code in palette))
    picture.save(file, optimize=True)


def _write_table(file: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with file.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _write_manifest(folder: Path, splits: dict[str, int], pairs: int, fingerprints: dict[str, str]) -> None:
    names = ["faces.png", "faces.csv", "pairs.csv", *(f"pairs_{attribute}.png" for attribute in PAIRED)]
    manifest = {
        "seed": SEED,
        "names": NAMES,
        "splits": splits,
        "pairs": pairs,
        "fingerprints": fingerprints,
        "files": {name: {"sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest()} for name in names},
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "licence": LICENCE,
    }
    text = json.dumps(manifest, indent=2, ensure_ascii=False)
    (folder / "manifest.json").write_text(text + "\n", encoding="utf-8")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m vdu_bench.data.make_faces", description="Makes the portraits.")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write to")
    make_faces(parser.parse_args().out)


if __name__ == "__main__":
    main()
