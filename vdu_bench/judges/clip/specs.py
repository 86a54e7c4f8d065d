"""What a task file says about the model of its CLIP score. Plain data, without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator

from vdu_bench.models.specs import FitSpec
from vdu_bench.spec import PositiveInt, Spec

DECIDED = ("vocab_size", "context_length")


class PretrainedClip(Spec):
    """A model and its weights by open_clip's names."""

    model: str = Field("ViT-L-14", min_length=1, description="open_clip's name of a network")
    weights: str = Field(
        "openai", pattern=r"^[^/\\]+$", description="open_clip's tag of weights for it; for your own, a name for them"
    )
    file: str | None = Field(
        None, description="a local file with these weights, instead of a download; safetensors, or tensors alone"
    )
    precision: Literal["fp32", "fp16", "bf16"] = Field("fp32", description="open_clip's precision of the network")

    @property
    def name(self) -> str:
        """Model, weights and precision, such as ``ViT-L-14/openai/fp32``."""
        return f"{self.model}/{self.weights}/{self.precision}"


class ClipRecipe(Spec):
    """A small open_clip model from nothing, trained on a task's own images and captions.

    Its scores compare with those of the same recipe alone, so it has a name of its own, and never that of a CLIP.
    """

    name: str = Field(pattern=r"^clip_[a-z0-9_]+$", description="clip_ and what it was trained on, such as clip_faces")
    network: dict[str, Any] = Field(
        description="open_clip's model configuration: embed_dim, vision_cfg, text_cfg; vocabulary and context are not "
        "part of it"
    )
    context_length: PositiveInt = Field(24, description="longest prompt in tokens, with two for its begin and end")
    max_shift: int = Field(1, ge=0, description="augmentation: translation in pixels, each way")
    max_rotation: float = Field(0.0, ge=0, description="augmentation: rotation in degrees, each way")
    training: FitSpec
    seed: int = Field(0, ge=0, description="initial weights, batches, captions, augmentation")

    @field_validator("network")
    @classmethod
    def _has_its_parts(cls, network: dict[str, Any]) -> dict[str, Any]:
        if not {"embed_dim", "vision_cfg", "text_cfg"} <= set(network):
            raise ValueError("an open_clip model has embed_dim, vision_cfg and text_cfg")
        for key in DECIDED:
            if key in network["text_cfg"]:
                raise ValueError(f"{key} is not set here: context_length is a key of its own, words are the captions'")
        return network


def _kind(value: Any) -> str:
    if isinstance(value, Mapping):
        return "trained" if {"network", "training"} & set(value) else "pretrained"
    return "trained" if isinstance(value, ClipRecipe) else "pretrained"


AnyClip = Annotated[
    Annotated[PretrainedClip, Tag("pretrained")] | Annotated[ClipRecipe, Tag("trained")], Discriminator(_kind)
]
