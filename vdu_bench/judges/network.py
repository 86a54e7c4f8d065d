"""The judge's network for images of a few pixels."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vdu_bench.judges.specs import JudgeRecipe
from vdu_bench.seeds import derive_seed


class SmallCNN(nn.Module):
    """Three convolutions, one pooling, a feature layer and a linear read-out.

    Takes images in [-1, 1], ``[N, C, H, W]`` with even H and W.
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

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``[N, outputs]``."""
        return self.head(self.features(images))


def make_network(recipe: JudgeRecipe, image_shape: tuple[int, int, int], outputs: int) -> SmallCNN:
    """The untrained network of a recipe; its initial weights depend on the recipe's seed alone."""
    channels, height, width = image_shape
    # torch's initialisers take no generator, so the global one is set aside and given back.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(recipe.seed, "judge"))
        return SmallCNN(channels, (height, width), outputs, recipe.width, recipe.features)
