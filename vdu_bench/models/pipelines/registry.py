"""The pipelines that the suite knows, by the class name that diffusers gives them. Without torch."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vdu_bench.models.specs import ModelKind

if TYPE_CHECKING:
    from vdu_bench.models.diffusion import DiffusionModel


@dataclass(frozen=True)
class PipelineFacts:
    """What is known of a pipeline before anything of it is imported or downloaded.

    Attributes:
        name: diffusers' class, as a pipeline's ``model_index.json`` has it.
        conditioning: what its models are asked with.
        network: diffusers' class of the denoiser.
        components: the parts with weights, as their folders are called, the denoiser first.
        target: the class that reads it, as ``module:Class``.
        tokenizers: the folders of its tokenizers, in the order of the text encoders that go with them.
        settings: keys of its ``model_index.json`` that decide what it makes, with diffusers' defaults.
    """

    name: str
    conditioning: ModelKind
    network: str
    components: tuple[str, ...]
    target: str
    tokenizers: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text_encoders(self) -> tuple[str, ...]:
        """Those of the components that read prompts, in the order of `tokenizers`."""
        return tuple(component for component in self.components if component.startswith("text_encoder"))

    @property
    def may_lie_flat(self) -> bool:
        """Whether a pipeline's files may lie in one folder, without subfolders: those of one network can."""
        return len(self.components) == 1

    def model(self) -> type[DiffusionModel]:
        """The class that reads it, imported now if it was not before."""
        module, _, name = self.target.partition(":")
        found: type[DiffusionModel] = getattr(importlib.import_module(module), name)
        return found


STABLE_DIFFUSION: dict[str, Any] = {
    "conditioning": "text_to_image",
    "network": "UNet2DConditionModel",
    "components": ("unet", "vae", "text_encoder"),
    "target": "vdu_bench.models.pipelines.text_to_image:TextToImage",
    "tokenizers": ("tokenizer",),
}

STABLE_DIFFUSION_XL = STABLE_DIFFUSION | {
    "components": ("unet", "vae", "text_encoder", "text_encoder_2"),
    "target": "vdu_bench.models.pipelines.stable_diffusion_xl:StableDiffusionXL",
    "tokenizers": ("tokenizer", "tokenizer_2"),
    "settings": {"force_zeros_for_empty_prompt": True},
}

PIPELINES = {
    facts.name: facts
    for facts in (
        PipelineFacts(
            name="DDPMPipeline",
            conditioning="unconditional",
            network="UNet2DModel",
            components=("unet",),
            target="vdu_bench.models.pipelines.unconditional:UnconditionalDDPM",
        ),
        PipelineFacts(
            name="DDIMPipeline",
            conditioning="unconditional",
            network="UNet2DModel",
            components=("unet",),
            target="vdu_bench.models.pipelines.unconditional:UnconditionalDDPM",
        ),
        PipelineFacts(name="StableDiffusionPipeline", **STABLE_DIFFUSION),
        PipelineFacts(name="StableDiffusionImg2ImgPipeline", **STABLE_DIFFUSION),
        PipelineFacts(name="StableDiffusionXLPipeline", **STABLE_DIFFUSION_XL),
        PipelineFacts(name="StableDiffusionXLImg2ImgPipeline", **STABLE_DIFFUSION_XL),
    )
}


def pipelines_of(kind: ModelKind) -> list[PipelineFacts]:
    """Those whose models are asked with this."""
    return [facts for facts in PIPELINES.values() if facts.conditioning == kind]
