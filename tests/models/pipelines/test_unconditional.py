from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from elsewhere import Bomb
from safetensors.torch import load_file, save_file

from vdu_bench.errors import UserError
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM


@pytest.fixture
def saved(tiny_model: UnconditionalDDPM, tmp_path: Path) -> Path:
    """The tiny model as diffusers saves it."""
    tiny_model.save(tmp_path / "saved")
    return tmp_path / "saved"


def test_it_is_the_same_after_save_and_load(saved: Path, tiny_model: UnconditionalDDPM, tmp_path: Path) -> None:
    again = UnconditionalDDPM.load(saved)
    again.save(tmp_path / "first")
    UnconditionalDDPM.load(tmp_path / "first").save(tmp_path / "second")
    pairs = zip(tiny_model.denoiser.parameters(), again.denoiser.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    # Folders are checksummed: where a model was read from may not show in them.
    for file in (tmp_path / "first").rglob("*.*"):
        assert file.read_bytes() == (tmp_path / "second" / file.relative_to(tmp_path / "first")).read_bytes()


def test_a_pickle_of_tensors_is_read_and_one_with_code_is_not_run(saved: Path, tmp_path: Path) -> None:
    safe = saved / "unet" / "diffusion_pytorch_model.safetensors"
    pickled, target = safe.with_suffix(".bin"), tmp_path / "exploded"
    state = load_file(safe)
    torch.save({**state, "bomb": Bomb(target)}, pickled)
    # With safetensors beside it, nobody looks at it.
    UnconditionalDDPM.load(saved)
    safe.unlink()
    with pytest.raises(UserError, match=r"unet/diffusion_pytorch_model.bin .* convert it .* safetensors"):
        UnconditionalDDPM.load(saved)
    assert not target.exists()
    torch.save(state, pickled)
    read = UnconditionalDDPM.load(saved).denoiser.state_dict()
    assert all(torch.equal(read[name], weight) for name, weight in state.items())


def test_what_is_missing_or_of_another_kind_is_named(saved: Path, tiny_pipeline: Path) -> None:
    with pytest.raises(UserError, match="is a StableDiffusionPipeline, and an unconditional task needs a DDPMPipeline"):
        UnconditionalDDPM.load(tiny_pipeline)
    with pytest.raises(UserError, match="is a DDPMPipeline, and a text_to_image task needs a StableDiffusionPipeline"):
        TextToImage.load(saved)
    file = saved / "unet" / "diffusion_pytorch_model.safetensors"
    state = load_file(file)
    first = min(state)
    save_file({name: weight for name, weight in state.items() if name != first}, file, {"format": "pt"})
    with pytest.raises(UserError, match=f"the unet has 1 missing keys, such as {first}"):
        UnconditionalDDPM.load(saved)
    index = saved / "model_index.json"
    index.write_text(json.dumps({}))
    with pytest.raises(UserError, match="no readable model_index.json"):
        UnconditionalDDPM.load(saved)
