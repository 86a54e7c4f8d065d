"""The tables of `vdu-bench table`, by layout and format. Imports no pandas until one is made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vdu_bench.errors import UserError, did_you_mean
from vdu_bench.records import Record

FORMATS = {
    "leaderboard": ("terminal", "markdown", "csv", "latex", "json"),
    "paper": ("terminal", "markdown", "latex", "csv"),
    "robustness": ("terminal", "markdown", "csv", "latex", "json"),
    "data": ("terminal", "markdown", "latex", "csv"),
    "long": ("csv", "json"),
}
"""What each layout can be made as, its default first."""


def format_of(
    layout: str, form: str | None, published: Path | None, viewed: str = "", regimes: Sequence[str] = ()
) -> str:
    """The format to make a layout in; `viewed` is an option that chooses a leaderboard's columns or rows, if given.

    Raises UserError where the options do not go together.
    """
    if layout not in FORMATS:
        raise UserError(f"unknown layout {layout!r}{did_you_mean(layout, FORMATS)}")
    if published is not None and layout != "paper":
        raise UserError(f"--published goes with --layout paper: --layout {layout} shows no published numbers")
    if viewed and layout != "leaderboard":
        raise UserError(
            f"{viewed} goes with --layout leaderboard, whose columns are metrics and whose rows are methods"
        )
    if regimes and layout != "data":
        raise UserError("--regime goes with --layout data, whose columns are regimes and numbers of images")
    if form is not None and form not in FORMATS[layout]:
        raise UserError(f"--layout {layout} has no --format {form}; use {' or '.join(FORMATS[layout])}")
    return form or FORMATS[layout][0]


def render_table(
    records: Sequence[Record],
    layout: str,
    form: str,
    published: Path | None = None,
    settings: bool = False,
    metrics: Sequence[str] = (),
    sort: str | None = None,
    regimes: Sequence[str] = (),
) -> str:
    """A table as text that ends with a newline.

    Args:
        records: of any number of tasks.
        layout: one of `FORMATS`.
        form: one of the layout's formats but ``terminal``.
        published: the folder of published numbers for the paper's table; the suite's own if None.
        settings: whether each row's settings are shown, and where they are from.
        metrics: those of a leaderboard that are shown alone; all if there is none.
        sort: the metric that a leaderboard's rows are sorted by.
        regimes: those whose columns a table of data shows alone; all if there is none.

    Raises:
        UserError: when records do not compare, for a folder without published numbers, or as `to_csv` of the layout.
    """
    if layout == "paper":
        from vdu_bench.reports.paper.formats import render_paper
        from vdu_bench.reports.paper.published import published_folder, read_published

        return render_paper(records, form, read_published(published or published_folder()), settings)
    if layout == "data":
        from vdu_bench.reports.by_data.formats import render_data

        return render_data(records, form, settings, regimes)
    if layout == "robustness":
        metrics = robustness_metrics(records)
    if layout == "long":
        from vdu_bench.reports.tables.frames import render_long

        return render_long(records, "json" if form == "json" else "csv", settings)
    from vdu_bench.reports.tables.render import render

    return render(records, form, settings, metrics, sort)


def robustness_metrics(records: Sequence[Record]) -> list[str]:
    """What stands in the table of what comes back: how much is gone at first sight, and all that an attack measured.

    In the order of their groups. Raises UserError where no model of the records was put under attack.
    """
    facts = {name: result for record in records for name, result in record.metrics.items()}
    attacked = [name for name, result in facts.items() if result.group == "robustness"]
    if not attacked:
        raise UserError("no model of these records was put under attack; `vdu-bench run --attacks all ...` does it")
    seen = [name for name, result in facts.items() if result.axis == "forgetting"]
    first = sorted(seen, key=lambda name: (facts[name].rank, name))[:1]
    return [*first, *sorted(attacked, key=lambda name: (facts[name].rank, name))]
