"""What a task file says about its judge. Plain data, without torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from vdu_bench.models.specs import FitSpec, PositiveInt, Spec


class JudgeRecipe(Spec):
    """A judge from nothing: network, augmentation, training."""

    network: Literal["small_cnn"] = Field("small_cnn", description="small_cnn: three convolutions, for tiny images")
    width: PositiveInt = Field(32, description="channels of the first convolution")
    features: PositiveInt = Field(64, description="width of the layer whose features measure fidelity")
    max_shift: int = Field(1, ge=0, description="augmentation: translation in pixels, each way")
    max_rotation: float = Field(10.0, ge=0, description="augmentation: rotation in degrees, each way")
    outliers: float = Field(
        0.25, ge=0, lt=1, description="share of a batch that is made off-manifold and labelled as none of the classes"
    )
    training: FitSpec
    seed: int = Field(0, ge=0, description="initial weights, batches, augmentation")
