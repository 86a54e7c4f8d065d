"""Leaderboards as Markdown, CSV, LaTeX and JSON."""

from __future__ import annotations

import json
import math
import re
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from vdu_bench.errors import UserError, did_you_mean
from vdu_bench.measured import Estimate
from vdu_bench.records import TUNING, Record
from vdu_bench.reports.csv_text import csv_text
from vdu_bench.reports.limits import Excess
from vdu_bench.reports.tables.fitting import A4, GAP, SMALL, fitted
from vdu_bench.reports.tables.leaderboard import Column, Leaderboard, Row, leaderboards
from vdu_bench.reports.tables.notes import table_notes
from vdu_bench.reports.tables.of_rows import of_rows
from vdu_bench.reports.tables.text import (
    APART,
    DESTROYED,
    FRONT,
    TIED,
    Cell,
    best_text,
    caption,
    header,
    method_text,
    row_marks,
    settings_lines,
    table_cell,
)
from vdu_bench.reports.tables.views import viewed

_LATEX = str.maketrans(
    {
        **{character: f"\\{character}" for character in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "|": r"\textbar{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "↑": r"$\uparrow$",
        "↓": r"$\downarrow$",
        APART: "---",
        TIED: r"$^\dagger$",
        DESTROYED: r"$\otimes$",
        FRONT: r"$\diamond$",
    }
)

BREAK = "<br>"
"""Ends a line within a cell."""
_LINE_ENDS = re.compile(r"\s*[\r\n]+\s*")
# Only where HTML begins: "2 < 3" and "A & B" are read as they are.
_HTML = re.compile(r"<(?!br>)(?=[A-Za-z/!?])|&(?=#|[A-Za-z]\w*;)")
_WRITTEN = {"<": "&lt;", "&": "&amp;"}

_COLUMN = ("name", "label", "unit", "better")
"""What JSON says of a column."""

_LATEX_SIZES: Any = [
    {"selector": "footnotesize", "props": ":"},
    {"selector": "setlength", "props": r":{\tabcolsep}{4pt}"},
]


def render(
    records: Iterable[Record],
    form: str,
    settings: bool = False,
    metrics: Sequence[str] = (),
    sort: str | None = None,
) -> str:
    """The leaderboards of all tasks in the records, as one text that ends with a newline.

    Args:
        records: of any number of tasks.
        form: ``markdown``, ``csv``, ``latex`` or ``json``.
        settings: whether each row's settings are shown, and where they are from; JSON always has them.
        metrics: those that are shown alone; all if there is none.
        sort: the metric that rows are sorted by, the best first.

    Raises:
        UserError: when records of one task do not compare, or for an unknown format or metric.
    """
    writers = {"markdown": to_markdown, "csv": to_csv, "latex": to_latex}
    if form not in (*writers, "json"):
        raise UserError(f"unknown table format {form!r}{did_you_mean(form, (*writers, 'json'))}")
    boards = viewed(leaderboards(records), metrics, sort)
    return to_json(boards) if form == "json" else writers[form](boards, settings)


def to_markdown(boards: Iterable[Leaderboard], settings: bool = False) -> str:
    """A section for each task: caption, the table of the main metrics, the table of the rest, notes."""
    parts = []
    for board in boards:
        parts += [markdown_line(text) for text in (f"## {board.variant}", caption(board))]
        frames, notes = _display_frames(board, settings)
        parts += [markdown_table(frame) for frame in frames]
        if notes:
            parts.append(markdown_list(notes))
    return "\n\n".join(parts) + "\n"


def markdown_list(notes: Iterable[str]) -> str:
    """Notes of plain text as a list."""
    return "\n".join(f"- {markdown_line(note)}" for note in notes)


def markdown_table(frame: pd.DataFrame) -> str:
    """A frame of `Cell` as a table: the first column to the left, the others to the right."""
    return markdown_rows(frame.map(markdown_cell))


def markdown_rows(frame: pd.DataFrame) -> str:
    """The same of a frame of cells that are Markdown already; headers are plain text."""
    escaped = frame.rename(columns=markdown_text)
    align = ["left"] + ["right"] * (escaped.shape[1] - 1)
    return escaped.to_markdown(index=False, disable_numparse=True, colalign=align)


def markdown_cell(cell: Cell) -> str:
    """A cell on one line of Markdown."""
    text = markdown_text(" ".join(filter(None, (cell.value.replace("\n", ", "), cell.spread))))
    return f"**{text}**" if cell.bold else text + cell.mark


def markdown_text(text: str) -> str:
    """Plain text for a cell of a Markdown table."""
    # A bar would end the cell, wherever it stands.
    return markdown_line(text).replace("|", r"\|")


def markdown_line(text: str) -> str:
    """Plain text for one line of Markdown: what HTML would be seen there as it is written. `BREAK` stays one."""
    return _HTML.sub(lambda found: _WRITTEN[found[0]], _LINE_ENDS.sub(" ", text))


def to_csv(boards: Iterable[Leaderboard], settings: bool = False) -> str:
    """One table for all tasks: a row per task and method; each metric's value, low and high, unrounded.

    `forget_images` is empty where a method could draw from all of them, `scale` where no cell was measured.
    `METRIC_best` is as `best_text`, `destroyed` and `front` as the leaderboard's.
    """
    rows: list[dict[str, Any]] = []
    for board in boards:
        for row in board.rows:
            numbers: dict[str, Any] = {}
            for column in board.columns:
                estimate = row.estimates.get(column.name, Estimate())
                numbers |= {
                    column.name: estimate.value,
                    f"{column.name}_low": estimate.low,
                    f"{column.name}_high": estimate.high,
                }
                if column.name in board.best:
                    numbers[f"{column.name}_best"] = best_text(board, row.method, column.name)
            if settings:
                numbers |= {"settings": " ".join(settings_lines(row)), "settings_from": row.settings_from}
                numbers |= {f"tuning_{what}": row.tuning_cost.get(what, "") for what in TUNING}
            rows.append(
                {"task": board.setup, "forget_images": board.forget_images, "scale": board.scale}
                | {"method": row.method, "role": row.role, "regime": row.regime}
                | {"seeds": " ".join(map(str, row.seeds)), "trainings": row.trainings, "status": row.status}
                | {"destroyed": row.method in board.destroyed, "front": row.method in board.front}
                | numbers
            )
    frame = pd.DataFrame(rows).astype({"forget_images": "Int64"})
    return csv_text(frame)


def to_latex(boards: Iterable[Leaderboard], settings: bool = False) -> str:
    """`table*` environments for each task, the main metrics and the rest; needs the booktabs package.

    Headers are broken into lines, and intervals stand in small print under their values; metrics that are still too
    many for a page's width are continued in another table. The notes stand under a task's last table.
    """
    tables = []
    for board in boards:
        frames, told = _display_frames(board, settings)
        for frame, suffix, title in zip(frames, ("", "_more"), ("", ", further metrics"), strict=False):
            for number, part in enumerate(_page_wide(frame), 1):
                text = f"{board.variant}{title}. {caption(board)}"
                continued = number > 1
                styler = part.map(latex_cell).rename(columns=_latex_column).style.hide(axis="index")
                styler.set_table_styles(_LATEX_SIZES)
                tables.append(
                    styler.to_latex(
                        hrules=True,
                        column_format="@{}l" + "r" * (part.shape[1] - 1) + "@{}",
                        environment="table*",
                        position_float="centering",
                        caption=latex_escape(f"{board.variant}{title}, continued." if continued else text),
                        label=f"tab:{board.variant}{suffix}" + (f"_{number}" if continued else ""),
                    )
                )
        if notes := latex_notes(told):
            tables[-1] = tables[-1].replace(r"\end{table*}", "\n".join([*notes, r"\end{table*}"]))
    return "\n".join(tables)


def latex_notes(notes: Sequence[str]) -> list[str]:
    """Lines for what stands under a table, a paragraph each; none without notes."""
    lines = [rf"{latex_escape(note)}\par" for note in notes]
    return [r"{\raggedright\scriptsize", *lines, "}"] if lines else []


def _page_wide(frame: pd.DataFrame) -> list[pd.DataFrame]:
    """The frame in parts that fit a page, each with the methods before it."""

    def width(name: str) -> float:
        lines = [*header_lines(name), *(line for cell in frame[name] for line in cell.value.split("\n"))]
        small = [cell.spread for cell in frame[name]]
        marks = max(len(cell.mark) for cell in frame[name])
        return max([len(line) for line in lines] + [SMALL * len(line) for line in small]) + marks + GAP

    methods, *names = frame.columns
    parts = fitted(((width(name), name) for name in names), A4 - width(methods))
    return [frame[[methods, *part]] for part in parts or [[]]]


def latex_escape(text: str) -> str:
    """Plain text for LaTeX's text mode, in a table's cell too."""
    escaped = text.translate(_LATEX)
    # Right after a line's end these would be an argument of it.
    return f"{{}}{escaped}" if escaped.startswith(("[", "*")) else escaped


def latex_cell(cell: Cell) -> str:
    """A cell of the leaderboard: its spread in small print under its value."""
    lines = [latex_escape(line) for line in cell.value.split("\n")]
    lines[0] = (rf"\textbf{{{lines[0]}}}" if cell.bold else lines[0]) + latex_escape(cell.mark)
    return latex_lines([*lines, rf"{{\scriptsize {latex_escape(cell.spread)}}}"] if cell.spread else lines, "t")


def header_lines(text: str, width: int = 14) -> list[str]:
    """A column's header in lines of at most `width` characters, but for longer words."""
    return textwrap.wrap(text.replace("_", " "), width, break_long_words=False)


def latex_header(lines: Sequence[str]) -> str:
    """A column's header, from its `header_lines`, for LaTeX."""
    return latex_lines(list(map(latex_escape, lines)), "b")


def _latex_column(text: str) -> str:
    return latex_header(header_lines(text))


def latex_lines(lines: Sequence[str], baseline: str) -> str:
    """Lines of LaTeX under each other in one cell, whose baseline is the first's (``t``) or the last's (``b``)."""
    if len(lines) == 1:
        return lines[0]
    return rf"\begin{{tabular}}[{baseline}]{{@{{}}r@{{}}}}" + r" \\ ".join(lines) + r"\end{tabular}"


def to_json(boards: Iterable[Leaderboard]) -> str:
    """A list with an object for each task; estimates as in the records, NaN as null."""
    return json.dumps([_plain(board) for board in boards], indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _plain(board: Leaderboard) -> dict[str, Any]:
    return {
        "task": board.setup,
        "forget": board.forget,
        "forget_images": board.forget_images,
        "forget_set": board.forget_set,
        "protocol": board.protocol and board.protocol.model_dump(mode="json"),
        "columns": [{name: getattr(column, name) for name in _COLUMN} for column in board.columns],
        "rows": [_plain_row(board, row) for row in board.rows],
        "best": {name: {"best": found.best, "tied": sorted(found.tied)} for name, found in board.best.items()},
        "notes": table_notes(board),
    }


def _plain_row(board: Leaderboard, row: Row) -> dict[str, Any]:
    return vars(row) | {
        "estimates": {name: _finite(found) for name, found in row.estimates.items()},
        "by_seed": {name: list(map(_number, values)) for name, values in row.by_seed.items()},
        "apart": {
            name: {"label": found.label, "real": _finite(found.real), "original": _finite(found.original)}
            for name, found in row.apart.items()
        },
        "destroyed": [_finite(one) for one in board.destroyed.get(row.method, ())],
        "front": row.method in board.front,
    }


def _finite(one: Estimate | Excess) -> dict[str, Any]:
    return {key: _number(value) if isinstance(value, float) else value for key, value in vars(one).items()}


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _display_frames(board: Leaderboard, settings: bool) -> tuple[list[pd.DataFrame], list[str]]:
    """The main metrics and the rest, a `Cell` each, with the rows' settings or without; and all notes under them."""
    methods = {"method": [Cell(method_text(row) + row_marks(board, row.method)) for row in board.rows]}
    told = of_rows(board, settings)
    rest = _cells(board, board.other_columns)
    rest |= {name: [Cell(text) for text in texts] for name, texts in told.columns.items()}
    frames = [pd.DataFrame(methods | _cells(board, board.main_columns))]
    frames += [pd.DataFrame(methods | rest)] * bool(rest)
    return frames, [*table_notes(board), *[told.shared] * bool(told.shared)]


def _cells(board: Leaderboard, columns: Sequence[Column]) -> dict[str, list[Cell]]:
    return {header(column): [table_cell(board, row, column) for row in board.rows] for column in columns}
