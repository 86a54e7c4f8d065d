"""Methods, probes, metrics and data sources from a file of one's own."""

from __future__ import annotations

import inspect
import re
import sys
from abc import ABC
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vdu_bench.data.catalog import SOURCES
from vdu_bench.engine.code import run_again
from vdu_bench.errors import UserError
from vdu_bench.methods.catalog import METHODS
from vdu_bench.metrics.catalog import METRICS
from vdu_bench.probes.catalog import PROBES
from vdu_bench.registry import Registry, import_plugin


def load_plugin(file: Path) -> list[str]:
    """Register every method, probe, metric and data source that the file defines; their names.

    A class is called by its ``name`` attribute, or by its own name in snake case (``MyMethod``: ``my_method``). A
    function that is annotated as giving `DataSplits` is a data source; it is called by its own name without ``load_``.

    Raises:
        UserError: the file is missing, fails to import, defines none of them, or one that lacks something, cannot be
            made or takes a name that is in use.
    """
    module_name = import_plugin(file)
    run_again(file.resolve())
    if unfinished := _unfinished(module_name):
        raise UserError(f"plug-in {file}: {unfinished}")
    names = []
    for attribute, value in vars(sys.modules[module_name]).items():
        if getattr(value, "__module__", None) != module_name:
            continue
        for name, registry in _places(attribute, value):
            try:
                registry.check(name, value)
            except UserError as error:
                raise UserError(f"plug-in {file}: {error}") from error
            registry.add(name, f"{module_name}:{attribute}", file.resolve())
            names.append(name)
    if not names:
        raise UserError(f"plug-in {file} defines no Method, no Probe, no Metric and no DataSource")
    return names


def _unfinished(module_name: str) -> str:
    """What a class of the module lacks to be a method, probe, metric or data source; empty where none does.

    One that others of the module derive from, or that says itself that it is abstract, is a base of one's own.
    """
    own: list[Any] = [value for value in vars(sys.modules[module_name]).values() if inspect.isclass(value)]
    own = [value for value in own if value.__module__ == module_name]
    for value in own:
        derived = any(issubclass(other, value) for other in own if other is not value)
        registered = next(_registries(value), None) is not None
        if registered and not derived and ABC not in value.__bases__ and (lacking := _lacking(value)):
            return f"{value.__name__} lacks {', '.join(lacking)}"
    return ""


def _lacking(kind: Any) -> list[str]:
    """What a class has to say yet before one can be made of it."""
    lacking: list[str] = sorted(kind.__abstractmethods__) if inspect.isabstract(kind) else []
    loop = getattr(sys.modules.get("vdu_bench.methods.method"), "LossMethod", None)
    if (
        loop is not None
        and issubclass(kind, loop)
        and all(getattr(kind, name) is getattr(loop, name) for name in ("loss", "gradients", "unlearn"))
    ):
        lacking.append("loss")
    return lacking


def name_of(attribute: str, kind: type) -> str:
    """What a module's class is called: by its ``name`` attribute, or by what the module calls it, in snake case."""
    return str(kind.__dict__.get("name", snake_case(attribute)))


def snake_case(class_name: str) -> str:
    """``my_method`` for ``MyMethod``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", class_name).lower()


def _places(attribute: str, value: Any) -> Iterator[tuple[str, Registry[Any]]]:
    """Under which name an object of a plug-in belongs into which registry."""
    if inspect.isfunction(value):
        given = value.__annotations__.get("return")
        if getattr(given, "__name__", given) == "DataSplits":
            yield attribute.removeprefix("load_"), SOURCES
        return
    if inspect.isclass(value) and not _lacking(value):
        name = name_of(attribute, value)
        yield from ((name, registry) for registry in _registries(value))


def _registries(kind: type) -> Iterator[Registry[Any]]:
    """Those that a class belongs into."""
    # Imported here: a plug-in has loaded by now what it needs, and everything else in this module works without torch.
    from vdu_bench.data.source import DataSource

    if issubclass(kind, DataSource):
        yield SOURCES
    for module, base, registry in (
        ("vdu_bench.methods.method", "Method", METHODS),
        ("vdu_bench.probes.probe", "Probe", PROBES),
        ("vdu_bench.metrics.metric", "Metric", METRICS),
    ):
        # What a plug-in has not imported it cannot have a class of.
        if module in sys.modules and issubclass(kind, getattr(sys.modules[module], base)):
            yield registry
