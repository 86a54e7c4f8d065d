"""Models from elsewhere: what the tests of their forms share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.files.external import load_external
from vdu_bench.models.files.external_files import find_external
from vdu_bench.models.pipelines.loading import load_model
from vdu_bench.models.sampling import initial_noise
from vdu_bench.models.specs import ModelKind, SamplerSpec

WEIGHTS = "diffusion_pytorch_model"
K = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight"


class Bomb:
    """A pickle that touches a file when it is read as one."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.target,)


def draw(model: DiffusionModel) -> Tensor:
    prompts = ["a hat", "a person with bangs", ""] if model.prompted else None
    noise = initial_noise(3, model.latent_shape, 0)
    return model.freeze().sample(3, prompts, noise, SamplerSpec(steps=3, guidance_scale=3))


def load(source: Path | str, base: Path, kind: ModelKind = "text_to_image") -> tuple[DiffusionModel, str]:
    return load_external(find_external(str(source), kind), load_model(base, kind))


def weights_of(pipeline: Path) -> dict[str, Tensor]:
    return load_file(pipeline / "unet" / f"{WEIGHTS}.safetensors")
