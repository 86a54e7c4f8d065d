"""The cells of a command in several data regimes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vdu_bench.engine.cells import ALL, Cell, check_all_alone, expand
from vdu_bench.errors import UserError
from vdu_bench.methods.catalog import method_facts
from vdu_bench.methods.regime import Regime, forbidden_needs
from vdu_bench.tasks.task import Task


def expand_regimes(
    tasks: Sequence[Task],
    methods: Sequence[str],
    seeds: Sequence[int],
    regimes: Sequence[Regime],
    settings: Mapping[str, Sequence[Mapping[str, Any]]],
    device: str,
    data_dir: Path | None = None,
    called: str = "",
) -> tuple[list[Cell], list[str]]:
    """The cells of `expand` in each regime, and a line for each method that is left out, of some regimes or of all.

    No regime binds the reference rows: they come once. Of several regimes a method that was asked for by name is left
    out of those that forbid what it needs; where all do, it is refused as a single regime would have it.

    Args:
        tasks: as `expand`, like the rest.
        methods: names.
        seeds: a cell for each.
        regimes: one or several, each once.
        settings: by method, the settings of each of its variants.
        device: as asked for.
        data_dir: where data sets from outside the package lie.
        called: what contestants' rows are called; of one regime alone.

    Raises:
        UserError: as `expand`; a name for several regimes.
    """
    if called and len(regimes) > 1:
        raise UserError(f"--name {called}: there are {len(regimes)} regimes, whose rows cannot share a name")
    check_all_alone(methods)
    cells: list[Cell] = []
    lines: list[str] = []
    for regime in regimes:
        skipped = {} if list(methods) == [ALL] else _skipped(methods, regime, regimes)
        lines += [f"{name} is left out of {regime}: it needs {needs}" for name, needs in skipped.items()]
        chosen = [name for name in methods if name not in skipped]
        own = {name: variants for name, variants in settings.items() if name not in skipped}
        made, left_out = expand(tasks, chosen, seeds, regime, own, device, data_dir, called)
        cells += [cell for cell in made if not cells or method_facts(cell.method).role == "contestant"]
        lines += left_out
    # What stands in the way of a method in every regime is said once.
    return cells, list(dict.fromkeys(lines))


def _skipped(methods: Sequence[str], regime: Regime, regimes: Sequence[Regime]) -> dict[str, str]:
    """By method that one regime forbids and another allows, the needs that are forbidden."""
    found = {}
    for name in methods:
        facts = method_facts(name)
        forbidden = {one: forbidden_needs(one, facts.needs, facts.role) for one in regimes}
        if forbidden[regime] and not all(forbidden.values()):
            found[name] = ", ".join(forbidden[regime])
    return found
