"""The first samples of each method, for the sample grid. Needs no torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vdu_bench.engine.store import Store
from vdu_bench.records import Record


def first_samples(records: Sequence[Record], store: Store, count: int = 16) -> dict[str, dict[str, NDArray[np.uint8]]]:
    """By task and method, uint8 ``[count, H, W]`` (grey) or ``[count, H, W, 3]``, of each method's first seed.

    Methods whose samples are not in the store are left out.
    """
    from safetensors import safe_open

    grids: dict[str, dict[str, Any]] = {}
    for record in records:
        rows = grids.setdefault(record.task, {})
        folder = store.root / "samples" / record.stages.get("samples", "none")[:32]
        file = folder / "samples.safetensors"
        if record.method in rows or not file.exists():
            continue
        with safe_open(file, framework="numpy") as archive:
            images = archive.get_slice("images")[:count]
        rows[record.method] = images[:, 0] if images.shape[1] == 1 else images.transpose(0, 2, 3, 1)
    return grids


def samples_digest(records: Sequence[Record]) -> str:
    """What the sample grids are drawn from, as one string."""
    return json.dumps([record.stages.get("samples", "") for record in records])
