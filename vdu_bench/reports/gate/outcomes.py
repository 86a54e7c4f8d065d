"""Per-sample outcomes, as a record stores them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from vdu_bench.errors import UserError
from vdu_bench.records import Record


def outcomes(record: Record, name: str) -> NDArray[np.bool_] | None:
    """A record's indicators, bool ``[samples]`` in the order of the noise; None where it has none of that name.

    Raises:
        UserError: what is stored is not one bit for each of the protocol's samples.
    """
    text = record.outcomes.get(name)
    if text is None or record.protocol is None:
        return None
    samples = record.protocol.samples
    try:
        packed = np.frombuffer(bytes.fromhex(text), dtype=np.uint8)
    except ValueError:
        packed = np.empty(0, dtype=np.uint8)
    if len(packed) != -(-samples // 8):
        raise UserError(f"{record.cell_name}: outcomes.{name} does not hold one bit for each of {samples} samples")
    return np.unpackbits(packed, count=samples).astype(np.bool_)


def original_hits(records: Iterable[Record]) -> dict[tuple[str, int], NDArray[np.bool_]]:
    """What PUL is counted against: the original's forget hits, by variant and sample seed. Raises as `outcomes`."""
    originals = [record for record in records if record.method == "original" and record.status == "ok"]
    hits = {(record.variant, record.seeds.sample): outcomes(record, "forget") for record in originals}
    return {key: found for key, found in hits.items() if found is not None}
