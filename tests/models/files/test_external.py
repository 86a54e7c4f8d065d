"""Checkpoints of every form onto a base: the same weights give the same images, and whatever does not fit is named."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel, UNet2DModel
from elsewhere import WEIGHTS, Bomb, K, draw, load, weights_of
from safetensors.torch import load_file, save_file
from torch import Tensor

from vdu_bench.errors import UserError
from vdu_bench.models.files.external_files import find_external
from vdu_bench.models.pipelines.loading import load_model
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.selection import selected_parameters
from vdu_bench.models.specs import ModelKind

KINDS: tuple[ModelKind, ...] = ("unconditional", "text_to_image")


@pytest.fixture
def bases(tiny_model: UnconditionalDDPM, tiny_pipeline: Path, tmp_path: Path) -> dict[ModelKind, Path]:
    """By kind, the folder of a base model."""
    tiny_model.save(tmp_path / "base")
    return {"unconditional": tmp_path / "base", "text_to_image": tiny_pipeline}


@pytest.fixture
def unlearned(bases: dict[ModelKind, Path], tmp_path: Path) -> dict[ModelKind, Path]:
    """By kind, a whole pipeline: the base with another U-Net."""
    folders = {}
    for kind, base in bases.items():
        model = load_model(base, kind)
        generator = torch.Generator().manual_seed(1)
        for parameter in model.denoiser.parameters():
            parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
        folders[kind] = tmp_path / f"unlearned_{kind}"
        model.save(folders[kind])
    return folders


def _only_unet(pipeline: Path, folder: Path) -> Path:
    return Path(shutil.copytree(pipeline / "unet", folder / "unet")).parent


def _pickled_unet(pipeline: Path, folder: Path) -> Path:
    unet = _only_unet(pipeline, folder) / "unet"
    torch.save(weights_of(pipeline), unet / f"{WEIGHTS}.bin")
    (unet / f"{WEIGHTS}.safetensors").unlink()
    return unet


def _sharded_unet(pipeline: Path, folder: Path) -> Path:
    cls = {"DDPMPipeline": UNet2DModel, "StableDiffusionPipeline": UNet2DConditionModel}
    name = json.loads((pipeline / "model_index.json").read_text())["_class_name"]
    cls[name].from_pretrained(pipeline / "unet").save_pretrained(folder / "shards", max_shard_size="40KB")
    assert len(list((folder / "shards").glob("*.safetensors"))) > 1
    return folder / "shards"


def _file(suffix: str, change: Callable[[dict[str, Tensor]], Any] = lambda state: state) -> Callable[..., Path]:
    def write(pipeline: Path, folder: Path) -> Path:
        file = folder / f"weights{suffix}"
        content = change(weights_of(pipeline))
        save_file(content, file) if suffix == ".safetensors" else torch.save(content, file)
        return file

    return write


def _by_module(state: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """As the first ESD code for diffusers saves: the state dict of each module, by its name in the pipeline."""
    nested: dict[str, dict[str, Tensor]] = {}
    for name, value in state.items():
        module, _, weight = f"unet.{name}".rpartition(".")
        nested.setdefault(module, {})[weight] = value
    return nested


FORMS: dict[str, Callable[[Path, Path], Path]] = {
    "pipeline": lambda pipeline, _: pipeline,
    "folder of a U-Net": lambda pipeline, folder: _only_unet(pipeline, folder) / "unet",
    "folder with a U-Net's folder": _only_unet,
    "pickled U-Net": _pickled_unet,
    "shards of a U-Net": _sharded_unet,
    "safetensors": _file(".safetensors"),
    "half precision": _file(".safetensors", lambda state: {name: value.half() for name, value in state.items()}),
    "pickled state dict": _file(".pt"),
    "Lightning's state dict": _file(".ckpt", lambda state: {"epoch": 3, "state_dict": state}),
    "module by module": _file(".pth", _by_module),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", FORMS)
def test_each_form_gives_the_whole_pipeline_s_images_to_the_bit(
    form: str, kind: ModelKind, bases: dict[ModelKind, Path], unlearned: dict[ModelKind, Path], tmp_path: Path
) -> None:
    whole = load_model(unlearned[kind], kind)
    if form == "half precision":
        for parameter in whole.denoiser.parameters():
            parameter.data = parameter.data.half().float()
    (tmp_path / "form").mkdir()
    model, own = load(FORMS[form](unlearned[kind], tmp_path / "form"), bases[kind], kind)
    images = draw(model)
    assert torch.equal(images, draw(whole))
    assert not torch.equal(images, draw(load_model(bases[kind], kind)))
    n = len(weights_of(unlearned[kind]))
    in_file = f"{n} of the {n} tensors of the base's U-Net are replaced (all)"
    assert own == {"pipeline": "a whole pipeline"}.get(form, "the U-Net" if "U-Net" in form else in_file)
    # As the store keeps it: nothing tells where it was read from.
    model.save(tmp_path / "again")
    whole.save(tmp_path / "whole")
    for file in (tmp_path / "whole").rglob("*.*"):
        assert file.read_bytes() == (tmp_path / "again" / file.relative_to(tmp_path / "whole")).read_bytes()


def test_cross_attention_alone_is_put_into_the_base(
    bases: dict[ModelKind, Path], unlearned: dict[ModelKind, Path], tmp_path: Path
) -> None:
    # As the released ESD code writes esd-x: bfloat16, the linear layers under attn2.
    changed = {name: value for name, value in weights_of(unlearned["text_to_image"]).items() if ".attn2.to_" in name}
    save_file(
        {name: value.bfloat16() for name, value in changed.items()}, tmp_path / "esd-hat-from-hat-esdx.safetensors"
    )
    model, own = load(tmp_path / "esd-hat-from-hat-esdx.safetensors", bases["text_to_image"])
    n = len(weights_of(unlearned["text_to_image"]))
    assert own == f"{len(changed)} of the {n} tensors of the base's U-Net are replaced (cross-attention)"
    base = load_model(bases["text_to_image"], "text_to_image")
    assert set(changed) == set(selected_parameters(base.denoiser, "cross_attention"))
    for name, parameter in model.denoiser.named_parameters():
        expected = changed[name].bfloat16().float() if name in changed else base.denoiser.get_parameter(name)
        assert torch.equal(parameter, expected)
    save_file({K: changed[K]}, tmp_path / "one.safetensors")
    assert load(tmp_path / "one.safetensors", bases["text_to_image"])[1].startswith(f"1 of the {n} tensors")


@pytest.mark.parametrize("name", ["weights.pt", "weights.bin", "weights.ckpt", "pytorch_lora_weights.bin", "unet"])
def test_a_pickle_that_holds_code_is_refused_and_not_run(name: str, tiny_pipeline: Path, tmp_path: Path) -> None:
    place, target = tmp_path / name, tmp_path / "exploded"
    if name == "unet":
        shutil.copytree(tiny_pipeline / "unet", place)
        (place / f"{WEIGHTS}.safetensors").unlink()
    file = place / f"{WEIGHTS}.bin" if name == "unet" else place
    torch.save({**weights_of(tiny_pipeline), "bomb": Bomb(target)}, file)
    torch.load(file, weights_only=False)
    assert target.exists(), "the trap is no trap"
    target.unlink()
    for content in (file.read_bytes(), pickle.dumps(Bomb(target), protocol=2)):
        file.write_bytes(content)
        with pytest.raises(UserError, match=rf"{file.name} cannot be read as tensors alone.* convert it"):
            load(place, tiny_pipeline)
        assert not target.exists()


@pytest.mark.parametrize("name", ["weights.pt", "weights.ckpt", "unet"])
@pytest.mark.parametrize("left", [50, 330, -5])
def test_an_old_pickle_that_was_cut_short_is_told_from_one_with_code(
    name: str, left: int, tiny_pipeline: Path, tmp_path: Path
) -> None:
    place = tmp_path / name
    if name == "unet":
        shutil.copytree(tiny_pipeline / "unet", place)
        (place / f"{WEIGHTS}.safetensors").unlink()
    file = place / f"{WEIGHTS}.bin" if name == "unet" else place
    torch.save(weights_of(tiny_pipeline), file, _use_new_zipfile_serialization=False)
    file.write_bytes(file.read_bytes()[:left])
    with pytest.raises(UserError, match="is cut short or damaged; get it again"):
        load(place, tiny_pipeline)


def test_safetensors_come_before_what_is_pickled(tiny_pipeline: Path, tmp_path: Path) -> None:
    target = tmp_path / "exploded"
    unet = _only_unet(tiny_pipeline, tmp_path / "whole") / "unet"
    (unet / f"{WEIGHTS}.bin").write_bytes(pickle.dumps(Bomb(target), protocol=2))
    load(unet, tiny_pipeline)
    (tmp_path / "lora").mkdir()
    for suffix in (".bin", ".safetensors"):
        (tmp_path / "lora" / f"pytorch_lora_weights{suffix}").write_bytes(b"0")
    assert find_external(str(tmp_path / "lora"), "text_to_image").place.suffix == ".safetensors"
    assert not target.exists()


def test_weights_that_do_not_fit_are_named(tiny_pipeline: Path, tmp_path: Path) -> None:
    whole, file = weights_of(tiny_pipeline), tmp_path / "weights.safetensors"
    n = len(whole)
    for state, complaint in (
        ({**whole, "model.x": torch.ones(1), "model.y": torch.ones(1)}, f"2 of its {n + 2} names .* such as model.x"),
        ({**whole, K: torch.ones(3)}, rf"{K} is \[3\], and in the base \[\d+, 32\]"),
        ({**whole, K: whole[K].int()}, f"{K} is of torch.int32"),
        ({}, "holds no weights"),
    ):
        save_file(state, file)
        with pytest.raises(UserError, match=complaint):
            load(file, tiny_pipeline)
    file.write_bytes(b"no such thing")
    with pytest.raises(UserError, match="cannot be read"):
        load(file, tiny_pipeline)
    for content, complaint in ((whole[K], "holds a Tensor"), ({**whole, "step": 7}, "step is a int, and no tensor")):
        torch.save(content, tmp_path / "weights.pt")
        with pytest.raises(UserError, match=complaint):
            load(tmp_path / "weights.pt", tiny_pipeline)


@pytest.mark.parametrize("form", ["pipeline", "folder with a U-Net's folder"])
def test_incomplete_networks_are_named(form: str, tiny_pipeline: Path, tmp_path: Path) -> None:
    if form == "pipeline":
        place = Path(shutil.copytree(tiny_pipeline, tmp_path / "copied"))
    else:
        place = _only_unet(tiny_pipeline, tmp_path / "copied")
    file = place / "unet" / f"{WEIGHTS}.safetensors"
    state = load_file(file)
    for change, complaint in (
        ({name: value for name, value in state.items() if name != K}, f"1 missing keys, such as {K}"),
        ({**state, "left.over": torch.ones(1)}, "1 unexpected keys, such as left.over"),
    ):
        save_file(change, file, metadata={"format": "pt"})
        with pytest.raises(UserError, match=complaint):
            load(place, tiny_pipeline)


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "inpainting": ({"in_channels": 9}, r"latents of \[9, 8, 8\], and the task's base \[4, 8, 8\]"),
    "larger": ({"sample_size": 16}, r"latents of \[4, 16, 16\], and the task's base \[4, 8, 8\]"),
    "another text encoder's": ({"cross_attention_dim": 64}, "conditions of 64, and the task's base 32"),
    "of classes": ({"num_class_embeds": 10}, "num_class_embeds 10: a denoiser that takes a class label"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_u_net_of_another_shape_is_refused(change: str, tiny_pipeline: Path, tmp_path: Path) -> None:
    changed, complaint = CHANGES[change]
    config = UNet2DConditionModel.load_config(tiny_pipeline / "unet")
    UNet2DConditionModel.from_config({**config, **changed}).save_pretrained(tmp_path / "unet")
    with pytest.raises(UserError, match=complaint):
        load(tmp_path / "unet", tiny_pipeline)


def test_a_pipeline_of_another_size_is_refused(bases: dict[ModelKind, Path], tmp_path: Path) -> None:
    for kind, base in bases.items():
        place = Path(shutil.copytree(base, tmp_path / f"larger_{kind}"))
        file = place / "unet" / "config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"sample_size": 16}))
        with pytest.raises(UserError, match="latents of .* they do not compare"):
            load(place, base, kind)


def test_another_kind_is_refused_by_its_configuration(bases: dict[ModelKind, Path]) -> None:
    for kind, other, name in (
        ("unconditional", "text_to_image", "StableDiffusionPipeline"),
        ("text_to_image", "unconditional", "DDPMPipeline"),
    ):
        with pytest.raises(UserError, match=f"is a {name}, and an? {kind} task needs a"):
            find_external(str(bases[other]), kind)
        with pytest.raises(UserError, match=r"is a UNet2D\w+, and the task's model has a UNet2D"):
            find_external(str(bases[other] / "unet"), kind)


def test_what_is_no_checkpoint_is_refused_with_what_would_be_one(tmp_path: Path, tiny_pipeline: Path) -> None:
    def find(source: Path | str) -> None:
        find_external(str(source), "text_to_image")

    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "esd.pt").write_bytes(b"")
    with pytest.raises(UserError, match=r"holds neither a pipeline .* is named itself, such as .*/esd\.pt"):
        find(tmp_path)
    with pytest.raises(UserError, match=r"no file of weights: they are called \.safetensors"):
        find(tmp_path / "notes.txt")
    with pytest.raises(UserError, match="there is no file"):
        find("nowhere/weights.safetensors")
    with pytest.raises(UserError, match="is neither a folder nor the id of a model"):
        find("./no/where")
    unet = Path(shutil.copytree(tiny_pipeline / "unet", tmp_path / "unet"))
    (unet / "config.json").unlink()
    with pytest.raises(UserError, match=r"without a readable config\.json"):
        find(unet)


def test_what_decides_a_pipeline_is_read_and_nothing_else(tiny_pipeline: Path, tmp_path: Path) -> None:
    place = Path(shutil.copytree(tiny_pipeline, tmp_path / "copied"))
    (place / "unet" / f"{WEIGHTS}.bin").write_bytes(b"")
    (place / "README.md").write_text("")
    (place / "safety_checker").mkdir()
    (place / "safety_checker" / "config.json").write_text("{}")
    files = find_external(str(place), "text_to_image")
    found = {file.relative_to(place).as_posix() for file in files.read}
    assert found == {file.relative_to(tiny_pipeline).as_posix() for file in tiny_pipeline.rglob("*") if file.is_file()}
    assert files.name == "copied"
    shards = find_external(str(_sharded_unet(tiny_pipeline, tmp_path)), "text_to_image")
    assert {file.name for file in shards.read} == {file.name for file in (tmp_path / "shards").iterdir()}


def test_the_hub_is_asked_for_what_it_may_have(
    tiny_pipeline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def serve(folder: Path) -> None:
        asked.clear()
        answer = lambda _, allow_patterns, **_facts: (asked.append(allow_patterns), str(folder))[1]  # noqa: E731
        monkeypatch.setattr("huggingface_hub.snapshot_download", answer)

    serve(tiny_pipeline)
    files = find_external("somebody/unlearned", "text_to_image")
    assert (files.form, files.name) == ("pipeline", "somebody/unlearned")
    assert asked[0] == ["model_index.json"]
    with pytest.raises(UserError, match="is a StableDiffusionPipeline"):
        find_external("somebody/unlearned", "unconditional")
    serve(_only_unet(tiny_pipeline, tmp_path / "alone"))
    assert find_external("somebody/unlearned", "text_to_image").form == "unet"
    assert not any(".bin" in pattern for patterns in asked for pattern in patterns)
    serve(_pickled_unet(tiny_pipeline, tmp_path / "pickled"))
    assert find_external("somebody/unlearned", "text_to_image").form == "unet"
    assert f"{WEIGHTS}.bin" in asked[-1]
