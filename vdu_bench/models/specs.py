"""What a task file says about models: architecture, training recipe, sampler.

Plain data without torch, so that tasks can be listed, checked and hashed at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from vdu_bench.errors import did_you_mean
from vdu_bench.spec import PositiveInt, Spec

ModelKind = Literal["unconditional", "text_to_image"]
KINDS: tuple[ModelKind, ...] = get_args(ModelKind)

Precision = Literal["off", "tf32", "bfloat16", "float16"]
"""Arithmetic: float32 proper; TF32, with ten bits after the point, on GPUs that can; or 16 bits by autocast."""

NOISE = (
    *("num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas"),
    *("prediction_type", "rescale_betas_zero_snr"),
)
"""The keys of a diffusers scheduler that tell what noise a network is trained with, and what it predicts; the others
are settings of a sampler."""


def takes_prompts(kind: ModelKind) -> bool:
    """Whether such a model is asked with prompts."""
    return kind == "text_to_image"


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

    @model_validator(mode="after")
    def _decay_is_adamw_s(self) -> Self:
        if self.weight_decay > 0 and self.optimizer != "adamw":
            raise ValueError("weight_decay is adamw's: give optimizer: adamw as well")
        return self


class TrainingRecipe(FitSpec):
    """How a base model is trained."""

    later: ClassVar[tuple[str, ...]] = ("autocast",)

    seed: int = Field(0, ge=0, description="the train seed: initial weights, batches, noise")
    autocast: Precision = Field(
        "off",
        description="precision of the denoiser's arithmetic in training, tf32 on a GPU alone; its weights stay float32",
    )


class ModelRecipe(Spec):
    """A base model from nothing: network, noise schedule, training."""

    kind: ModelKind = Field("unconditional", description="what the model is asked with")
    denoiser: dict[str, Any] = Field(description="arguments of the diffusers denoiser class")
    noise_scheduler: dict[str, Any] = Field(
        default_factory=dict, description="arguments of diffusers' DDPMScheduler for the noise, over its defaults"
    )
    training: TrainingRecipe
    stored_dtype: Literal["float32", "float16"] = Field(
        "float32", description="precision of the finished weights on disk; they are rounded to it before anything else"
    )

    @field_validator("noise_scheduler")
    @classmethod
    def _of_the_noise_alone(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        for name in arguments:
            if name not in NOISE:
                hint = did_you_mean(name, NOISE)
                raise ValueError(f"{name!r} is no key of the noise{hint}; the task's sampler has its own")
        return arguments


class AutoencoderRecipe(Spec):
    """The autoencoder of a latent model, trained before everything else on the images alone."""

    network: dict[str, Any] = Field(description="arguments of diffusers' AutoencoderKL")
    kl_weight: float = Field(1e-6, ge=0, description="weight of the latents' divergence from a standard normal")
    training: FitSpec


class TextEncoderRecipe(Spec):
    """The text encoder of a latent model, which learns with the denoiser; its tokenizer knows the words of captions."""

    network: dict[str, Any] = Field(description="arguments of transformers' CLIPTextConfig")
    max_tokens: PositiveInt = Field(77, description="length of every prompt, its begin and end included")


class LatentRecipe(ModelRecipe):
    """A whole Stable Diffusion pipeline from nothing."""

    kind: Literal["text_to_image"]
    autoencoder: AutoencoderRecipe
    text_encoder: TextEncoderRecipe
    caption_dropout: float = Field(
        0.1, ge=0, lt=1, description="share of images shown without a caption (Ho & Salimans 2022)"
    )


class PretrainedModel(Spec):
    """A base model that somebody else trained: a folder or hub id that the task names as its ``base``."""

    kind: ModelKind


def _origin(value: Any) -> Any:
    get = value.get if isinstance(value, Mapping) else lambda key, default=None: getattr(value, key, default)
    kind = get("kind", "unconditional")
    # Without a denoiser's arguments there is nothing to train: unless the kind itself is misspelt.
    return "pretrained" if get("denoiser") is None and get("training") is None and kind in KINDS else kind


AnyModel = Annotated[
    Annotated[ModelRecipe, Tag("unconditional")]
    | Annotated[LatentRecipe, Tag("text_to_image")]
    | Annotated[PretrainedModel, Tag("pretrained")],
    Discriminator(
        _origin,
        custom_error_type="unknown_kind",
        custom_error_message="kind must be unconditional or text_to_image",
    ),
]


class SnapshotPosterior(Spec):
    """From weight snapshots of our own training."""

    source: Literal["snapshots"]
    snapshots: int = Field(10, ge=2, description="how many, evenly spaced; the last is of the training's end")
    snapshots_from: float = Field(0.5, ge=0, lt=1, description="the share of the training before the first snapshot")


class CheckpointPosterior(Spec):
    """From finished checkpoints of one network, each counted alike."""

    source: Literal["checkpoints"]
    checkpoints: tuple[str, ...] = Field(min_length=2, description="folders or hub ids in diffusers' layout")


class LaplacePosterior(Spec):
    """From one model alone: a diagonal Fisher estimate at its own samples."""

    source: Literal["laplace"]
    samples: PositiveInt = Field(64, description="images that are drawn from the model, each differentiated alone")
    observations: PositiveInt = Field(1000, description="how many images the Fisher information stands for")
    prior_std: float = Field(0.01, gt=0, description="deviation of a weight that no sample depends on")


AnyPosterior = Annotated[SnapshotPosterior | CheckpointPosterior | LaplacePosterior, Discriminator("source")]


class ComputeSpec(Spec):
    """Trades of memory against time and precision, for networks that would not fit otherwise."""

    later: ClassVar[tuple[str, ...]] = ("channels_last", "compile", "cuda_graphs", "microbatch")

    autocast: Precision = Field(
        "off", description="precision of the denoiser's arithmetic, tf32 on a GPU alone; its weights stay float32"
    )
    gradient_checkpointing: bool = Field(False, description="compute activations twice and keep few of them")
    vae_slicing: bool = Field(False, description="one image at a time in the autoencoder")
    channels_last: bool = Field(False, description="weights with channels last, as a GPU's convolutions like them")
    compile: bool = Field(
        False,
        description="the denoiser by torch.compile: the first batch takes minutes, and on a CPU a C++ compiler",
    )
    cuda_graphs: bool = Field(
        False,
        description="with compile, on a GPU: while a base is trained, its network's kernels are recorded once and "
        "begun all together; for small networks, which a GPU computes faster than they can be asked for",
    )
    microbatch: PositiveInt | None = Field(
        None,
        description="images that the denoiser is trained on at once, at the price of one more forward evaluation: a "
        "larger batch goes in parts, whose gradients add up; none: all of it",
    )

    @model_validator(mode="after")
    def _graphs_are_of_what_is_compiled(self) -> ComputeSpec:
        if self.cuda_graphs and not self.compile:
            raise ValueError("cuda_graphs: torch.compile records them; give compile: true too")
        return self


class SamplerSpec(Spec):
    """How samples are drawn. Part of the protocol: numbers of different samplers do not compare."""

    later: ClassVar[tuple[str, ...]] = ("eta", "seed")

    name: Literal["dpmsolver++", "ddim"] = Field(
        "dpmsolver++",
        description="diffusers scheduler; the initial noise alone decides the image, unless eta is above 0",
    )
    steps: PositiveInt = Field(20, description="denoiser evaluations an image")
    timestep_spacing: Literal["leading", "linspace", "trailing"] = Field(
        "leading", description="which of the training times are visited; diffusers' name for it"
    )
    guidance_scale: float = Field(1.0, ge=0, description="classifier-free guidance; 1 is none")
    batch_size: PositiveInt = Field(
        250, description="images a batch; it moves the last bits, and with fresh noise more"
    )
    eta: float = Field(
        0.0, ge=0, le=1, description="of ddim, the share of fresh noise in each step; 0 is deterministic"
    )
    seed: int = Field(0, ge=0, description="of the fresh noise, which no model decides")

    @model_validator(mode="after")
    def _eta_is_of_ddim(self) -> SamplerSpec:
        if self.eta and self.name != "ddim":
            raise ValueError(f"eta: {self.name} takes no fresh noise; ddim does")
        return self
