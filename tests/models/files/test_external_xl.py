"""Models of Stable Diffusion XL from elsewhere, in the forms in which people publish them."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from elsewhere import K, draw, load
from safetensors.torch import save_file
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

from vdu_bench.engine.weights import MODEL, save_model
from vdu_bench.errors import UserError
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.files.changed_tensors import changes
from vdu_bench.models.files.external_files import find_external
from vdu_bench.models.files.sameness import unchanged
from vdu_bench.models.pipelines.finding import find_pipeline
from vdu_bench.models.pipelines.loading import load_model

SECOND = "text_model.encoder.layers.0.mlp.fc1.weight"


@pytest.fixture
def other(copied_xl_pipeline: Path) -> Path:
    """The tiny pipeline with a second text encoder of its own."""
    folder = copied_xl_pipeline / "text_encoder_2"
    encoder = CLIPTextModelWithProjection.from_pretrained(folder)
    with torch.no_grad():
        encoder.get_parameter(SECOND).mul_(-1)
    encoder.save_pretrained(folder)
    return copied_xl_pipeline


def differs(model: DiffusionModel, base: Path) -> list[str]:
    """The networks of a model that are not the base's."""
    own, networks = load_model(base, "text_to_image").networks, model.networks
    assert set(own) == set(networks) == {"denoiser", "vae", "text_encoder", "text_encoder_2"}
    return [
        name
        for name, network in sorted(networks.items())
        if any(not torch.equal(a, b) for a, b in zip(network.parameters(), own[name].parameters(), strict=True))
    ]


def test_a_whole_pipeline(other: Path, tiny_xl_pipeline: Path) -> None:
    model, own = load(other, tiny_xl_pipeline)
    assert own == "a whole pipeline"
    assert differs(model, tiny_xl_pipeline) == ["text_encoder_2"]
    assert torch.equal(draw(model), draw(load_model(other, "text_to_image")))


def test_a_second_text_encoder_in_a_folder_of_its_own_name(other: Path, tiny_xl_pipeline: Path, tmp_path: Path) -> None:
    (tmp_path / "some").mkdir()
    shutil.copytree(other / "text_encoder_2", tmp_path / "some" / "text_encoder_2")
    model, own = load(tmp_path / "some", tiny_xl_pipeline)
    assert own == "the second text encoder"
    assert differs(model, tiny_xl_pipeline) == ["text_encoder_2"]


@pytest.mark.parametrize("name", ["text_encoder", "text_encoder_2"])
def test_a_text_encoder_alone_is_told_by_its_class(
    name: str, other: Path, tiny_xl_pipeline: Path, tmp_path: Path
) -> None:
    """Whatever its folder is called: neither is read as the other."""
    shutil.copytree(other / name, tmp_path / "mine")
    model, own = load(tmp_path / "mine", tiny_xl_pipeline)
    assert own == f"the {'second ' * (name == 'text_encoder_2')}text encoder"
    assert differs(model, tiny_xl_pipeline) == (["text_encoder_2"] if name == "text_encoder_2" else [])


def test_a_part_of_a_pipeline_brings_the_pipeline(other: Path, tiny_xl_pipeline: Path) -> None:
    model, own = load(other / "unet", tiny_xl_pipeline)
    assert own == "the U-Net in the pipeline that it lies in"
    assert differs(model, tiny_xl_pipeline) == ["text_encoder_2"]


def test_a_state_dict_of_some_weights_of_each(tiny_xl_pipeline: Path, tmp_path: Path) -> None:
    base = load_model(tiny_xl_pipeline, "text_to_image")
    networks = {"unet": base.denoiser, **{n: base.networks[n] for n in ("text_encoder", "text_encoder_2")}}
    state = {
        f"{part}.{name}": value + 1
        for part, network in networks.items()
        for name, value in network.state_dict().items()
        if name in (K, SECOND, SECOND.removeprefix("text_model."))
    }
    assert {name.split(".")[0] for name in state} == set(networks)
    save_file(state, tmp_path / "some.safetensors")
    model, own = load(tmp_path / "some.safetensors", tiny_xl_pipeline)
    assert differs(model, tiny_xl_pipeline) == ["denoiser", "text_encoder", "text_encoder_2"]
    assert "of the base's second text encoder are replaced" in own


def by_sgm(name: str) -> str:
    """A block of the U-Net as the first releases of XL count them, which kohya's scripts do too; one layer a block."""
    name = re.sub(r"down_blocks_(\d)_attentions_0", lambda m: f"input_blocks_{2 * int(m[1]) + 1}_1", name)
    name = re.sub(r"up_blocks_(\d)_attentions_(\d)", lambda m: f"output_blocks_{2 * int(m[1]) + int(m[2])}_1", name)
    return name.replace("mid_block_attentions_0", "middle_block_1")


@pytest.mark.parametrize("names", ["diffusers", "kohya", "kohya, sgm"])
def test_a_lora_is_what_diffusers_makes_of_it(tiny_xl_pipeline: Path, tmp_path: Path, names: str) -> None:
    peft = pytest.importorskip("peft", reason="the extra 'lora' is not installed")
    from diffusers.utils import convert_state_dict_to_diffusers

    pipeline = StableDiffusionXLPipeline.from_pretrained(tiny_xl_pipeline, add_watermarker=False)
    attention = ["q_proj", "k_proj", "v_proj", "out_proj"]
    layers: dict[str, Any] = {}
    plain: dict[str, Tensor] = {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        for name, short, targets in (
            ("unet", "lora_unet", ["to_k"]),
            ("text_encoder", "lora_te1_text_model", attention),
            ("text_encoder_2", "lora_te2", attention),
        ):
            network = getattr(pipeline, name)
            network.add_adapter(peft.LoraConfig(r=2, lora_alpha=2, target_modules=targets, init_lora_weights=False))
            found = peft.get_peft_model_state_dict(network)
            layers[f"{name}_lora_layers"] = convert_state_dict_to_diffusers(found)
            for key, value in found.items():
                layer, _, matrix = key.partition(".lora_")
                kind = {"A.weight": "down", "B.weight": "up"}[matrix]
                plain[f"{short}_{layer.replace('.', '_')}.lora_{kind}.weight"] = value
    file = tmp_path / "pytorch_lora_weights.safetensors"
    if names == "diffusers":
        StableDiffusionXLPipeline.save_lora_weights(tmp_path, **layers)
    else:
        assert len(plain) == sum(map(len, layers.values()))
        save_file({by_sgm(name) if "sgm" in names else name: value for name, value in plain.items()}, file)
    pipeline = StableDiffusionXLPipeline.from_pretrained(tiny_xl_pipeline, add_watermarker=False)
    pipeline.load_lora_weights(tmp_path)
    pipeline.fuse_lora()
    pipeline.unload_lora_weights()
    pipeline.save_pretrained(tmp_path / "fused")
    model, own_words = load(file, tiny_xl_pipeline)
    assert "(unet, text_encoder, text_encoder_2) is fused into the base, at scale 1" in own_words
    assert differs(model, tiny_xl_pipeline) == ["denoiser", "text_encoder", "text_encoder_2"]
    assert torch.equal(draw(model), draw(load_model(tmp_path / "fused", "text_to_image")))


def test_models_of_the_other_kind_do_not_compare(tiny_pipeline: Path, tiny_xl_pipeline: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_xl_pipeline / "text_encoder_2", tmp_path / "second")
    shutil.copytree(tiny_xl_pipeline / "unet", tmp_path / "xl" / "unet")
    shutil.copytree(tiny_pipeline / "unet", tmp_path / "sd" / "unet")
    for source, base, said in (
        (tmp_path / "second", tiny_pipeline, "has a second text encoder, and the task's base has none"),
        (tmp_path / "xl", tiny_pipeline, "has conditions of 48, and the task's base 32"),
        (tmp_path / "sd", tiny_xl_pipeline, "has conditions of 32, and the task's base 48"),
        (
            tiny_xl_pipeline,
            tiny_pipeline,
            "has a denoiser with addition_embed_type text_time, and the task's base None",
        ),
        (
            tiny_pipeline,
            tiny_xl_pipeline,
            "has a denoiser with addition_embed_type None, and the task's base text_time",
        ),
    ):
        with pytest.raises(UserError, match=said):
            load(source, base)


def test_whether_the_empty_prompt_is_zeros_makes_another_model(
    copied_xl_pipeline: Path, tiny_xl_pipeline: Path, tmp_path: Path
) -> None:
    index = copied_xl_pipeline / "model_index.json"
    index.write_text(json.dumps(json.loads(index.read_text()) | {"force_zeros_for_empty_prompt": False}))
    model, _ = load(copied_xl_pipeline, tiny_xl_pipeline)
    base = load_model(tiny_xl_pipeline, "text_to_image")
    assert not torch.equal(draw(model), draw(base))
    assert differs(model, tiny_xl_pipeline) == []
    # Though not a weight is, it is neither called the base, nor stored or exported as what differs from it.
    assert unchanged(model, base) == ""
    assert unchanged(base, load_model(tiny_xl_pipeline, "text_to_image")) != ""
    assert save_model(model, base, tmp_path) == "whole"
    assert load_model(tmp_path / MODEL, "text_to_image").settings == {"force_zeros_for_empty_prompt": False}
    with pytest.raises(UserError, match="of another make than its base"):
        changes(model, base, "it")


@pytest.mark.parametrize("network", ["text_encoder", "text_encoder_2"])
@pytest.mark.parametrize("front", ["", "text_model.", "module.text_model."])
@pytest.mark.parametrize("layers", ["", "layers.1.self_attn"])
def test_a_text_encoder_s_file_is_told_by_its_shapes(
    other: Path, tiny_xl_pipeline: Path, tmp_path: Path, network: str, front: str, layers: str
) -> None:
    """Both have layers of the same names; the published files have ``text_model.`` before them, new ones may not."""
    state = {
        f"{'' if name.startswith('text_projection') else front}{name}": value + 1
        for full, value in load_model(other, "text_to_image").networks[network].state_dict().items()
        if layers in (name := full.removeprefix("text_model."))
    }
    save_file(state, tmp_path / "model.safetensors")
    model, own = load(tmp_path / "model.safetensors", tiny_xl_pipeline)
    assert re.search(rf"^{len(state)} of the \d+ tensors of the base's {'second ' * network.endswith('2')}text", own)
    assert differs(model, tiny_xl_pipeline) == [network]


def test_weights_that_may_be_of_either_text_encoder_are_refused(tiny_xl_pipeline: Path, tmp_path: Path) -> None:
    save_file({"text_model.encoder.layers.0.mlp.fc1.bias": torch.ones(64)}, tmp_path / "bias.safetensors")
    with pytest.raises(UserError, match=r"of either text encoder: write text_encoder\. or text_encoder_2\. before"):
        load(tmp_path / "bias.safetensors", tiny_xl_pipeline)
    for name in ("text_encoder", "text_encoder_2"):
        save_file(
            {f"{name}.text_model.encoder.layers.0.mlp.fc1.bias": torch.ones(64)}, tmp_path / f"{name}.safetensors"
        )
        assert differs(load(tmp_path / f"{name}.safetensors", tiny_xl_pipeline)[0], tiny_xl_pipeline) == [name]


def test_a_pipeline_without_a_text_encoder_is_named(copied_xl_pipeline: Path, tiny_xl_pipeline: Path) -> None:
    shutil.rmtree(copied_xl_pipeline / "text_encoder")
    with pytest.raises(UserError, match="has no weights for its text_encoder"):
        load(copied_xl_pipeline, tiny_xl_pipeline)
    index = copied_xl_pipeline / "model_index.json"
    index.write_text(json.dumps(json.loads(index.read_text()) | {"text_encoder": [None, None]}))
    with pytest.raises(UserError, match=r"no whole pipeline: its model_index.json has no text_encoder \(null\)"):
        load(copied_xl_pipeline, tiny_xl_pipeline)


def test_a_second_text_encoder_of_another_projection_is_refused(tiny_xl_pipeline: Path, tmp_path: Path) -> None:
    config = CLIPTextConfig.from_pretrained(tiny_xl_pipeline / "text_encoder_2")
    config.projection_dim = 8
    CLIPTextModelWithProjection(config).save_pretrained(tmp_path / "text_encoder_2")
    with pytest.raises(UserError, match="has projections of 8, and the task's base 16"):
        load(tmp_path / "text_encoder_2", tiny_xl_pipeline)


PUBLISHED = [
    "README.md",
    "model_index.json",
    "sd_xl_base_1.0.safetensors",
    "sd_xl_offset_example-lora_1.0.safetensors",
    "scheduler/scheduler_config.json",
    "text_encoder/config.json",
    "text_encoder/flax_model.msgpack",
    "text_encoder/model.fp16.safetensors",
    "text_encoder/model.onnx",
    "text_encoder/model.safetensors",
    "text_encoder/openvino_model.bin",
    "text_encoder_2/config.json",
    "text_encoder_2/model.fp16.safetensors",
    "text_encoder_2/model.onnx_data",
    "text_encoder_2/model.safetensors",
    "text_encoder_2/openvino_model.bin",
    "tokenizer/merges.txt",
    "tokenizer/special_tokens_map.json",
    "tokenizer/tokenizer_config.json",
    "tokenizer/vocab.json",
    "tokenizer_2/merges.txt",
    "tokenizer_2/special_tokens_map.json",
    "tokenizer_2/tokenizer_config.json",
    "tokenizer_2/vocab.json",
    "unet/config.json",
    "unet/diffusion_pytorch_model.fp16.safetensors",
    "unet/diffusion_pytorch_model.safetensors",
    "unet/model.onnx_data",
    "unet/openvino_model.bin",
    "vae/config.json",
    "vae/diffusion_pytorch_model.fp16.safetensors",
    "vae/diffusion_pytorch_model.safetensors",
    "vae_1_0/config.json",
    "vae_1_0/diffusion_pytorch_model.safetensors",
    "vae_decoder/config.json",
    "vae_decoder/model.onnx",
]
"""As the published repository of Stable Diffusion XL has them."""


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("find", [find_pipeline, find_external])
def test_of_the_published_repository_what_is_read_is_fetched_and_no_more(
    copied_xl_pipeline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, find: Callable[..., Any], half: bool
) -> None:
    there = [file for file in PUBLISHED if not (half and file.endswith("model.safetensors"))]
    got: set[str] = set()

    def fetched(_: str, allow_patterns: list[str], **__: Any) -> str:
        for name in there:
            if any(fnmatch(name, pattern) for pattern in allow_patterns):
                got.add(name)
                place, own = tmp_path / "cache" / name, copied_xl_pipeline / name
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(own.read_bytes() if own.is_file() else b"")
        return str(tmp_path / "cache")

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetched)
    find("stabilityai/xl", "text_to_image")
    networks = ("text_encoder", "text_encoder_2", "unet", "vae")
    ends = ".fp16.safetensors" if half else "model.safetensors"
    weights = [name for name in there if name.startswith(tuple(f"{n}/" for n in networks)) and name.endswith(ends)]
    assert len(weights) == len(networks)
    beside = [name for name in PUBLISHED if name.startswith(("tokenizer", "scheduler/")) or name == "model_index.json"]
    assert got == {*weights, *beside, *(f"{name}/config.json" for name in networks)}
