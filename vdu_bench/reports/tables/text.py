"""Numbers and headers as text, the same in the terminal, Markdown and LaTeX."""

from __future__ import annotations

import math
from collections.abc import Sequence

from vdu_bench.measured import Better, Estimate
from vdu_bench.reports.tables.leaderboard import Column, Leaderboard, Row

ARROWS: dict[Better, str] = {"higher": "↑", "lower": "↓", "none": ""}
ABSENT = "-"
"""Shown where a metric does not apply to a method."""


def method_text(row: Row) -> str:
    """The method's name; a checkpoint that was unlearned elsewhere is marked."""
    return f"{row.method} (external)" if row.role == "external" else row.method


def cell(row: Row, column: Column) -> tuple[str, str]:
    """The value and its interval, the latter empty where there is none.

    A cell that diverged or failed says so in place of any number; ``n/a`` stands for what could not be
    estimated, and a dash for what was not measured at all.
    """
    if row.status != "ok":
        return row.status, ""
    estimate = row.estimates.get(column.name)
    if estimate is None:
        return ABSENT, ""
    return value_text(estimate, column.unit), interval_text(estimate, column.unit)


def value_text(estimate: Estimate, unit: str) -> str:
    """Such as ``63.1``, with the digits that the estimate as a whole is shown with; ``n/a`` for NaN."""
    return "n/a" if math.isnan(estimate.value) else _number(estimate.value, _decimals(estimate, unit))


def interval_text(estimate: Estimate, unit: str) -> str:
    """Such as ``[60.2, 65.8]``; empty where there is none, or where it is a point (a count that never varies)."""
    if not has_interval(estimate):
        return ""
    decimals = _decimals(estimate, unit)
    return f"[{_number(estimate.low, decimals)}, {_number(estimate.high, decimals)}]"


def half_width_text(estimate: Estimate, unit: str) -> str:
    """Such as ``± 2.8``: half of an interval that is as long below the value as above; empty as `interval_text`."""
    if not has_interval(estimate):
        return ""
    return f"± {_number((estimate.high - estimate.low) / 2, _decimals(estimate, unit))}"


def has_interval(estimate: Estimate) -> bool:
    """Whether both ends are known and differ."""
    return math.isfinite(estimate.low) and math.isfinite(estimate.high) and estimate.low < estimate.high


def header(column: Column) -> str:
    """Such as ``pul (%) ↑``; the arrow points to the better side."""
    return " ".join(filter(None, (quantity(column), ARROWS[column.better])))


def quantity(column: Column) -> str:
    """Such as ``pul (%)``; a label whose last word is the unit does not need it again."""
    bare = not column.unit or column.label.split("_")[-1] == column.unit
    return column.label if bare else f"{column.label} ({column.unit})"


def seeds_text(seeds: Sequence[int]) -> str:
    """Such as ``0, 1``, or ``0-9`` for three or more in a row."""
    if len(seeds) > 2 and list(seeds) == list(range(seeds[0], seeds[-1] + 1)):
        return f"{seeds[0]}-{seeds[-1]}"
    return ", ".join(map(str, seeds))


def limit_text(board: Leaderboard) -> str:
    """Such as ``, with 25 of its 132 images``; empty where all of them could be drawn from."""
    if board.forget_images is None:
        return ""
    of = f" of its {board.forget_set:,}" if board.forget_set is not None else ""
    return f", with {board.forget_images:,}{of} images"


def caption(board: Leaderboard) -> str:
    """What was to be forgotten and how it was measured, on one line."""
    forget = f"Forget: {board.forget}{limit_text(board)}."
    if board.protocol is None:
        return f"{forget} No cell was measured."
    protocol = board.protocol
    settings = dict(protocol.sampler)
    name = settings.pop("name", "")
    details = ", ".join(f"{key.replace('_', ' ')} {_plain(value)}" for key, value in settings.items())
    sampler = f"{name} ({details})" if name and details else name or details
    return (
        f"{forget} Scale {protocol.scale}, protocol {protocol.version}, {protocol.samples:,} samples a cell, "
        f"{sampler}, {protocol.dtype}; judge {protocol.judge}; features of {protocol.extractor}. "
        "In brackets: 95 % intervals."
    )


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _decimals(estimate: Estimate, unit: str) -> int:
    if unit == "%":
        return 1
    numbers = [abs(number) for number in (estimate.value, estimate.low, estimate.high) if math.isfinite(number)]
    largest = max(numbers, default=0.0)
    if largest == 0 or all(number == round(number) for number in numbers):
        return 0
    return min(3, max(0, 2 - math.floor(math.log10(largest))))


def _number(value: float, decimals: int) -> str:
    # Adding 0 turns the negative zero that rounding leaves into a plain one.
    return f"{round(value, decimals) + 0.0:,.{decimals}f}"
