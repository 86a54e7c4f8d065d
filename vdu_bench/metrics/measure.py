"""All metrics of a cell, as its record holds them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from vdu_bench.measured import Matrix, MetricFacts, MetricResult, Outcomes
from vdu_bench.metrics.catalog import METRICS
from vdu_bench.metrics.evidence import Evidence
from vdu_bench.metrics.metric import Measurement, Metric

_BY_SAMPLES = ("sampled", "against_original")


@dataclass(frozen=True)
class Measured:
    """What the metrics found, by name; the outcomes by what they count."""

    metrics: dict[str, MetricResult] = field(default_factory=dict)
    outcomes: dict[str, Outcomes] = field(default_factory=dict)
    matrices: dict[str, Matrix] = field(default_factory=dict)


def measure(evidence: Evidence) -> Measured:
    """Every metric that applies to the task.

    Raises:
        TypeError: a metric's `compute` gives something else than a `Measurement`.
        ValueError: a metric that is gated by its samples gives no outcomes or not those of its estimate, or two
            metrics' outcomes of one name differ.
    """
    found = Measured()
    for name, metric_class in METRICS.working().items():
        metric = metric_class()
        if not metric.applies(evidence.task):
            continue
        measurement = metric.compute(evidence)
        _check(name, metric, measurement)
        counts = ""
        if measurement.outcomes is not None:
            counts, outcomes = metric.counts or name, Outcomes.of(measurement.outcomes)
            if found.outcomes.setdefault(counts, outcomes) != outcomes:
                raise ValueError(f"{name}: another metric's outcomes are called {counts!r} too, and differ")
        if measurement.matrix is not None:
            found.matrices[name] = measurement.matrix
        facts = {fact: getattr(metric, fact) for fact in MetricFacts.model_fields if fact not in ("label", "counts")}
        found.metrics[name] = MetricResult(
            label=metric.label(name, evidence), counts=counts, estimate=measurement.estimate, **facts
        )
    return found


def _check(name: str, metric: Metric, measurement: Measurement) -> None:
    if not isinstance(measurement, Measurement):
        raise TypeError(f"{name}: compute gave a {type(measurement).__name__}; return Measurement(estimate)")
    value, outcomes = measurement.estimate.value, measurement.outcomes
    if outcomes is not None and (outcomes.dtype != np.bool_ or outcomes.ndim != 1):
        raise ValueError(f"{name}: outcomes are bool [N], not {outcomes.dtype} {list(outcomes.shape)}")
    if metric.gate not in _BY_SAMPLES or math.isnan(value):
        return
    if outcomes is None:
        raise ValueError(f"{name}: a metric that is gated as {metric.gate!r} has to give the outcomes of its samples")
    if metric.gate == "sampled" and not math.isclose(value, 100 * outcomes.mean(), abs_tol=1e-6):
        raise ValueError(f"{name}: {value:g} % are not the share of its outcomes, {100 * outcomes.mean():g} %")
