"""A record's samples as PNGs, with what the judge says of each in its name. Needs no torch."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from safetensors import safe_open

from vdu_bench.engine.grids import IMAGES
from vdu_bench.engine.store import MANIFEST, Artifact, Store
from vdu_bench.errors import UserError
from vdu_bench.plain_json import parsed
from vdu_bench.records import Record
from vdu_bench.tasks.prompts import PromptSpec
from vdu_bench.writing import filling, writing_to

READINGS = "readings.safetensors"

SETS = ("forget", "retain")
"""What the probe of samples calls its images, and so what file names may begin with."""


def export_images(record: Record, store: Store, folder: Path, count: int) -> str:
    """Write the first samples of a record, and ``metadata.jsonl`` beside them; what was written, in a line.

    They are called ``sample-0000-READING.png``; of a text-to-image model ``forget-...`` and ``retain-...``, by the set
    of prompts that asked for them. A reading is the concepts that the judge finds, ``none``, or ``junk``. In
    ``metadata.jsonl`` each has ``file_name``, ``shown`` (names), ``junk``, and the prompt as ``text``.

    Args:
        record: whose.
        store: where its stages are.
        folder: made where it is missing.
        count: of each set; all that there are where these are fewer.

    Raises:
        UserError: the samples, or what the judge says of them, are not in the store, or the folder cannot be written.
    """
    if record.protocol is None or "samples" not in record.stages:
        raise UserError(f"{record.cell_name} has no samples: it {record.status} ({record.reason})")
    drawn = store.at("images", record.stages["samples"])
    read = None if drawn is None else _readings(drawn, record, store)
    if drawn is None or read is None:
        what = "samples" if drawn is None else "readings"
        raise UserError(
            f"the {what} of {record.cell_name} are not in the store {store.root}: name the store that it was run with "
            "by --store, or run it again"
        )
    rows: list[dict[str, Any]] = []
    with writing_to(folder), filling(folder) as place, safe_open(drawn.folder / IMAGES, framework="numpy") as archive:
        names = sorted(archive.keys())
        if unknown := sorted({*names} - {*SETS}):
            raise UserError(f"{drawn.folder / IMAGES} has {unknown[0]!r}, which is none of {', '.join(SETS)}")
        for name in names:
            stored = archive.get_slice(name)
            images = stored[: min(count, stored.get_shape()[0])]
            rows += _written(record, name, images, read.folder / READINGS, place)
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (place / "metadata.jsonl").write_text(lines, encoding="utf-8")
    return f"{folder}: {len(rows)} images"


def _written(
    record: Record, name: str, images: NDArray[np.uint8], readings: Path, folder: Path
) -> list[dict[str, Any]]:
    assert record.protocol is not None
    with safe_open(readings, framework="numpy") as archive:
        shown, junk = archive.get_tensor(f"{name}/shown"), archive.get_tensor(f"{name}/junk")
    spec = PromptSpec.model_validate(record.protocol.prompts) if record.protocol.prompts else None
    prompts = None if spec is None else spec.cycled("forget" if name == "forget" else "retain", len(images))
    rows = []
    for place, image in enumerate(images):
        found = [concept for concept, there in zip(record.protocol.classes, shown[place], strict=True) if there]
        reading = "junk" if junk[place] else "+".join(found) or "none"
        file = f"{'sample' if spec is None else name}-{place:04d}-{re.sub(r'[^0-9A-Za-z+_-]+', '_', reading)}.png"
        Image.fromarray(image[0] if len(image) == 1 else image.transpose(1, 2, 0)).save(folder / file)
        told = {} if prompts is None else {"text": prompts[place]}
        rows.append({"file_name": file, "shown": found, "junk": bool(junk[place]), **told})
    return rows


def _readings(images: Artifact, record: Record, store: Store) -> Artifact | None:
    """What the record's judge says of them: no record names that stage, so it is found by what it was made of."""
    judge = None if (found := store.at("judge", record.stages["judge"])) is None else found.digest
    for manifest in sorted((store.root / "readings").glob(f"*/{MANIFEST}")):
        try:
            told = parsed(manifest.read_bytes())
            if told["spec"]["images"] == images.digest and judge in (None, told["spec"]["judge"]):
                return store.at("readings", told["hash"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None
