"""What one run is worth to a search: the objective within the limits, and how far beyond them otherwise."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from vdu_bench.errors import UserError
from vdu_bench.measured import Better, MetricResult
from vdu_bench.records import Record
from vdu_bench.reports.limits import Excess, excess
from vdu_bench.reports.tables.leaderboard import Column
from vdu_bench.tasks.tuning import Tuning

FAR = 1e6
"""More than any objective: a run beyond a limit is worth less than minus this."""

Status = Literal["ok", "diverged", "refused"]


@dataclass(frozen=True)
class Judged:
    """One run of a method, as a search sees it."""

    status: Status
    """``refused``: not run, since it would take more evaluations than it may."""
    objective: float = math.nan
    """In the metric's unit; NaN where it is not known."""
    distance: float = math.nan
    """From real images, by the first metric that is one; NaN where it is not known."""
    beyond: float = math.inf
    """How far beyond the furthest limit: 0 within all of them, 1 at twice what is allowed, inf where nobody knows."""
    evaluations: int = 0
    """Forward evaluations of the denoiser while unlearning."""
    reason: str = ""
    """What is beyond, or why there is no number."""

    @property
    def kept(self) -> bool:
        """Whether it is within all limits."""
        return self.status == "ok" and self.beyond == 0

    def score(self, better: Better) -> float:
        """What a search maximises: within the limits the objective, with its sign turned for ``lower``.

        Beyond them it is less than for any run within, and the less the further beyond: -FAR (1 + b / (1 + b)). A run
        that diverged has -3 FAR, less than all others.
        """
        if self.status == "diverged":
            return -3 * FAR
        if self.beyond > 0:
            return -FAR * (2.0 if math.isinf(self.beyond) else 1 + self.beyond / (1 + self.beyond))
        return max(-self.objective if better == "lower" else self.objective, -FAR)

    def plain(self) -> dict[str, Any]:
        """Plain data for JSON: None for NaN and infinity, which it does not know."""
        found = asdict(self)
        return {name: None if _unknown(value) else value for name, value in found.items()}

    @classmethod
    def of(cls, plain: dict[str, Any]) -> Judged:
        """From what `plain` gave."""
        none: dict[str, Any] = {"objective": math.nan, "distance": math.nan, "beyond": math.inf}
        return cls(**{**none, **{name: value for name, value in plain.items() if value is not None}})


def judge(record: Record, original: Record, tuning: Tuning) -> Judged:
    """What a run found.

    Args:
        record: the run's, which did not fail.
        original: the original's with the same seed: what the quality limit is measured from, at equal counts.
        tuning: whose objective it is, and how many evaluations it may take.

    Raises:
        UserError: the task does not measure the objective, or it is not known of the original.
    """
    evaluations = record.timings.nfe_forward or 0
    if record.status != "ok":
        return Judged("diverged", evaluations=evaluations, reason=record.reason)
    measured = record.metrics
    objective, distance = objective_of(original, tuning), distance_of(original)
    limits = {} if record.protocol is None else record.protocol.limits
    found = [(_over(tuning.most_evaluations, evaluations), f"{evaluations:,} evaluations")]
    for name, result in measured.items():
        if result.limit and result.limit in limits:
            found.append(_quality(name, result, original, limits))
    value = measured[objective].estimate.value
    if math.isnan(value):
        found.append((math.inf, f"{objective} is not known"))
    return Judged(
        "ok",
        value,
        measured[distance].estimate.value if distance in measured else math.nan,
        max(amount for amount, _ in found),
        evaluations,
        "; ".join(f"beyond the limit: {what}" for amount, what in found if amount > 0),
    )


def refused(least: int, tuning: Tuning) -> Judged:
    """A run that is known to take at least so many evaluations, more than it may."""
    allowed = tuning.most_evaluations
    reason = f"at least {least:,} evaluations, and {allowed:,} are allowed"
    return Judged("refused", beyond=_over(allowed, least), reason=reason)


def objective_of(original: Record, tuning: Tuning) -> str:
    """The objective's name. Raises UserError where a search by it is not possible."""
    name = tuning.objective
    result = original.metrics.get(name)
    if result is None or result.better == "none":
        able = sorted(name for name, one in original.metrics.items() if one.better != "none")
        raise UserError(
            f"tuning.objective: {name!r} is no metric of {original.task} with a direction: {', '.join(able)}"
        )
    if math.isnan(result.estimate.value):
        raise UserError(
            f"{original.task} cannot be tuned on: {name} is not known even of the original: {result.estimate.reason}"
        )
    return name


def distance_of(original: Record) -> str:
    """The first metric that is a distance from real images; empty where there is none."""
    columns = (Column.of(name, result) for name, result in original.metrics.items() if result.axis == "distance")
    return next((column.name for column in sorted(columns, key=lambda column: column.place)), "")


def mean(values: Iterable[float]) -> float:
    """The mean; NaN of none, and where one is not known."""
    values = list(values)
    return math.fsum(values) / len(values) if values else math.nan


def _quality(name: str, result: MetricResult, original: Record, limits: dict[str, float]) -> tuple[float, str]:
    """How far a metric is beyond its limit, 0 within; and what to say of it."""
    base, value = original.metrics[name].estimate.value, result.estimate.value
    if math.isnan(base):
        raise UserError(f"{original.task} cannot be tuned on: {name}, which is limited, is not known of the original")
    if math.isnan(value):
        return math.inf, f"{name} is not known"
    found = excess(name, result.limit, result.better, value, base, limits)
    if found is None:
        return 0.0, ""
    return _share(found, limits["points"] if result.limit == "points" else abs(found.bound)), (
        f"{name} {value:.4g} against {found.bound:.4g}"
    )


def _share(found: Excess, allowed: float) -> float:
    """Never 0, which is within."""
    by = abs(found.value - found.bound)
    return max(by / allowed if allowed > 0 else by, 1e-12)


def _over(allowed: int, taken: int) -> float:
    return max(0.0, taken / allowed - 1)


def _unknown(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
