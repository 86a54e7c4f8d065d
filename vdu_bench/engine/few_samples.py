"""What is said before a run that draws too few samples for a number that it measures. Without torch."""

from __future__ import annotations

from collections.abc import Iterable

from vdu_bench.judges.specs import SmallCNNRecipe
from vdu_bench.tasks.task import Task

INCEPTION = 2048
"""Features of Inception's last pooling layer."""


def too_few(tasks: Iterable[Task]) -> list[str]:
    """A line for each task whose samples do not fix the covariance that a Frechet distance takes.

    What a network of timm's has for features is not known without building it, and nothing is said of it.
    """
    lines = []
    for task in tasks:
        features = {"the judge's": task.judge.features} if isinstance(task.judge, SmallCNNRecipe) else {}
        if task.inception is not None:
            features["Inception's"] = INCEPTION
        for whose, count in features.items():
            if task.samples <= count:
                lines.append(
                    f"warning: {task.name}: {task.samples} samples are too few for the Frechet distance in {whose} "
                    f"{count} features, which will be n/a; it takes more than {count} (--samples)"
                )
    return lines
