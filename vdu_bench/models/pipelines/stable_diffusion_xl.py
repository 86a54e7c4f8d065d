"""Stable Diffusion XL: diffusers' StableDiffusionXLPipeline behind the suite's interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from diffusers import AutoencoderKL, DDPMScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
from torch import Tensor
from torch.nn.functional import pad
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from vdu_bench.errors import UserError
from vdu_bench.models.pipelines.registry import PIPELINES, PipelineFacts
from vdu_bench.models.pipelines.text_to_image import TextToImage, fits
from vdu_bench.models.upload import upload

SIZES = 6
"""Height and width of the original, top and left of what was cut out of it, height and width of the image."""


class StableDiffusionXL(TextToImage):
    """A U-Net that is asked with two text encoders' embeddings, one vector for the whole prompt, and its image's size.

    A condition is ``[N, L + 1, D]``: row i < L has both encoders' embeddings of token i side by side, from the layer
    before their last; row L has the second's projection of the whole prompt ``[P]``, then zeros. So it is one tensor,
    as with other models, that methods cut, repeat and take gradients by (Podell et al. 2023, section 2.1).

    Images are asked for as originals of the model's own size, of which nothing was cut off (section 2.2). That is
    diffusers' default.

    Args:
        denoiser: the U-Net.
        noise_scheduler: the noise schedule, as with `TextToImage`.
        vae: the autoencoder.
        text_encoder: the first text encoder.
        text_encoder_2: the second.
        tokenizer: the first's.
        tokenizer_2: the second's: the same vocabulary, whatever it pads with.
        force_zeros_for_empty_prompt: whether guidance leads away from a condition of zeros, as it does in the published
            model, and not from that of the empty prompt.

    Raises:
        UserError: the parts do not fit together.
    """

    facts: ClassVar[PipelineFacts] = PIPELINES["StableDiffusionXLPipeline"]
    parts: ClassVar[dict[str, Any]] = {**TextToImage.parts, "text_encoder_2": CLIPTextModelWithProjection}
    text_encoder_2: CLIPTextModelWithProjection
    tokenizer_2: CLIPTokenizer

    def __init__(
        self,
        denoiser: UNet2DConditionModel,
        noise_scheduler: DDPMScheduler,
        vae: AutoencoderKL,
        text_encoder: CLIPTextModel,
        text_encoder_2: CLIPTextModelWithProjection,
        tokenizer: CLIPTokenizer,
        tokenizer_2: CLIPTokenizer,
        force_zeros_for_empty_prompt: bool = True,
    ) -> None:
        self.text_encoder_2 = text_encoder_2.requires_grad_(False).eval()
        self.tokenizer_2 = tokenizer_2
        self.force_zeros_for_empty_prompt = force_zeros_for_empty_prompt
        super().__init__(denoiser, noise_scheduler, vae, text_encoder, tokenizer)
        config, projected = denoiser.config, text_encoder_2.config.projection_dim
        if config["addition_embed_type"] != "text_time":
            raise UserError(f"the U-Net takes {config['addition_embed_type']!r} beside a prompt, and not its size")
        sizes = SIZES * config["addition_time_embed_dim"]
        # A refiner takes five numbers, one of them a score of beauty.
        beside = config["projection_class_embeddings_input_dim"] - sizes
        fits("projections", beside, "the second text encoder's", projected)
        if projected > config["cross_attention_dim"]:
            raise UserError(
                f"projections of {projected} are longer than a condition of {config['cross_attention_dim']}"
            )
        if tokenizer.get_vocab() != tokenizer_2.get_vocab():
            raise UserError("the tokenizers have different vocabularies: a word's token would mean another one")
        if vae.config.get("latents_mean") is not None:
            raise UserError("the autoencoder moves its latents (latents_mean), and the suite only scales them")

    @property
    def settings(self) -> dict[str, Any]:
        return {"force_zeros_for_empty_prompt": self.force_zeros_for_empty_prompt}

    @property
    def text_encoders(self) -> dict[str, CLIPTextModel]:
        return {**super().text_encoders, "text_encoder_2": self.text_encoder_2}

    @property
    def tokenizers(self) -> tuple[CLIPTokenizer, ...]:
        return self.tokenizer, self.tokenizer_2

    def embedded(self, token_ids: Sequence[Tensor]) -> Tensor:
        """The condition ``[N, L + 1, D]``, on the model's device and dtype.

        Args:
            token_ids: for each text encoder, int64 ``[N, L]`` on any device.
        """
        read = [
            encoder(upload(ids, encoder.device), output_hidden_states=True)
            for ids, encoder in zip(token_ids, self.text_encoders.values(), strict=True)
        ]
        tokens = torch.cat([found.hidden_states[-2] for found in read], dim=-1)
        whole = read[-1].text_embeds
        rows = torch.cat([tokens, pad(whole, (0, tokens.shape[-1] - whole.shape[-1]))[:, None]], dim=1)
        return rows.to(self.device, self.dtype)

    def null_condition(self, n: int) -> Tensor:
        """What guidance leads away from, `n` times: zeros, or the condition of the empty prompt."""
        if not self.force_zeros_for_empty_prompt:
            return super().null_condition(n)
        width = self.denoiser.config["cross_attention_dim"]
        return torch.zeros(n, self.max_tokens + 1, width, device=self.device, dtype=self.dtype)

    def _call_denoiser(self, x_t: Tensor, t: Tensor, condition: Tensor | None) -> Tensor:
        assert condition is not None  # `_conditioned` has something in its place
        _, height, width = self.image_shape
        # Filled where they lie: nothing is copied to the device for them.
        sizes = condition.new_zeros(len(x_t), SIZES)
        sizes[:, 0::4], sizes[:, 1::4] = height, width
        beside = {
            "text_embeds": condition[:, -1, : self.text_encoder_2.config.projection_dim],
            "time_ids": sizes,
        }
        tokens = condition[:, :-1]
        return self.denoiser(x_t, t, encoder_hidden_states=tokens, added_cond_kwargs=beside).sample

    def pipeline(self) -> StableDiffusionXLPipeline:
        return StableDiffusionXLPipeline(
            vae=self.vae,
            text_encoder=self.text_encoder,
            text_encoder_2=self.text_encoder_2,
            tokenizer=self.tokenizer,
            tokenizer_2=self.tokenizer_2,
            unet=self.denoiser,
            scheduler=self.noise_scheduler,
            add_watermarker=False,
            **self.settings,
        )
