"""Data regimes: which training data a method may see. Plain data, without torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

Need = Literal["forget_images", "retain_images", "posterior", "prompts"]
Regime = Literal["forget_only", "forget_and_retain", "full"]

NEEDS: tuple[Need, ...] = get_args(Need)

_FORBIDDEN: dict[Regime, frozenset[Need]] = {
    "forget_only": frozenset({"retain_images"}),
    "forget_and_retain": frozenset(),
    "full": frozenset(),
}


def forbidden_needs(regime: Regime, needs: Iterable[Need]) -> list[Need]:
    """Those of a method's needs that the regime does not allow.

    ``forget_only`` hands out the forget set and what came with the model (weights, posterior, prompts).
    ``forget_and_retain`` adds retained images, as many as there are forget images: one for one.
    ``full`` forbids nothing and counts everything.
    """
    return sorted(set(needs) & _FORBIDDEN[regime])
