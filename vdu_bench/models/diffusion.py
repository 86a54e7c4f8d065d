"""The one interface that methods, samplers and metrics see of a diffusion model."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import torch
from diffusers import DDPMScheduler
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from vdu_bench.errors import Diverged
from vdu_bench.models.compiling import compile_network
from vdu_bench.models.counting import EvaluationCounter
from vdu_bench.models.noise_process import NoiseProcess
from vdu_bench.models.sampling import begin_at, make_scheduler, sampling_loop
from vdu_bench.models.specs import ComputeSpec, ModelKind, SamplerSpec, takes_prompts
from vdu_bench.models.upload import upload


def attribute_of(component: str) -> str:
    """What a model calls a component of diffusers' pipelines."""
    return "denoiser" if component == "unet" else component


def component_of(attribute: str) -> str:
    """What diffusers' pipelines call a network of a model."""
    return "unet" if attribute == "denoiser" else attribute


class DiffusionModel(ABC):
    """A denoiser with its noise schedule and its image space.

    Attributes:
        conditioning: what the model is asked with.
        in_pixels: whether clean latents are the pixels themselves, only scaled.
        denoiser: the trainable module.
        noise_scheduler: diffusers' DDPMScheduler that the denoiser was trained with.
        counter: how often the denoiser was evaluated; a clone shares its source's counter, so that a method's
            frozen copies are counted with it.
        autocast: the precision of the denoiser's arithmetic, where that is not its weights'.
        compiled: whether the denoiser goes through torch.compile, which keeps its weights' names.
        microbatch: how many images the denoiser is trained on at once; None for all of a batch.
        tf32: whether a GPU is to compute float32 in TF32, for which `arithmetic` sets the process's flags.
    """

    conditioning: ClassVar[ModelKind]
    in_pixels: ClassVar[bool] = False

    def __init__(self, denoiser: nn.Module, noise_scheduler: DDPMScheduler) -> None:
        self.denoiser = denoiser
        self.noise_scheduler = noise_scheduler
        self.counter = EvaluationCounter()
        self.autocast: torch.dtype | None = None
        self.compiled = False
        self.microbatch: int | None = None
        self.tf32 = False
        self._process: tuple[Tensor, NoiseProcess] | None = None
        """The schedule's own numbers, and the process that was made of these: another schedule has others."""

    @property
    def networks(self) -> dict[str, nn.Module]:
        """All parts with weights, by the names of their attributes."""
        return {name: value for name, value in vars(self).items() if isinstance(value, nn.Module)}

    @property
    def settings(self) -> dict[str, Any]:
        """What a saved pipeline of it says beside its parts, and decides what it makes; by diffusers' keys."""
        return {}

    @property
    def prompted(self) -> bool:
        """Whether it is asked with prompts."""
        return takes_prompts(self.conditioning)

    @property
    def device(self) -> torch.device:
        """Where the denoiser's weights are."""
        return next(self.denoiser.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """The type of the denoiser's weights."""
        return next(self.denoiser.parameters()).dtype

    @property
    def precision(self) -> str:
        """What the denoiser computes in: ``float32``, ``tf32`` (of a GPU alone), ``bfloat16`` or ``float16``."""
        if self.tf32 and self.device.type == "cuda":
            return "tf32"
        return str(self.autocast or self.dtype).removeprefix("torch.")

    @property
    def process(self) -> NoiseProcess:
        """How it goes from data to noise, on the model's device and in its dtype."""
        described, kept = NoiseProcess.of(self.noise_scheduler), self._process
        if kept is None or kept[0] is not described.alphas_cumprod or not kept[1].lies(self.device, self.dtype):
            # Moved once, and as a tensor that autograd takes, even if it is asked for while samples are drawn.
            with torch.inference_mode(False):
                kept = self._process = described.alphas_cumprod, described.to(self.device, self.dtype)
        return kept[1]

    @property
    def train_timesteps(self) -> int:
        """T: the denoiser takes integer times 0..T-1."""
        return NoiseProcess.of(self.noise_scheduler).T

    @property
    def alphas_cumprod(self) -> Tensor:
        """alphabar_t, ``[T]``, on the model's device (Ho et al. 2020, eq. 4)."""
        return self.process.alphas_cumprod

    def add_noise(self, x0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """x_t = sqrt(alphabar_t) x_0 + sqrt(1 - alphabar_t) eps (Ho et al. 2020, eq. 4); `t` is int64 ``[N]``."""
        return self.process.add_noise(x0, noise, t)

    def predict_noise(self, x_t: Tensor, t: Tensor, condition: Tensor | None = None) -> Tensor:
        """eps_theta(x_t, t, c), shaped as `x_t`, whatever the network itself predicts; without c where it is None."""
        output = self.denoise(x_t, t, condition)
        kind = self.noise_scheduler.config["prediction_type"]
        # The usual case is told apart here, so that nothing is moved to the device for it.
        return output if kind == "epsilon" else self.process.noise_from(output, x_t, t, kind)

    def denoise(self, x_t: Tensor, t: Tensor, condition: Tensor | None = None) -> Tensor:
        """The network's own output, counted; `t` is int64 ``[N]`` or a scalar."""
        # Before autocast begins: a condition is embedded in the text encoder's own precision, whoever asks for it.
        condition = self._conditioned(len(x_t), condition)
        # Not autocast(enabled=False), which not every kind of device knows.
        with nullcontext() if self.autocast is None else torch.autocast(self.device.type, self.autocast):
            output = self._in_parts(x_t, t, condition)
        output = output.to(x_t.dtype)
        self.counter.record(output)
        return output

    def _in_parts(self, x_t: Tensor, t: Tensor, condition: Tensor | None) -> Tensor:
        """The network's output, a part of the batch at a time where it is trained and too large.

        Of a part the output alone is held; the rest is computed again when its gradient comes. So it goes with any
        loss, also one of several evaluations. Dropout draws for each part.
        """
        size = self.microbatch
        if size is None or len(x_t) <= size or not torch.is_grad_enabled():
            return self._call_denoiser(x_t, t, condition)
        times = t.expand(len(x_t)).split(size)
        conditions = [None] * len(times) if condition is None else condition.split(size)
        parts = zip(x_t.split(size), times, conditions, strict=True)
        return torch.cat([checkpoint(self._call_denoiser, *part, use_reentrant=False) for part in parts])

    def computing(self, compute: ComputeSpec, training: bool = False) -> Self:
        """This model, with memory traded as asked.

        Args:
            compute: how.
            training: whether it is to be trained from nothing. Then each step calls the network once, and always with
                as many images, as recorded kernels need it.
        """
        self.microbatch = compute.microbatch
        if compute.channels_last:
            nn.Module.to(self.denoiser, memory_format=torch.channels_last)
        self.tf32 = compute.autocast == "tf32"
        self.autocast = None if compute.autocast in ("off", "tf32") else getattr(torch, compute.autocast)
        if compute.gradient_checkpointing:
            # diffusers' own method, which torch's annotations take for a buffer.
            cast(Any, self.denoiser).enable_gradient_checkpointing()
        if compute.compile:
            self.compiled = True
            recorded = compute.cuda_graphs and training
            compile_network(self.denoiser, **({"mode": "reduce-overhead"} if recorded else {}))
        return self

    def rounded_to(self, dtype: torch.dtype) -> Self:
        """This model, with the weights of all of its parts in `dtype`."""
        for module in self._modules():
            # Module.to, since diffusers' own warns of layers to be kept in float32 even where there are none.
            nn.Module.to(module, dtype=dtype)
        return self

    def clone(self, own: Collection[str] | None = None) -> Self:
        """A copy, counted together with this one.

        Args:
            own: names of the denoiser's parameters that the copy has for itself. It shares the others, which are not to
                be changed in either model: of a large network they are most of the memory. None: it shares none.
        """
        shared = {} if own is None else {id(p): p for name, p in self.denoiser.named_parameters() if name not in own}
        twin = copy.copy(self)
        # What deepcopy finds in its memo it takes for copied.
        twin.denoiser = copy.deepcopy(self.denoiser, shared)
        if self.compiled:
            # A copied module has lost what it was compiled to.
            compile_network(twin.denoiser)
        return twin

    def freeze(self) -> Self:
        """This model, in evaluation mode and with gradients off."""
        self.denoiser.requires_grad_(False).eval()
        return self

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """``(C, H, W)`` of the space the denoiser works in."""
        config: Any = self.denoiser.config
        size = config["sample_size"]
        height, width = (size, size) if isinstance(size, int) else size
        return int(config["in_channels"]), int(height), int(width)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """``(C, H, W)`` of the images it makes; the denoiser's own space, where that is pixels."""
        return self.latent_shape

    @torch.inference_mode()
    def sample(
        self,
        n: int,
        prompts: Sequence[str] | None,
        noise: Tensor,
        sampler: SamplerSpec,
        on_batch: Callable[[int], None] | None = None,
    ) -> Tensor:
        """`n` images, uint8 ``[n, C, H, W]`` on the CPU, from the initial latents `noise` ``[n, *latent_shape]``.

        `on_batch` is called with the number of images of each finished batch. Raises Diverged where a latent is not
        finite, and what `check_prompts` raises.
        """
        self._check_noise(n, prompts, noise)
        return self._images(lambda _, batch: noise[batch], n, prompts, sampler, 0, on_batch)

    @torch.inference_mode()
    def redraw(
        self,
        images: Tensor,
        prompts: Sequence[str] | None,
        noise: Tensor,
        sampler: SamplerSpec,
        strength: float,
        on_batch: Callable[[int], None] | None = None,
    ) -> Tensor:
        """Images noised part of the way and denoised again: SDEdit (Meng et al. 2022), diffusers' image-to-image.

        Args:
            images: uint8 ``[n, C, H, W]``.
            prompts: what is asked for; None for an unconditional model.
            noise: standard normal ``[n, *latent_shape]``.
            sampler: its steps count for the whole way.
            strength: which part of the sampler's steps is gone back, 0..1.
            on_batch: called with the number of images of each finished batch.

        Returns:
            uint8 ``[n, C, H, W]`` on the CPU.

        Raises:
            Diverged: a latent is not finite.
            ValueError: the shapes do not fit, or no step is left.
        """
        self._check_noise(len(images), prompts, noise)
        steps = int(sampler.steps * strength)
        if not 0 < steps <= sampler.steps:
            raise ValueError(f"a strength of {strength} leaves {steps} of {sampler.steps} steps")

        def start(scheduler: Any, batch: slice) -> Tensor:
            x0 = self.encode(images[batch])
            begin_at(scheduler, sampler.steps - steps)
            return scheduler.add_noise(x0, noise[batch].to(x0), scheduler.timesteps[-steps:][:1])

        return self._images(start, len(images), prompts, sampler, sampler.steps - steps, on_batch)

    @torch.no_grad()
    def denoised_until(
        self, stop: int, prompts: Sequence[str] | None, noise: Tensor, sampler: SamplerSpec
    ) -> tuple[Tensor, Tensor]:
        """x_t ``[n, *latent_shape]`` after `stop` of the sampler's steps, with the time that it is at, int64 ``[n]``.

        Args:
            stop: 0 up to the sampler's steps - 1.
            prompts: what is asked for; None for an unconditional model.
            noise: initial latents ``[n, *latent_shape]``.
            sampler: the whole way's.
        """
        self._check_noise(len(noise), prompts, noise)
        scheduler = make_scheduler(sampler, self.noise_scheduler)
        denoise = self._sampling_denoiser(prompts, sampler.guidance_scale)
        x_t = sampling_loop(denoise, upload(noise, self.device).to(self.dtype), scheduler, slice(0, stop))
        return x_t, upload(scheduler.timesteps[stop], self.device).expand(len(noise))

    def _check_noise(self, n: int, prompts: Sequence[str] | None, noise: Tensor) -> None:
        self.check_prompts(n, prompts)
        if tuple(noise.shape) != (n, *self.latent_shape):
            raise ValueError(f"noise must be {[n, *self.latent_shape]}, not {list(noise.shape)}")

    def _images(
        self,
        start: Callable[[Any, slice], Tensor],
        n: int,
        prompts: Sequence[str] | None,
        sampler: SamplerSpec,
        first: int,
        on_batch: Callable[[int], None] | None,
    ) -> Tensor:
        self.denoiser.eval()
        images = []
        for begin in range(0, n, sampler.batch_size):
            batch = slice(begin, begin + sampler.batch_size)
            scheduler = make_scheduler(sampler, self.noise_scheduler, begin)
            x_t = start(scheduler, batch).to(self.device, self.dtype)
            denoise = self._sampling_denoiser(None if prompts is None else prompts[batch], sampler.guidance_scale)
            x0 = sampling_loop(denoise, x_t, scheduler, slice(first, None))
            if not bool(torch.isfinite(x0).all()):
                raise Diverged("a sample is not finite")
            images.append(self.decode(x0))
            if on_batch is not None:
                on_batch(len(x_t))
        return torch.cat(images)

    def _conditioned(self, n: int, condition: Tensor | None) -> Tensor | None:  # noqa: ARG002
        """What the denoiser is given for `n` latents: a model may have something of its own in the place of None."""
        return condition

    @abstractmethod
    def _call_denoiser(self, x_t: Tensor, t: Tensor, condition: Tensor | None) -> Tensor: ...

    @abstractmethod
    def encode(self, images: Tensor) -> Tensor:
        """uint8 ``[N, C, H, W]`` to clean latents ``[N, *latent_shape]`` on the model's device and dtype."""

    @abstractmethod
    def decode(self, x0: Tensor) -> Tensor:
        """Clean latents to uint8 images on the CPU."""

    @abstractmethod
    def condition(self, prompts: Sequence[str] | None) -> Tensor | None:
        """What `predict_noise` takes as its condition; None for an unconditional model."""

    def tokens(self, prompts: Sequence[str]) -> list[list[int]]:  # noqa: ARG002
        """The ids of each prompt's own tokens: token i of them stands at i + 1 of its condition, behind its begin.

        Raises ValueError for an unconditional model, and UserError for a prompt that the model cannot take.
        """
        raise ValueError("an unconditional model takes no prompts")

    @abstractmethod
    def check_prompts(self, n: int, prompts: Sequence[str] | None) -> None:
        """Whether `n` images can be asked for with `prompts`: one for each, or None for an unconditional model.

        Raises ValueError for another number of prompts, and UserError for a prompt that the model cannot take.
        """

    @abstractmethod
    def _sampling_denoiser(
        self, prompts: Sequence[str] | None, guidance_scale: float
    ) -> Callable[[Tensor, Tensor], Tensor]:
        """The network's own output for ``(x_t, t)``, with the batch's prompts and guidance in it."""

    def _modules(self) -> Sequence[nn.Module]:
        """All parts with weights."""
        return [self.denoiser]

    def to(self, device: torch.device | str) -> Self:
        """This model, with all of its parts on `device`; parts that clones share move for them as well."""
        for module in self._modules():
            nn.Module.to(module, device)
        return self

    def _channels_first(self) -> None:
        """safetensors keep contiguous tensors alone."""
        nn.Module.to(self.denoiser, memory_format=torch.contiguous_format)

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the diffusers pipeline format, weights as safetensors."""

    @classmethod
    @abstractmethod
    def load(cls, source: str | Path) -> Self:
        """Read a folder (or a hub id) in the diffusers pipeline format."""
