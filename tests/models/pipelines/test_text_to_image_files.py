"""Text-to-image models on disk: diffusers' layout, older files, pickles, and what is refused."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import (
    DDPMPipeline,
    DDPMScheduler,
    PNDMScheduler,
    StableDiffusionPipeline,
)
from elsewhere import Bomb
from pipelines import LENGTH, parts, parts_of
from safetensors.torch import load_file, save_file
from torch import Tensor

from vdu_bench.errors import UserError
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM

WEIGHTS = {
    "unet": ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin"),
    "vae": ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin"),
    "text_encoder": ("model.safetensors", "pytorch_model.bin"),
}


def files(folder: Path) -> dict[str, str]:
    """The sha256 of every file of a folder."""
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*")
        if file.is_file()
    }


def weights(model: TextToImage) -> list[Tensor]:
    return [weight for part in parts(model) for weight in part.state_dict().values()]


def test_saved_in_the_diffusers_layout_and_loaded_again(tiny_pipeline: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)
    state = torch.get_rng_state()
    model = TextToImage.load(tiny_pipeline)
    model.save(tmp_path / "first")
    again = TextToImage.load(tmp_path / "first")
    again.save(tmp_path / "second")
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(a, b) for a, b in zip(weights(model), weights(again), strict=True))
    assert not list((tmp_path / "first").rglob("*.bin"))
    assert "local" not in (tmp_path / "first" / "tokenizer" / "tokenizer_config.json").read_text()
    # Folders are checksummed: neither where a model was read from nor how often may show in them.
    assert files(tmp_path / "first") == files(tmp_path / "second")
    for file in (tmp_path / "second").rglob("*.json"):
        assert str(tmp_path.parent) not in file.read_text()
    pipeline = StableDiffusionPipeline.from_pretrained(tmp_path / "first", safety_checker=None)
    theirs = [pipeline.unet, pipeline.vae, pipeline.text_encoder]
    for ours, other in zip(parts(model), theirs, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), other.parameters(), strict=True))


def test_what_was_asked_before_does_not_show_in_the_files(tiny_pipeline: Path, tmp_path: Path) -> None:
    """A training that goes on after its last step asks for nothing; its files must be those of one that was whole."""
    unused, used = TextToImage.load(tiny_pipeline), TextToImage.load(tiny_pipeline)
    used.condition(["a hat"])
    unused.save(tmp_path / "unused")
    used.save(tmp_path / "used")
    assert files(tmp_path / "unused") == files(tmp_path / "used")


def test_half_precision_on_disk_is_single_precision_in_memory(copied_pipeline: Path) -> None:
    StableDiffusionPipeline.from_pretrained(copied_pipeline, safety_checker=None).to(torch.float16).save_pretrained(
        copied_pipeline
    )
    model = TextToImage.load(copied_pipeline)
    assert {weight.dtype for part in parts(model) for weight in part.parameters()} == {torch.float32}


def test_the_noise_of_stable_diffusion_1_is_taken_over_and_not_its_sampler(copied_pipeline: Path) -> None:
    PNDMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        skip_prk_steps=True,
        set_alpha_to_one=False,
        steps_offset=1,
    ).save_pretrained(copied_pipeline / "scheduler")
    model = TextToImage.load(copied_pipeline)
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000).square()
    torch.testing.assert_close(model.alphas_cumprod, (1 - betas).cumprod(0))
    model.save(copied_pipeline)
    assert "set_alpha_to_one" not in TextToImage.load(copied_pipeline).noise_scheduler.config


def test_the_names_of_older_files_are_understood(copied_pipeline: Path, tiny_text_to_image: TextToImage) -> None:
    vae, text_encoder = (copied_pipeline / component / WEIGHTS[component][0] for component in ("vae", "text_encoder"))
    state = load_file(vae)
    for new, old in {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}.items():
        state = {key.replace(f"attentions.0.{new}.", f"attentions.0.{old}."): value for key, value in state.items()}
    assert set(state) != set(load_file(vae))
    save_file(state, vae, metadata={"format": "pt"})
    state = {f"text_model.{key.removeprefix('text_model.')}": value for key, value in load_file(text_encoder).items()}
    state["text_model.embeddings.position_ids"] = torch.arange(LENGTH)[None]
    save_file(state, text_encoder, metadata={"format": "pt"})
    model = TextToImage.load(copied_pipeline)
    assert all(torch.equal(a, b) for a, b in zip(weights(model), weights(tiny_text_to_image), strict=True))


def test_an_old_u_net_keeps_its_size(copied_pipeline: Path, tmp_path: Path) -> None:
    file = copied_pipeline / "unet" / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"_diffusers_version": "0.2.2"}))
    model = TextToImage.load(copied_pipeline)
    model.save(tmp_path / "again")
    assert model.latent_shape == TextToImage.load(tmp_path / "again").latent_shape == (4, 8, 8)


@pytest.mark.parametrize("component", WEIGHTS)
def test_a_pickle_that_holds_code_is_refused_and_not_run(component: str, copied_pipeline: Path, tmp_path: Path) -> None:
    safe, pickled = (copied_pipeline / component / name for name in WEIGHTS[component])
    target = tmp_path / "exploded"
    torch.save({**load_file(safe), "bomb": Bomb(target)}, pickled)
    torch.load(pickled, weights_only=False)
    assert target.exists(), "the trap is no trap"
    target.unlink()
    # With safetensors beside it, nobody looks at it.
    TextToImage.load(copied_pipeline)
    safe.unlink()
    with pytest.raises(UserError, match=rf"{component}/{pickled.name} .* convert it .* safetensors"):
        TextToImage.load(copied_pipeline)
    pickled.write_bytes(pickle.dumps(Bomb(target), protocol=2))
    with pytest.raises(UserError, match="convert it"):
        TextToImage.load(copied_pipeline)
    assert not target.exists()


@pytest.mark.parametrize("component", WEIGHTS)
def test_a_pickle_of_tensors_alone_is_read(
    component: str, copied_pipeline: Path, tiny_text_to_image: TextToImage
) -> None:
    safe, pickled = (copied_pipeline / component / name for name in WEIGHTS[component])
    torch.save(load_file(safe), pickled)
    safe.unlink()
    model = TextToImage.load(copied_pipeline)
    assert all(torch.equal(a, b) for a, b in zip(weights(model), weights(tiny_text_to_image), strict=True))


@pytest.mark.parametrize("component", WEIGHTS)
def test_damaged_and_incomplete_weights_are_refused(component: str, copied_pipeline: Path) -> None:
    file = copied_pipeline / component / WEIGHTS[component][0]
    whole = load_file(file)
    first = min(whole)
    for state, complaint in (
        ({k: v for k, v in whole.items() if k != first}, "1 missing keys"),
        ({**whole, "left.over": torch.ones(1)}, "1 unexpected keys, such as left.over"),
        ({**whole, first: torch.ones(3)}, "cannot be read|mismatched"),
    ):
        save_file(state, file, metadata={"format": "pt"})
        with pytest.raises(UserError, match=complaint):
            TextToImage.load(copied_pipeline)
    file.write_bytes(b"no such thing")
    with pytest.raises(UserError, match=f"the {component} cannot be read"):
        TextToImage.load(copied_pipeline)
    file.unlink()
    with pytest.raises(UserError, match=f"no weights for its {component}"):
        TextToImage.load(copied_pipeline)


def test_pipelines_of_another_kind_are_refused(
    tiny_model: UnconditionalDDPM, tiny_text_to_image: TextToImage, tmp_path: Path
) -> None:
    tiny_model.save(tmp_path / "ddpm")
    with pytest.raises(UserError, match="is a DDPMPipeline"):
        TextToImage.load(tmp_path / "ddpm")
    assert DDPMPipeline.from_pretrained(tmp_path / "ddpm")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no readable model_index.json"):
        TextToImage.load(tmp_path / "empty")
    with pytest.raises(UserError, match="neither a folder nor the id"):
        TextToImage.load(tmp_path / "missing")
    tiny_text_to_image.denoiser.register_to_config(in_channels=9)
    with pytest.raises(UserError, match="channels of 9"):
        TextToImage(*parts_of(tiny_text_to_image, DDPMScheduler()))


@pytest.mark.parametrize(
    ("file", "content", "complaint"),
    [
        ("tokenizer/tokenizer.json", None, "neither a tokenizer.json nor both"),
        ("tokenizer/tokenizer.json", "{", "the tokenizer cannot be read"),
        ("scheduler/scheduler_config.json", None, "the scheduler cannot be read"),
        ("unet/config.json", "{", "the unet cannot be read"),
        ("model_index.json", "{", "no readable model_index.json"),
        ("model_index.json", "[]", "no readable model_index.json"),
    ],
)
def test_missing_and_damaged_configurations_are_refused(
    copied_pipeline: Path, file: str, content: str | None, complaint: str
) -> None:
    if content is None:
        (copied_pipeline / file).unlink()
    else:
        (copied_pipeline / file).write_text(content)
    with pytest.raises(UserError, match=complaint):
        TextToImage.load(copied_pipeline)


def test_the_hub_is_asked_for_safetensors_first(
    tiny_pipeline: Path, copied_pipeline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def snapshot(folder: Path) -> Callable[..., str]:
        return lambda _, allow_patterns, **_facts: (asked.append(allow_patterns), str(folder))[1]

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot(tiny_pipeline))
    TextToImage.load("somebody/something")
    assert len(asked) == 1
    assert not any(".bin" in pattern or "safety" in pattern for pattern in asked[0])
    safe, pickled = (copied_pipeline / "vae" / name for name in WEIGHTS["vae"])
    torch.save(load_file(safe), pickled)
    safe.unlink()
    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot(copied_pipeline))
    TextToImage.load("somebody/something")
    assert [pattern.partition("/")[0] for pattern in asked[2]] == ["vae"] * 3

    def offline(*_: object, **__: object) -> str:
        raise FileNotFoundError("offline")

    monkeypatch.setattr("huggingface_hub.snapshot_download", offline)
    with pytest.raises(UserError, match="could not be had from the Hugging Face hub"):
        TextToImage.load("somebody/something")
