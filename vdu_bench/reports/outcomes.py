"""How the outcomes of two records' samples go together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from vdu_bench.bits import unpack
from vdu_bench.measured import MetricFacts, Outcomes
from vdu_bench.records import Record
from vdu_bench.stats.ratio_change import joint_counts

Originals = Mapping[tuple[str, int], Record]

BY_SAMPLES = ("sampled", "against_original")
"""How metrics are gated that are tested over the noise of samples."""


def originals(records: Iterable[Record]) -> Originals:
    """The records of the original, by variant and sample seed: what is left of its outcomes is what methods left."""
    found = (record for record in records if record.method == "original" and record.status == "ok")
    return {(record.variant, record.seeds.sample): record for record in found}


def paired_counts(
    facts: MetricFacts, old: Record, new: Record, of_old: Originals, of_new: Originals
) -> NDArray[np.int64] | None:
    """How two records' outcomes go together, as `joint_counts` has it; None where they are not known or no pairs.

    Args:
        facts: of the metric that counts them.
        old: one record.
        new: the other, from the same initial noise.
        of_old: the originals that `old` belongs to.
        of_new: the same for `new`.
    """
    if facts.gate not in BY_SAMPLES:
        return None
    flags = []
    for record, bases in ((old, of_old), (new, of_new)):
        base = bases.get((record.variant, record.seeds.sample)) if facts.gate == "against_original" else record
        if base is None or facts.counts not in record.outcomes or facts.counts not in base.outcomes:
            return None
        found, against = (_flags(one.outcomes[facts.counts]) for one in (record, base))
        flags += [found, against if facts.gate == "against_original" else np.ones_like(found)]
    # Another number of samples is another set of them.
    return joint_counts(*flags) if len(set(map(len, flags))) == 1 else None


def _flags(outcomes: Outcomes) -> NDArray[np.bool_]:
    return _unpacked(outcomes.bits, outcomes.n)


@lru_cache(maxsize=1024)
def _unpacked(bits: str, n: int) -> NDArray[np.bool_]:
    """A table compares a few records with all others: these are unpacked once."""
    flags = unpack(bits, n)
    flags.flags.writeable = False
    return flags
