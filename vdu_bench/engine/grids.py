"""The first samples of each method, for the sample grid. Needs no torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vdu_bench.engine.store import Store
from vdu_bench.records import Record

IMAGES = "images.safetensors"


def first_samples(records: Sequence[Record], store: Store, count: int = 16) -> dict[str, dict[str, NDArray[np.uint8]]]:
    """By variant and method, uint8 ``[n, H, W]`` (grey) or ``[n, H, W, 3]``, of each method's first seed.

    There are `count` of them, or as many as were drawn. Methods whose samples are not in the store are left out.
    """
    from safetensors import safe_open

    grids: dict[str, dict[str, Any]] = {}
    for record in records:
        rows = grids.setdefault(record.variant, {})
        folder = store.root / "images" / record.stages.get("samples", "none")[:32]
        file = folder / IMAGES
        if record.row in rows or not file.exists() or "unlearned" not in record.stages:
            continue  # the last are real images, which no noise was made into
        with safe_open(file, framework="numpy") as archive:
            stored = archive.get_slice("forget")
            # Slices of safetensors end inside the tensor, unlike numpy's.
            images = stored[: min(count, stored.get_shape()[0])]
        rows[record.row] = images[:, 0] if images.shape[1] == 1 else images.transpose(0, 2, 3, 1)
    return grids


def samples_digest(records: Sequence[Record]) -> str:
    """What the sample grids are drawn from, as one string."""
    return json.dumps([record.stages.get("samples", "") for record in records])
