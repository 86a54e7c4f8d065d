"""Metrics by name, without importing them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdu_bench.registry import Registry

if TYPE_CHECKING:
    from vdu_bench.metrics.metric import Metric

METRICS: Registry[type[Metric]] = Registry("metric", "vdu_bench.metrics")
