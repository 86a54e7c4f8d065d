"""What methods declare of their search, checked: a wrong one would cost trials before anybody saw it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from vdu_bench.errors import UserError
from vdu_bench.methods.catalog import METHODS
from vdu_bench.methods.search import Choice, Range, Space
from vdu_bench.methods.settings import checked_settings


def search_space(name: str) -> Space:
    """What the method's ``Settings.search`` declares, the class attribute that says how the method is tuned.

    Raises:
        UserError: the method declares none; or it is no search over its settings.
    """
    settings = METHODS.get(name).Settings
    space: Space = getattr(settings, "search", None) or {}
    if not space:
        raise UserError(
            f"{name} cannot be tuned: its Settings declare no search; give them a class attribute such as "
            "search = {'learning_rate': Range(1e-5, 1e-3, log=True)}"
        )
    for setting, values in space.items():
        if wrong := _wrong(values):
            raise UserError(f"{name} cannot be tuned: Settings.search[{setting!r}] is {values!r}: {wrong}")
        for value in values.ends:
            checked_settings(name, settings, {setting: value})
    return space


def tunable(names: Iterable[str]) -> list[str]:
    """Those of some methods that declare a search."""
    return [name for name in names if getattr(METHODS.get(name).Settings, "search", None)]


def plain_space(space: Space) -> dict[str, Any]:
    """In plain data."""
    return {name: asdict(values) for name, values in space.items()}


def _wrong(values: Any) -> str:
    if isinstance(values, Choice):
        return "" if len(values.values) > 1 else "a choice is between two values or more"
    if not isinstance(values, Range):
        return "it is neither a Range nor a Choice"
    if not values.low < values.high:
        return "low is not below high"
    if values.log and values.low <= 0:
        return "a logarithmic range begins above 0"
    if values.integer and any(end != int(end) for end in (values.low, values.high)):
        return "the ends of a range of whole numbers are whole"
    return ""
