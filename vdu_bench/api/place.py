"""Where the suite keeps what it made."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from platformdirs import user_cache_path

from vdu_bench.engine.shipped import shipped_artifacts
from vdu_bench.engine.store import Store


def store_at(folder: str | Path | None, say: Callable[[str], None] = lambda _: None) -> Store:
    """The store of a folder; of None that of ``VDU_BENCH_STORE``, or else the user's own; with what ships."""
    place = folder or os.environ.get("VDU_BENCH_STORE") or user_cache_path("vdu-bench")
    # No shell does that for what comes from the environment or from Python.
    return Store(Path(place).expanduser(), shipped_artifacts(), say)
