"""The judge's network for larger images: any convolutional classifier of timm's."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import timm
import torch
from torch import Tensor, nn

from vdu_bench.errors import NotFetched, UserError, did_you_mean, flat
from vdu_bench.fetching import hub_file
from vdu_bench.judges.classifier.network import JudgeNetwork

RGB = 3


class TimmNetwork(JudgeNetwork):
    """A timm model; features are what its classifier reads, after pooling.

    Args:
        architecture: timm's name of it.
        stem: ``own``, or ``small`` for a first convolution of 3x3 and stride 1 with no pooling after it: the usual
            change to a ResNet for images of 32 pixels (He et al. 2016, section 4.2), which its own stem would shrink
            to 8 at once. It starts from random weights, as the read-out does.
        channels: of the images.
        outputs: how many logits.
        pretrained: images are brought to the mean and deviation that the architecture's pretrained weights expect.
        weights: a safetensors file that the rest starts from; random weights if not given.
        size: height and width that images are resized to, antialiased; None leaves them.

    Raises:
        UserError: timm does not have it, it has no linear classifier, the stem cannot be changed, or pretrained
            weights cannot see images of so many channels.
    """

    def __init__(
        self,
        architecture: str,
        stem: Literal["own", "small"],
        channels: int,
        outputs: int,
        pretrained: bool = False,
        weights: Path | None = None,
        size: int | None = None,
    ) -> None:
        super().__init__()
        _require_known(architecture)
        if pretrained and channels not in (1, RGB):
            raise UserError(
                f"pretrained weights see {RGB} channels, and these images have {channels}; set pretrained: false"
            )
        self.body = timm.create_model(
            architecture,
            pretrained=weights is not None,
            pretrained_cfg_overlay={"file": str(weights), "custom_load": False} if weights else None,
            in_chans=RGB if pretrained else channels,
            num_classes=outputs,
        )
        if not isinstance(self.body.get_classifier(), nn.Linear):
            raise UserError(f"timm's {architecture!r} has no linear read-out, and cannot be a judge")
        if stem == "small":
            self._shrink_stem(architecture)
        self._size = size
        self.input = PretrainedInput(self.body.pretrained_cfg) if pretrained else nn.Identity()

    def features(self, images: Tensor) -> Tensor:
        if self._size is not None:
            images = nn.functional.interpolate(images, (self._size, self._size), mode="bilinear", antialias=True)
        return self.body.forward_head(self.body.forward_features(self.input(images)), pre_logits=True)

    def read_out(self, features: Tensor) -> Tensor:
        return self.body.get_classifier()(features)

    def _shrink_stem(self, architecture: str) -> None:
        old = getattr(self.body, "conv1", None)
        if not isinstance(old, nn.Conv2d) or not hasattr(self.body, "maxpool"):
            raise UserError(f"timm's {architecture!r} has no ResNet's stem to make small; use stem: own")
        new = nn.Conv2d(old.in_channels, old.out_channels, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(new.weight, mode="fan_out", nonlinearity="relu")
        self.body.conv1, self.body.maxpool = new, nn.Identity()


class PretrainedInput(nn.Module):
    """Images in [-1, 1], float ``[N, C, H, W]``, as pretrained weights expect them; grey ones become three channels.

    Args:
        facts: timm's about the weights: mean and standard deviation of each channel in [0, 1].
    """

    mean: Tensor
    std: Tensor

    def __init__(self, facts: dict[str, Any]) -> None:
        super().__init__()
        for name in ("mean", "std"):
            self.register_buffer(name, torch.tensor(facts[name]).reshape(RGB, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Float ``[N, 3, H, W]``."""
        return ((images + 1) / 2 - self.mean) / self.std


def pretrained_weights(architecture: str) -> Path:
    """The file with timm's weights for an architecture, from the Hugging Face hub or as it was fetched before.

    Only ever safetensors: other files of weights are pickles.

    Raises:
        UserError: timm does not have the architecture or no weights for it, or they cannot be had.
    """
    _require_known(architecture)
    try:
        facts = timm.get_pretrained_cfg(architecture)
    except RuntimeError as error:  # for weights that the name asks for
        raise UserError(f"timm has no such weights for the architecture {architecture!r}: {error}") from error
    if facts is None or not facts.hf_hub_id:
        raise UserError(f"timm has no weights on the Hugging Face hub for {architecture!r}; set pretrained: false")
    try:
        return hub_file(facts.hf_hub_id, "model.safetensors")
    except NotFetched:
        raise
    except Exception as error:  # of half a dozen unrelated kinds, and the mend is the same for all
        reason = flat(error)
        raise UserError(
            f"timm's weights for {architecture!r} cannot be had from https://huggingface.co/{facts.hf_hub_id} "
            f"({reason}); run once where there is a network, which keeps them, or set pretrained: false"
        ) from error


def _require_known(architecture: str) -> None:
    if not timm.is_model(architecture):
        raise UserError(f"timm has no model {architecture!r}{did_you_mean(architecture, timm.list_models())}")
