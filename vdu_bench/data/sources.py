"""Data sources by name, as task files name them."""

from __future__ import annotations

from collections.abc import Callable

from vdu_bench.data.image_set import DataSplits
from vdu_bench.registry import Registry

SOURCES: Registry[Callable[[], DataSplits]] = Registry("data source")
SOURCES.add("sklearn_digits", "vdu_bench.data.digits:load_digits")
