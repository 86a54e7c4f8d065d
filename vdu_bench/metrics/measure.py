"""All metrics of a cell, as its record holds them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from vdu_bench.blame import blaming
from vdu_bench.contradictions import contradictions
from vdu_bench.measured import AtOwnCount, Estimate, Matrix, MetricFacts, MetricResult, Outcomes
from vdu_bench.metrics.catalog import METRICS
from vdu_bench.metrics.evidence import Evidence
from vdu_bench.metrics.metric import Measurement, Metric, unknown
from vdu_bench.metrics.reference import Reference

_BY_SAMPLES = ("sampled", "against_original")

NO_MODEL = "no model is behind real images"


@dataclass(frozen=True)
class Measured:
    """What the metrics found, by name; the outcomes by what they count."""

    metrics: dict[str, MetricResult] = field(default_factory=dict)
    outcomes: dict[str, Outcomes] = field(default_factory=dict)
    matrices: dict[str, Matrix] = field(default_factory=dict)
    at_own_count: dict[str, AtOwnCount] = field(default_factory=dict)


def measure(evidence: Evidence) -> Measured:
    """Every metric that applies to the task; of the row of real images those that mean something there.

    Raises:
        TypeError: a metric's `compute` gives something else than a `Measurement`.
        ValueError: a metric that is gated by its samples gives no outcomes or not those of its estimate, a number is
            out of its scale's range or of its own interval, or two metrics' outcomes of one name differ.
        RuntimeError: a metric breaks off with another error; it is named.
    """
    found = Measured()
    for name, metric_class in METRICS.working().items():
        with blaming("metric", name):
            metric = metric_class()
            if metric.applies(evidence.task):
                _take(name, metric, evidence, found)
    return found


def _take(name: str, metric: Metric, evidence: Evidence, found: Measured) -> None:
    """Put what a metric finds into `found`. Raises as `measure`."""
    of_real = evidence.held_out_rows is not None
    measurement = _real(name, metric, evidence, found) if of_real else metric.compute(evidence)
    _check(name, metric, measurement)
    counts = ""
    if measurement.outcomes is not None:
        counts, outcomes = metric.counts or name, Outcomes.of(measurement.outcomes)
        if found.outcomes.setdefault(counts, outcomes) != outcomes:
            raise ValueError(f"{name}: another metric's outcomes are called {counts!r} too, and differ")
    if measurement.matrix is not None:
        found.matrices[name] = measurement.matrix
    facts = {fact: getattr(metric, fact) for fact in MetricFacts.model_fields if fact not in ("label", "counts")}
    # A column has one label, which tells the number of samples. Real images, which are fewer, are NaN in it.
    counted = evidence.of_original if of_real else evidence
    result = MetricResult(label=metric.label(name, counted), counts=counts, estimate=measurement.estimate, **facts)
    # A record of it could be written, and never be read again.
    if (wrong := next(contradictions({name: result}, found.outcomes, {}), None)) is not None:
        raise ValueError(wrong)
    found.metrics[name] = result


def _real(name: str, metric: Metric, evidence: Evidence, found: Measured) -> Measurement:
    """What a metric finds of real images; what it finds at their own count goes into `found`."""
    n = len(evidence.after.retain)
    if not metric.of_real:
        return unknown(NO_MODEL)
    if n == 0:
        return unknown(Reference.of(evidence.splits.held_out, evidence.task).missing)
    if metric.of_real == "alike" or n == len(evidence.before.retain):
        return metric.compute(evidence)
    label = metric.label(name, evidence)
    sides = (metric.compute(side).estimate for side in (evidence, evidence.original_at(n)))
    found.at_own_count[name] = AtOwnCount(label=label, **dict(zip(("real", "original"), sides, strict=True)))
    return unknown(f"there are {n} real images, and it depends on their number: {label} stands in the record", n)


def _check(name: str, metric: Metric, measurement: Measurement) -> None:
    if not isinstance(measurement, Measurement):
        raise TypeError(f"{name}: compute gave a {type(measurement).__name__}; return Measurement(estimate)")
    if not isinstance(measurement.estimate, Estimate):
        what = type(measurement.estimate).__name__
        raise TypeError(
            f"{name}: a Measurement's estimate is an Estimate, and not a {what}: without_interval makes one"
        )
    value, outcomes = measurement.estimate.value, measurement.outcomes
    if outcomes is not None and (outcomes.dtype != np.bool_ or outcomes.ndim != 1):
        raise ValueError(f"{name}: outcomes are bool [N], not {outcomes.dtype} {list(outcomes.shape)}")
    if metric.gate not in _BY_SAMPLES or math.isnan(value):
        return
    if outcomes is None:
        raise ValueError(f"{name}: a metric that is gated as {metric.gate!r} has to give the outcomes of its samples")
    if measurement.estimate.n not in (0, len(outcomes)):
        raise ValueError(
            f"{name}: {len(outcomes)} outcomes for an estimate of {measurement.estimate.n} samples; give one for each"
        )
    if metric.gate == "sampled" and not math.isclose(value, 100 * outcomes.mean(), abs_tol=1e-6):
        raise ValueError(f"{name}: {value:g} % are not the share of its outcomes, {100 * outcomes.mean():g} %")
