"""Training a judge from its recipe, and its confusion matrix on real images that it never saw."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from vdu_bench.data.image_set import DataSplits, ImageSet
from vdu_bench.judges.augmentation import jitter, mirror, off_manifold
from vdu_bench.judges.judge import Judge
from vdu_bench.judges.network import make_network
from vdu_bench.judges.specs import JudgeRecipe, TimmRecipe
from vdu_bench.models.batches import epoch_indices, step_generator
from vdu_bench.models.fitting import fit

UNTOUCHED = 0.5
"""Share of the training images that are shown as they are, without jitter."""


def train_judge(
    name: str,
    recipe: JudgeRecipe,
    splits: DataSplits,
    device: torch.device | str = "cpu",
    on_step: Callable[[int, float], None] | None = None,
) -> Judge:
    """A judge fitted to the training images and calibrated on the held-out ones. Raises Diverged."""
    images, names = splits.train, splits.train.names
    _, channels, height, width = images.images.shape
    shape = (channels, height, width)
    network = make_network(recipe, shape, len(names) + 1).to(device)
    labels = images.labels()
    n_outliers = round(recipe.outliers * recipe.training.batch_size)
    none = torch.full((n_outliers,), len(names))

    def loss(step: int) -> Tensor:
        generator = step_generator(recipe.seed, step)
        size = recipe.training.batch_size
        batch = epoch_indices(len(images), step * size, size, recipe.seed)
        x = images.images[batch].float() / 127.5 - 1
        # Interpolation blurs, so both kinds are jittered, and not always: sharpness must not give the answer away.
        untouched = torch.rand(len(x), 1, 1, 1, generator=generator) < UNTOUCHED
        x = torch.where(untouched, x, jitter(x, recipe.max_shift, recipe.max_rotation, generator))
        if isinstance(recipe, TimmRecipe) and recipe.mirror:
            x = mirror(x, generator)
        logits = network(torch.cat([off_manifold(x[:n_outliers], generator), x[n_outliers:]]).to(device))
        truth = torch.cat([none, labels[batch[n_outliers:]]]).to(device)
        return torch.nn.functional.cross_entropy(logits, truth)

    network.train()
    fit(network.parameters(), loss, recipe.training, on_step)
    judge = Judge(name, network.eval(), names, recipe, shape, torch.zeros(0))
    judge.confusion = confusion_matrix(judge, splits.held_out)
    return judge


def confusion_matrix(judge: Judge, images: ImageSet) -> Tensor:
    """int64 ``[K, K + 1]``: rows truth, columns answer, the last column "none"."""
    k = len(judge.names)
    answers, _ = judge.read(images.images)
    columns = torch.where(answers < 0, k, answers)
    cells = images.labels() * (k + 1) + columns
    return torch.bincount(cells, minlength=k * (k + 1)).reshape(k, k + 1)
