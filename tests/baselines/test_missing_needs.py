"""What baselines do where something that they need is not allowed, or not there."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from prompted import IMAGES, PROMPTS

from vdu_bench.data.image_set import ImageSet
from vdu_bench.errors import RegimeError, UserError
from vdu_bench.methods.catalog import make_method
from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.regime import Regime
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.posterior.gaussian import WeightPosterior

WITH_RETAINED = ("neggrad_plus", "salun", "erasediff", "siss", "retrack")


def unlearn(
    name: str, base: TextToImage, regime: Regime = "full", needs: Sequence[str] | None = None, images: ImageSet = IMAGES
) -> None:
    settings = {} if name == "perturb" else {"steps": 1, "batch_size": 2}
    method = make_method(name, settings)
    context = UnlearningContext(
        base,
        images,
        "hat",
        regime,
        method.needs if needs is None else needs,
        0,
        WeightPosterior({}, {}).only,
        lambda: pytest.fail("nobody asked for it"),
        PROMPTS,
    )
    method.unlearn(base, context)


@pytest.mark.parametrize("name", WITH_RETAINED)
def test_no_retained_images_without_leave(name: str, tiny_text_to_image: TextToImage) -> None:
    with pytest.raises(RegimeError, match="'forget_only' does not allow retain_images"):
        unlearn(name, tiny_text_to_image, "forget_only")


@pytest.mark.parametrize("name", WITH_RETAINED)
def test_no_retained_images_at_all(name: str, tiny_text_to_image: TextToImage) -> None:
    hats = ImageSet(IMAGES.images, torch.ones_like(IMAGES.concepts), IMAGES.names)
    with pytest.raises(UserError, match="there are no such images in the data"):
        unlearn(name, tiny_text_to_image, images=hats)


@pytest.mark.parametrize("name", [*WITH_RETAINED, "perturb", "selective_amnesia"])
def test_nothing_that_is_not_declared(name: str, tiny_text_to_image: TextToImage) -> None:
    with pytest.raises(RegimeError, match="without naming it in its needs"):
        unlearn(name, tiny_text_to_image, needs=())


def test_a_posterior_that_does_not_cover_the_weights(tiny_text_to_image: TextToImage) -> None:
    with pytest.raises(UserError, match="the posterior does not cover"):
        unlearn("perturb", tiny_text_to_image)
