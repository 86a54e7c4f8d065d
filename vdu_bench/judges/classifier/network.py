"""The judges' networks: what they have in common, and the one for images of a few pixels."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


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
