"""Where the source of a module lies, found without importing it."""

from __future__ import annotations

import importlib.util
from functools import cache
from importlib.machinery import ModuleSpec
from pathlib import Path


def spec_of(top: str) -> ModuleSpec | None:
    """What Python knows of a module or package that is in no other, without importing it; None where there is none."""
    try:
        return importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None


@cache
def locate(name: str) -> Path | None:
    """The source file of a module by its dotted name; None where `name` is no module of Python's."""
    top, _, rest = name.partition(".")
    if (spec := spec_of(top)) is None:
        return None
    if not rest:
        return None if spec.origin is None or not Path(spec.origin).is_file() else Path(spec.origin)
    found = (under(Path(place), rest) for place in spec.submodule_search_locations or ())
    return next((file for file in found if file is not None), None)


def under(folder: Path, name: str) -> Path | None:
    """The source file of a module by its dotted name inside a folder; None where there is none."""
    place = folder.joinpath(*name.split("."))
    return next((file for file in (place / "__init__.py", place.with_name(f"{place.name}.py")) if file.is_file()), None)
