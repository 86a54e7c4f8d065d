"""Records without what may differ from run to run."""

from __future__ import annotations

import json
from typing import Any

from vdu_bench.records import Record


def comparable(record: Record) -> dict[str, Any]:
    """A record without timings and without where it ran."""
    plain: dict[str, Any] = json.loads(record.to_json())
    for key in ("timings", "environment"):
        del plain[key]
    for name, result in record.metrics.items():
        if result.gate == "timed":
            del plain["metrics"][name]
    return plain
