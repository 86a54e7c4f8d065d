"""Arguments of networks in a recipe: what a network does not take is named before anything is trained."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from vdu_bench.data.catalog import load_data
from vdu_bench.data.specs import DataSpec
from vdu_bench.errors import UserError
from vdu_bench.models.specs import LatentRecipe, ModelRecipe
from vdu_bench.models.training.recipes import check_images, check_recipe


def test_recipes_that_are_right_pass_and_draw_nothing(
    tiny_recipe: ModelRecipe, tiny_latent_recipe: LatentRecipe
) -> None:
    before = torch.random.get_rng_state()
    check_recipe(tiny_recipe, "tiny")
    check_recipe(tiny_latent_recipe, "tiny_faces")
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"blok_out_channels": [8]}, "there is no argument 'blok_out_channels'; did you mean 'block_out_channels'"),
        ({"norm_eps": "small", "norm_num_groups": 7}, "these arguments make no UNet2D"),
        ({"down_block_types": ["NoBlock2D"]}, "these arguments make no UNet2D"),
        ({"sample_size": None}, "sample_size: it is None"),
        ({"num_class_embeds": 10}, "num_class_embeds 10: a denoiser that takes a class label"),
    ],
)
def test_what_a_denoiser_does_not_take_is_named(
    changed: dict[str, Any], complaint: str, tiny_recipe: ModelRecipe, tiny_latent_recipe: LatentRecipe
) -> None:
    for recipe in (tiny_recipe, tiny_latent_recipe):
        wrong = recipe.model_copy(update={"denoiser": {**recipe.denoiser, **changed}})
        with pytest.raises(UserError, match=rf"^mine: model\.denoiser.*{complaint}"):
            check_recipe(wrong, "mine")


@pytest.mark.parametrize("changed", [{"prediction_type": "sample"}, {"rescale_betas_zero_snr": True}])
def test_what_a_loss_of_the_noise_cannot_train_is_refused(changed: dict[str, Any], tiny_recipe: ModelRecipe) -> None:
    wrong = tiny_recipe.model_copy(update={"noise_scheduler": {**tiny_recipe.noise_scheduler, **changed}})
    with pytest.raises(UserError, match=rf"^mine: model\.noise_scheduler\.{next(iter(changed))}.* cannot be trained"):
        check_recipe(wrong, "mine")


def test_so_is_what_the_other_networks_do_not_take(tiny_latent_recipe: LatentRecipe) -> None:
    for part, known in (("autoencoder", "latent_channels"), ("text_encoder", "hidden_size")):
        spec = getattr(tiny_latent_recipe, part)
        wrong = spec.model_copy(update={"network": {**spec.network, f"{known}s": 4}})
        with pytest.raises(UserError, match=rf"mine: model\.{part}\.network: .*; did you mean '{known}'"):
            check_recipe(tiny_latent_recipe.model_copy(update={part: wrong}), "mine")


def test_images_of_another_shape_are_refused_before_anything_is_trained(
    tiny_recipe: ModelRecipe, tiny_latent_recipe: LatentRecipe
) -> None:
    check_images(tiny_recipe, (1, 8, 8), "tiny")
    latent = load_data(DataSpec(source="faces"), None).train.images.shape[1:]
    check_images(tiny_latent_recipe, latent, "tiny_faces")
    for shape in ((1, 16, 16), (3, 8, 8), (1, 8, 4)):
        with pytest.raises(
            UserError, match=r"mine: its data have images .*, and its network makes \[1, 8, 8\] .*in_ch"
        ):
            check_images(tiny_recipe, shape, "mine")
    with pytest.raises(UserError, match="model.denoiser.sample_size and model.autoencoder.network decide that"):
        check_images(tiny_latent_recipe, (3, 8, 8), "mine")
