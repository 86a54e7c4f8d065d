"""What of a task's rows makes a curve: a swept setting, a series of metrics, a matrix over a number."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from vdu_bench.records import Record
from vdu_bench.reports.counted_seeds import counted
from vdu_bench.reports.page.packing import number
from vdu_bench.reports.tables.leaderboard import Leaderboard
from vdu_bench.variants import row_name

_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def swept(firsts: Mapping[str, Record]) -> list[dict[str, Any]]:
    """Curves of rows that differ in one numeric setting alone, of each method over what it has most values of.

    Args:
        firsts: by row, one of its records.

    Returns:
        For each curve ``name``, ``setting``, and ``points``, pairs of value and row in the order of the values.
    """
    methods: dict[tuple[str, str], list[Record]] = {}
    for record in firsts.values():
        if record.role == "contestant":
            methods.setdefault((record.method, record.regime), []).append(record)
    curves = []
    for _, records in sorted(methods.items()):
        values = {key: {record.settings.get(key) for record in records} for key in _numeric(records)}
        several = {key: len(found) for key, found in values.items() if len(found) > 1}
        if several:
            setting = max(several, key=lambda key: (several[key], key))
            curves += _curves(records, setting)
    return curves


def _numeric(records: Sequence[Record]) -> list[str]:
    keys = {key for record in records for key in record.settings}
    return [key for key in sorted(keys) if all(_is_number(record.settings.get(key)) for record in records)]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _curves(records: Sequence[Record], setting: str) -> list[dict[str, Any]]:
    groups: dict[str, list[Record]] = {}
    for record in records:
        others = {key: value for key, value in record.settings.items() if key != setting}
        groups.setdefault(json.dumps(others, sort_keys=True, default=str), []).append(record)
    found = []
    for group in groups.values():
        points = sorted((record.settings[setting], record.row) for record in group)
        if len({value for value, _ in points}) > 1:
            first = group[0]
            changes = {key: value for key, value in first.method_changes.items() if key != setting}
            name = row_name(first.method, changes)
            found.append({"name": name, "setting": setting, "points": points})
    return found


def series(board: Leaderboard) -> list[dict[str, Any]]:
    """Metrics that differ in a number of their name alone, such as after 10 and after 50 steps of something.

    Returns:
        For each series ``title`` (with N for the number), ``unit``, ``better``, and ``places``, pairs of the number and
        the metric's index among the board's columns, in order.
    """
    groups: dict[tuple[str, str, str, str], list[tuple[float, int]]] = {}
    for index, column in enumerate(board.columns):
        for match in _NUMBER.finditer(column.name):
            pattern = column.name[: match.start()] + "N" + column.name[match.end() :]
            key = pattern, column.unit, column.better, column.group
            groups.setdefault(key, []).append((float(match[0]), index))
    return [
        {"title": pattern, "unit": unit, "better": better, "places": sorted(places)}
        for (pattern, unit, better, _), places in groups.items()
        if len({place for place, _ in places}) > 1
    ]


def matrix_curves(records: Iterable[Record]) -> list[dict[str, Any]]:
    """Lines of the matrices whose columns are numbers, such as steps of an attack: a figure for each of their rows.

    Returns:
        For each ``title``, ``unit``, ``axis`` (what the numbers count), ``places``, ``before`` (of the original) and
        ``rows``: by row of the board its numbers, the mean over its seeds; none where one that counts lacks them.
    """
    found: dict[tuple[str, str, str, tuple[float, ...]], dict[str, Any]] = {}
    records = list(records)
    whole = {
        metric: {
            row: {record.seeds.sample for record in own}
            for row, own in counted(records, metric).items()
            if all(metric in record.matrices for record in own)
        }
        for metric in {metric for record in records for metric in record.matrices}
    }
    for record in records:
        for metric, matrix in record.matrices.items():
            axis = _axis(matrix.columns)
            if axis is None or record.seeds.sample not in whole[metric].get(record.row, ()):
                continue
            words, places = axis
            for name, before, after in zip(matrix.rows, matrix.before, matrix.after, strict=True):
                key = metric, name, words, tuple(places)
                title = f"{metric}: {name}" if len(matrix.rows) > 1 else metric
                one = found.setdefault(
                    key, {"title": title, "unit": matrix.unit, "axis": words, "places": places, "of": {}, "from": []}
                )
                one["of"].setdefault(record.row, []).append(after)
                one["from"].append(before)
    return [
        {key: one[key] for key in ("title", "unit", "axis", "places")}
        | {"before": _mean(one["from"]), "rows": {row: _mean(lines) for row, lines in one["of"].items()}}
        for one in found.values()
    ]


def _axis(columns: Sequence[str]) -> tuple[str, list[float]] | None:
    """What numbers count and the numbers, where each column is one, with the same words beside it; or None."""
    matches = [_NUMBER.match(column.replace(",", "")) for column in columns]
    words = {
        column.replace(",", "")[match.end() :].strip()
        for column, match in zip(columns, matches, strict=True)
        if match is not None
    }
    if len(columns) < 2 or None in matches or len(words) != 1:
        return None
    # As in `courses`: an effort without a word is one of steps.
    return words.pop() or "steps", [float(match[0]) for match in matches if match is not None]


def _mean(lines: Sequence[Sequence[float]]) -> list[float | None]:
    return [number(float(value)) for value in np.mean(np.asarray(lines, dtype=np.float64), axis=0)]
