"""Numbers and headers as text, the same in the terminal, Markdown and LaTeX."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from vdu_bench.errors import flat
from vdu_bench.measured import Better, Estimate
from vdu_bench.reports.comparable import compared
from vdu_bench.reports.tables.leaderboard import Column, Leaderboard, Row

ARROWS: dict[Better, str] = {"higher": "↑", "lower": "↓", "none": ""}
ABSENT = "-"
"""Shown where a metric does not apply to a method."""
APART = "—"
"""Shown where a number is of another count than its column."""
TIED = "†"
"""Marks a number that cannot be told from the best one."""
DESTROYED = "⊗"
"""Marks a model beyond the quality limit."""
FRONT = "◇"
"""Marks a row on the Pareto front."""


@dataclass(frozen=True)
class Cell:
    """A cell of a table as text, before any format's escapes."""

    value: str
    spread: str = ""
    """Such as ``± 3.1`` over seeds, ``[60.2, 65.8]`` of one; empty where there is no interval."""
    bold: bool = False
    mark: str = ""
    """Such as `TIED`; stands right after the value and its spread."""

    @property
    def plain(self) -> str:
        """On one line, without what bold looks like."""
        return " ".join(filter(None, (self.value, self.spread))) + self.mark


def method_text(row: Row) -> str:
    """The method's name; a checkpoint that was unlearned elsewhere is marked."""
    return f"{row.method} (external)" if row.role == "external" else row.method


def row_marks(board: Leaderboard, method: str) -> str:
    """What stands behind a row's name: that it has destroyed the model, or is on the Pareto front; or nothing."""
    return f" {DESTROYED}" if method in board.destroyed else f" {FRONT}" if method in board.front else ""


def table_cell(board: Leaderboard, row: Row, column: Column) -> Cell:
    """A row's number in a column, bold where it is the best, marked where it cannot be told from the best."""
    best = board.best.get(column.name)
    tied = best is not None and row.method in best.tied
    return Cell(*cell(row, column), best is not None and row.method == best.best, TIED if tied else "")


def best_text(board: Leaderboard, method: str, metric: str) -> str:
    """For files of numbers: ``best``, ``tied`` (not told from the best), or empty."""
    best = board.best.get(metric)
    return "" if best is None else "best" if method == best.best else "tied" if method in best.tied else ""


def settings_lines(row: Row) -> list[str]:
    """Such as ``gamma=0.3``, one for each setting that differs from the method's default."""
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in row.settings.items()}
    return [flat(f"{name}={text}") for name, text in texts.items()]


def tuning_text(row: Row) -> str:
    """Such as ``20 trials, 411,264 evaluations``: what a search for the settings took; empty where nobody tells."""
    return ", ".join(f"{count:,} {what}" for what, count in row.tuning_cost.items())


def cell(row: Row, column: Column) -> tuple[str, str]:
    """The value and its interval, the latter empty where there is none.

    A cell that diverged or failed says so in place of any number; ``n/a`` stands for what could not be
    estimated, `ABSENT` for what was not measured at all, `APART` for what is of another count.
    """
    if row.status != "ok":
        return row.status, ""
    if column.name in row.apart:
        return APART, ""
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


def has_interval(estimate: Estimate) -> bool:
    """Whether both ends are known and differ."""
    return math.isfinite(estimate.low) and math.isfinite(estimate.high) and estimate.low < estimate.high


def header(column: Column) -> str:
    """Such as ``PUL (%) ↑``; the arrow points to the better side."""
    return " ".join(filter(None, (quantity(column), ARROWS[column.better])))


def quantity(column: Column) -> str:
    """Such as ``PUL (%)``; a name whose last word is the unit does not need it again."""
    bare = not column.unit or column.shown.replace("_", " ").split(" ")[-1] == column.unit
    return column.shown if bare else f"{column.shown} ({column.unit})"


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
    forget = f"Forget: {flat(board.forget)}{limit_text(board)}."
    if board.protocol is None:
        return f"{forget} No cell was measured."
    protocol = board.protocol
    settings = dict(compared(protocol, "sampler"))
    name = settings.pop("name", "")
    details = ", ".join(f"{key.replace('_', ' ')} {_plain(value)}" for key, value in settings.items())
    sampler = f"{name} ({details})" if name and details else name or details
    return flat(
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
    # A digit of the value itself, beside however wide an interval: 0.4 is not 0.
    of_value = -math.floor(math.log10(abs(estimate.value))) if estimate.value and math.isfinite(estimate.value) else 0
    return min(3, max(0, 2 - math.floor(math.log10(largest)), of_value))


def _number(value: float, decimals: int) -> str:
    # Adding 0 turns the negative zero that rounding leaves into a plain one.
    return f"{round(value, decimals) + 0.0:,.{decimals}f}"
