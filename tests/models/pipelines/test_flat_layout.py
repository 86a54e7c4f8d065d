"""A DDPM whose files lie side by side, as google/ddpm-cifar10-32 has them: read like the one with subfolders."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import torch
from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel
from elsewhere import OLD_SCHEDULER, WEIGHTS, Bomb, draw, lay_flat, load, weights_of, with_old_names
from safetensors.torch import save_file

from vdu_bench.errors import UserError
from vdu_bench.models.files.external_files import find_external
from vdu_bench.models.pipelines.loading import load_model
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.posterior.checkpoints import checkpoint_posterior


@pytest.fixture
def modern(tmp_path: Path) -> Path:
    """A tiny network with the arguments of google/ddpm-cifar10-32, as diffusers saves it today."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        unet = UNet2DModel(
            sample_size=8,
            in_channels=3,
            out_channels=3,
            block_out_channels=(8, 16),
            layers_per_block=1,
            down_block_types=("DownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "UpBlock2D"),
            attention_head_dim=None,
            downsample_padding=0,
            flip_sin_to_cos=False,
            freq_shift=1,
            norm_eps=1e-6,
            norm_num_groups=4,
        )
        for parameter in unet.parameters():
            parameter.data += 0.1 * torch.randn(parameter.shape)
    scheduler = DDPMScheduler(variance_type="fixed_large")
    DDPMPipeline(unet, scheduler).save_pretrained(tmp_path / "modern")
    return tmp_path / "modern"


@pytest.fixture
def flat(modern: Path, tmp_path: Path) -> Path:
    """The same as it was laid out, named and pickled in 2022."""
    return lay_flat(modern, tmp_path / "flat")


def test_the_old_files_are_old(modern: Path, flat: Path) -> None:
    state = torch.load(flat / f"{WEIGHTS}.bin", weights_only=True)
    assert {"mid_block.attentions.0.query.weight", "mid_block.attentions.0.proj_attn.bias"} <= set(state)
    assert not set(state) & {name for name in weights_of(modern) if "attentions" in name and "to_" in name}
    assert [path.name for path in sorted(flat.iterdir())] == [
        "config.json",
        f"{WEIGHTS}.bin",
        "model_index.json",
        "scheduler_config.json",
    ]


def test_its_samples_are_those_of_the_modern_layout_to_the_bit(modern: Path, flat: Path, tmp_path: Path) -> None:
    model, same = load_model(flat, "unconditional"), load_model(modern, "unconditional")
    assert type(model) is UnconditionalDDPM
    assert torch.equal(draw(model), draw(same))
    assert torch.equal(model.alphas_cumprod, same.alphas_cumprod)
    # And diffusers reads the same weights.
    theirs = DDPMPipeline.from_pretrained(flat).unet.state_dict()
    assert all(torch.equal(weight, theirs[name]) for name, weight in model.denoiser.state_dict().items())
    # What is saved has the modern layout, names and format, and is the same again.
    model.save(tmp_path / "saved")
    assert not list(tmp_path.glob("saved/*.bin"))
    assert weights_of(tmp_path / "saved").keys() == weights_of(modern).keys()
    assert torch.equal(draw(load_model(tmp_path / "saved", "unconditional")), draw(same))


@pytest.mark.parametrize("form", ["no index", "safetensors", "a subfolder for the schedule", "another sampler"])
def test_what_may_differ(form: str, modern: Path, flat: Path) -> None:
    if form == "no index":
        (flat / "model_index.json").unlink()
    elif form == "safetensors":
        save_file(with_old_names(weights_of(modern)), flat / f"{WEIGHTS}.safetensors", metadata={"format": "pt"})
        (flat / f"{WEIGHTS}.bin").write_bytes(b"nobody looks at it")
    elif form == "a subfolder for the schedule":
        (flat / "scheduler").mkdir()
        (flat / "scheduler_config.json").rename(flat / "scheduler" / "scheduler_config.json")
    else:
        (flat / "scheduler_config.json").write_text(json.dumps({**OLD_SCHEDULER, "_class_name": "PNDMScheduler"}))
    assert torch.equal(draw(load_model(flat, "unconditional")), draw(load_model(modern, "unconditional")))


def test_a_network_that_predicts_clean_images_is_taken_for_one(flat: Path, tmp_path: Path) -> None:
    """Before 0.10 diffusers wrote predict_epsilon, which it ignores today."""
    (flat / "scheduler_config.json").write_text(json.dumps({**OLD_SCHEDULER, "predict_epsilon": True}))
    assert load_model(flat, "unconditional").noise_scheduler.config["prediction_type"] == "epsilon"
    (flat / "scheduler_config.json").write_text(json.dumps({**OLD_SCHEDULER, "predict_epsilon": False}))
    model = load_model(flat, "unconditional")
    assert model.noise_scheduler.config["prediction_type"] == "sample"
    model.save(tmp_path / "saved")
    again = load_model(tmp_path / "saved", "unconditional")
    assert again.noise_scheduler.config["prediction_type"] == "sample"
    assert torch.equal(draw(model), draw(again))


def test_a_pickle_that_holds_code_is_refused_and_not_run(flat: Path, tmp_path: Path) -> None:
    target = tmp_path / "exploded"
    for content in (Bomb(target), {"bomb": Bomb(target)}):
        (flat / f"{WEIGHTS}.bin").write_bytes(pickle.dumps(content, protocol=2))
        with pytest.raises(UserError, match=rf"flat: {WEIGHTS}.bin cannot be read as tensors alone"):
            load_model(flat, "unconditional")
    assert not target.exists()


def test_what_is_missing_is_named(flat: Path) -> None:
    for name, words in (
        (f"{WEIGHTS}.bin", "no weights for its unet"),
        ("scheduler_config.json", "the scheduler cannot be read"),
        ("model_index.json", r"no diffusers pipeline: it has no readable model_index\.json"),
    ):
        (flat / name).unlink()
        with pytest.raises(UserError, match=words):
            load_model(flat, "unconditional")


def test_it_is_of_its_kind_with_and_without_an_index(flat: Path, tiny_pipeline: Path) -> None:
    for _ in range(2):
        with pytest.raises(UserError, match="is a DDPMPipeline, and a text_to_image task needs a StableDiffusionPipe"):
            load_model(flat, "text_to_image")
        with pytest.raises(UserError, match="is a DDPMPipeline, and a text_to_image task"):
            load(flat, tiny_pipeline)
        (flat / "model_index.json").unlink(missing_ok=True)


@pytest.mark.parametrize("index", [True, False])
def test_a_checkpoint_of_this_layout_is_a_whole_pipeline(index: bool, modern: Path, flat: Path) -> None:
    if not index:
        (flat / "model_index.json").unlink()
    (flat / "README.md").write_text("")
    files = find_external(str(flat), "unconditional")
    names = {"config.json", "scheduler_config.json", f"{WEIGHTS}.bin", *(["model_index.json"] if index else [])}
    assert (files.form, {file.name for file in files.read}) == ("pipeline", names)
    model, own = load(flat, modern, "unconditional")
    assert own == "a whole pipeline"
    assert torch.equal(draw(model), draw(load_model(modern, "unconditional")))


def test_weights_of_old_names_alone_go_onto_a_base(modern: Path, flat: Path) -> None:
    model, own = load(flat / f"{WEIGHTS}.bin", modern, "unconditional")
    n = len(weights_of(modern))
    assert own == f"{n} of the {n} tensors of the base's U-Net are replaced (all)"
    assert torch.equal(draw(model), draw(load_model(modern, "unconditional")))


def test_checkpoints_of_both_layouts_make_a_posterior(modern: Path, flat: Path) -> None:
    state = weights_of(modern)
    moved = {name: value + 2 for name, value in state.items()}
    save_file(with_old_names(moved), flat / f"{WEIGHTS}.safetensors", metadata={"format": "pt"})
    posterior = checkpoint_posterior([modern, flat], state)
    for name, value in state.items():
        torch.testing.assert_close(posterior.mean[name], value + 1)
        torch.testing.assert_close(posterior.std[name], torch.full_like(value, 2**0.5))


def test_the_hub_is_asked_for_both_places_and_for_a_pickle_last(
    modern: Path, flat: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def serve(folder: Path) -> None:
        asked.clear()
        monkeypatch.setattr(
            "huggingface_hub.snapshot_download",
            lambda _, allow_patterns, **_facts: (asked.extend(allow_patterns), str(folder))[1],
        )

    serve(flat)
    model = load_model("google/ddpm-cifar10-32", "unconditional")
    assert {"config.json", "scheduler_config.json", f"{WEIGHTS}.safetensors", f"{WEIGHTS}.bin"} <= set(asked)
    assert asked.index(f"{WEIGHTS}.safetensors") < asked.index(f"{WEIGHTS}.bin")
    assert torch.equal(draw(model), draw(load_model(modern, "unconditional")))
    assert find_external("google/ddpm-cifar10-32", "unconditional").form == "pipeline"
    (flat / "model_index.json").unlink()
    assert find_external("google/ddpm-cifar10-32", "unconditional").form == "pipeline"
    serve(modern)
    load_model("somebody/ddpm", "unconditional")
    assert not [pattern for pattern in asked if ".bin" in pattern]
