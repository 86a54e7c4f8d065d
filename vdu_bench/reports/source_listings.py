"""What `list sources` and `show SOURCE` say of sources of data."""

from __future__ import annotations

import ast
import inspect
from typing import Any

from vdu_bench.data.catalog import SOURCES
from vdu_bench.data.source import DataSource
from vdu_bench.registry import Entry


def source_rows() -> list[dict[str, Any]]:
    """A row for each source of data, with the options that a task file may set; what cannot be read is warned of."""

    def row(name: str) -> dict[str, Any]:
        options = list(source.model_fields) if (source := source_class(name)) is not None else []
        return {"name": name, "options": options, "about": _docstring(SOURCES.entry(name)).partition("\n")[0]}

    return list(SOURCES.each(row).values())


def source_facts(name: str) -> dict[str, Any]:
    """What is said of one source, but for its options. Raises UserError where it cannot be read."""
    entry = SOURCES.entry(name)
    return {"kind": "source", "name": name, "docstring": _docstring(entry), "target": entry.target}


def source_class(name: str) -> type[DataSource] | None:
    """The class whose fields are a source's options; None of a function, which has none and is not imported."""
    found = None if SOURCES.entry(name).is_function() else SOURCES.get(name)
    return found if isinstance(found, type) else None


def _docstring(entry: Entry) -> str:
    if not entry.is_function():
        return inspect.getdoc(SOURCES.get(entry.name)) or ""
    body = ast.parse(entry.source_file().read_bytes()).body
    (function,) = (node for node in body if isinstance(node, ast.FunctionDef) and node.name == entry.attribute)
    return ast.get_docstring(function) or ""
