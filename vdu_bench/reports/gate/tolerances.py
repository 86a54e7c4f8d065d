"""How large a loss the gate lets pass."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from vdu_bench.errors import UserError, did_you_mean


@dataclass(frozen=True)
class Tolerance:
    """The largest loss of a metric that does not count."""

    amount: float
    """Not negative: percent of the reference's value where `relative`, else in the metric's own unit."""
    relative: bool = False

    def of(self, reference: float) -> float:
        """In the metric's unit, for a reference of this value."""
        return abs(reference) * self.amount / 100.0 if self.relative else self.amount

    @classmethod
    def parse(cls, text: str) -> Tolerance:
        """From ``NUMBER`` or ``NUMBER%``. Raises ValueError for what is neither, negative or not finite."""
        amount = float(text.removesuffix("%"))
        if not math.isfinite(amount) or amount < 0:
            raise ValueError(f"{text!r} is not a number from 0 up")
        return cls(amount, text.endswith("%"))

    def __str__(self) -> str:
        return f"{self.amount:g}%" if self.relative else f"{self.amount:g}"


def parse_tolerances(
    assignments: Iterable[str], known: Iterable[str], others: Iterable[str] = ()
) -> dict[str, Tolerance]:
    """Tolerances from ``METRIC=NUMBER`` (the metric's own unit) and ``METRIC=NUMBER%`` (percent of the reference).

    Args:
        assignments: as given on the command line.
        known: names of the metrics that are gated.
        others: names of metrics that are not.

    Raises:
        UserError: an assignment is malformed or repeated, its number is negative or not finite, or its metric unknown.
    """
    known, others = sorted(known), set(others)
    found: dict[str, Tolerance] = {}
    for text in assignments:
        name, equals, number = (part.strip() for part in text.partition("="))
        if not name or not equals:
            raise UserError(f"--tolerance {text!r}: write METRIC=NUMBER or METRIC=NUMBER%, such as fd_judge=5%")
        if name not in known and name in others:
            raise UserError(f"--tolerance {text!r}: {name} is never gated, so no loss of it counts")
        if name not in known:
            raise UserError(f"--tolerance {text!r}: no gated metric is called {name!r}{did_you_mean(name, known)}")
        if name in found:
            raise UserError(f"--tolerance names {name!r} twice")
        try:
            found[name] = Tolerance.parse(number)
        except ValueError as error:
            raise UserError(f"--tolerance {text!r}: {number.removesuffix('%')!r} is not a number from 0 up") from error
    return found
