"""What `list` prints: a line for each name, cut to what the terminal has room for; some where it is narrow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from textwrap import wrap
from typing import Any

from rich.console import Console
from rich.text import Text

from vdu_bench.reports.screen import shown_whole

Row = Mapping[str, Any]

GAP = 2
SHORT = {"unconditional": "ddpm", "text_to_image": "text"}
"""The kinds of models, as listings call them."""
ARROWS = {"higher": "↑", "lower": "↓"}
WORK = {"embedded": "minutes", "small": "hours", "full": "a GPU"}
"""What a task's scale takes."""

_COLUMNS: dict[str, list[tuple[str, Callable[[Row], str]]]] = {
    "tasks": [
        ("model", lambda row: str(SHORT.get(row["model"], row["model"]))),
        ("takes", lambda row: ", ".join(["data"] * (row["data"] == "outside") + [WORK.get(row["scale"], "")])),
        ("run", lambda row: "yes" if row["run"] else "-"),
    ],
    "methods": [
        ("model", lambda row: _kinds(row["models"])),
        ("takes", lambda row: _needs(row["needs"])),
        ("run", lambda row: "yes" if row["run"] else "-"),
    ],
    "probes": [
        ("model", lambda row: _kinds(row["models"])),
        ("takes", lambda row: _needs(row["needs"]).replace("_", " ")),
    ],
    "sources": [("options", lambda row: ", ".join(row["options"]))],
    "metrics": [
        ("group", lambda row: row["group"]),
        ("unit", lambda row: f"{row['unit']} {ARROWS.get(row['better'], '')}".strip() or "-"),
    ],
}

_WRAPPED = {"sources": "options"}
"""A column whose lists go over several lines where they would leave no room for titles."""
TITLE = 30
"""Characters that a title has beside such a column."""

_LEGENDS = {
    "tasks": "model: ddpm takes no prompts, text does. takes: data that are not in the package; how long a run of a "
    "few methods is. run: the suite's own results have it.",
    "methods": "model: ddpm takes no prompts, text does. takes: what of the training data it sees, and what else. run: "
    "the suite's own results have it.",
    "probes": "model: ddpm takes no prompts, text does. takes: what it is given beside the model, such as images.",
    "metrics": "unit: an arrow points to the better side.",
}


def print_lines(kind: str, rows: Sequence[Row], console: Console) -> None:
    """A line for each row: its name, what `kind` is told by, and a title: whole where all fit, else cut at a word.

    A column of long lists takes more lines than one where the terminal is narrow. Where it is so narrow that a title
    would be gone, each name has lines of its own, with all that is known of it.
    """
    columns = _COLUMNS[kind]
    cells = [[row["name"], *(text(row) for _, text in columns)] for row in rows]
    headers = [kind.removesuffix("s"), *(name for name, _ in columns)]
    widths = [max(len(line[index]) for line in [headers, *cells]) + GAP for index in range(len(headers))]
    titles = [str(row["about"]) for row in rows]
    if kind in _WRAPPED:
        wide = headers.index(_WRAPPED[kind])
        longest = max(len(word) for line in cells for word in line[wide].split(" ")) + GAP
        widths[wide] = min(widths[wide], max(longest, console.width - sum(widths) + widths[wide] - TITLE))
    room = console.width - sum(widths)
    if any(len(title) > room for title in titles):
        whole, titles = titles, [cut(short(title), room) for title in titles]
        if not all(titles):
            _print_below(headers, cells, whole, console)
            _print_notes(kind, console)
            return
    for index, (line, title) in enumerate(zip([headers, *cells], ["title", *titles], strict=True)):
        parts = [wrap(word, width - GAP) or [""] for word, width in zip(line, widths, strict=True)]
        for words in zip_longest(*parts, [title], fillvalue=""):
            text = "".join(word.ljust(width) for word, width in zip(words, [*widths, 0], strict=True)).rstrip()
            console.print(Text(text, style="" if index else "bold"), no_wrap=True, overflow="ignore", crop=False)
    _print_notes(kind, console)


def _print_below(
    headers: Sequence[str], cells: Sequence[Sequence[str]], titles: Sequence[str], console: Console
) -> None:
    """A name, and what is known of it under it."""
    for (name, *values), title in zip(cells, titles, strict=True):
        console.print(Text(name, style="bold"), overflow="fold")
        facts = "; ".join(f"{header}: {value}" for header, value in zip(headers[1:], values, strict=True))
        for line in [*wrap(title, console.width - GAP), *wrap(facts, console.width - GAP)]:
            console.print(Text(" " * GAP + line), overflow="fold")


def _print_notes(kind: str, console: Console) -> None:
    told = [_LEGENDS[kind]] if kind in _LEGENDS else []
    for note in [*told, f"vdu-bench show NAME tells all about one of these {kind}."]:
        console.print(Text(f"\n{note}", style="dim"), soft_wrap=shown_whole(console))


def short(title: str) -> str:
    """The part of a title that names: without what stands in brackets, or, after a name with a colon, the rest."""
    return title.partition(" (")[0].partition(": ")[0].rstrip(".")


def cut(text: str, room: int) -> str:
    """A text for `room` characters: all of it, its first clause, or as many words as that holds and an ellipsis."""
    for whole in (text, text.partition(", ")[0]):
        if len(whole) <= room:
            return whole
    kept = text[: max(0, room - 1)].rpartition(" ")[0].rstrip(" ,;:")
    return f"{kept}…" if kept else ""


def _kinds(models: Sequence[str]) -> str:
    return " ".join(SHORT.get(model, model) for model in models)


def _needs(needs: Sequence[str]) -> str:
    return ", ".join(need.removesuffix("_images") for need in needs) or "-"
