"""Training a base model from a recipe: resumable to the step, with the weight snapshots for the posterior."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from vdu_bench.data.image_set import ImageSet
from vdu_bench.models.batches import epoch_indices, step_generator
from vdu_bench.models.checkpoint import read_checkpoint, write_checkpoint
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.fitting import Fit
from vdu_bench.models.posterior import MomentAccumulator, WeightPosterior
from vdu_bench.models.specs import TrainingRecipe

CHECKPOINT_SECONDS = 30.0


@dataclass
class TrainingLog:
    """What a training run did.

    Attributes:
        losses: the mean loss of each twentieth of the run.
        seconds: wall time, over all the sittings it took.
        forward, backward: denoiser evaluations.
        images: distinct training images seen.
    """

    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0
    forward: int = 0
    backward: int = 0
    images: int = 0


def denoising_loss(model: DiffusionModel, x0: Tensor, condition: Tensor | None, generator: torch.Generator) -> Tensor:
    """The simple objective, E || eps - eps_theta(x_t, t, c) ||^2 averaged over elements (Ho et al. 2020, eq. 14)."""
    # Drawn on the CPU and moved, so that every device sees the same draws.
    t = torch.randint(model.train_timesteps, (len(x0),), generator=generator).to(x0.device)
    noise = torch.randn(x0.shape, generator=generator).to(x0)
    return torch.nn.functional.mse_loss(model.predict_noise(model.add_noise(x0, noise, t), t, condition), noise)


def train(
    model: DiffusionModel,
    images: ImageSet,
    recipe: TrainingRecipe,
    checkpoints: Path | None = None,
    on_step: Callable[[int, float], None] | None = None,
) -> tuple[WeightPosterior, TrainingLog]:
    """Train `model` in place; the posterior from its snapshots, and the log.

    Every step draws from a generator of its own, seeded by the train seed and the step, so a run that was cut off
    goes on from its last checkpoint bit for bit.

    Args:
        model: an untrained model on the device to train on.
        images: the training images.
        recipe: steps, optimiser, snapshots, seed.
        checkpoints: a folder to keep the running state in; a state found there is gone on from.
        on_step: called with the step and its loss.

    Raises:
        Diverged: a loss, a gradient or a weight is not finite.
    """
    running = Fit(model.denoiser.parameters(), recipe)
    moments = MomentAccumulator()
    log = TrainingLog(images=min(len(images), recipe.steps * recipe.batch_size))
    losses: list[float] = []
    if checkpoints is not None and (saved := read_checkpoint(checkpoints)) is not None:
        running.restore(saved.facts["step"], saved.part("fit"))
        moments.restore(saved.facts["snapshots"], saved.part("moments"))
        losses, log.seconds = saved.facts["losses"], saved.facts["seconds"]

    due = snapshot_steps(recipe)
    model.denoiser.train()
    started = saved_at = time.monotonic()
    while running.step < recipe.steps:
        step = running.step
        batch = epoch_indices(len(images), step * recipe.batch_size, recipe.batch_size, recipe.seed)
        x0 = model.encode(images.images[batch])
        losses.append(running.advance(denoising_loss(model, x0, None, step_generator(recipe.seed, step))))
        if running.step in due:
            moments.add(model.denoiser.named_parameters())
        if checkpoints is not None and time.monotonic() - saved_at > CHECKPOINT_SECONDS:
            seconds = log.seconds + time.monotonic() - started
            facts = {"step": running.step, "snapshots": moments.count, "losses": losses, "seconds": seconds}
            write_checkpoint(checkpoints, facts, fit=running.state(), moments=moments.state())
            saved_at = time.monotonic()
        if on_step is not None:
            on_step(step, losses[-1])
    running.finish()
    model.denoiser.eval()
    log.seconds += time.monotonic() - started
    log.forward = log.backward = recipe.steps * recipe.batch_size
    log.losses = [float(part.mean()) for part in torch.tensor(losses).tensor_split(min(20, len(losses)))]
    return moments.posterior(), log


def snapshot_steps(recipe: TrainingRecipe) -> set[int]:
    """After which steps a snapshot is taken: evenly spaced over the last part of the training, its end included."""
    first = int(recipe.steps * recipe.snapshots_from)
    return {first + round((recipe.steps - first) * (i + 1) / recipe.snapshots) for i in range(recipe.snapshots)}
