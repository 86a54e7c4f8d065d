from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from vdu_bench.errors import UserError
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.posterior import checkpoints as module
from vdu_bench.models.posterior.checkpoints import checkpoint_posterior
from vdu_bench.models.selection import selected_parameters

NAME = "diffusion_pytorch_model.safetensors"


@pytest.fixture
def checkpoints(tiny_text_to_image: TextToImage, tmp_path: Path) -> list[Path]:
    """Four U-Nets with weights a little apart: one file, in half precision, in shards, and as trained."""
    generator = torch.Generator().manual_seed(0)
    folders = []
    for i in range(4):
        denoiser = tiny_text_to_image.clone().denoiser
        for parameter in denoiser.parameters():
            parameter.data.add_(0.01 * torch.randn(parameter.shape, generator=generator))
        if i == 1:
            torch.nn.Module.half(denoiser)
        folders.append(tmp_path / f"v1-{i + 1}")
        denoiser.save_pretrained(folders[-1] / "unet", max_shard_size="1MB" if i == 2 else "10GB")
    assert len(list((folders[2] / "unet").glob("*.safetensors"))) > 2
    return folders


def states(folders: list[Path]) -> list[dict[str, Tensor]]:
    return [
        {key: value for file in (folder / "unet").glob("*.safetensors") for key, value in load_file(file).items()}
        for folder in folders
    ]


@pytest.mark.parametrize("selection", ["all", "cross_attention"])
def test_streamed_moments_are_torch_s(checkpoints: list[Path], tiny_text_to_image: TextToImage, selection: Any) -> None:
    parameters = selected_parameters(tiny_text_to_image.denoiser, selection)
    posterior = checkpoint_posterior(checkpoints, parameters)
    assert list(posterior.mean) == list(posterior.std) == list(parameters)
    read = states(checkpoints)
    for name in parameters:
        stacked = torch.stack([state[name].double() for state in read])
        torch.testing.assert_close(posterior.mean[name], stacked.mean(0).float())
        torch.testing.assert_close(posterior.std[name], stacked.std(0).float(), rtol=1e-5, atol=1e-8)


def test_one_tensor_is_read_at_a_time_and_only_what_is_selected(
    checkpoints: list[Path], tiny_text_to_image: TextToImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    opened = module.safe_open

    class Watched:
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self.archive = opened(*args, **kwargs)

        def __enter__(self) -> Watched:
            self.archive.__enter__()
            return self

        def __exit__(self, *args: object) -> None:
            self.archive.__exit__(*args)

        def keys(self) -> list[str]:
            return self.archive.keys()

        def get_slice(self, name: str) -> Any:
            return self.archive.get_slice(name)

        def get_tensor(self, name: str) -> Tensor:
            read.append(name)
            return self.archive.get_tensor(name)

    monkeypatch.setattr(module, "safe_open", Watched)
    parameters = selected_parameters(tiny_text_to_image.denoiser, "cross_attention")
    checkpoint_posterior(checkpoints, parameters)
    assert read == [name for name in parameters for _ in checkpoints]


def test_the_posterior_of_one_selection_does_not_cover_another(
    checkpoints: list[Path], tiny_text_to_image: TextToImage
) -> None:
    def names(selection: Any) -> dict[str, Any]:
        return selected_parameters(tiny_text_to_image.denoiser, selection)

    posterior = checkpoint_posterior(checkpoints, names("all"))
    narrowed = posterior.only(names("cross_attention"))
    assert list(narrowed.mean) == list(narrowed.std) == list(names("cross_attention"))
    with pytest.raises(UserError, match="does not cover 35 of the weights, such as .*attn1"):
        narrowed.only(names("self_attention"))


def test_networks_that_differ_are_named(checkpoints: list[Path], tiny_text_to_image: TextToImage) -> None:
    parameters = selected_parameters(tiny_text_to_image.denoiser, "cross_attention")
    first = next(iter(parameters))
    file = checkpoints[3] / "unet" / NAME
    state = load_file(file)
    shape = list(state[first].shape)
    save_file({**state, first: torch.zeros(3, 5)}, file)
    with pytest.raises(UserError) as caught:
        checkpoint_posterior(checkpoints, parameters)
    assert str(caught.value) == f"{checkpoints[3]}: {first} is [3, 5], and must be {shape}"
    save_file({key: value for key, value in state.items() if key not in list(parameters)[:5]}, file)
    with pytest.raises(UserError, match=f"v1-4 has no weights {first}.* and 2 more: its network is another one"):
        checkpoint_posterior(checkpoints, parameters)
    # What is not asked for may differ.
    save_file({key: state[key] for key in parameters}, file)
    checkpoint_posterior(checkpoints, parameters)


def test_unusable_checkpoints_are_refused(
    checkpoints: list[Path], tiny_text_to_image: TextToImage, tmp_path: Path
) -> None:
    parameters = selected_parameters(tiny_text_to_image.denoiser, "cross_attention")
    with pytest.raises(UserError, match="at least two checkpoints, not 1"):
        checkpoint_posterior(checkpoints[:1], parameters)
    with pytest.raises(UserError, match="neither a folder nor the id"):
        checkpoint_posterior([checkpoints[0], tmp_path / "missing"], parameters)
    next((checkpoints[2] / "unet").glob("*-00002-of-*")).unlink()
    with pytest.raises(UserError, match="index.json cannot be read"):
        checkpoint_posterior(checkpoints, parameters)
    (checkpoints[1] / "unet" / NAME).write_bytes(b"no such thing")
    with pytest.raises(UserError, match=f"unet/{NAME} cannot be read"):
        checkpoint_posterior(checkpoints, parameters)
    shutil.rmtree(checkpoints[0] / "unet")
    with pytest.raises(UserError, match="no safetensors for its unet: convert it"):
        checkpoint_posterior(checkpoints, parameters)
