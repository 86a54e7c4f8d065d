"""Schedulers as people leave them: their noise is taken, their sampler is not, and another noise is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from diffusers import DDPMScheduler
from elsewhere import draw, load

from vdu_bench.errors import UserError
from vdu_bench.models.files.external_files import find_external
from vdu_bench.models.pipelines.loading import load_model
from vdu_bench.models.pipelines.schedule import DISTILLED, TAKEN
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.sampling import initial_noise
from vdu_bench.models.specs import ModelRecipe, SamplerSpec

SAMPLERS: dict[str, tuple[str, dict[str, Any]]] = {
    "Karras sigmas": ("DPMSolverMultistepScheduler", {"use_karras_sigmas": True}),
    "thresholding": ("DPMSolverMultistepScheduler", {"thresholding": True, "sample_max_value": 0.1}),
    "DDPM's thresholding": ("DDPMScheduler", {"thresholding": True, "sample_max_value": 0.1}),
    "solver order": ("DPMSolverMultistepScheduler", {"solver_order": 1, "lower_order_final": False}),
    "lambda": ("DPMSolverMultistepScheduler", {"lambda_min_clipped": -1.0, "euler_at_final": True}),
    "stochastic": ("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++", "solver_type": "heun"}),
    "trailing": ("EulerDiscreteScheduler", {"timestep_spacing": "trailing", "final_sigmas_type": "sigma_min"}),
    "no clipping": ("DDIMScheduler", {"clip_sample": False, "steps_offset": 1, "set_alpha_to_one": False}),
    "clip range": ("DDIMScheduler", {"clip_sample_range": 0.1}),
    "PNDM": ("PNDMScheduler", {"skip_prk_steps": True}),
    "UniPC": ("UniPCMultistepScheduler", {"solver_order": 3, "use_exponential_sigmas": True}),
}
"""Settings of samplers, as diffusers' schedulers keep them."""


def _sampled(model: Any, name: str) -> torch.Tensor:
    prompts = ["a hat", "a person"] if model.prompted else None
    noise = initial_noise(2, model.latent_shape, 0)
    return model.freeze().sample(2, prompts, noise, SamplerSpec(name=name, steps=5, guidance_scale=3))


@pytest.mark.parametrize("settings", SAMPLERS)
def test_the_settings_of_a_saved_sampler_change_no_image(
    settings: str, tiny_model: UnconditionalDDPM, copied_pipeline: Path, tmp_path: Path
) -> None:
    tiny_model.save(tmp_path / "ddpm")
    name, changed = SAMPLERS[settings]
    latent = [(copied_pipeline, "text_to_image")] if settings in ("Karras sigmas", "no clipping") else []
    for folder, kind in ((tmp_path / "ddpm", "unconditional"), *latent):
        before = load_model(folder, kind)
        scheduler = getattr(diffusers, name).from_config(before.noise_scheduler.config, **changed)
        scheduler.save_pretrained(folder / "scheduler")
        after = load_model(folder, kind)
        for sampler in ("dpmsolver++", "ddim"):
            assert torch.equal(_sampled(after, sampler), _sampled(before, sampler))
        assert dict(after.noise_scheduler.config) == dict(before.noise_scheduler.config)
        assert torch.equal(draw(load(folder, folder, kind)[0]), draw(before))


def test_the_noise_itself_is_taken_from_every_class(tiny_model: UnconditionalDDPM, tmp_path: Path) -> None:
    tiny_model.save(tmp_path)
    for name in TAKEN:
        if name == "DPMSolverSDEScheduler" and find_spec("torchsde") is None:
            continue  # diffusers makes none without it
        scheduler = getattr(diffusers, name)(beta_schedule="scaled_linear", beta_start=0.001, beta_end=0.013)
        scheduler.save_pretrained(tmp_path / "scheduler")
        found = UnconditionalDDPM.load(tmp_path).alphas_cumprod
        expected = DDPMScheduler(beta_schedule="scaled_linear", beta_start=0.001, beta_end=0.013).alphas_cumprod
        assert torch.equal(found, expected)
    for changed in ({"prediction_type": "v_prediction", "rescale_betas_zero_snr": True}, {"trained_betas": [0.1] * 50}):
        DDPMScheduler(**changed).save_pretrained(tmp_path / "scheduler")
        model = UnconditionalDDPM.load(tmp_path)
        assert torch.equal(model.alphas_cumprod, DDPMScheduler(**changed).alphas_cumprod)
        assert model.noise_scheduler.config["prediction_type"] == changed.get("prediction_type", "epsilon")


def test_what_a_file_leaves_out_is_as_its_class_has_it(tiny_model: UnconditionalDDPM, tmp_path: Path) -> None:
    tiny_model.save(tmp_path)
    for name in ("HeunDiscreteScheduler", "DDIMScheduler"):
        (tmp_path / "scheduler" / "scheduler_config.json").write_text(json.dumps({"_class_name": name}))
        expected = getattr(diffusers, name)().alphas_cumprod
        assert torch.equal(UnconditionalDDPM.load(tmp_path).alphas_cumprod, expected)


def _set(folder: Path, file: str, **values: Any) -> None:
    content = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps(content | values))


SCHEDULER, UNET, INDEX = "scheduler/scheduler_config.json", "unet/config.json", "model_index.json"

REFUSED: dict[str, tuple[Callable[[Path], None], str]] = {
    **{
        name: (
            lambda folder, name=name: _set(folder, SCHEDULER, _class_name=name),
            f"has a {name}: its noise is not DDPM's.* taken: .*DDIMScheduler.*UniPCMultistepScheduler",
        )
        for name in (
            *("FlowMatchEulerDiscreteScheduler", "EDMEulerScheduler", "ScoreSdeVeScheduler", "KarrasVeScheduler"),
            *("CMStochasticIterativeScheduler", "IPNDMScheduler", "MyScheduler"),
        )
    },
    **{
        name: (lambda folder, name=name: _set(folder, SCHEDULER, _class_name=name), f"has a {name}: .* was distilled")
        for name in DISTILLED
    },
    "by the index": (
        lambda folder: _set(folder, INDEX, scheduler=["diffusers", "FlowMatchHeunDiscreteScheduler"]),
        "has a FlowMatchHeunDiscreteScheduler",
    ),
    "flow sigmas": (lambda folder: _set(folder, SCHEDULER, use_flow_sigmas=True), "set to flow matching"),
    "flow prediction": (lambda folder: _set(folder, SCHEDULER, prediction_type="flow_prediction"), "'flow_prediction'"),
    "continuous times": (lambda folder: _set(folder, SCHEDULER, timestep_type="continuous"), "continuous times"),
    "variance": (lambda folder: _set(folder, SCHEDULER, variance_type="learned_range"), "a variance beside the noise"),
    "variance's channels": (lambda folder: _set(folder, UNET, out_channels=2), "of 1 channels that gives 2: it predic"),
    "sigmoid betas": (lambda folder: _set(folder, SCHEDULER, beta_schedule="sigmoid"), "beta_schedule is 'sigmoid'"),
    "no size": (lambda folder: _set(folder, UNET, sample_size=None), "has sample_size null"),
    "no JSON": (lambda folder: (folder / SCHEDULER).write_text("{"), "the scheduler cannot be read"),
    "a list": (lambda folder: (folder / SCHEDULER).write_text("[]"), "no mapping"),
    "nonsense": (lambda folder: _set(folder, SCHEDULER, beta_start="low"), "the scheduler cannot be read"),
}
"""What is changed of a pipeline's configurations, and what is said then."""


@pytest.mark.parametrize("change", REFUSED)
def test_another_noise_is_refused_by_its_configuration(
    change: str, tiny_model: UnconditionalDDPM, tmp_path: Path
) -> None:
    tiny_model.save(tmp_path)
    edit, complaint = REFUSED[change]
    edit(tmp_path)
    with pytest.raises(UserError, match=complaint):
        load_model(tmp_path, "unconditional")
    if change != "nonsense":
        # Before anything is loaded: there are no weights to load.
        (tmp_path / "unet" / "diffusion_pytorch_model.safetensors").unlink()
        with pytest.raises(UserError, match=complaint):
            find_external(str(tmp_path), "unconditional")


def test_a_scheduler_without_a_name_is_refused(tiny_model: UnconditionalDDPM, tmp_path: Path) -> None:
    tiny_model.save(tmp_path)
    for file in (SCHEDULER, INDEX):
        content = json.loads((tmp_path / file).read_text())
        for key in ("_class_name", "scheduler"):
            if file == SCHEDULER or key == "scheduler":
                content.pop(key, None)
        (tmp_path / file).write_text(json.dumps(content))
    with pytest.raises(UserError, match="does not say which scheduler"):
        load_model(tmp_path, "unconditional")


def test_a_recipe_s_noise_has_no_settings_of_a_sampler(tiny_recipe: ModelRecipe) -> None:
    for name in ("clip_sample", "thresholding", "variance_type", "beta_strat"):
        with pytest.raises(ValueError, match=rf"'{name}' is no key of the noise"):
            ModelRecipe.model_validate(tiny_recipe.model_dump() | {"noise_scheduler": {name: 1}})
