"""The judges' networks: what they have in common, and the one for images of a few pixels."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from vdu_bench.judges.specs import JudgeRecipe, SmallCNNRecipe, TimmRecipe
from vdu_bench.seeds import derive_seed


class JudgeNetwork(nn.Module, ABC):
    """Takes images in [-1, 1], float ``[N, C, H, W]``; a linear read-out of features gives the logits."""

    @abstractmethod
    def features(self, images: Tensor) -> Tensor:
        """The layer before the read-out, float ``[N, F]``."""

    @abstractmethod
    def read_out(self, features: Tensor) -> Tensor:
        """Logits ``[N, outputs]`` of features ``[N, F]``."""

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``[N, outputs]``."""
        return self.read_out(self.features(images))


class SmallCNN(JudgeNetwork):
    """Three convolutions, one pooling, a feature layer and a linear read-out.

    Its images have even H and W.
    """

    def __init__(self, channels: int, size: tuple[int, int], outputs: int, width: int, features: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(2 * width, 2 * width, 3, padding=1),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(2 * width * (size[0] // 2) * (size[1] // 2), features),
            nn.ReLU(),
        )
        self.head = nn.Linear(features, outputs)

    def features(self, images: Tensor) -> Tensor:
        """Non-negative features, float ``[N, features]``."""
        return self.body(images)

    def read_out(self, features: Tensor) -> Tensor:
        return self.head(features)


def make_network(
    recipe: JudgeRecipe, image_shape: tuple[int, int, int], outputs: int, fetch: bool = True
) -> JudgeNetwork:
    """The untrained network of a recipe; its initial weights depend on the recipe alone.

    Args:
        recipe: which network, and the seed of its random weights.
        image_shape: channels, height and width.
        outputs: how many logits.
        fetch: start from the pretrained weights that a recipe asks for; False where others are put in their place.

    Raises:
        UserError: an architecture that timm does not have, or that cannot be a judge; pretrained weights that cannot
            be had.
    """
    channels, height, width = image_shape
    # torch's initialisers take no generator, so the global one is set aside and given back.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(recipe.seed, "judge"))
        if isinstance(recipe, SmallCNNRecipe):
            return SmallCNN(channels, (height, width), outputs, recipe.width, recipe.features)
        if isinstance(recipe, TimmRecipe):
            # Brings all of timm, two seconds to import, which the embedded tasks can do without.
            from vdu_bench.judges.timm_network import TimmNetwork, pretrained_weights

            weights = pretrained_weights(recipe.architecture) if recipe.pretrained and fetch else None
            return TimmNetwork(
                recipe.architecture, recipe.stem, channels, outputs, recipe.pretrained, weights, recipe.input_size
            )
    raise TypeError(f"no network for a {type(recipe).__name__}")
