"""The shared fitting loop with its state on disk: a training that was cut off goes on where it was."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from torch import Tensor

from vdu_bench.models.posterior.gaussian import MomentAccumulator
from vdu_bench.models.training.checkpoint import read_checkpoint, write_checkpoint
from vdu_bench.models.training.fitting import Fit, gradients_of

CHECKPOINT_SECONDS = 30.0
PARTS = 20


@dataclass
class Course:
    """How a fit went.

    Attributes:
        losses: the mean loss of each twentieth of the run, or of each step where there are fewer.
        seconds: wall time, over all the sittings it took.
    """

    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0


def fit_resumably(
    running: Fit,
    loss: Callable[[int], Tensor],
    checkpoints: Path | None = None,
    on_step: Callable[[int, float], None] | None = None,
    moments: Mapping[str, MomentAccumulator] | None = None,
    after_step: Callable[[int], None] | None = None,
) -> Course:
    """Advance `running` to its end.

    Each step's loss must be a function of the weights and of the step alone; then a run that was cut off goes on from
    its last checkpoint bit for bit.

    Args:
        running: the fit, at its beginning.
        loss: of a step, from 0.
        checkpoints: a folder to keep the running state in; a state found there is gone on from.
        on_step: called with the step and its loss.
        moments: kept with the state, by name; the same ones as of the run that is gone on with.
        after_step: called with the number of steps that are done.

    Raises:
        Diverged: a loss, a gradient or a weight is not finite.
    """
    steps = running.spec.steps
    parts = min(PARTS, steps)
    sums, before, moments = [0.0] * parts, 0.0, moments or {}
    if checkpoints is not None and (saved := read_checkpoint(checkpoints)) is not None:
        running.restore(saved.facts["step"], saved.part("fit"))
        sums, before = saved.facts["loss_sums"], saved.facts["seconds"]
        for name, counted in moments.items():
            counted.restore(saved.facts["snapshots"][name], saved.part(f"moments {name}"))
    gradients = gradients_of(loss)
    told: list[tuple[int, float]] = []
    started = saved_at = time.monotonic()
    while running.step < steps:
        before_step = running.step
        read = running.advance(gradients)
        if running.step == before_step:
            continue
        if after_step is not None:
            after_step(running.step)
        late = time.monotonic() - saved_at > CHECKPOINT_SECONDS
        due = checkpoints is not None and running.team.is_first and late
        # What goes to disk has no loss unread.
        for step, value in [*read, *(running.read() if due else [])]:
            sums[step * parts // steps] += value
            told.append((step, value))
        if checkpoints is not None and due:
            seconds = before + time.monotonic() - started
            counts = {name: counted.count for name, counted in moments.items()}
            facts = {"step": running.step, "loss_sums": sums, "seconds": seconds, "snapshots": counts}
            states = {f"moments {name}": counted.state() for name, counted in moments.items()}
            write_checkpoint(checkpoints, facts, {"fit": running.state(), **states})
            saved_at = time.monotonic()
        for step, value in told:
            if on_step is not None:
                on_step(step, value)
        told.clear()
    running.finish()
    # Part k holds the steps from ceil(k * steps / parts) on.
    starts = [-(-part * steps // parts) for part in range(parts + 1)]
    means = [total / (end - start) for total, (start, end) in zip(sums, pairwise(starts), strict=True)]
    return Course(means, before + time.monotonic() - started)
