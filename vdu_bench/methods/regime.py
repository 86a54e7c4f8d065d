"""Data regimes: which training data a method may see. Plain data, without torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

from vdu_bench.records import Role

Need = Literal["forget_images", "retain_images", "posterior", "prompts", "retrained", "held_out"]
Regime = Literal["forget_only", "forget_and_retain", "full"]

NEEDS: tuple[Need, ...] = get_args(Need)
REGIMES: tuple[Regime, ...] = get_args(Regime)
"""From the least data to the most."""

_FORBIDDEN: dict[Regime, frozenset[Need]] = {
    "forget_only": frozenset({"retain_images"}),
    "forget_and_retain": frozenset(),
    "full": frozenset(),
}
FOR_REFERENCES: frozenset[Need] = frozenset({"retrained", "held_out"})
"""What no regime allows a contestant: it is what contestants are measured against."""


def forbidden_needs(regime: Regime, needs: Iterable[Need], role: Role = "contestant") -> list[Need]:
    """Those of a method's needs that the regime does not allow.

    ``forget_only`` hands out the forget set and what came with the model (weights, posterior, prompts, the base's own
    samples). ``forget_and_retain`` adds retained images, as many as there are forget images: one for one.
    ``full`` hands out all images and counts everything. The retrained model and held-out images are for reference rows
    alone, which frame the table and are bound by no regime.
    """
    if role == "reference":
        return []
    return sorted(set(needs) & (_FORBIDDEN[regime] | FOR_REFERENCES))
