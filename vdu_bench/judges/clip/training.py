"""Training a CLIP of our own on captioned images."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from vdu_bench.data.image_set import ImageSet
from vdu_bench.judges.classifier.augmentation import sometimes_jittered
from vdu_bench.judges.clip.in_domain import InDomainClip
from vdu_bench.judges.clip.specs import ClipRecipe
from vdu_bench.judges.clip.words import word_merges
from vdu_bench.models.training.batches import epoch_indices, step_generator
from vdu_bench.models.training.fitting import fit

MAX_SCALE = 100.0
"""Bound on the learnt inverse temperature, as in CLIP (Radford et al. 2021, section 2.5)."""

Captioner = Callable[[Tensor, torch.Generator], Sequence[str]]
"""Puts rows of concepts, bool ``[N, K]``, into N captions, by a CPU generator where there are several ways."""


def train_clip(
    recipe: ClipRecipe,
    images: ImageSet,
    captions: Captioner,
    words: Sequence[str],
    device: torch.device | str = "cpu",
    on_step: Callable[[int, float], None] | None = None,
) -> InDomainClip:
    """A CLIP fitted to images and their captions by open_clip's contrastive loss.

    In a batch many images have one caption, and yet none is pushed away from a copy of its own: the copies' embeddings
    are equal, so that over all of them the loss and its gradient are those of a target spread evenly over what is
    right (Yang et al., "Unified contrastive learning in image-text-label space", CVPR 2022). That does not hold for
    captions that say the same in other words. Targets spread over these as well were tried on the portraits (three
    seeds of 400 steps, one of 600): matched scores rose by less than 1 from 89, and the shares of images whose own
    caption beats one with a wrong attribute moved by less than 2 %, up or down.

    Args:
        recipe: network, augmentation, training.
        images: what it is shown, with the concepts that captions tell of.
        captions: asked anew whenever an image is drawn.
        words: all that captions are made of, in lower case; each becomes one token.
        device: where it is trained, and stays.
        on_step: called with the step and its loss.

    Raises:
        Diverged: the loss or a weight is not finite.
        UserError: the network cannot be made, or a caption is longer than its context.
    """
    # Seconds to import, which runs without a CLIP score can do without.
    from open_clip import ClipLoss

    scorer = InDomainClip(recipe, word_merges(words))
    model = scorer.model.to(device)
    pixels = scorer.pixels(images.images).to(device)
    size = recipe.training.batch_size
    contrast = ClipLoss()

    def loss(step: int) -> Tensor:
        generator = step_generator(recipe.seed, step)
        batch = epoch_indices(len(images), step * size, size, recipe.seed)
        concepts = images.concepts[batch]
        x = sometimes_jittered(pixels[batch.to(device)], recipe.max_shift, recipe.max_rotation, generator)
        seen = normalize(scorer.encode_images(x), dim=1)
        told = normalize(scorer.encode_prompts(captions(concepts, generator)), dim=1)
        return contrast(seen, told, model.logit_scale.exp().clamp(max=MAX_SCALE))

    model.train()
    fit(model.parameters(), loss, recipe.training, on_step)
    model.eval()
    return scorer
