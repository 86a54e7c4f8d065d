"""State dicts inside a training's state, and what is no state dict at all: unwrapped where that is plain, or named."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from elsewhere import WEIGHTS, K, draw, load
from safetensors.torch import load_file, save_file
from torch import Tensor

from vdu_bench.errors import UserError
from vdu_bench.files import what_it_is
from vdu_bench.models.pipelines.loading import load_model
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM

State = dict[str, Tensor]
OPTIMIZER = {"state": {0: {"step": torch.tensor(3.0), "exp_avg": torch.ones(2)}}, "param_groups": [{"lr": 0.1}]}


@pytest.fixture
def base(tiny_model: UnconditionalDDPM, tmp_path: Path) -> Path:
    """The folder of an unconditional base model."""
    tiny_model.save(tmp_path / "base")
    return tmp_path / "base"


@pytest.fixture
def state(base: Path) -> State:
    """A U-Net's weights, other than the base's."""
    generator = torch.Generator().manual_seed(1)
    weights = load_file(base / "unet" / f"{WEIGHTS}.safetensors")
    return {name: value + 0.1 * torch.randn(value.shape, generator=generator) for name, value in weights.items()}


def _under(prefix: str, state: State) -> State:
    return {f"{prefix}{name}": value for name, value in state.items()}


def _worse(state: State) -> State:
    return {name: value + 1 for name, value in state.items()}


PLAIN: dict[str, Callable[[State], Any]] = {
    "model and optimizer": lambda state: {"model": state, "optimizer": OPTIMIZER, "epoch": 3},
    "with a loss": lambda state: {
        "model_state_dict": state,
        "loss": torch.tensor(0.1),
        "optimizer_state_dict": OPTIMIZER,
    },
    "Lightning": lambda state: {"state_dict": _under("model.", state), "epoch": 3, "hyper_parameters": {"lr": 0.1}},
    "in parallel": lambda state: _under("module.", state),
    "compiled": lambda state: _under("_orig_mod.", state),
    "both": lambda state: {"model": _under("module._orig_mod.", state), "step": 7},
    "named": lambda state: {"unet": state},
    "list": lambda state: [_worse(_under("module.", state)), OPTIMIZER, 3, 700, state],
    "list without an average": lambda state: [_under("module.", state), OPTIMIZER, 3, 700],
}


@pytest.mark.parametrize("wrapping", PLAIN)
def test_a_training_s_state_is_unwrapped(wrapping: str, base: Path, state: State, tmp_path: Path) -> None:
    torch.save(PLAIN[wrapping](state), tmp_path / "training.pt")
    model, own = load(tmp_path / "training.pt", base, "unconditional")
    for name, value in model.denoiser.state_dict().items():
        assert torch.equal(value, state[name])
    whole = f"{len(state)} of the {len(state)} tensors of the base's U-Net are replaced (all)"
    told = {
        "list": f"{whole}, from number 4 of its list of 5 (from 0, and not number 0)",
        "list without an average": f"{whole}, from number 0 of its list of 4 (from 0)",
    }
    assert own == told.get(wrapping, whole)


REFUSED: dict[str, tuple[Callable[[State], Any], str]] = {
    "an average beside it": (
        lambda state: {"model": state, "ema": state, "optimizer": OPTIMIZER},
        "holds several networks, 'model' and 'ema': save the one that is to be judged alone",
    ),
    "an autoencoder beside it": (
        lambda state: {"vae": state, "unet": state, "step": 3},
        "weights_only=True\\)\\['unet'\\], NEW_FILE",
    ),
    "twice": (lambda state: {**state, **_under("module.", state)}, "holds weights twice"),
    "no network": (lambda _: {"optimizer": OPTIMIZER, "epoch": 3}, "holds 'optimizer', 'epoch', and none of them is"),
    "a list of nothing": (lambda _: [1, 2], "holds a list without a state dict"),
    "a number": (lambda _: 3, "holds a int, and no state dict"),
    "an autoencoder": (lambda state: _under("vae.", state), "none of the base's U-Net, such as vae"),
    "other names": (lambda state: [_under("module.down.0.", state)], "names must be those of diffusers"),
}


@pytest.mark.parametrize("content", REFUSED)
def test_what_is_not_plain_is_named(content: str, base: Path, state: State, tmp_path: Path) -> None:
    make, complaint = REFUSED[content]
    torch.save(make(state), tmp_path / "training.pt")
    with pytest.raises(UserError, match=complaint):
        load(tmp_path / "training.pt", base, "unconditional")


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
HTML = b"<!DOCTYPE html>\n<html><body>Sign in</body></html>"


@pytest.mark.parametrize("name", ["weights.pt", "weights.ckpt", "weights.safetensors", "unet.safetensors", "unet.bin"])
def test_what_a_download_left_is_named_and_not_called_a_pickle(
    name: str, base: Path, state: State, tmp_path: Path
) -> None:
    file = tmp_path / name
    if file.suffix == ".safetensors":
        save_file(state, file, metadata={"format": "pt"})
    else:
        torch.save(state, file)
    whole, place = file.read_bytes(), file
    if file.stem == "unet":
        place = base
        (base / "unet" / f"{WEIGHTS}.safetensors").unlink()
        file = base / "unet" / f"{WEIGHTS}{file.suffix}"
    for content, complaint in (
        (POINTER, "is a pointer of git-lfs.*git lfs pull"),
        (HTML, "is a web page .*download it again"),
        (b"", "is empty"),
        (whole[: len(whole) // 2], "was cut short"),
        (whole[:-1], "was cut short"),
    ):
        file.write_bytes(content)
        with pytest.raises(UserError, match=complaint) as caught:
            load(place, base, "unconditional")
        assert "weights_only" not in str(caught.value)
    file.write_bytes(whole)
    assert what_it_is(file) == ""
    assert torch.equal(
        load(place, base, "unconditional")[0].denoiser.state_dict()[next(iter(state))], next(iter(state.values()))
    )


def test_formats_under_each_other_s_names_are_told(base: Path, state: State, tmp_path: Path) -> None:
    save_file(state, tmp_path / "weights.pt")
    torch.save(state, tmp_path / "weights.safetensors")
    torch.save(state, tmp_path / "old.safetensors", _use_new_zipfile_serialization=False)
    for name, words in (
        ("weights.pt", "in the format of safetensors, under the name of a pickle: rename it to .safetensors"),
        ("weights.safetensors", "what torch.save writes, under the name of safetensors: rename it to .pt"),
        ("old.safetensors", "what torch.save writes, under the name of safetensors: rename it to .pt"),
    ):
        with pytest.raises(UserError, match=words):
            load(tmp_path / name, base, "unconditional")


def test_a_head_as_long_as_a_pickle_begins_is_none(tmp_path: Path) -> None:
    """640 bytes, which are the first two of torch's old files."""
    file = tmp_path / "weights.safetensors"
    file.write_bytes((640).to_bytes(8, "little") + b"{}".ljust(640))
    assert file.read_bytes().startswith(b"\x80\x02")
    assert what_it_is(file) == ""


def test_other_files_are_what_they_are(tmp_path: Path) -> None:
    for content in (b"not a file of weights", gzip.compress(b"x"), b"{}"):
        (tmp_path / "file").write_bytes(content)
        assert what_it_is(tmp_path / "file") == ""
    assert what_it_is(tmp_path / "nowhere") == ""
    (tmp_path / "empty.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    assert what_it_is(tmp_path / "empty.safetensors") == ""


def test_names_are_told_apart_by_their_network(tiny_pipeline: Path, tmp_path: Path) -> None:
    state = load_file(tiny_pipeline / "unet" / f"{WEIGHTS}.safetensors")
    torch.save({"model": {f"module.unet.{K}": -state[K]}}, tmp_path / "one.pt")
    model, _ = load(tmp_path / "one.pt", tiny_pipeline)
    assert torch.equal(model.denoiser.get_parameter(K), -state[K])
    assert not torch.equal(draw(model), draw(load_model(tiny_pipeline, "text_to_image")))


def test_states_without_an_end_are_refused(base: Path, tmp_path: Path) -> None:
    shared: dict[str, Any] = {"weight": torch.ones(1)}
    for _ in range(40):
        shared = {"one": shared, "two": shared}
    around: dict[str, Any] = {}
    around["again"] = around
    for name, content in {"shared": shared, "around": around, "inside": {"model": shared, "epoch": 1}}.items():
        torch.save(content, tmp_path / f"{name}.pt")
        with pytest.raises(UserError, match="mappings in mappings without an end"):
            load(tmp_path / f"{name}.pt", base, "unconditional")


def test_a_head_that_is_nested_deeply_is_one_line(base: Path, tmp_path: Path) -> None:
    head = b'{"a":' + b"[" * 100_000
    (tmp_path / "deep.safetensors").write_bytes(len(head).to_bytes(8, "little") + head)
    with pytest.raises(UserError, match=r"deep.safetensors cannot be read"):
        load(tmp_path / "deep.safetensors", base, "unconditional")


@pytest.mark.parametrize("name", ["model_index.json", "scheduler/scheduler_config.json", "unet/config.json"])
def test_configurations_that_are_nested_deeply_are_one_line(base: Path, name: str) -> None:
    (base / name).write_text('{"_class_name":' + "[" * 100_000)
    with pytest.raises(UserError, match=r"no readable|cannot be read"):
        load_model(base, "unconditional")
