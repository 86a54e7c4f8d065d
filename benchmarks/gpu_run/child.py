"""Makes models of a task in a process of its own: ``python -m gpu_run.child PLAN.json TASK:WHAT ...``.

The plan says the changes to the tasks, the store, the device and the data; ``WHAT`` is base, retrain, judge or
second_judge. A training that is cut off goes on where it was, since the suite keeps its state.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vdu_bench.engine.device import set_device
from vdu_bench.engine.progress import Progress
from vdu_bench.engine.shipped import shipped_artifacts
from vdu_bench.engine.stages.base import base
from vdu_bench.engine.stages.judge import judge, second_judge
from vdu_bench.engine.stages.retrained import retrained
from vdu_bench.engine.store import Store
from vdu_bench.engine.workshop import Workshop
from vdu_bench.tasks.loading import find_task, with_overrides
from vdu_bench.tasks.task import Task

MAKERS: dict[str, Callable[[Workshop, Task], Any]] = {
    "base": base,
    "retrain": lambda shop, task: retrained(shop, task, 0),
    "judge": judge,
    "second_judge": second_judge,
}


def make(plan: Path, wanted: Sequence[str]) -> None:
    """Make what is wanted, in this process."""
    told = json.loads(plan.read_text(encoding="utf-8"))
    store, device = Store(Path(told["store"]), shipped_artifacts()), set_device(told["device"])
    shop = Workshop(store, device, Progress(quiet=False), Path(told["data_dir"]))
    for one in wanted:
        name, _, what = one.partition(":")
        MAKERS[what](shop, with_overrides(find_task(name), told["changes"]))


if __name__ == "__main__":
    make(Path(sys.argv[1]), sys.argv[2:])
