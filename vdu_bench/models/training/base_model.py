"""Training a base model from a recipe: resumable to the step, with the weight snapshots for posteriors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.posterior.gaussian import MomentAccumulator, WeightPosterior
from vdu_bench.models.specs import SnapshotPosterior, TrainingRecipe
from vdu_bench.models.training.batches import epoch_indices, step_generator
from vdu_bench.models.training.dropout import seeded_dropout
from vdu_bench.models.training.fitting import Fit
from vdu_bench.models.training.processes import ALONE, Team
from vdu_bench.models.training.resuming import fit_resumably
from vdu_bench.models.training.shown import TrainingData
from vdu_bench.models.upload import upload
from vdu_bench.seeds import derive_seed


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


def denoising_loss(
    model: DiffusionModel, x0: Tensor, condition: Tensor | None, generator: torch.Generator, team: Team = ALONE
) -> Tensor:
    """The simple objective, E || eps - eps_theta(x_t, t, c) ||^2 averaged over elements (Ho et al. 2020, eq. 14).

    `x0` and `condition` are this process's part of the batch. Times and noise are drawn for the whole of it, so that
    any number of processes takes the same steps.
    """
    n = len(x0) * team.size
    part = team.part(n)
    # Drawn on the CPU and moved, so that every device sees the same draws.
    t = upload(torch.randint(model.train_timesteps, (n,), generator=generator)[part], x0)
    noise = upload(torch.randn((n, *x0.shape[1:]), generator=generator)[part], x0)
    return torch.nn.functional.mse_loss(model.predict_noise(model.add_noise(x0, noise, t), t, condition), noise)


def train(
    model: DiffusionModel,
    data: TrainingData,
    recipe: TrainingRecipe,
    checkpoints: Path | None = None,
    on_step: Callable[[int, float], None] | None = None,
    team: Team = ALONE,
    posteriors: Sequence[SnapshotPosterior] = (),
) -> tuple[dict[SnapshotPosterior, WeightPosterior], TrainingLog]:
    """Train `model` in place; the posteriors of its denoiser that were asked for, and the log.

    A posterior is left out if the training is too short to give two different snapshots for it.

    Every step draws from a generator of its own, seeded by the train seed and the step, so a run that was cut off
    goes on from its last checkpoint bit for bit.

    Args:
        model: an untrained model on the device to train on.
        data: what it is shown.
        recipe: steps, optimiser, seed.
        checkpoints: a folder to keep the running state in; a state found there is gone on from.
        on_step: called with the step and its loss.
        team: the processes that train it, each on a part of every batch; only the first one keeps the state.
        posteriors: which snapshots are counted together. Their moments are part of the running state: a training goes
            on with the same ones that it began with.

    Raises:
        Diverged: a loss, a gradient or a weight is not finite.
        UserError: the batch cannot be shared out evenly.
    """
    moments = {posterior: MomentAccumulator() for posterior in posteriors}
    due = {posterior: snapshot_steps(recipe.steps, posterior) for posterior in posteriors}

    def loss(step: int) -> Tensor:
        generator = step_generator(recipe.seed, step)
        index = epoch_indices(len(data), step * recipe.batch_size, recipe.batch_size, recipe.seed)
        x0, condition = data.batch(index, generator, team.part(len(index)))
        with seeded_dropout(model.denoiser, derive_seed(recipe.seed, "dropout", step, team.rank)):
            return denoising_loss(model, x0, condition, generator, team)

    def after_step(done: int) -> None:
        for posterior, counted in moments.items():
            if done in due[posterior]:
                counted.add(model.denoiser.named_parameters())

    model.denoiser.train()
    running = Fit([*model.denoiser.parameters(), *data.parameters()], recipe, model.autocast, team)
    named = {posterior_name(posterior): counted for posterior, counted in moments.items()}
    course = fit_resumably(running, loss, checkpoints, on_step, named, after_step)
    model.denoiser.eval()
    evaluations = recipe.steps * recipe.batch_size
    images = min(len(data), evaluations)
    found = {posterior: counted.posterior() for posterior, counted in moments.items() if counted.count > 1}
    return found, TrainingLog(course.losses, course.seconds, evaluations, evaluations, images)


def snapshot_steps(steps: int, posterior: SnapshotPosterior) -> set[int]:
    """After which of the steps a snapshot is taken: evenly spaced over the last part of the training, its end included.

    Fewer than asked for where the training has fewer steps than that.
    """
    first, n = int(steps * posterior.snapshots_from), posterior.snapshots
    return {first + round((steps - first) * (i + 1) / n) for i in range(n)} - {0}


def posterior_name(posterior: SnapshotPosterior) -> str:
    """A name for files and states, one for each number and beginning."""
    return f"{posterior.snapshots}-from-{posterior.snapshots_from!r}"
