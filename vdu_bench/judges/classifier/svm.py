"""Support vector machines on pixels, in the form of a judge's network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vdu_bench.data.image_set import ImageSet
from vdu_bench.errors import UserError
from vdu_bench.judges.classifier.augmentation import jitter, off_manifold
from vdu_bench.judges.classifier.network import JudgeNetwork
from vdu_bench.judges.specs import SVMRecipe
from vdu_bench.seeds import derive_seed

CACHE = 500
"""Of kernel values, in MiB."""


class KernelMachines(JudgeNetwork):
    """One machine for each answer: ``f(x) = sum_s a_s exp(-gamma |x - x_s|^2) + b``, the answer being yes above 0.

    Cortes & Vapnik, "Support-vector networks", Machine Learning 20, 1995, with a Gaussian kernel. Features are the
    kernel's values, which say nothing of fidelity; the machines are their linear read-out. The names of the arguments
    are those of the state.

    Args:
        support: the images that any machine rests on, uint8 ``[S, C, H, W]``.
        gamma: of the kernel, float32 ``[]``.
        weight: ``a``, 0 where a machine does not rest on an image, float32 ``[outputs, S]``.
        bias: ``b``, float32 ``[outputs]``.
    """

    support: Tensor
    gamma: Tensor

    def __init__(self, support: Tensor, gamma: Tensor, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.register_buffer("support", support)
        self.register_buffer("gamma", gamma)
        self.weight, self.bias = (nn.Parameter(part, requires_grad=False) for part in (weight, bias))

    def features(self, images: Tensor) -> Tensor:
        """The kernel's values in 0..1, float ``[N, S]``."""
        distances = torch.cdist(images.flatten(1), _scaled(self.support).flatten(1))
        return torch.exp(-self.gamma * distances**2)

    def read_out(self, features: Tensor) -> Tensor:
        return nn.functional.linear(features, self.weight, self.bias)


def fit_machines(recipe: SVMRecipe, images: ImageSet, exclusive: bool = True) -> KernelMachines:
    """The machines of a recipe, by scikit-learn: one against all others for each concept, and one for "none of these".

    The machine of a class also learns that what is off the manifold is not its own; that of an attribute sees real
    images alone, since nothing is said of others. Concepts are taken for classes where each of these images shows one
    and `exclusive` does not say that other images show none or two.

    Raises:
        UserError: none of the images that it learns from shows one of the concepts, or all do.
    """
    from sklearn.svm import SVC  # a second to import, and what was trained before can do without

    generator = torch.Generator().manual_seed(derive_seed(recipe.seed, "svm"))
    if recipe.images is not None and recipe.images < len(images):
        images = images.subset(torch.randperm(len(images), generator=generator)[: recipe.images])
    plain = _scaled(images.images)
    moved = [jitter(plain, recipe.max_shift, recipe.max_rotation, generator) for _ in range(recipe.copies)]
    real = torch.cat([plain, *moved])
    # So many that they are that share of all.
    outliers = round(len(real) * recipe.outliers / (1 - recipe.outliers))
    chosen = torch.randint(len(real), (outliers,), generator=generator)
    # As bytes, as the images that it will be shown come.
    shown = torch.cat([_bytes(real), _bytes(off_manifold(real[chosen], generator))])
    values = _scaled(shown).flatten(1).double().numpy()
    concepts = torch.zeros(len(shown), len(images.names) + 1, dtype=torch.bool)
    concepts[: len(real), :-1] = images.concepts.repeat(recipe.copies + 1, 1)
    concepts[len(real) :, -1] = True
    gamma = recipe.gamma / (values.shape[1] * float(values[: len(real)].var()))

    weight, bias = torch.zeros(concepts.shape[1], len(shown)), torch.zeros(concepts.shape[1])
    for k, name in enumerate((*images.names, "")):
        learned = len(shown) if (exclusive and images.exclusive) or not name else len(real)
        wanted = concepts[:learned, k].numpy()
        if not name and not outliers:
            # Nothing was shown that could be told from real images.
            bias[k] = -torch.inf
            continue
        if wanted.all() or not wanted.any():
            what = "shows" if wanted.all() else "does not show"
            raise UserError(f"each of the {len(images)} images that a support vector machine learns from {what} {name}")
        machine = SVC(C=recipe.penalty, kernel="rbf", gamma=gamma, cache_size=CACHE).fit(values[:learned], wanted)
        weight[k, torch.from_numpy(machine.support_).long()] = torch.from_numpy(machine.dual_coef_[0]).float()
        bias[k] = float(machine.intercept_[0])
    used = weight.any(0)
    return KernelMachines(shown[used], torch.tensor(gamma), weight[:, used].contiguous(), bias)


def _scaled(images: Tensor) -> Tensor:
    """uint8 ``[N, C, H, W]`` to float32 in [-1, 1]."""
    return images.float() / 127.5 - 1


def _bytes(images: Tensor) -> Tensor:
    """Float ``[N, C, H, W]`` in [-1, 1] to uint8."""
    return ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
