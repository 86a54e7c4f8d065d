"""Whether a CLIP tells right captions from wrong ones, on images with known concepts."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vdu_bench.data.image_set import ImageSet
from vdu_bench.judges.clip.scorer import ClipScorer
from vdu_bench.judges.clip.training import Captioner


@dataclass(frozen=True)
class CaptionCheck:
    """How a CLIP scores the captions of images that it has not learnt from."""

    matched: float
    """Mean score with the own caption, -100..100."""
    shuffled: float
    """Mean score with the caption of an image of other concepts, -100..100."""
    wins: float
    """Share of the images whose own caption scores above the other one's, 0..1."""
    toggled: dict[str, float]
    """For each concept, the share of the images whose own caption scores above the same one with that concept put in
    or left out, 0..1."""


def check_captions(
    scorer: ClipScorer, images: ImageSet, captions: Captioner, generator: torch.Generator
) -> CaptionCheck:
    """Scores each image with its own caption and with wrong ones.

    Args:
        scorer: what is checked.
        images: held-out images with concepts.
        captions: puts concepts into words; concepts that differ must make captions that differ.
        generator: on the CPU; chooses wordings, and the image that a wrong caption is taken from.

    Raises:
        ValueError: all images show the same concepts, so that no caption is wrong.
    """
    partner = _of_other_concepts(images.concepts, generator)
    seen = scorer.embed_images(images.images)

    def score(concepts: Tensor) -> Tensor:
        return 100 * (seen * scorer.embed_prompts(captions(concepts, generator))).sum(1)

    matched, shuffled = score(images.concepts), score(images.concepts[partner])
    toggled = {}
    for column, name in enumerate(images.names):
        other = images.concepts.clone()
        other[:, column] ^= True
        toggled[name] = _share(matched > score(other))
    return CaptionCheck(float(matched.mean()), float(shuffled.mean()), _share(matched > shuffled), toggled)


def _of_other_concepts(concepts: Tensor, generator: torch.Generator) -> Tensor:
    """For each row a random one that differs from it, int64 ``[N]``."""
    if bool((concepts == concepts[0]).all()):
        raise ValueError("these images all show the same concepts, so that no caption is wrong")
    n = len(concepts)
    partner = torch.arange(n)
    while bool((same := (concepts[partner] == concepts).all(1)).any()):
        partner[same] = torch.randint(n, (int(same.sum()),), generator=generator)
    return partner


def _share(flags: Tensor) -> float:
    return float(flags.double().mean())
