"""Other ways to compute give the same numbers within float32's rounding: a hundred-thousandth of the largest."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.sampling import initial_noise
from vdu_bench.models.specs import ComputeSpec, ModelRecipe, SamplerSpec
from vdu_bench.models.training.base_model import denoising_loss

ROUNDING = 1e-5
TRAINING = {"steps": 1, "learning_rate": 0.1}

WAYS = [ComputeSpec(channels_last=True), ComputeSpec(microbatch=2), ComputeSpec(channels_last=True, microbatch=2)]
NAMES = ["channels_last", "microbatch", "both"]


def slopes(model: DiffusionModel, compute: ComputeSpec, prompts: Sequence[str] | None) -> list[Tensor]:
    """The gradients of a loss of five images, and of one more evaluation in it."""
    copy = model.clone().computing(compute)
    copy.denoiser.requires_grad_(True).train()
    x0 = initial_noise(5, model.latent_shape, 1)
    loss = denoising_loss(copy, x0, model.condition(prompts), torch.Generator().manual_seed(0))
    other = copy.predict_noise(x0, torch.tensor(7), model.condition(prompts)).square().mean()
    (loss / other).backward()
    assert copy.counter.backward >= 10
    return [p.grad for p in copy.denoiser.parameters() if p.grad is not None]


def check_alike(model: DiffusionModel, compute: ComputeSpec, prompts: Sequence[str] | None) -> None:
    plain, other = (slopes(model, one, prompts) for one in (ComputeSpec(), compute))
    assert len(plain) == len(list(model.denoiser.parameters()))
    largest = max(float(one.abs().max()) for one in plain)
    for one, two in zip(plain, other, strict=True):
        torch.testing.assert_close(two, one, atol=ROUNDING * largest, rtol=ROUNDING)


@pytest.mark.parametrize("compute", WAYS, ids=NAMES)
def test_gradients_are_the_same(compute: ComputeSpec, tiny_model: UnconditionalDDPM) -> None:
    check_alike(tiny_model, compute, None)


@pytest.mark.parametrize("compute", WAYS, ids=NAMES)
def test_gradients_with_prompts_are_the_same(compute: ComputeSpec, tiny_text_to_image: TextToImage) -> None:
    check_alike(tiny_text_to_image, compute, ["a hat", "", "bangs", "a hat", "a beard"])


@pytest.fixture
def smallest() -> UnconditionalDDPM:
    """A network of one block each way, since a compiler takes minutes of more."""
    torch.compiler.reset()
    network = {"block_out_channels": [4], "layers_per_block": 1, "norm_num_groups": 2, "sample_size": 4}
    blocks = {"down_block_types": ["DownBlock2D"], "up_block_types": ["UpBlock2D"], "add_attention": False}
    recipe = {"denoiser": {**network, **blocks, "in_channels": 1, "out_channels": 1}, "training": TRAINING}
    return UnconditionalDDPM.from_recipe(ModelRecipe.model_validate(recipe)).freeze()


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile writes C++, and there is no g++")
def test_gradients_of_a_compiled_network_are_the_same(smallest: UnconditionalDDPM) -> None:
    check_alike(smallest, ComputeSpec(compile=True), None)


def test_a_copy_of_a_compiled_network_is_compiled(smallest: UnconditionalDDPM) -> None:
    names = list(smallest.denoiser.state_dict())
    copies = (smallest.clone().computing(ComputeSpec(compile=True)).clone(), smallest.clone())
    assert [copy.denoiser._compiled_call_impl is not None for copy in copies] == [True, False]
    assert list(copies[0].denoiser.state_dict()) == names


@pytest.mark.parametrize(("training", "mode"), [(True, "reduce-overhead"), (False, None)])
def test_kernels_are_recorded_while_a_base_is_trained_and_not_for_methods(
    training: bool, mode: str | None, smallest: UnconditionalDDPM, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A method may evaluate a network twice before it goes back: what was recorded would overwrite the first answer."""
    asked: list[str | None] = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda _, **options: asked.append(options.get("mode")))
    smallest.clone().computing(ComputeSpec(compile=True, cuda_graphs=True), training)
    assert asked == [mode]


def test_recorded_kernels_are_those_of_a_compiled_network() -> None:
    with pytest.raises(ValidationError, match="give compile: true too"):
        ComputeSpec(cuda_graphs=True)


def test_no_more_images_are_trained_on_at_once_than_asked_for(tiny_model: UnconditionalDDPM) -> None:
    model = tiny_model.clone().computing(ComputeSpec(microbatch=2))
    seen: list[int] = []
    model.denoiser.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    x0 = initial_noise(5, model.latent_shape, 1)
    with torch.no_grad():
        model.predict_noise(x0, torch.tensor(3))
    assert seen == [5], "nothing is kept of what is not trained"
    model.denoiser.requires_grad_(True)
    model.predict_noise(x0, torch.tensor(3)).sum().backward()
    assert seen == [5, 2, 2, 1, 1, 2, 2], "the second time for the gradients, the last part first"
    assert (model.counter.forward, model.counter.backward) == (10, 5), "as a method is counted, whatever the machine"


def test_samples_are_the_same_to_a_level(tiny_model: UnconditionalDDPM) -> None:
    noise, sampler = initial_noise(8, tiny_model.latent_shape, 0), SamplerSpec(steps=4)
    plain = tiny_model.sample(8, None, noise, sampler).int()
    last = tiny_model.clone().computing(ComputeSpec(channels_last=True)).sample(8, None, noise, sampler).int()
    assert (plain - last).abs().max() <= 1


def test_a_model_with_its_channels_last_is_saved_as_any(tiny_model: UnconditionalDDPM, tmp_path: Path) -> None:
    last = tiny_model.clone().computing(ComputeSpec(channels_last=True))
    weight = next(p for p in last.denoiser.parameters() if p.dim() == 4 and min(p.shape[:2]) > 1)
    assert weight.is_contiguous(memory_format=torch.channels_last)
    last.save(tmp_path)
    again = UnconditionalDDPM.load(tmp_path)
    pairs = zip(again.denoiser.parameters(), tiny_model.denoiser.parameters(), strict=True)
    assert all(torch.equal(one, two) for one, two in pairs)


def test_what_is_at_its_default_is_in_no_address() -> None:
    assert ComputeSpec().model_dump() == {"autocast": "off", "gradient_checkpointing": False, "vae_slicing": False}
