"""Phase 4: MNIST at full scale: base, retrained models and judges in several processes on the one card, the export."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from vdu_bench.engine.prepare import prepare_tasks
from vdu_bench.engine.progress import Progress
from vdu_bench.engine.shipped import shipped_artifacts
from vdu_bench.engine.store import Artifact, Store
from vdu_bench.tasks.loading import find_task, with_overrides

from .course import Course
from .processes import run_all
from .sizes import Sizes

HERE = Path(__file__).parents[1]


def run_mnist(course: Course, sizes: Sizes, device: str, store: Path, data_dir: Path) -> None:
    """Train what is missing, then copy everything to ``models/FAMILY/NAME``, as ``prepare --import`` takes it."""

    def trained() -> dict[str, Any]:
        plan = course.out / "plan.json"
        # How a network is computed is no part of what a model is called, so the export finds the same ones.
        changes = {**sizes.mnist_task, "compute": sizes.mnist_compute}
        told = {"changes": changes, "store": str(store), "device": device, "data_dir": str(data_dir)}
        plan.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        # -P: what the current folder has must not take the place of the suite that this process runs.
        command = [sys.executable, "-P", "-c", _start(), str(plan)]
        commands = {name: [*command, *wanted] for name, wanted in sizes.models.items()}
        logs = course.out / "logs"
        ended = run_all(commands, sizes.at_once, logs)
        if broken := [name for name, status in ended.items() if status]:
            raise RuntimeError(f"{', '.join(broken)}: see {logs}/{broken[0]}.txt")
        return {"processes": len(commands), "at_once": sizes.at_once, "compute": sizes.mnist_compute}

    def exported() -> dict[str, Any]:
        tasks = [with_overrides(find_task(name), sizes.mnist_task) for name in sizes.mnist]
        place = Store(store, shipped_artifacts())
        made = prepare_tasks(tasks, place, device, Progress(quiet=True), False, course.out / "models", data_dir)
        return {name: _facts(artifact) for name, artifact in made.items()}

    if course.part("models", 600.0, trained, goes_on=True) is not None:
        course.part("export", 30.0, exported)


def _start() -> str:
    """The child's module, found beside this script whatever the current folder is."""
    return (
        f"import sys; sys.path.insert(0, {str(HERE)!r}); from pathlib import Path; "
        "from gpu_run.child import make; make(Path(sys.argv[1]), sys.argv[2:])"
    )


def _facts(artifact: Artifact) -> dict[str, Any]:
    """What is known of a model: a judge's accuracy; a training's seconds, evaluations and loss at its end."""
    found: dict[str, Any] = {"digest": artifact.digest}
    if "accuracy" in artifact.facts:
        found["accuracy"] = artifact.facts["accuracy"]
    if (log := artifact.facts.get("training")) is not None:
        found |= {key: log[key] for key in ("seconds", "forward", "backward")}
        found |= {"images_per_second": log["forward"] / log["seconds"], "last_loss": log["losses"][-1]}
    return found
