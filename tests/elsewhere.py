"""Models from elsewhere: what the tests of their forms share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from vdu_bench.engine.store import read_artifact
from vdu_bench.engine.weights import CHANGED, Weights, read_model
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.files.external import load_external
from vdu_bench.models.files.external_files import find_external
from vdu_bench.models.pipelines.loading import load_model
from vdu_bench.models.sampling import initial_noise
from vdu_bench.models.specs import ModelKind, SamplerSpec
from vdu_bench.tasks.task import Task

WEIGHTS = "diffusion_pytorch_model"
K = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight"

OLD_NAMES = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
"""What a layer of attention is called, and was in 2022."""

YOUNGER = (
    "add_attention",
    "attn_norm_num_groups",
    "class_embed_type",
    "downsample_type",
    "dropout",
    "num_class_embeds",
    "num_train_timesteps",
    "resnet_time_scale_shift",
    "upsample_type",
)
"""Keys of a U-Net's configuration that diffusers did not write in 2022."""

OLD_SCHEDULER = {
    "_class_name": "DDPMScheduler",
    "_diffusers_version": "0.1.1",
    "beta_end": 0.02,
    "beta_schedule": "linear",
    "beta_start": 0.0001,
    "clip_sample": True,
    "num_train_timesteps": 1000,
    "trained_betas": None,
    "variance_type": "fixed_large",
}


class Bomb:
    """A pickle that touches a file when it is read as one."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.target,)


def publish(store: Path, task: Task, folder: Path) -> Path:
    """The one model that a run's method made of its own, as a folder that somebody else would publish."""
    (changed,) = store.glob(f"unlearned/*/{CHANGED}")
    (base,) = store.glob("base/*")
    whole, own = (read_artifact(place)[0] for place in (base, changed.parent))
    assert whole is not None
    read_model(task, Weights(whole, own)).save(folder)
    return folder


def draw(model: DiffusionModel) -> Tensor:
    prompts = ["a hat", "a person with bangs", ""] if model.prompted else None
    noise = initial_noise(3, model.latent_shape, 0)
    return model.freeze().sample(3, prompts, noise, SamplerSpec(steps=3, guidance_scale=3))


def load(source: Path | str, base: Path, kind: ModelKind = "text_to_image") -> tuple[DiffusionModel, str]:
    return load_external(find_external(str(source), kind), load_model(base, kind))


def weights_of(pipeline: Path) -> dict[str, Tensor]:
    return load_file(pipeline / "unet" / f"{WEIGHTS}.safetensors")


def with_old_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A U-Net's weights under the names that diffusers gave those of attention in 2022."""
    for new, old in OLD_NAMES.items():
        state = {name.replace(f".{new}.", f".{old}."): value for name, value in state.items()}
    return state


def lay_flat(pipeline: Path, folder: Path) -> Path:
    """A DDPM with subfolders, as google/ddpm-cifar10-32 has it: all beside the index, pickled, old names."""
    folder.mkdir(parents=True)
    config = json.loads((pipeline / "unet" / "config.json").read_text())
    old = {key: value for key, value in config.items() if key not in YOUNGER} | {"_diffusers_version": "0.0.4"}
    index = {"scheduler": ["diffusers", "DDPMScheduler"], "unet": ["diffusers", "UNet2DModel"]}
    for name, content in {
        "config.json": old,
        "scheduler_config.json": OLD_SCHEDULER,
        "model_index.json": {"_class_name": "DDPMPipeline", "_diffusers_version": "0.1.1", **index},
    }.items():
        (folder / name).write_text(json.dumps(content, indent=2))
    torch.save(with_old_names(weights_of(pipeline)), folder / f"{WEIGHTS}.bin")
    return folder
