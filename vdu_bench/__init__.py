"""vdu-bench: evaluation and benchmarking of machine unlearning in diffusion models.

What `__all__` lists is imported when it is first asked for (PEP 562), so that ``import vdu_bench`` costs nothing.
docs/python.md shows how it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

if TYPE_CHECKING:
    from vdu_bench.api.results import Results, load
    from vdu_bench.api.running import evaluate, run, sweep
    from vdu_bench.api.unlearning import unlearn
    from vdu_bench.data.image_set import ImageSet
    from vdu_bench.data.source import DataSource
    from vdu_bench.data.splits import DataSplits
    from vdu_bench.errors import Diverged, UserError
    from vdu_bench.methods.method import LossMethod, Method
    from vdu_bench.metrics.metric import Metric
    from vdu_bench.models.posterior.gaussian import WeightPosterior
    from vdu_bench.probes.probe import Probe
    from vdu_bench.tasks.task import Task

__all__ = [
    "DataSource",
    "DataSplits",
    "Diverged",
    "ImageSet",
    "LossMethod",
    "Method",
    "Metric",
    "Probe",
    "Results",
    "Task",
    "UserError",
    "WeightPosterior",
    "evaluate",
    "load",
    "run",
    "sweep",
    "unlearn",
]

_HOMES = {
    "DataSource": "data.source",
    "DataSplits": "data.splits",
    "Diverged": "errors",
    "ImageSet": "data.image_set",
    "LossMethod": "methods.method",
    "Method": "methods.method",
    "Metric": "metrics.metric",
    "Probe": "probes.probe",
    "Results": "api.results",
    "Task": "tasks.task",
    "UserError": "errors",
    "WeightPosterior": "models.posterior.gaussian",
    "evaluate": "api.running",
    "load": "api.results",
    "run": "api.running",
    "sweep": "api.running",
    "unlearn": "api.unlearning",
}

if not TYPE_CHECKING:  # a type checker would take every other name for one of these, too

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
