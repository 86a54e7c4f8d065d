"""The network of a judge's recipe."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from vdu_bench.judges.classifier.network import JudgeNetwork, SmallCNN
from vdu_bench.judges.classifier.svm import KernelMachines
from vdu_bench.judges.specs import JudgeRecipe, SmallCNNRecipe, SVMRecipe, TimmRecipe
from vdu_bench.seeds import derive_seed


def make_network(
    recipe: JudgeRecipe, image_shape: tuple[int, int, int], outputs: int, fetch: bool = True
) -> JudgeNetwork:
    """The untrained network of a recipe; its initial weights depend on the recipe alone.

    Args:
        recipe: which network, and the seed of its random weights.
        image_shape: channels, height and width.
        outputs: how many logits.
        fetch: start from the pretrained weights that a recipe asks for; False where others are put in their place.

    Raises:
        UserError: an architecture that timm does not have, or that cannot be a judge; pretrained weights that cannot
            be had.
    """
    channels, height, width = image_shape
    # torch's initialisers take no generator, so the global one is set aside and given back.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(recipe.seed, "judge"))
        if isinstance(recipe, SmallCNNRecipe):
            return SmallCNN(channels, (height, width), outputs, recipe.width, recipe.features)
        if isinstance(recipe, TimmRecipe):
            # Brings all of timm, two seconds to import, which the embedded tasks can do without.
            from vdu_bench.judges.classifier.timm_network import TimmNetwork, pretrained_weights

            weights = pretrained_weights(recipe.architecture) if recipe.pretrained and fetch else None
            return TimmNetwork(
                recipe.architecture, recipe.stem, channels, outputs, recipe.pretrained, weights, recipe.input_size
            )
    raise TypeError(f"no network for a {type(recipe).__name__}")


def load_network(
    recipe: JudgeRecipe, image_shape: tuple[int, int, int], outputs: int, weights: Mapping[str, Tensor]
) -> JudgeNetwork:
    """The trained network of a recipe, from its `state_dict`. Raises RuntimeError for one of another network."""
    if isinstance(recipe, SVMRecipe):
        # How many support vectors there are, training tells.
        return KernelMachines(**weights)
    network = make_network(recipe, image_shape, outputs, fetch=False)
    network.load_state_dict(weights)
    return network
