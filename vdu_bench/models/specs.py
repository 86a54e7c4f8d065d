"""What a task file says about models: architecture, training recipe, sampler.

Plain data without torch, so that tasks can be listed, checked and hashed at once.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

PositiveInt = Annotated[int, Field(gt=0)]
ModelKind = Literal["unconditional", "text_to_image"]


class Spec(BaseModel):
    """The base of all that is read from files: an unknown key is an error, and values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FitSpec(Spec):
    """How a loss is minimised: the settings of the shared fitting loop."""

    steps: PositiveInt = Field(description="optimiser steps")
    batch_size: PositiveInt = Field(64, description="images a step")
    learning_rate: float = Field(gt=0, description="peak learning rate")
    optimizer: Literal["adam", "adamw"] = Field("adam", description="torch optimiser")
    weight_decay: float = Field(0.0, ge=0, description="decoupled weight decay (adamw)")
    schedule: Literal["constant", "cosine"] = Field(
        "constant", description="learning rate after the warm-up: constant, or cosine to zero"
    )
    warmup_steps: int = Field(0, ge=0, description="steps of linear warm-up")
    clip_norm: float | None = Field(None, gt=0, description="largest gradient norm; none: not clipped")
    ema_decay: float | None = Field(
        None, gt=0, lt=1, description="decay of the exponential average that replaces the weights at the end"
    )


class TrainingRecipe(FitSpec):
    """How a base model is trained, and which of its moments the weight posterior is estimated from."""

    snapshots: int = Field(10, ge=2, description="weight snapshots for the posterior, evenly spaced")
    snapshots_from: float = Field(0.5, ge=0, lt=1, description="the share of the training before the first snapshot")
    seed: int = Field(0, ge=0, description="the train seed: initial weights, batches, noise")


class ModelRecipe(Spec):
    """A base model from nothing: network, noise schedule, training."""

    kind: ModelKind = Field("unconditional", description="what the model is asked with")
    denoiser: dict[str, Any] = Field(description="arguments of the diffusers denoiser class")
    noise_scheduler: dict[str, Any] = Field(
        default_factory=dict, description="arguments of diffusers' DDPMScheduler, over its defaults"
    )
    training: TrainingRecipe
    stored_dtype: Literal["float32", "float16"] = Field(
        "float32", description="precision of the finished weights on disk; they are rounded to it before anything else"
    )


class SamplerSpec(Spec):
    """How samples are drawn. Part of the protocol: numbers of different samplers do not compare."""

    name: Literal["dpmsolver++", "ddim"] = Field(
        "dpmsolver++", description="deterministic diffusers scheduler, so that noise alone decides the image"
    )
    steps: PositiveInt = Field(20, description="denoiser evaluations an image")
    timestep_spacing: Literal["leading", "linspace", "trailing"] = Field(
        "leading", description="which of the training times are visited; diffusers' name for it"
    )
    guidance_scale: float = Field(1.0, ge=0, description="classifier-free guidance; 1 is none")
    batch_size: PositiveInt = Field(250, description="images a batch; fixed, since it moves the last bits")
