"""Methods and metrics from a file of one's own."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path

from vdu_bench.errors import UserError
from vdu_bench.methods.catalog import METHODS
from vdu_bench.metrics.catalog import METRICS
from vdu_bench.registry import import_plugin


def load_plugin(file: Path) -> list[str]:
    """Register every method and metric that the file defines; their names.

    A class is called by its ``name`` attribute, or by its own name in snake case (``MyMethod``: ``my_method``).

    Raises:
        UserError: the file is missing, fails to import, defines neither, or takes a name that is in use.
    """
    module_name = import_plugin(file)
    # Imported here: a plug-in has torch loaded by now, and everything else in this module works without.
    from vdu_bench.methods.method import Method
    from vdu_bench.metrics.metric import Metric

    names = []
    for class_name, value in vars(sys.modules[module_name]).items():
        if not inspect.isclass(value) or value.__module__ != module_name or inspect.isabstract(value):
            continue
        name = getattr(value, "name", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", class_name).lower())
        for base, registry in ((Method, METHODS), (Metric, METRICS)):
            if issubclass(value, base):
                registry.add(name, f"{module_name}:{class_name}", file.resolve())
                names.append(name)
    if not names:
        raise UserError(f"plug-in {file} defines no Method and no Metric")
    return names
