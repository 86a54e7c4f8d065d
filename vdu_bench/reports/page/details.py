"""What stands behind the rows of a leaderboard, cell by cell: settings, costs, environment, samples."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vdu_bench.measured import Matrix
from vdu_bench.records import Record
from vdu_bench.reports.outcomes import originals
from vdu_bench.reports.page.packing import number, plain
from vdu_bench.reports.page.strips import COLUMNS, Images, chosen, strip
from vdu_bench.reports.tables.leaderboard import Leaderboard

Samples = Callable[[str, Sequence[int]], Images | None]
"""By the address of samples, and which of them: uint8 ``[n, H, W]`` or ``[n, H, W, 3]``; None where they are gone."""

_SHOWN = 12
"""Characters of a digest that are enough to find it by."""


def details_data(board: Leaderboard, records: Sequence[Record], samples: Samples) -> dict[str, Any]:
    """By row and seed, what its record says besides its numbers; what many share is kept once, under ``shared``.

    Args:
        board: of one variant.
        records: its records.
        samples: where images are from.
    """
    shared = _Shared()
    strips = _Strips(board, records, samples)
    rows: dict[str, dict[str, Any]] = {}
    for record in records:
        name = record.row
        if name not in rows:
            changed = list(record.settings_changed)
            rows[name] = {"settings": plain(record.settings), "changed": changed, "cells": []}
        rows[name]["cells"].append(_cell(board, record, shared, strips))
    return {"rows": rows, "shared": shared.values, "befores": strips.befores}


def _cell(board: Leaderboard, record: Record, shared: _Shared, strips: _Strips) -> dict[str, Any]:
    ledger = record.ledger.model_dump() if record.ledger is not None else None
    return {
        "seeds": record.seeds.model_dump(),
        "status": record.status,
        "reason": record.reason,
        "warnings": record.warnings,
        "numbers": [
            number(result.estimate.value) if (result := record.metrics.get(column.name)) else None
            for column in board.columns
        ],
        "ledger": shared.place(ledger),
        "timings": {name: _time(value) for name, value in record.timings.model_dump().items()},
        "probes": shared.place(record.probes),
        "environment": shared.place(record.environment),
        "stages": {name: address[:_SHOWN] for name, address in (record.stages | record.digests).items()},
        "matrices": [_matrix(name, matrix) for name, matrix in record.matrices.items()],
        "samples": strips.of(record),
    }


def _time(value: float | None) -> float | None:
    return value if isinstance(value, int) else number(value)


def _matrix(name: str, matrix: Matrix) -> dict[str, Any]:
    before, after = ([[number(value) for value in line] for line in side] for side in (matrix.before, matrix.after))
    return {"name": name, "rows": matrix.rows, "columns": matrix.columns, "unit": matrix.unit, "sides": [before, after]}


class _Shared:
    """Values that many cells have, each once."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._places: dict[str, int] = {}

    def place(self, value: Any) -> int | None:
        """Where in `values` it is, with numbers that are not finite as None; None for nothing."""
        if not value:
            return None
        text = json.dumps(value, sort_keys=True)
        if text not in self._places:
            self._places[text] = len(self.values)
            self.values.append(plain(value))
        return self._places[text]


class _Strips:
    """The pictures of a board; what the original made is kept once for all methods."""

    def __init__(self, board: Leaderboard, records: Sequence[Record], samples: Samples) -> None:
        self.befores: dict[str, str] = {}
        self._samples = samples
        self._originals = originals(records)
        self._concept = next((column.name for column in board.columns if column.axis == "forgetting"), "")

    def of(self, record: Record) -> dict[str, Any] | None:
        """``before`` (the place in `befores`) and ``after``, and for each sample whether it was judged to show the
        concept, ``shown`` before and after; None where the samples are not kept."""
        before, after = record.stages.get("original_samples", ""), record.stages.get("samples", "")
        if "unlearned" not in record.stages or not after:
            return None  # real images, which no noise was made into
        flags = [
            self._flags(one, record) for one in (self._originals.get((record.variant, record.seeds.sample)), record)
        ]
        picks = list(range(COLUMNS)) if flags[0] is None else chosen(flags[0])
        images = self._samples(after, picks)
        if images is None:
            return None
        if before and before not in self.befores and (originals := self._samples(before, picks)) is not None:
            self.befores[before] = strip(originals)
        return {
            "before": before if before in self.befores else None,
            "after": strip(images),
            "count": len(images),
            "shown": [None if one is None else [bool(one[pick]) for pick in picks[: len(images)]] for one in flags],
        }

    def _flags(self, record: Record | None, like: Record) -> NDArray[np.bool_] | None:
        """bool ``[n]``, which samples show the concept; None where it was not counted."""
        facts = like.metrics.get(self._concept)
        outcomes: Mapping[str, Any] = record.outcomes if record is not None else {}
        found = outcomes.get(facts.counts) if facts is not None else None
        return None if found is None else found.flags
