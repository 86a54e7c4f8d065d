"""A latent text-to-image model: diffusers' StableDiffusionPipeline behind the suite's interface."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import torch
import transformers
from diffusers import (
    AutoencoderKL,
    DDPMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from diffusers.utils.logging import disable_progress_bar
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from vdu_bench.errors import Diverged, UserError
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.pipelines.components import read_component, read_noise_scheduler
from vdu_bench.models.pipelines.pipeline_files import INDEX, check_pipeline, pipeline_folder
from vdu_bench.models.pipelines.prompt_tokens import most_tokens, read_tokenizer, tokens_of
from vdu_bench.models.pipelines.registry import PIPELINES, PipelineFacts
from vdu_bench.models.pipelines.word_tokenizer import word_tokenizer
from vdu_bench.models.specs import ComputeSpec, LatentRecipe, ModelKind
from vdu_bench.models.upload import upload
from vdu_bench.plain_json import parsed
from vdu_bench.seeds import derive_seed

VAE_PIXELS = 8 * 512 * 512
"""How many pixels the autoencoder works on at once; its activations are the largest of all."""


class TextToImage(DiffusionModel):
    """A U-Net in the latent space of an autoencoder, asked with the embeddings of a text encoder.

    The autoencoder and the text encoder are frozen, and every clone shares them. There is no safety checker: what a
    model makes is to be measured, not hidden.

    Args:
        denoiser: the U-Net.
        noise_scheduler: the noise schedule. As in diffusers' pipeline, samples are not clipped (latents have no range)
            and timesteps are offset by one.
        vae: the autoencoder.
        text_encoder: the text encoder.
        tokenizer: its tokenizer.

    Raises:
        UserError: the parts do not fit together.
    """

    facts: ClassVar[PipelineFacts] = PIPELINES["StableDiffusionPipeline"]
    parts: ClassVar[dict[str, Any]] = {
        "unet": UNet2DConditionModel,
        "vae": AutoencoderKL,
        "text_encoder": CLIPTextModel,
    }
    """The classes of the components."""
    conditioning: ClassVar[ModelKind] = facts.conditioning
    denoiser: UNet2DConditionModel
    text_encoder: CLIPTextModel
    tokenizer: CLIPTokenizer

    def __init__(
        self,
        denoiser: UNet2DConditionModel,
        noise_scheduler: DDPMScheduler,
        vae: AutoencoderKL,
        text_encoder: CLIPTextModel,
        tokenizer: CLIPTokenizer,
    ) -> None:
        # Values that diffusers marks as defaults would be exchanged for a sampler's own, but only until they have been
        # to disk, and a saved model would be sampled at other times than the one it was saved from.
        schedule = {key: value for key, value in noise_scheduler.config.items() if key != "_use_default_values"}
        super().__init__(denoiser, DDPMScheduler.from_config(schedule, clip_sample=False, steps_offset=1))
        self.vae = vae.requires_grad_(False).eval()
        self.text_encoder = text_encoder.requires_grad_(False).eval()
        self.tokenizer = tokenizer
        fits("channels", denoiser.config["in_channels"], "the autoencoder's latents", vae.config["latent_channels"])
        widths = sum(encoder.config.hidden_size for encoder in self.text_encoders.values())
        fits("conditions", denoiser.config["cross_attention_dim"], "the text encoder's embeddings", widths)
        for own, encoder in zip(self.tokenizers, self.text_encoders.values(), strict=True):
            if len(own) > (known := encoder.config.vocab_size):
                raise UserError(f"the tokenizer has {len(own)} tokens, and the text encoder knows {known}")

    @classmethod
    def from_recipe(cls, recipe: LatentRecipe, vae: AutoencoderKL, words: Sequence[str]) -> Self:
        """The untrained pipeline of a recipe around a trained autoencoder.

        Args:
            recipe: its initial weights depend on its train seed alone.
            vae: the autoencoder.
            words: those that captions are made of, for the tokenizer.
        """
        tokenizer = word_tokenizer(words, recipe.text_encoder.max_tokens)
        config = CLIPTextConfig(
            **recipe.text_encoder.network,
            vocab_size=len(tokenizer),
            max_position_embeddings=recipe.text_encoder.max_tokens,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
        # torch's initialisers take no generator, so the global one is set aside and given back.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(recipe.training.seed, "init"))
            denoiser = UNet2DConditionModel(**recipe.denoiser)
            text_encoder = CLIPTextModel(config)
        return cls(denoiser, DDPMScheduler(**recipe.noise_scheduler), vae, text_encoder, tokenizer)

    @property
    def text_encoders(self) -> dict[str, CLIPTextModel]:
        """All text encoders, each of which reads every prompt, by the names of their attributes."""
        return {"text_encoder": self.text_encoder}

    @property
    def tokenizers(self) -> tuple[CLIPTokenizer, ...]:
        """The text encoders' own, in their order; token ids mean the same to all, but each may pad by another one."""
        return (self.tokenizer,)

    @property
    def word_embeddings(self) -> list[nn.Embedding]:
        """The tables ``[V, D_e]`` of what each text encoder has for a token."""
        return [cast(nn.Embedding, encoder.get_input_embeddings()) for encoder in self.text_encoders.values()]

    @property
    def max_tokens(self) -> int:
        """L: the most tokens of a prompt, with those for its begin and end; a condition has a row for each of L."""
        encoders = zip(self.tokenizers, self.text_encoders.values(), strict=True)
        return min(most_tokens(tokenizer, encoder.config) for tokenizer, encoder in encoders)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        _, height, width = self.latent_shape
        return int(self.vae.config["out_channels"]), self._vae_scale * height, self._vae_scale * width

    @property
    def _vae_scale(self) -> int:
        """Pixels on the side of a latent."""
        return int(2 ** (len(self.vae.config["block_out_channels"]) - 1))

    def _conditioned(self, n: int, condition: Tensor | None) -> Tensor:
        return self.null_condition(n) if condition is None else condition

    def _call_denoiser(self, x_t: Tensor, t: Tensor, condition: Tensor | None) -> Tensor:
        return self.denoiser(x_t, t, encoder_hidden_states=condition).sample

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """uint8 ``[N, 3, H, W]`` to clean latents ``[N, *latent_shape]`` on the model's device and dtype.

        They are the mean of the autoencoder's posterior (nothing is drawn) times its scaling factor. Raises ValueError
        for images of another size than the model's.
        """
        parts = []
        for part in images.split(self._vae_batch(*images.shape[-2:])):
            pixels = part.to(self.vae.device).to(self.vae.dtype) / 127.5 - 1
            parts.append(self.vae.encode(pixels).latent_dist.mode() * self.vae.config["scaling_factor"])
        latents = torch.cat(parts)
        if tuple(latents.shape[1:]) != self.latent_shape:
            raise ValueError(f"images {list(images.shape[1:])} do not give latents {list(self.latent_shape)}")
        return latents.to(self.device, self.dtype)

    @torch.no_grad()
    def decode(self, x0: Tensor) -> Tensor:
        """Clean latents ``[N, *latent_shape]`` to uint8 ``[N, 3, H, W]`` on the CPU.

        Raises Diverged where a pixel is not finite.
        """
        images = []
        for part in x0.split(self._vae_batch(self._vae_scale * x0.shape[-2], self._vae_scale * x0.shape[-1])):
            latents = part / self.vae.config["scaling_factor"]
            pixels = self.vae.decode(latents.to(self.vae.device, self.vae.dtype)).sample
            if not bool(torch.isfinite(pixels).all()):
                raise Diverged("a decoded image is not finite")
            pixels = (pixels * 0.5 + 0.5).clamp(0, 1).cpu().float()
            images.append((pixels * 255).round().to(torch.uint8))
        # Of small batches torch puts the channels last, and safetensors keep contiguous tensors alone.
        return torch.cat(images).contiguous()

    def _vae_batch(self, height: int, width: int) -> int:
        return max(1, VAE_PIXELS // (height * width))

    def computing(self, compute: ComputeSpec, training: bool = False) -> Self:
        if compute.vae_slicing:
            self.vae.enable_slicing()
        return super().computing(compute, training)

    def condition(self, prompts: Sequence[str] | None) -> Tensor:
        """What the denoiser takes for N prompts, as `embedded` has it of their tokens.

        Raises ValueError for None, and UserError for a prompt of more than `max_tokens` tokens.
        """
        if prompts is None:
            raise ValueError("a text-to-image model needs prompts")
        return self.embedded(self.token_ids(prompts))

    def token_ids(self, prompts: Sequence[str]) -> list[Tensor]:
        """Each tokenizer's ids of N prompts with begin, end and padding: int64 ``[N, L]`` on the CPU.

        Raises UserError for a prompt of more than `max_tokens` tokens.
        """
        return [torch.tensor(tokens_of(prompts, tokenizer, self.max_tokens)) for tokenizer in self.tokenizers]

    def embedded(self, token_ids: Sequence[Tensor]) -> Tensor:
        """The condition ``[N, L, D]``, on the model's device and dtype: the text encoder's last hidden states.

        Args:
            token_ids: for each text encoder, int64 ``[N, L]`` on any device.
        """
        (ids,) = token_ids
        return self.text_encoder(upload(ids, self.text_encoder.device)).last_hidden_state.to(self.device, self.dtype)

    def tokens(self, prompts: Sequence[str]) -> list[list[int]]:
        self.check_prompts(len(prompts), prompts)
        ids, *others = [own(list(prompts), add_special_tokens=False).input_ids for own in self.tokenizers]
        for other in others:
            for prompt, row, its in zip(prompts, ids, other, strict=True):
                # What one pads with, it reads apart from the word that it is written at the end of.
                if len(row) != len(its):
                    raise UserError(
                        f"the prompt {prompt!r} has {len(row)} tokens to one of the model's tokenizers and "
                        f"{len(its)} to another, so that its words have no places: write it without marks such as !!"
                    )
        found: list[list[int]] = ids
        return found

    def null_condition(self, n: int) -> Tensor:
        """What guidance leads away from, `n` times: the condition of the empty prompt."""
        # Embedded once, whatever n; copied, since products of a view that repeats itself round otherwise.
        return self.condition([""]).repeat(n, 1, 1)

    def check_prompts(self, n: int, prompts: Sequence[str] | None) -> None:
        if prompts is None or len(prompts) != n:
            raise ValueError(f"{n} images need as many prompts, not {None if prompts is None else len(prompts)}")
        self.token_ids(prompts)

    def _sampling_denoiser(
        self, prompts: Sequence[str] | None, guidance_scale: float
    ) -> Callable[[Tensor, Tensor], Tensor]:
        """Classifier-free guidance: eps(null) + w (eps(c) - eps(null)) (Ho & Salimans 2022, with 1 + w for w)."""
        condition = self.condition(prompts)
        if guidance_scale == 1:
            return lambda x_t, t: self.denoise(x_t, t, condition)
        both = torch.cat([self.null_condition(len(condition)), condition])

        def guided(x_t: Tensor, t: Tensor) -> Tensor:
            null, asked = self.denoise(torch.cat([x_t, x_t]), t, both).chunk(2)
            return null + guidance_scale * (asked - null)

        return guided

    def _modules(self) -> Sequence[nn.Module]:
        return [self.denoiser, self.vae, *self.text_encoders.values()]

    def save(self, folder: Path) -> None:
        quiet_loading()
        self._channels_first()
        # Its file would hold how the tokenizer padded last, and tell whether the model was ever asked for anything.
        for tokenizer in self.tokenizers:
            tokenizer.backend_tokenizer.no_padding()
        self.pipeline().save_pretrained(folder, safe_serialization=True)

    def pipeline(self) -> StableDiffusionPipeline | StableDiffusionXLPipeline:
        """These very parts, as diffusers' own pipeline."""
        return StableDiffusionPipeline(
            vae=self.vae,
            text_encoder=self.text_encoder,
            tokenizer=self.tokenizer,
            unet=self.denoiser,
            scheduler=self.noise_scheduler,
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )

    @classmethod
    def load(cls, source: str | Path) -> Self:
        """Read a folder or a hub id in the layout of diffusers' pipeline, as float32 on the CPU.

        Where a component has both formats, safetensors are read. A pickled ``.bin`` is read by torch's
        ``weights_only=True``, which runs no code. The safety checker is left where it is.

        Raises:
            UserError: there is no such pipeline, it is of another kind, a weight is missing, of the wrong shape or left
                over, or a ``.bin`` holds more than tensors.
        """
        quiet_loading()
        folder = pipeline_folder(source, cls.facts.components)
        check_pipeline(folder, source, cls.conditioning)
        noise_scheduler = read_noise_scheduler(folder, source)
        tokenizers = [read_tokenizer(folder, source, name) for name in cls.facts.tokenizers]
        index = parsed((folder / INDEX).read_bytes())
        settings = {key: index.get(key, default) for key, default in cls.facts.settings.items()}
        first, *others = [read_component(cls.parts[name], folder, name, source) for name in cls.facts.components]
        try:
            return cls(first, noise_scheduler, *others, *tokenizers, **settings)
        except UserError as error:
            raise UserError(f"{source}: {error}") from error


def fits(what: str, of_denoiser: int, other: str, of_other: int) -> None:
    """Raise UserError where the denoiser wants another number of something than another part gives."""
    if of_denoiser != of_other:
        raise UserError(f"the U-Net takes {what} of {of_denoiser}, and {other} have {of_other}")


def quiet_loading() -> None:
    """Without the libraries' own progress bars."""
    disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()
