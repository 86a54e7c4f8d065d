"""What tables in LaTeX share: floats of blocks that stand under each other, rows, and headers over several columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from vdu_bench.reports.tables.fitting import fitted
from vdu_bench.reports.tables.render import latex_escape

_HEIGHT = 40
"""Lines that stand under each other in one float, without its caption."""


def floats(blocks: Iterable[tuple[int, Sequence[str]]], caption: str, continued: str, label: str) -> str:
    """``table*`` environments, as many as the blocks need; needs the booktabs package.

    Args:
        blocks: each with its height in lines.
        caption: of the first one.
        continued: the caption of the others.
        label: of the first one; the others' have a number behind it.
    """
    return "\n".join(
        _float(continued if index else caption, f"{label}-{index + 1}" if index else label, part)
        for index, part in enumerate(fitted(blocks, _HEIGHT))
    )


def latex_row(cells: Iterable[str]) -> str:
    """A line of a tabular."""
    return rf"{' & '.join(cells)} \\"


def latex_spans(titles: Iterable[tuple[str, int]]) -> list[str]:
    """Titles over so many columns each, after the first column, and the rules under them."""
    cells, rules = [""], []
    first = 2
    for title, width in titles:
        cells.append(rf"\multicolumn{{{width}}}{{c}}{{{latex_escape(title)}}}")
        rules.append(rf"\cmidrule(lr){{{first}-{first + width - 1}}}")
        first += width
    return [latex_row(cells), " ".join(rules)]


def _float(caption: str, label: str, blocks: Sequence[Sequence[str]]) -> str:
    lines = [
        r"\begin{table*}",
        r"\centering",
        r"\footnotesize",
        r"\setlength{\tabcolsep}{4pt}",
        rf"\caption{{{latex_escape(caption)}}}",
        rf"\label{{{label}}}",
    ]
    for block in blocks:
        lines += [r"\par\medskip", *block]
    return "\n".join([*lines, r"\end{table*}", ""])
