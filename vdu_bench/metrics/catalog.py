"""Metrics by name, without importing them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from vdu_bench.errors import UserError
from vdu_bench.measured import MetricFacts
from vdu_bench.own_classes import check_made_alone
from vdu_bench.registry import Registry
from vdu_bench.wrong_values import in_words

if TYPE_CHECKING:
    from vdu_bench.metrics.metric import Metric

METRICS: Registry[type[Metric]] = Registry("metric", "vdu_bench.metrics", check_made_alone)


def metric_facts(name: str) -> MetricFacts:
    """What a metric's class statement says of it, or the class itself where that is not in literals.

    Its label is its name here.

    Raises UserError where that is not what such facts can be.
    """
    _, said = METRICS.said(name, *(MetricFacts.model_fields.keys() - {"label"}))
    try:
        return MetricFacts(**said, label=name)
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"the metric {name!r}: {'.'.join(map(str, first['loc']))}: {in_words(first)}") from error
