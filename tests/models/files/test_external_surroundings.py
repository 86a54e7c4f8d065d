"""What lies beside a checkpoint: a part of a pipeline is judged with the rest of it, and no file as more than it is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import EulerDiscreteScheduler, UNet2DConditionModel
from elsewhere import WEIGHTS, K, draw, load, weights_of
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import CLIPTextModel

from vdu_bench.errors import UserError
from vdu_bench.models.files.external_files import find_external
from vdu_bench.models.files.sameness import not_finite, unchanged
from vdu_bench.models.pipelines.loading import load_model
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM

ENCODER = "text_encoder/model.safetensors"


def _edit(file: Path, **values: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def _moved(state: dict[str, Tensor], seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {name: value + 0.1 * torch.randn(value.shape, generator=generator) for name, value in state.items()}


def _rewrite(file: Path, seed: int = 0) -> dict[str, Tensor]:
    state = _moved(load_file(file), seed)
    save_file(state, file, metadata={"format": "pt"})
    return state


def test_a_part_of_a_pipeline_is_judged_with_the_rest_of_it(tiny_pipeline: Path, copied_pipeline: Path) -> None:
    _edit(copied_pipeline / "scheduler" / "scheduler_config.json", prediction_type="v_prediction")
    _rewrite(copied_pipeline / ENCODER)
    expected = draw(load_model(copied_pipeline, "text_to_image"))
    assert not torch.equal(expected, draw(load_model(tiny_pipeline, "text_to_image")))
    unet = copied_pipeline / "unet"
    for place in (unet, copied_pipeline / "text_encoder", unet / f"{WEIGHTS}.safetensors"):
        assert torch.equal(draw(load(place, tiny_pipeline)[0]), expected), place
    assert load(unet, tiny_pipeline)[1] == "the U-Net in the pipeline that it lies in"
    n = len(load_file(unet / f"{WEIGHTS}.safetensors"))
    words = load(unet / f"{WEIGHTS}.safetensors", tiny_pipeline)[1]
    assert (
        words == f"{n} of the {n} tensors of the pipeline's U-Net are replaced (all), in the pipeline that it lies in"
    )
    # What is read decides the address.
    read = {file.name for file in find_external(str(unet), "text_to_image").read}
    assert {"scheduler_config.json", "model.safetensors", "model_index.json"} <= read
    _edit(copied_pipeline / "model_index.json", _class_name="StableDiffusion3Pipeline")
    with pytest.raises(UserError, match="is a StableDiffusion3Pipeline"):
        load(unet, tiny_pipeline)


def test_a_u_net_without_a_whole_pipeline_has_the_noise_beside_it(
    tiny_model: UnconditionalDDPM, tiny_pipeline: Path, copied_pipeline: Path, tmp_path: Path
) -> None:
    # As a training leaves it that saves no more than it trained.
    _edit(copied_pipeline / "scheduler" / "scheduler_config.json", prediction_type="v_prediction")
    expected = draw(load_model(copied_pipeline, "text_to_image"))
    shutil.rmtree(copied_pipeline / "vae")
    assert torch.equal(draw(load(copied_pipeline / "unet", tiny_pipeline)[0]), expected)
    (copied_pipeline / "model_index.json").unlink()
    assert torch.equal(draw(load(copied_pipeline, tiny_pipeline)[0]), expected)
    _edit(copied_pipeline / "scheduler" / "scheduler_config.json", _class_name="FlowMatchEulerDiscreteScheduler")
    with pytest.raises(UserError, match="its noise is not DDPM's"):
        load(copied_pipeline, tiny_pipeline)
    # One that lies flat.
    tiny_model.save(tmp_path / "base")
    unet = Path(shutil.copytree(tmp_path / "base" / "unet", tmp_path / "unet"))
    EulerDiscreteScheduler(prediction_type="v_prediction").save_pretrained(unet)
    model = load(unet / f"{WEIGHTS}.safetensors", tmp_path / "base", "unconditional")[0]
    assert model.noise_scheduler.config["prediction_type"] == "v_prediction"


def test_a_file_s_configuration_beside_it_is_compared(
    tiny_model: UnconditionalDDPM, tiny_pipeline: Path, tmp_path: Path
) -> None:
    tiny_model.save(tmp_path / "base")
    for base, kind in ((tmp_path / "base", "unconditional"), (tiny_pipeline, "text_to_image")):
        unet = Path(shutil.copytree(base / "unet", tmp_path / kind / "mine"))
        file = (unet / f"{WEIGHTS}.safetensors").rename(unet / "forgot.safetensors")
        load(file, base, kind)
        for key, value in (("flip_sin_to_cos", False), ("freq_shift", 1), ("norm_eps", 1e-3)):
            before = (unet / "config.json").read_text()
            _edit(unet / "config.json", **{key: value})
            with pytest.raises(UserError, match=f"the config.json beside it has {key} .* name the folder"):
                load(file, base, kind)
            (unet / "config.json").write_text(before)
        _edit(unet / "config.json", dropout=0.5, _name_or_path="mine", decay=0.999)
        load(file, base, kind)


def test_a_shard_is_not_taken_for_the_whole(tiny_pipeline: Path, tmp_path: Path) -> None:
    UNet2DConditionModel.from_pretrained(tiny_pipeline / "unet").save_pretrained(tmp_path, max_shard_size="400KB")
    shards = sorted(tmp_path.glob("*.safetensors"))
    assert len(shards) > 1
    for shard in shards:
        with pytest.raises(UserError, match=rf"is one shard of {len(shards)}, .*: name its folder"):
            find_external(str(shard), "text_to_image")
    expected = draw(load_model(tiny_pipeline, "text_to_image"))
    assert torch.equal(draw(load(tmp_path, tiny_pipeline)[0]), expected)
    index = tmp_path / f"{WEIGHTS}.safetensors.index.json"
    text = index.read_text().replace(shards[0].name, "first.safetensors")
    index.write_text(text)
    with pytest.raises(UserError, match="is one shard, and not the whole"):
        find_external(str(shards[0].rename(tmp_path / "first.safetensors")), "text_to_image")
    (tmp_path / "first.safetensors").unlink()
    with pytest.raises(UserError, match="cannot be read"):
        load(tmp_path, tiny_pipeline)


def test_of_two_u_nets_it_is_said_which_was_read(tiny_pipeline: Path, copied_pipeline: Path) -> None:
    average = Path(shutil.copytree(copied_pipeline / "unet", copied_pipeline / "unet_ema"))
    _rewrite(average / f"{WEIGHTS}.safetensors")
    _edit(average / "config.json", decay=0.9999, optimization_step=7)
    before = draw(load_model(tiny_pipeline, "text_to_image"))
    for place in (copied_pipeline, copied_pipeline / "unet"):
        files = find_external(str(place), "text_to_image")
        assert files.remark == "its unet was read, and not unet_ema beside it: name unet_ema to have that one"
        assert torch.equal(draw(load(place, tiny_pipeline)[0]), before)
    files = find_external(str(average), "text_to_image")
    assert files.remark == "its unet_ema was read, and not unet beside it: name unet to have that one"
    model = load(average, tiny_pipeline)[0]
    assert torch.equal(model.denoiser.get_parameter(K), load_file(average / f"{WEIGHTS}.safetensors")[K])
    assert not torch.equal(draw(model), before)


@pytest.mark.parametrize("variant", ["fp16", "non_ema"])
@pytest.mark.parametrize("suffix", ["safetensors", "bin"])
def test_a_variant_is_read_where_there_is_nothing_else(
    variant: str, suffix: str, tiny_pipeline: Path, copied_pipeline: Path
) -> None:
    stem = "pytorch_model" if suffix == "bin" else "model"
    for folder, old, new in (("unet", WEIGHTS, WEIGHTS), ("vae", WEIGHTS, WEIGHTS), ("text_encoder", "model", stem)):
        file = copied_pipeline / folder / f"{old}.safetensors"
        state = _rewrite(file)
        target = file.with_name(f"{new}.{variant}.{suffix}")
        torch.save(state, target) if suffix == "bin" else shutil.copy(file, target)
    expected = draw(load_model(copied_pipeline, "text_to_image"))
    before = draw(load_model(tiny_pipeline, "text_to_image"))
    assert not torch.equal(expected, before)
    plain = tiny_pipeline / "unet" / f"{WEIGHTS}.safetensors"
    for file in copied_pipeline.rglob("*.safetensors"):
        if file.name in (f"{WEIGHTS}.safetensors", "model.safetensors"):
            file.unlink()
    assert torch.equal(draw(load(copied_pipeline, tiny_pipeline)[0]), expected)
    # But not where there is.
    shutil.copy(plain, copied_pipeline / "unet")
    model = load(copied_pipeline / "unet", tiny_pipeline)[0]
    assert torch.equal(model.denoiser.get_parameter(K), load_file(plain)[K])


@pytest.mark.parametrize("suffix", ["safetensors", "bin"])
def test_a_variant_in_shards_is_read(suffix: str, tiny_pipeline: Path, copied_pipeline: Path) -> None:
    file = copied_pipeline / "unet" / f"{WEIGHTS}.safetensors"
    state = _rewrite(file)
    expected = draw(load_model(copied_pipeline, "text_to_image"))
    model = load_model(copied_pipeline, "text_to_image")
    file.unlink()
    # As diffusers writes them.
    safe = suffix == "safetensors"
    size = sum(value.numel() * value.element_size() for value in state.values()) // 2
    model.denoiser.save_pretrained(file.parent, variant="fp16", max_shard_size=size, safe_serialization=safe)
    assert len(list(file.parent.glob(f"{WEIGHTS}.fp16-0000*"))) > 1
    assert torch.equal(draw(load(copied_pipeline, tiny_pipeline)[0]), expected)
    read = [file.name for file in find_external(str(copied_pipeline), "text_to_image").read]
    assert f"{WEIGHTS}.{suffix}.index.fp16.json" in read
    assert sum("-of-" in name for name in read) > 1


def test_weights_that_lie_beside_and_are_not_read_are_named(tiny_pipeline: Path, copied_pipeline: Path) -> None:
    def remark(place: Path) -> str:
        return find_external(str(place), "text_to_image").remark

    assert remark(copied_pipeline) == ""
    unet = copied_pipeline / "unet"
    state = load_file(unet / f"{WEIGHTS}.safetensors")
    torch.save(_moved(state), unet / f"{WEIGHTS}.bin")
    assert remark(copied_pipeline) == f"not read, though beside it: unet/{WEIGHTS}.bin"
    save_file({"lora_unet_x": torch.ones(1)}, copied_pipeline / "pytorch_lora_weights.safetensors")
    shutil.copytree(tiny_pipeline / "unet", copied_pipeline / "ema_unet")
    assert remark(copied_pipeline) == (
        f"not read, though beside it: pytorch_lora_weights.safetensors, unet/{WEIGHTS}.bin, ema_unet"
    )
    for name in ("fp16.safetensors", "non_ema.safetensors"):
        shutil.copy(unet / f"{WEIGHTS}.safetensors", unet / f"{WEIGHTS}.{name}")
    assert remark(copied_pipeline).endswith("unet/diffusion_pytorch_model.fp16.safetensors, 2 more")
    (copied_pipeline / "model_index.json").unlink()
    assert "pytorch_lora_weights.safetensors" in remark(copied_pipeline)


def test_weights_that_are_no_numbers_are_told(tiny_pipeline: Path, tmp_path: Path) -> None:
    state = weights_of(tiny_pipeline)
    assert not_finite(load_model(tiny_pipeline, "text_to_image")) == ""
    save_file({K: state[K].index_fill(0, torch.tensor([0]), torch.nan)}, tmp_path / "broken.safetensors")
    words = not_finite(load(tmp_path / "broken.safetensors", tiny_pipeline)[0])
    assert words.startswith("1 of its ")
    assert words.endswith(f"tensors hold NaN or infinity, such as {K}")


def test_a_text_encoder_is_put_onto_the_base_alone_and_beside_a_u_net(
    tiny_pipeline: Path, copied_pipeline: Path, tmp_path: Path
) -> None:
    encoder = _rewrite(copied_pipeline / ENCODER)
    expected = draw(load_model(copied_pipeline, "text_to_image"))
    assert not torch.equal(expected, draw(load_model(tiny_pipeline, "text_to_image")))
    old = {f"text_model.{name}": value for name, value in encoder.items()}
    ids = {"text_model.embeddings.position_ids": torch.arange(12)[None]}
    n = len(encoder)
    for state in (encoder, old, {f"text_encoder.{name}": value for name, value in (old | ids).items()}):
        torch.save(state, tmp_path / "TextEncoder.pt")
        model, own = load(tmp_path / "TextEncoder.pt", tiny_pipeline)
        assert torch.equal(draw(model), expected)
        assert own == f"{n} of the {n} tensors of the base's text encoder are replaced"
    # A folder of transformers, by itself and under its name.
    alone = Path(shutil.copytree(copied_pipeline / "text_encoder", tmp_path / "nudity_unlearned"))
    under = Path(shutil.copytree(copied_pipeline / "text_encoder", tmp_path / "parts" / "text_encoder")).parent
    for place in (alone, under):
        assert find_external(str(place), "text_to_image").form == "text_encoder"
        model, own = load(place, tiny_pipeline)
        assert torch.equal(draw(model), expected)
        assert own == "the text encoder"
    # Beside a U-Net, in a folder and in a file.
    unet = _rewrite(copied_pipeline / "unet" / f"{WEIGHTS}.safetensors", 1)
    both = draw(load_model(copied_pipeline, "text_to_image"))
    shutil.copytree(copied_pipeline / "unet", under / "unet")
    assert find_external(str(under), "text_to_image").form == "parts"
    model, own = load(under, tiny_pipeline)
    assert torch.equal(draw(model), both)
    assert own == "the U-Net and the text encoder"
    names = {f"unet.{name}": value for name, value in unet.items()}
    save_file(names | {f"text_encoder.{name}": value for name, value in old.items()}, tmp_path / "both.safetensors")
    assert torch.equal(draw(load(tmp_path / "both.safetensors", tiny_pipeline)[0]), both)
    for beside in ({}, {"step": 3}, {"epoch": torch.tensor(1), "optimizer": {"state": {0: torch.ones(2)}}}):
        torch.save({"unet": unet, "text_encoder": encoder, **beside}, tmp_path / "both.pt")
        model, own = load(tmp_path / "both.pt", tiny_pipeline)
        assert torch.equal(draw(model), both)
        assert own.endswith(", from its 'unet' and 'text_encoder'") == bool(beside)


def test_parts_that_are_not_whole_are_named(copied_pipeline: Path) -> None:
    (copied_pipeline / "model_index.json").unlink()
    files = find_external(str(copied_pipeline), "text_to_image")
    assert files.form == "parts"
    assert files.remark.startswith("the vae beside it was not read")
    (copied_pipeline / ENCODER).unlink()
    with pytest.raises(UserError, match="has the configuration of its text_encoder, and not the weights"):
        find_external(str(copied_pipeline), "text_to_image")


def test_a_text_encoder_that_does_not_fit_is_named(tiny_pipeline: Path, tmp_path: Path) -> None:
    encoder = CLIPTextModel.from_pretrained(tiny_pipeline / "text_encoder")
    for key, value, complaint in (
        ("vocab_size", 99, "a vocabulary of 99"),
        ("hidden_size", 64, "embeddings of 64"),
        ("max_position_embeddings", 20, "prompts of 20"),
    ):
        config = type(encoder.config)(**{**encoder.config.to_dict(), key: value})
        CLIPTextModel(config).save_pretrained(tmp_path / key)
        with pytest.raises(UserError, match=f"has {complaint}, and the task's base"):
            load(tmp_path / key, tiny_pipeline)


def test_a_checkpoint_that_changes_nothing_is_told(tiny_pipeline: Path, tmp_path: Path) -> None:
    base = load_model(tiny_pipeline, "text_to_image")
    assert unchanged(load(tiny_pipeline, tiny_pipeline)[0], base) == (
        "it changes nothing: all of its weights are the base's"
    )
    state = weights_of(tiny_pipeline)
    for dtype in (torch.float16, torch.bfloat16):
        save_file({name: value.to(dtype) for name, value in state.items()}, tmp_path / "half.safetensors")
        words = unchanged(load(tmp_path / "half.safetensors", tiny_pipeline)[0], base)
        assert words == f"it changes nothing: its weights are the base's, rounded to {str(dtype)[6:]}"
    save_file({K: state[K] + 1e-3}, tmp_path / "one.safetensors")
    assert unchanged(load(tmp_path / "one.safetensors", tiny_pipeline)[0], base) == ""
    moved = load_model(tiny_pipeline, "text_to_image")
    assert isinstance(moved, TextToImage)
    next(moved.text_encoder.parameters()).data += 1
    assert unchanged(moved, base) == ""
    other = load_model(tiny_pipeline, "text_to_image")
    other.noise_scheduler.register_to_config(prediction_type="v_prediction")
    assert unchanged(other, base) == ""


def test_a_header_that_names_another_prediction_is_refused(tiny_pipeline: Path, tmp_path: Path) -> None:
    file, state = tmp_path / "weights.safetensors", weights_of(tiny_pipeline)
    save_file(state, file, metadata={"modelspec.prediction_type": "epsilon"})
    load(file, tiny_pipeline)
    save_file(state, file, metadata={"modelspec.prediction_type": "v"})
    with pytest.raises(UserError, match="predicts v_prediction, and the task's base predicts epsilon"):
        load(file, tiny_pipeline)
