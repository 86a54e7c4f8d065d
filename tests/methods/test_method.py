"""What the shared loop does with the weights of a text-to-image model: which are copied, trained, and left alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from vdu_bench.data.image_set import ImageSet
from vdu_bench.data.specs import CaptionSpec
from vdu_bench.methods.catalog import make_method
from vdu_bench.methods.context import UnlearningContext
from vdu_bench.methods.method import LossMethod, Method
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.posterior.gaussian import WeightPosterior
from vdu_bench.models.selection import selected_parameters
from vdu_bench.models.specs import ComputeSpec
from vdu_bench.models.training.base_model import denoising_loss
from vdu_bench.tasks.prompts import PromptSpec

PROMPTS = PromptSpec(
    captions=CaptionSpec(subjects=("portrait", "a portrait", "a person"), phrases={"hat": ("a hat",)}),
    judged_subjects=("a portrait", "a person"),
    forget=("a person with a hat",),
    retain={"a portrait": ()},
    concept=("portrait with a hat",),
    anchor="portrait",
)
SETTINGS: dict[str, dict[str, Any]] = {
    "vdu": {"steps": 2, "batch_size": 2, "error_cap": None},  # untrained, it errs by more than the cap
    "esd": {"steps": 2, "batch_size": 2, "x_t_steps": 2},
    "finetune": {"steps": 2, "batch_size": 2},
    "gradient_ascent": {"steps": 2, "batch_size": 2},
}


def context(model: TextToImage, method: Method) -> UnlearningContext:
    weights = dict(model.denoiser.named_parameters())

    def posterior(names: Sequence[str]) -> WeightPosterior:
        mean = {name: weights[name].detach().clone() for name in names}
        return WeightPosterior(mean, {name: torch.full_like(value, 0.01) for name, value in mean.items()})

    images = torch.randint(256, (6, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    train = ImageSet(images, torch.tensor([[True]] * 4 + [[False]] * 2), ("hat",))
    no_retrain = lambda: pytest.fail("nobody asked for it")  # noqa: E731
    return UnlearningContext(model, train, "hat", "full", method.needs, 0, posterior, no_retrain, PROMPTS)


def unlearned(name: str, model: TextToImage, **settings: Any) -> dict[str, Tensor]:
    method = make_method(name, SETTINGS[name] | settings)
    return dict(method.unlearn(model, context(model, method)).denoiser.named_parameters())


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("weights", ["cross_attention", "self_attention", "all_but_cross_attention", "all"])
def test_the_selection_alone_is_copied_and_moves(name: str, weights: Any, tiny_text_to_image: TextToImage) -> None:
    base = dict(tiny_text_to_image.denoiser.named_parameters())
    before = {key: parameter.detach().clone() for key, parameter in base.items()}
    chosen = selected_parameters(tiny_text_to_image.denoiser, weights)
    after = unlearned(name, tiny_text_to_image, weights=weights)
    assert list(after) == list(base)
    for key, parameter in after.items():
        assert torch.equal(base[key], before[key])
        assert (parameter is base[key]) == (key not in chosen)
    assert any(not torch.equal(after[key], before[key]) for key in chosen)


@pytest.mark.parametrize("name", ["vdu", "esd"])
def test_gradient_checkpointing_changes_no_weight(name: str, tiny_text_to_image: TextToImage) -> None:
    plain = unlearned(name, tiny_text_to_image)
    frugal = unlearned(name, tiny_text_to_image.computing(ComputeSpec(gradient_checkpointing=True)))
    assert all(torch.equal(plain[key], frugal[key]) for key in plain)


@pytest.mark.parametrize("name", ["vdu", "esd"])
@pytest.mark.parametrize("autocast", ["bfloat16", "float16"])
def test_autocast_moves_weights_in_float32(name: str, autocast: Any, tiny_text_to_image: TextToImage) -> None:
    before = {key: p.detach().clone() for key, p in tiny_text_to_image.denoiser.named_parameters()}
    exact = unlearned(name, tiny_text_to_image)
    rounded = unlearned(name, tiny_text_to_image.computing(ComputeSpec(autocast=autocast)))

    def way(after: dict[str, Tensor]) -> Tensor:
        return torch.cat([(after[key].detach() - before[key]).flatten() for key in before])

    assert {parameter.dtype for parameter in rounded.values()} == {torch.float32}
    assert float(torch.nn.functional.cosine_similarity(way(exact), way(rounded), dim=0)) > 0.8


class Trespasser(LossMethod):
    """Trains what its settings do not name."""

    needs = ("forget_images",)

    def parameters(self, model: DiffusionModel) -> Iterable[nn.Parameter]:
        return model.denoiser.parameters()

    def loss(self, model: DiffusionModel, context: UnlearningContext) -> Tensor:
        batch = context.forget.batch(2)
        return denoising_loss(model, batch.x0, batch.condition, context.generator)


def test_a_method_cannot_train_the_base_s_own_weights(tiny_text_to_image: TextToImage) -> None:
    method = Trespasser(Trespasser.Settings(steps=1))
    with pytest.raises(ValueError, match="Trespasser.parameters gives weights that selection does not"):
        method.unlearn(tiny_text_to_image, context(tiny_text_to_image, method))
