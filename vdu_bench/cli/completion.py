"""What a shell completes: names of tasks, methods and the like, read without importing anything heavy."""

from __future__ import annotations

from collections.abc import Iterable


def complete_tasks(incomplete: str) -> list[str]:
    """Names of tasks, after those that stand before the last comma."""
    from vdu_bench.tasks.loading import catalog

    return _after_comma(incomplete, catalog())


def complete_methods(incomplete: str) -> list[str]:
    """Names of methods, or all of them."""
    from vdu_bench.methods.catalog import METHODS

    return _after_comma(incomplete, ["all", *METHODS.entries()])


def complete_metrics(incomplete: str) -> list[str]:
    """Names of metrics."""
    from vdu_bench.metrics.catalog import METRICS

    return _after_comma(incomplete, METRICS.entries())


def complete_regimes(incomplete: str) -> list[str]:
    """Names of regimes."""
    from vdu_bench.methods.regime import REGIMES

    return _after_comma(incomplete, REGIMES)


def complete_names(incomplete: str) -> list[str]:
    """Everything that `show` knows."""
    from vdu_bench.data.catalog import SOURCES
    from vdu_bench.methods.catalog import METHODS
    from vdu_bench.metrics.catalog import METRICS
    from vdu_bench.probes.catalog import PROBES
    from vdu_bench.tasks.loading import catalog

    names = [*catalog(), *METHODS.entries(), *PROBES.entries(), *METRICS.entries(), *SOURCES.entries()]
    return [name for name in names if name.startswith(incomplete)]


def _after_comma(incomplete: str, names: Iterable[str]) -> list[str]:
    before, comma, last = incomplete.rpartition(",")
    given = before.split(",")
    return [f"{before}{comma}{name}" for name in names if name.startswith(last) and name not in given]
