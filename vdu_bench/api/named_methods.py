"""Methods as people name them in Python: by name, by class, or with their settings."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vdu_bench.engine.plugins import name_of
from vdu_bench.errors import UserError
from vdu_bench.methods.catalog import METHODS, make_method

if TYPE_CHECKING:
    from vdu_bench.methods.method import Method


def the_method(given: str | type[Method] | Method, settings: Mapping[str, Any]) -> Method:
    """The method itself.

    Raises UserError for an unknown name or setting, a class that cannot be made, and settings of what has its own.
    """
    if isinstance(given, str):
        return make_method(given, dict(settings))
    if isinstance(given, type):
        METHODS.check(given.__name__, given)
        return given(**settings)
    if settings:
        raise UserError(
            f"{type(given).__name__} has its settings already; give {next(iter(settings))} to it, or its class"
        )
    return given


def registered(given: str | type[Method] | Method) -> tuple[str, dict[str, Any]]:
    """A method's name in the registry, and those of its settings that somebody gave; a new class is registered.

    Raises:
        UserError: the class is in no file, as in a notebook: what made a result could not be told.
    """
    if isinstance(given, str):
        METHODS.entry(given)
        return given, {}
    kind = given if isinstance(given, type) else type(given)
    own = {} if isinstance(given, type) else given.settings.model_dump(exclude_unset=True)
    target = f"{kind.__module__}:{kind.__qualname__}"
    for name, entry in METHODS.entries().items():
        if entry.target == target:
            return name, own
    try:
        file = Path(inspect.getfile(kind)).resolve()
    except (TypeError, OSError):
        file = Path(target)
    if not file.is_file() or "." in kind.__qualname__:
        raise UserError(
            f"{kind.__name__} is in no file that could be read again; write it to one, and give its name beside "
            "plugins=[FILE]"
        )
    name = name_of(kind.__name__, kind)
    METHODS.add(name, target, file)
    return name, own
