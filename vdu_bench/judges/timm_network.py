"""The judge's network for larger images: any convolutional classifier of timm's."""

from __future__ import annotations

from typing import Literal

import timm
from torch import Tensor, nn

from vdu_bench.errors import UserError, did_you_mean
from vdu_bench.judges.network import JudgeNetwork


class TimmNetwork(JudgeNetwork):
    """A timm model from random weights; features are what its classifier reads, after pooling.

    Args:
        architecture: timm's name of it.
        stem: ``own``, or ``small`` for a first convolution of 3x3 and stride 1 with no pooling after it: the usual
            change to a ResNet for images of 32 pixels (He et al. 2016, section 4.2), which its own stem would shrink
            to 8 at once.
        channels: of the images.
        outputs: how many logits.

    Raises:
        UserError: timm does not have it, it has no linear classifier, or the stem cannot be changed.
    """

    def __init__(self, architecture: str, stem: Literal["own", "small"], channels: int, outputs: int) -> None:
        super().__init__()
        if not timm.is_model(architecture):
            raise UserError(f"timm has no model {architecture!r}{did_you_mean(architecture, timm.list_models())}")
        self.body = timm.create_model(architecture, pretrained=False, in_chans=channels, num_classes=outputs)
        if not isinstance(self.body.get_classifier(), nn.Linear):
            raise UserError(f"timm's {architecture!r} has no linear read-out, and cannot be a judge")
        if stem == "small":
            self._shrink_stem(architecture)

    def features(self, images: Tensor) -> Tensor:
        return self.body.forward_head(self.body.forward_features(images), pre_logits=True)

    def read_out(self, features: Tensor) -> Tensor:
        return self.body.get_classifier()(features)

    def _shrink_stem(self, architecture: str) -> None:
        old = getattr(self.body, "conv1", None)
        if not isinstance(old, nn.Conv2d) or not hasattr(self.body, "maxpool"):
            raise UserError(f"timm's {architecture!r} has no ResNet's stem to make small; use stem: own")
        new = nn.Conv2d(old.in_channels, old.out_channels, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(new.weight, mode="fan_out", nonlinearity="relu")
        self.body.conv1, self.body.maxpool = new, nn.Identity()
