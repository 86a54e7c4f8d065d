"""Training a judge from its recipe, and its confusion matrix on real images that it never saw."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.optim.swa_utils import update_bn

from vdu_bench.data.image_set import ImageSet
from vdu_bench.data.splits import DataSplits
from vdu_bench.judges.classifier.augmentation import mirror, off_manifold, sometimes_jittered
from vdu_bench.judges.classifier.judge import Judge
from vdu_bench.judges.classifier.network import JudgeNetwork
from vdu_bench.judges.classifier.networks import make_network
from vdu_bench.judges.classifier.svm import fit_machines
from vdu_bench.judges.specs import JudgeRecipe, NetworkRecipe, SVMRecipe, TimmRecipe
from vdu_bench.models.training.batches import epoch_indices, step_generator
from vdu_bench.models.training.fitting import fit

NORMALISED = 100
"""Where weights are averaged, batch normalisation has its means and variances from the batches of so many steps."""


def train_judge(
    name: str,
    recipe: JudgeRecipe,
    splits: DataSplits,
    device: torch.device | str = "cpu",
    on_step: Callable[[int, float], None] | None = None,
) -> Judge:
    """A judge fitted to the training images and calibrated on the held-out ones.

    Raises:
        Diverged: the loss of a network is not finite.
        UserError: support vector machines have nothing to learn a concept from.
    """
    images = splits.train
    # In the training part alone each image may by chance show one of a few attributes.
    exclusive = images.exclusive and splits.held_out.exclusive
    _, channels, height, width = images.images.shape
    shape = (channels, height, width)
    if isinstance(recipe, SVMRecipe):
        network: JudgeNetwork = fit_machines(recipe, images, exclusive).to(device)
    elif isinstance(recipe, NetworkRecipe):
        network = make_network(recipe, shape, len(images.names) + 1).to(device)
        _train_network(network, recipe, images, exclusive, device, on_step)
    else:
        raise TypeError(f"no training by a {type(recipe).__name__}")
    judge = Judge(name, network.eval(), images.names, recipe, shape, exclusive, torch.zeros(0))
    judge.confusion = confusion_matrix(judge, splits.held_out)
    return judge


def _train_network(
    network: JudgeNetwork,
    recipe: NetworkRecipe,
    images: ImageSet,
    exclusive: bool,
    device: torch.device | str,
    on_step: Callable[[int, float], None] | None,
) -> None:
    error = _class_error if exclusive else _attribute_error
    n_outliers = round(recipe.outliers * recipe.training.batch_size)
    pixels, concepts = images.images.to(device), images.concepts.to(device)

    def shown(step: int) -> tuple[Tensor, Tensor]:
        generator = step_generator(recipe.seed, step)
        size = recipe.training.batch_size
        batch = epoch_indices(len(images), step * size, size, recipe.seed)
        batch = batch.to(device)
        x = pixels[batch].float() / 127.5 - 1
        # Interpolation blurs. So what lies off the manifold is made of jittered images too, and some of either kind are
        # not jittered: sharpness must not give the answer away.
        x = sometimes_jittered(x, recipe.max_shift, recipe.max_rotation, generator)
        if isinstance(recipe, TimmRecipe) and recipe.mirror:
            x = mirror(x, generator)
        return torch.cat([off_manifold(x[:n_outliers], generator), x[n_outliers:]]), concepts[batch[n_outliers:]]

    def loss(step: int) -> Tensor:
        x, answers = shown(step)
        return error(network(x), answers)

    network.train()
    fit(network.parameters(), loss, recipe.training, on_step)
    if recipe.training.ema_decay is not None:
        # What batch normalisation has seen is of the last weights, and those that stay are an average.
        steps = range(min(recipe.training.steps, NORMALISED))
        update_bn((shown(step)[0] for step in steps), network)


def _class_error(logits: Tensor, concepts: Tensor) -> Tensor:
    """Cross-entropy; all but the last rows that have `concepts` are off the manifold."""
    none = torch.full((len(logits) - len(concepts),), concepts.shape[1], device=logits.device)
    return torch.nn.functional.cross_entropy(logits, torch.cat([none, concepts.long().argmax(1)]))


def _attribute_error(logits: Tensor, concepts: Tensor) -> Tensor:
    """Binary cross-entropy of every answer; off the manifold nothing is said of the attributes."""
    n_outliers = len(logits) - len(concepts)
    outlier = (torch.arange(len(logits), device=logits.device) < n_outliers).to(logits)
    entropy = torch.nn.functional.binary_cross_entropy_with_logits
    return entropy(logits[n_outliers:, :-1], concepts.to(logits)) + entropy(logits[:, -1], outlier)


def confusion_matrix(judge: Judge, images: ImageSet) -> Tensor:
    """The counts of `Judge.confusion` on `images`."""
    k = len(judge.names)
    shown, _ = judge.read(images.images)
    if judge.exclusive:
        columns = torch.where(shown.any(1), shown.long().argmax(1), k)
        cells = images.labels() * (k + 1) + columns
        return torch.bincount(cells, minlength=k * (k + 1)).reshape(k, k + 1)
    cells = 2 * images.concepts.long() + shown.long()
    return torch.stack([(cells == cell).sum(0) for cell in range(4)], 1)
