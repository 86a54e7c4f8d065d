"""A sweep: several values of the setting by which each method forgets more or less."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vdu_bench.engine.cells import ALL, check_all_alone, obstacle
from vdu_bench.errors import UserError
from vdu_bench.methods.catalog import METHODS, method_facts
from vdu_bench.methods.regime import Regime
from vdu_bench.methods.settings import beside, checked_settings
from vdu_bench.nested import merged
from vdu_bench.tasks.task import Task

FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""What the task's value is multiplied by where no values are given."""

Variants = Sequence[Mapping[str, Any]]


def swept_settings(methods: Sequence[str], over: str | None) -> dict[str, str]:
    """By method, the setting that is swept: `over`, or the strength that the method declares.

    Reference rows have none, and are left out: they are in the picture anyway. ``all`` stands for every method that has
    such a setting.

    Raises:
        UserError: a method is unknown, or declares no strength, or there is none but references; ``all`` beside others.
    """
    check_all_alone(methods)
    found = {}
    if list(methods) == [ALL]:
        for name, method in METHODS.working().items():
            setting = over or method.strength
            if method.role == "contestant" and setting in method.Settings.model_fields:
                found[name] = setting
        if not found:
            raise UserError(f"no method has a setting {over!r}")
        return found
    for name in methods:
        if method_facts(name).role == "reference":
            continue
        if not (setting := over or METHODS.get(name).strength):
            raise UserError(f"{name} declares no strength to sweep over; name one of its settings by --over")
        found[name] = setting
    if not found:
        raise UserError(f"there is no method to sweep among {', '.join(methods)}, whose rows are references")
    return found


def swept_on(task: Task, swept: Mapping[str, str], methods: Sequence[str], regime: Regime) -> dict[str, str]:
    """The swept methods that a task is run with; for ``all``, those that can run on it."""
    everything = list(methods) == [ALL]
    return {name: setting for name, setting in swept.items() if not everything or not obstacle(task, name, regime)}


def sweep_variants(
    task: Task, swept: Mapping[str, str], values: Sequence[Any] | None, settings: Mapping[str, Variants]
) -> dict[str, list[dict[str, Any]]]:
    """By method, the settings of each variant: every value, with each of the variants that `settings` has of it.

    Args:
        task: whose settings of methods are the middle of a grid.
        swept: by method, the setting that is swept.
        values: of that setting; None for a quarter, a half, one, two and four times the task's, as far as these are
            in its range.
        settings: by method, what else is set.

    Raises:
        UserError: a method has no such setting, a value is out of its range, it is no number, and no values are given,
            or it is set beside them; settings of a method that is not swept.
    """
    if other := next((name for name in settings if name not in swept), None):
        raise UserError(f"settings are given for {other!r}, which is not among the methods: {', '.join(swept)}")
    found = {}
    for name, setting in swept.items():
        given = task.method_settings.get(name, {})
        variants: list[dict[str, Any]] = []
        for own in settings.get(name, [{}]):
            if values is not None and setting in own:
                raise UserError(f"{name}.{setting} is set, and values are given to sweep it over: give one of them")
            chosen = _grid(name, setting, merged(beside(given, own), own)) if values is None else values
            variants += [{**own, setting: value} for value in chosen]
        for one in variants:
            checked_settings(name, METHODS.get(name).Settings, merged(beside(given, one), one))
        found[name] = variants
    return found


def _grid(name: str, setting: str, overrides: Mapping[str, Any]) -> list[Any]:
    kind = METHODS.get(name).Settings
    middle = getattr(checked_settings(name, kind, overrides), setting, None)
    if setting not in kind.model_fields:
        checked_settings(name, kind, {setting: None})
    if isinstance(middle, bool) or not isinstance(middle, int | float) or middle == 0:
        raise UserError(f"{name}.{setting} is {middle!r}, which no grid goes around: give --values")
    if isinstance(middle, int):
        grid: list[Any] = [max(1, round(middle * factor)) for factor in FACTORS]
    else:
        grid = [float(f"{middle * factor:.6g}") for factor in FACTORS]
    return [value for value in dict.fromkeys(grid) if _fits(name, {**overrides, setting: value})]


def _fits(name: str, overrides: Mapping[str, Any]) -> bool:
    try:
        checked_settings(name, METHODS.get(name).Settings, overrides)
    except UserError:
        return False
    return True
