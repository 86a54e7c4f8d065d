"""Where the source of a module lies, found without importing anything but the top of a package."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path


@cache
def locate(name: str) -> Path | None:
    """The source file of a module by its dotted name; None where `name` is no module of Python's."""
    top, _, rest = name.partition(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if not rest:
        return None if spec.origin is None or not Path(spec.origin).is_file() else Path(spec.origin)
    found = (under(Path(place), rest) for place in spec.submodule_search_locations or ())
    return next((file for file in found if file is not None), None)


def under(folder: Path, name: str) -> Path | None:
    """The source file of a module by its dotted name inside a folder; None where there is none."""
    place = folder.joinpath(*name.split("."))
    return next((file for file in (place / "__init__.py", place.with_name(f"{place.name}.py")) if file.is_file()), None)
