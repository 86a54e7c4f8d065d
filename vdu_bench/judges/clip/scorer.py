"""CLIP score: how well an image goes with the prompt that it was asked with, by an open_clip model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import normalize

from vdu_bench.errors import UserError
from vdu_bench.judges.weights import digest_of_weights

BATCH = 250
"""Images at once; fixed, since it moves the last bits."""


class ClipScorer:
    """Scores images against prompts.

    The score is 100 times the cosine of the image's and the prompt's embeddings, -100..100. It is raw: neither cut off
    at 0 nor scaled by 2.5, as it is in Hessel et al., "CLIPScore: a reference-free evaluation metric for image
    captioning", EMNLP 2021.

    Args:
        name: model, weights and precision.
        model: an open_clip model: a torch module with ``encode_image``, ``encode_text`` and ``context_length``.
        preprocess: open_clip's transform of a PIL image for it, without random parts.
        tokenizer: open_clip's tokenizer for it.
        dtype: what its images are cast to.
    """

    def __init__(
        self,
        name: str,
        model: Any,
        preprocess: Callable[[Image.Image], Tensor],
        tokenizer: Callable[..., Tensor],
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.name = name
        self.model = model.eval()
        self._preprocess, self._tokenizer, self._dtype = preprocess, tokenizer, dtype

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device

    @torch.inference_mode()
    def score(self, images: Tensor, prompts: Sequence[str]) -> Tensor:
        """How well each image goes with its prompt.

        Args:
            images: uint8 ``[N, 3, H, W]``.
            prompts: N, one for each image.

        Returns:
            float64 ``[N]`` on the CPU, -100..100.

        Raises:
            UserError: a prompt is longer than the model's context.
            ValueError: the images are not such, or there are not as many prompts.
        """
        if len(prompts) != len(images):
            raise ValueError(f"{len(images)} images need as many prompts, not {len(prompts)}")
        return 100 * (self.embed_images(images) * self.embed_prompts(prompts)).sum(1)

    @torch.inference_mode()
    def embed_images(self, images: Tensor) -> Tensor:
        """Unit vectors of uint8 images ``[N, 3, H, W]``, float64 ``[N, D]`` on the CPU. Raises ValueError."""
        parts = [self.encode_images(self.pixels(part)) for part in images.split(BATCH)]
        return normalize(torch.cat(parts).cpu().double(), dim=1)

    @torch.inference_mode()
    def embed_prompts(self, prompts: Sequence[str]) -> Tensor:
        """Unit vectors of N prompts, float64 ``[N, D]`` on the CPU. Raises UserError for one that is too long."""
        return normalize(self.encode_prompts(prompts).cpu().double(), dim=1)

    def pixels(self, images: Tensor) -> Tensor:
        """uint8 images ``[N, 3, H, W]`` as the model takes them, float32 ``[N, 3, h, w]`` on the CPU.

        Raises ValueError for images of another type or shape.
        """
        if images.dtype != torch.uint8 or images.dim() != 4 or images.shape[1] != 3:
            raise ValueError(f"images are uint8 [N, 3, H, W], not {images.dtype} {list(images.shape)}")
        # By way of PIL, whose resizing is not torch's: the scores of others were made like that.
        rows = images.cpu().permute(0, 2, 3, 1).contiguous().numpy()
        return torch.stack([self._preprocess(Image.fromarray(row)) for row in rows])

    def encode_images(self, pixels: Tensor) -> Tensor:
        """Embeddings ``[N, D]`` of what `pixels` returns, of any length, on the model's device."""
        return self.model.encode_image(pixels.to(self.device, self._dtype))

    def encode_prompts(self, prompts: Sequence[str]) -> Tensor:
        """Embeddings ``[N, D]``, of any length, on the model's device. Raises UserError for one that is too long."""
        # There are many images to a prompt.
        different = {prompt: place for place, prompt in enumerate(dict.fromkeys(prompts))}
        parts = [self.model.encode_text(part.to(self.device)) for part in self._tokens(list(different)).split(BATCH)]
        return torch.cat(parts)[torch.tensor([different[prompt] for prompt in prompts], device=self.device)]

    def _tokens(self, prompts: Sequence[str]) -> Tensor:
        length = self.model.context_length
        tokens = self._tokenizer(prompts, context_length=length)
        # A prompt that is cut gets its end mark in the place of a word, which one more token of room puts back.
        cut = (self._tokenizer(prompts, context_length=length + 1)[:, :length] != tokens).any(1)
        if bool(cut.any()):
            prompt = prompts[int(cut.int().argmax())]
            raise UserError(
                f"the prompt {prompt!r} is longer than the {length} tokens, with two for its begin and end, that "
                f"{self.name} takes: shorten it"
            )
        return tokens

    def digest(self) -> str:
        """sha256 of the weights, which do not change once a scorer is made."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        return digest_of_weights(self.model)
