"""Leaderboards as Markdown, CSV, LaTeX and JSON."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from vdu_bench.errors import UserError, did_you_mean
from vdu_bench.records import Estimate, Record
from vdu_bench.reports.leaderboard import Column, Leaderboard, leaderboards
from vdu_bench.reports.text import caption, cell, header, method_text, seeds_text

_LATEX = str.maketrans(
    {
        **{character: f"\\{character}" for character in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "↑": r"$\uparrow$",
        "↓": r"$\downarrow$",
    }
)

_LATEX_SIZES: Any = [
    {"selector": "footnotesize", "props": ":"},
    {"selector": "setlength", "props": r":{\tabcolsep}{4pt}"},
]


def render(records: Iterable[Record], form: str) -> str:
    """The leaderboards of all tasks in the records, as one text that ends with a newline.

    Raises:
        UserError: when records of one task do not compare, or for an unknown format.
    """
    writers = {"markdown": to_markdown, "csv": to_csv, "latex": to_latex, "json": to_json}
    if form not in writers:
        raise UserError(f"unknown table format {form!r}{did_you_mean(form, writers)}")
    return writers[form](leaderboards(records))


def to_markdown(boards: Iterable[Leaderboard]) -> str:
    """A section for each task: caption, the table of the main metrics, the table of the rest, notes."""
    parts = []
    for board in boards:
        parts += [f"## {board.task}", caption(board)]
        for frame in _display_frames(board, " "):
            # A bar would end the cell, wherever it stands.
            escaped = frame.map(lambda text: text.replace("|", r"\|")).rename(
                columns=lambda text: text.replace("|", r"\|")
            )
            align = ["left"] + ["right"] * (escaped.shape[1] - 1)
            parts.append(escaped.to_markdown(index=False, disable_numparse=True, colalign=align))
        if board.notes:
            parts.append("\n".join(f"- {note}" for note in board.notes))
    return "\n\n".join(parts) + "\n"


def _markdown_cell(text: str) -> str:
    # A bar would end the cell, wherever it stands.
    return text.replace("|", r"\|")


def to_csv(boards: Iterable[Leaderboard]) -> str:
    """One table for all tasks: a row per task and method; each metric's value, low and high, unrounded."""
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
            rows.append(
                {"task": board.task, "method": row.method, "role": row.role, "regime": row.regime}
                | {"seeds": " ".join(map(str, row.seeds)), "status": row.status}
                | numbers
            )
    return pd.DataFrame(rows).to_csv(index=False, lineterminator="\n")


def to_latex(boards: Iterable[Leaderboard]) -> str:
    """Two `table*` environments for each task, the main metrics and the rest; needs the booktabs package.

    Headers are broken into lines, and intervals stand in small print under their values, so that a table with all
    the suite's metrics is no wider than a page.
    """
    tables = []
    for board in boards:
        frames = _display_frames(board, "\n")
        for frame, suffix, title in zip(frames, ("", "_more"), ("", ", further metrics"), strict=True):
            styler = frame.map(_latex_cell).rename(columns=_latex_header).style.hide(axis="index")
            styler.set_table_styles(_LATEX_SIZES)
            tables.append(
                styler.to_latex(
                    hrules=True,
                    column_format="@{}l" + "r" * (frame.shape[1] - 1) + "@{}",
                    environment="table*",
                    position_float="centering",
                    caption=_latex_escape(f"{board.task}{title}. {caption(board)}"),
                    label=f"tab:{board.task}{suffix}",
                )
            )
    return "\n".join(tables)


def _latex_escape(text: str) -> str:
    return text.translate(_LATEX)


def _latex_cell(text: str) -> str:
    value, *interval = _latex_escape(text).split("\n")
    return _latex_lines([value, rf"{{\scriptsize {interval[0]}}}"], "t") if interval else value


def _latex_header(text: str) -> str:
    lines = textwrap.wrap(text.replace("_", " "), 14, break_long_words=False)
    return _latex_lines(list(map(_latex_escape, lines)), "b")


def _latex_lines(lines: Sequence[str], baseline: str) -> str:
    if len(lines) == 1:
        return lines[0]
    return rf"\begin{{tabular}}[{baseline}]{{@{{}}r@{{}}}}" + r" \\ ".join(lines) + r"\end{tabular}"


def to_json(boards: Iterable[Leaderboard]) -> str:
    """A list with an object for each task; estimates as in the records, NaN as null."""
    return json.dumps([_plain(board) for board in boards], indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _plain(board: Leaderboard) -> dict[str, Any]:
    return {
        "task": board.task,
        "forget": board.forget,
        "protocol": board.protocol and board.protocol.model_dump(mode="json"),
        "columns": [vars(column) for column in board.columns],
        "rows": [
            vars(row) | {"estimates": {name: _finite(found) for name, found in row.estimates.items()}}
            for row in board.rows
        ],
        "notes": board.notes,
    }


def _finite(estimate: Estimate) -> dict[str, Any]:
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in estimate.model_dump().items()
    }


def _display_frames(board: Leaderboard, separator: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The main metrics and the rest as text; the separator stands between value and interval."""
    methods = [method_text(row) for row in board.rows]
    main = pd.DataFrame({"method": methods} | _texts(board, board.main_columns, separator))
    rest = pd.DataFrame(
        {"method": methods}
        | _texts(board, board.other_columns, separator)
        | {
            "regime": [row.regime for row in board.rows],
            "seeds": [seeds_text(row.seeds) for row in board.rows],
            "status": [row.status for row in board.rows],
        }
    )
    return main, rest


def _texts(board: Leaderboard, columns: Sequence[Column], separator: str) -> dict[str, list[str]]:
    return {
        header(column): [separator.join(filter(None, cell(row, column))) for row in board.rows] for column in columns
    }
