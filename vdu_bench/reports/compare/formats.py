"""Two rows side by side, for the terminal, Markdown and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from vdu_bench.errors import flat
from vdu_bench.measured import Estimate
from vdu_bench.reports.best import ON_SAME_UNITS
from vdu_bench.reports.compare.differences import Compared, Difference
from vdu_bench.reports.csv_text import guarded
from vdu_bench.reports.screen import fits
from vdu_bench.reports.tables.text import header, interval_text, seeds_text, value_text

HEADERS = ("metric", "A", "B", "B - A", "95 % interval", "better")
HOW = (
    "B - A is paired over the seeds that both have, and over the noise of their samples where these are counted one by "
    "one. The intervals are not adjusted for their number."
)

_CSV = (
    *("task", "row_a", "row_b", "metric", "unit", "direction", "seeds"),
    *("a", "b", "difference", "low", "high", "better", "method"),
)


def print_compared(found: Iterable[Compared], console: Console, everything: bool = False) -> None:
    """A table for each pair of rows: the main metrics, or all of them."""
    for one in found:
        console.print(Text(f"\n{_title(one)}", style="bold"))
        table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
        rows = _rows(one, everything)
        for name, *texts in zip(HEADERS, *rows, strict=True):
            justify: Literal["left", "right"] = "left" if name in ("metric", "better") else "right"
            table.add_column(name, justify=justify, no_wrap=True, min_width=max(map(len, (name, *texts))))
        for row in rows:
            table.add_row(*map(Text, row))
        if fits(table, console):
            console.print(table)
        else:
            for row in rows:
                console.print(Text(_line(row)))
        for note in _notes(one, everything):
            console.print(Text(note, style="dim"))
    console.print(Text(f"\n{HOW}", style="dim"))


def compared_markdown(found: Iterable[Compared], everything: bool = False) -> str:
    """A section for each pair of rows."""
    import pandas as pd

    from vdu_bench.reports.tables.render import markdown_line, markdown_list, markdown_table
    from vdu_bench.reports.tables.text import Cell

    parts = []
    for one in found:
        cells = [list(map(Cell, row)) for row in _rows(one, everything)]
        parts += [markdown_line(f"## {_title(one)}"), markdown_table(pd.DataFrame(cells, columns=list(HEADERS)))]
        if notes := _notes(one, everything):
            parts.append(markdown_list(notes))
    return "\n\n".join([*parts, HOW]) + "\n"


def compared_csv(found: Iterable[Compared]) -> str:
    """A row for each metric of each pair of rows, all metrics, unrounded; empty where there is no number."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_CSV)
    for one in found:
        pair = one.pair
        for difference in one.differences:
            column, change = difference.column, difference.change
            numbers = (difference.left, difference.right, change.value, change.low, change.high)
            writer.writerow(
                [*map(guarded, (pair.variant, pair.left, pair.right, column.name, column.unit, column.better))]
                + [" ".join(map(str, difference.seeds))]
                + ["" if number != number else repr(number) for number in numbers]
                + [difference.winner, guarded(change.method or change.reason)]
            )
    return text.getvalue()


def _title(one: Compared) -> str:
    pair = one.pair
    seeds = f"seed{'s' * (len(pair.seeds) > 1)} {seeds_text(pair.seeds)}"
    return f"{pair.variant}: A {pair.left}, B {pair.right}, {seeds}"


def _shown(one: Compared, everything: bool) -> Sequence[Difference]:
    return [difference for difference in one.differences if everything or difference.column.headline]


def _rows(one: Compared, everything: bool) -> list[list[str]]:
    return [_row(difference) for difference in _shown(one, everything)]


def _line(row: Sequence[str]) -> str:
    """What a row of the table says, where there is no room for columns."""
    metric, a, b, change, interval, better = row
    return f"{metric}: A {a}, B {b}, B - A {change} {interval}".rstrip() + (f", {better} is better" if better else "")


def _row(difference: Difference) -> list[str]:
    unit = difference.column.unit
    means = [value_text(Estimate(value=mean), unit) for mean in (difference.left, difference.right)]
    change = difference.change
    return [
        header(difference.column),
        *means,
        value_text(change, unit),
        interval_text(change, unit),
        difference.winner,
    ]


def _notes(one: Compared, everything: bool) -> list[str]:
    gaps = [
        flat(f"{difference.column.label}: {difference.change.reason}")
        for difference in _shown(one, everything)
        if difference.change.reason
    ]
    return [*one.notes, *_partly(one, everything), *_of_same_units(one, everything), *gaps]


def _of_same_units(one: Compared, everything: bool) -> list[str]:
    shown = [found.column.shown for found in _shown(one, everything) if found.column.same_units and found.change.n > 1]
    return [f"{', '.join(shown)}: compared {ON_SAME_UNITS}"] if shown else []


def _partly(one: Compared, everything: bool) -> list[str]:
    """Which metrics were measured with some of the pair's seeds alone; those of the same seeds share a sentence."""
    found: dict[tuple[int, ...], list[str]] = {}
    for difference in _shown(one, everything):
        if len(difference.seeds) < len(one.pair.seeds):
            found.setdefault(difference.seeds, []).append(difference.column.shown)
    return [
        f"{', '.join(labels)}: of seed{'s' * (len(seeds) > 1)} {seeds_text(seeds)} alone, which both were measured with"
        for seeds, labels in found.items()
    ]
