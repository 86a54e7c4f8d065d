"""What a run would do, without doing it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vdu_bench.engine.cells import Cell
from vdu_bench.engine.estimate import Described, Estimate, duration, estimate, known_records


def expecting(out: Path, store: Any, jobs: int) -> Callable[[Sequence[Cell]], Estimate]:
    """What missing cells are expected to take, by the records in `out` and in the store."""

    def described(cell: Cell) -> Described:
        from vdu_bench.methods.catalog import make_method

        method = make_method(cell.method, dict(cell.overrides))
        return method.settings.model_dump(mode="json"), method.steps, getattr(method.settings, "batch_size", 1)

    return lambda missing: estimate(missing, known_records([out], store), store, described, jobs)


def print_dry_run(cells: Sequence[Cell], done: Sequence[str], plan: Estimate, remarks: Sequence[str]) -> None:
    """A line for each row of each task: its seeds, how many are done, and what the others are expected to take; then
    remarks, a line each."""
    from vdu_bench.reports.plan import print_plan
    from vdu_bench.reports.screen import screen
    from vdu_bench.reports.tables.text import seeds_text

    rows: dict[str, list[Cell]] = {}
    for cell in cells:
        rows.setdefault(cell.name.rpartition("/")[0], []).append(cell)
    lines = []
    for name, own in rows.items():
        guesses = [plan.cells[cell.name] for cell in own if cell.name in plan.cells]
        finished = sum(cell.name in done for cell in own)
        lines.append(
            (
                name,
                seeds_text(sorted(cell.seed for cell in own)),
                f"{finished} of {len(own)}",
                f"{sum(guess.forward for guess in guesses):,}" if guesses else "-",
                _time([guess.seconds for guess in guesses]) if guesses else "-",
            )
        )
    for name, guess in plan.shared.items():
        lines.append((name, "", "no", f"{guess.forward:,}", _time([guess.seconds])))
    total = sum(guess.forward for guess in (*plan.cells.values(), *plan.shared.values()))
    notes = [f"{_done(len(done), len(cells))}; nothing was run, fetched or written"]
    if plan.cells:
        about = duration(plan.seconds)
        at_once = f", {plan.at_once} cells at a time" if plan.at_once > 1 else ""
        when = f"about {about}{at_once}" if about else "for a time that is not known"
        notes.append(
            f"the others: {total:,} forward evaluations of the denoiser, {when}; loading, judging and measuring come "
            "on top"
        )
    if plan.uncounted:
        notes.append(
            f"attacks are not counted of which no record in the folder or the store tells: {', '.join(plan.uncounted)}"
        )
    notes += [f"from: {source}" for source in _joined(plan.sources)]
    print_plan(lines, [*notes, *remarks], screen())


def _done(done: int, cells: int) -> str:
    if not done:
        return f"none of {cells} cells is done" if cells > 1 else "the cell is not done"
    return f"{done} of {cells} cells {'are' if done > 1 else 'is'} done, and reused"


def _joined(sources: Sequence[str]) -> list[str]:
    """The lines, where what is the same of several methods is said once."""
    names: dict[str, list[str]] = {}
    for source in sources:
        name, _, how = source.partition(": ")
        names.setdefault(how, []).append(name)
    return [f"{', '.join(found)}: {how}" for how, found in names.items()]


def _time(seconds: Sequence[float]) -> str:
    total = sum(seconds)
    return "?" if math.isnan(total) else duration(total) if total else "-"
