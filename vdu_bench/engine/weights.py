"""A model on disk: a whole pipeline, or what of its weights differs from the base's, to the bit.

A method mostly moves a part of its model, and of a large pipeline whole copies fill a disk. What is stored is every
tensor of any of the model's networks whose bytes are not the base's; a model of another make is stored whole.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from vdu_bench.engine.store import Artifact
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.pipelines.loading import load_model
from vdu_bench.tasks.task import Task

MODEL = "model"
CHANGED = "changed.safetensors"

Stored = Literal["base", "changed", "whole"]
"""How a model was stored: not at all, since it is the base; as what differs from it; or whole."""


@dataclass(frozen=True)
class Weights:
    """The artifacts that hold a model.

    Attributes:
        whole: a pipeline: the model's own, or the one that it differs from.
        changed: the tensors that differ; None where there are none.
    """

    whole: Artifact
    changed: Artifact | None = None

    @classmethod
    def of(cls, stored: Stored, artifact: Artifact, base: Artifact) -> Weights:
        """From what `save_model` said of the artifact whose folder it wrote to."""
        return {"base": cls(base), "changed": cls(base, artifact), "whole": cls(artifact)}[stored]

    @property
    def inputs(self) -> dict[str, Artifact]:
        """What a stage that looks at the model is made of: its weights, by their content."""
        return {"weights": self.whole} if self.changed is None else {"base": self.whole, "weights": self.changed}


def read_model(task: Task, weights: Weights | Artifact) -> DiffusionModel:
    """The model as it lies there: float32, on the CPU. An artifact stands for a whole pipeline."""
    if isinstance(weights, Artifact):
        weights = Weights(weights)
    model = load_model(weights.whole.facts.get("source") or weights.whole.folder / MODEL, task.model.kind)
    if weights.changed is not None:
        put_into(load_file(weights.changed.folder / CHANGED), model)
    return model


def ready_model(task: Task, weights: Weights | Artifact, device: str) -> DiffusionModel:
    """The model on a device, frozen, computing as the task does."""
    return read_model(task, weights).to(device).computing(task.compute).freeze()


def save_model(model: DiffusionModel, base: DiffusionModel, folder: Path) -> Stored:
    """Write what it takes to read `model` again with `base` at hand.

    Args:
        model: any.
        base: as it lies on disk, on the CPU.
        folder: where it is written to.
    """
    if _make(model) != _make(base):
        model.save(folder / MODEL)
        return "whole"
    theirs = base.networks
    changed: dict[str, Tensor] = {}
    for part, network in model.networks.items():
        own, other = network.state_dict(), theirs[part].state_dict()
        for name, value in own.items():
            found = value.detach().cpu()
            if not _same_bytes(found, other[name]):
                # Tied weights share their memory, which safetensors refuse.
                changed[f"{part}.{name}"] = found.contiguous().clone()
    if not changed:
        return "base"
    save_file(changed, folder / CHANGED)
    return "changed"


def put_into(changed: dict[str, Tensor], model: DiffusionModel) -> None:
    """Give a model the tensors, which are called by network and name (``denoiser.conv_in.weight``)."""
    for part, network in model.networks.items():
        own = {name.removeprefix(f"{part}."): t for name, t in changed.items() if name.startswith(f"{part}.")}
        network.load_state_dict(own, strict=False)


def _same_bytes(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors are the same to the bit: no NaN is unlike itself, and -0 is not 0."""
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    return torch.equal(*(t.contiguous().flatten().view(torch.uint8) for t in (one, other)))


def _make(model: DiffusionModel) -> dict[str, Any]:
    """What a saved pipeline says beside its weights: class, settings, configurations, shapes, tokenizers."""
    facts: dict[str, Any] = {"class": type(model), "settings": model.settings}
    for name, value in vars(model).items():
        if (config := getattr(value, "config", None)) is not None:
            facts[f"{name}.config"] = _plain(config)
        if isinstance(value, nn.Module):
            facts[f"{name}.shapes"] = {key: tuple(t.shape) for key, t in value.state_dict().items()}
        if (tokenizer := getattr(value, "backend_tokenizer", None)) is not None:
            words = json.loads(tokenizer.to_str())
            # How it padded last tells what it was asked, and not what it is.
            facts[f"{name}.words"] = {k: v for k, v in words.items() if k not in ("padding", "truncation")}
            facts[f"{name}.tokens"] = (value.model_max_length, value.special_tokens_map)
    return facts


def _plain(config: Any) -> dict[str, Any]:
    """A configuration without what tells where, by which version and at which precision it was saved."""
    values = config.to_dict() if hasattr(config, "to_dict") else dict(config)
    told = ("transformers_version", "dtype", "torch_dtype")
    return {key: value for key, value in values.items() if not key.startswith("_") and key not in told}
