from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import DDPMPipeline, DDPMScheduler

from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.specs import ModelRecipe


def test_add_noise_is_diffusers(tiny_model: UnconditionalDDPM) -> None:
    generator = torch.Generator().manual_seed(0)
    x0, noise = torch.randn(2, 5, 1, 8, 8, generator=generator)
    t = torch.tensor([0, 1, 500, 998, 999])
    torch.testing.assert_close(
        tiny_model.add_noise(x0, noise, t), tiny_model.noise_scheduler.add_noise(x0, noise, t), rtol=1e-5, atol=1e-6
    )


def test_every_prediction_type_gives_the_same_epsilon(tiny_model: UnconditionalDDPM, monkeypatch) -> None:
    generator = torch.Generator().manual_seed(0)
    x0, noise = torch.randn(2, 4, 1, 8, 8, generator=generator)
    t = torch.tensor([5, 100, 400, 800])
    x_t = tiny_model.add_noise(x0, noise, t)
    velocity = DDPMScheduler().get_velocity(x0, noise, t)
    # An oracle in each parametrization: whatever it predicts, the noise that comes out is the one that went in.
    for kind, output in {"epsilon": noise, "v_prediction": velocity, "sample": x0}.items():
        tiny_model.noise_scheduler = DDPMScheduler(prediction_type=kind)
        monkeypatch.setattr(tiny_model, "_call_denoiser", lambda *_, output=output: output)
        torch.testing.assert_close(tiny_model.predict_noise(x_t, t), noise, rtol=1e-3, atol=1e-3)


def test_encode_and_decode_are_inverse(tiny_model: UnconditionalDDPM) -> None:
    images = torch.arange(256, dtype=torch.uint8).reshape(4, 1, 8, 8)
    latents = tiny_model.encode(images)
    assert latents.min() == -1
    assert latents.max() == 1
    assert torch.equal(tiny_model.decode(latents), images)


def test_a_clone_is_counted_with_its_source_and_shares_no_weight(tiny_model: UnconditionalDDPM) -> None:
    twin = tiny_model.clone()
    next(twin.denoiser.parameters()).data.add_(1)
    assert not torch.equal(next(twin.denoiser.parameters()), next(tiny_model.denoiser.parameters()))
    x = torch.zeros(3, 1, 8, 8)
    twin.denoiser.requires_grad_(True)
    twin.predict_noise(x, torch.tensor([1, 2, 3])).sum().backward()
    with torch.no_grad():
        tiny_model.predict_noise(x[:2], torch.tensor([1, 2]))
    assert (tiny_model.counter.forward, tiny_model.counter.backward) == (5, 3)


def test_a_loss_of_what_is_inside_is_counted_where_it_says_so(tiny_model: UnconditionalDDPM) -> None:
    inner: list[torch.Tensor] = []
    tiny_model.denoiser.requires_grad_(True)
    tiny_model.denoiser.conv_in.register_forward_hook(lambda *given: inner.append(given[-1]))
    tiny_model.predict_noise(torch.zeros(3, 1, 8, 8), torch.tensor([1, 2, 3]))
    loss = inner[0].sum()
    tiny_model.counter.record_backward(loss, 3)
    assert tiny_model.counter.backward == 0, "not before a gradient arrives"
    loss.backward()
    assert (tiny_model.counter.forward, tiny_model.counter.backward) == (3, 3)


def test_an_unconditional_model_has_no_tokens(tiny_model: UnconditionalDDPM) -> None:
    with pytest.raises(ValueError, match="takes no prompts"):
        tiny_model.tokens(["a hat"])


def test_saved_in_the_diffusers_format_and_loaded_again(tiny_model: UnconditionalDDPM, tmp_path: Path) -> None:
    tiny_model.save(tmp_path)
    assert (tmp_path / "unet" / "diffusion_pytorch_model.safetensors").exists()
    assert not list(tmp_path.rglob("*.bin"))
    pipeline = DDPMPipeline.from_pretrained(tmp_path)
    again = UnconditionalDDPM.load(tmp_path)
    for ours, theirs, loaded in zip(
        tiny_model.denoiser.parameters(), pipeline.unet.parameters(), again.denoiser.parameters(), strict=True
    ):
        assert torch.equal(ours, theirs)
        assert torch.equal(ours, loaded)


def test_initial_weights_depend_on_the_train_seed_alone(tiny_recipe: ModelRecipe) -> None:
    def weights(recipe: ModelRecipe) -> torch.Tensor:
        return torch.cat([p.flatten() for p in UnconditionalDDPM.from_recipe(recipe).denoiser.parameters()])

    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = weights(tiny_recipe)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert torch.equal(first, weights(tiny_recipe))
    other = tiny_recipe.model_copy(update={"training": tiny_recipe.training.model_copy(update={"seed": 1})})
    assert not torch.equal(first, weights(other))


def test_the_process_is_moved_once_and_is_never_that_of_another_schedule(tiny_model: UnconditionalDDPM) -> None:
    model = tiny_model.clone()
    with torch.inference_mode():
        half = model.rounded_to(torch.bfloat16).process.alphas_cumprod
    assert half.dtype == torch.bfloat16
    assert not half.is_inference(), "autograd takes it"
    assert model.process.alphas_cumprod is half
    assert model.clone().process.alphas_cumprod is half
    assert model.rounded_to(torch.float32).process.alphas_cumprod is model.noise_scheduler.alphas_cumprod
    assert model.to("meta").process.alphas_cumprod.device.type == "meta"
    other = tiny_model.clone()
    before = other.process.alphas_cumprod
    other.noise_scheduler = DDPMScheduler(beta_schedule="squaredcos_cap_v2")
    assert torch.equal(other.process.alphas_cumprod, other.noise_scheduler.alphas_cumprod)
    assert not torch.equal(other.process.alphas_cumprod, before)
    other.noise_scheduler.alphas_cumprod = before.clone() / 2
    assert torch.equal(other.process.alphas_cumprod, before / 2)
