"""What a digest is over is what is read: nothing beside those files takes their place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from pipelines import parts
from safetensors.torch import load_file, save_file
from transformers.utils import is_peft_available

from vdu_bench.errors import UserError
from vdu_bench.models.files.external_files import find_external
from vdu_bench.models.pipelines.pipeline_files import weights_files
from vdu_bench.models.pipelines.text_to_image import TextToImage

U_NET = "diffusion_pytorch_model.safetensors"


def _other(file: Path, called: str) -> dict[str, torch.Tensor]:
    """Weights that are all 1 more, saved beside a file."""
    state = {name: value + 1 for name, value in load_file(file).items()}
    save_file(state, file.with_name(called), metadata={"format": "pt"})
    return state


def _index(file: Path, shard: str) -> None:
    names = dict.fromkeys(load_file(file), shard)
    file.with_name(f"{file.name}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": names}))


def _configure(folder: Path, **keys: Any) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | keys))


def test_an_index_beside_the_whole_file_is_refused(copied_pipeline: Path) -> None:
    file = copied_pipeline / "unet" / U_NET
    _other(file, "zz.safetensors")
    _index(file, "zz.safetensors")
    with pytest.raises(UserError, match="has an index of shards beside it"):
        find_external(str(copied_pipeline), "text_to_image")
    with pytest.raises(UserError, match="has an index of shards beside it"):
        TextToImage.load(copied_pipeline)


@pytest.mark.parametrize("name", ["../zz.safetensors", "/zz.safetensors", "..", "a/b.safetensors", "a\\b.safetensors"])
def test_shards_lie_beside_their_index(copied_pipeline: Path, name: str) -> None:
    file = copied_pipeline / "unet" / U_NET
    _index(file, name)
    file.unlink()
    with pytest.raises(UserError, match="shards lie beside their index"):
        weights_files(copied_pipeline, "unet")


@pytest.mark.parametrize("key", ["transformers_weights", "quantization_config", "_attn_implementation"])
@pytest.mark.parametrize("component", ["text_encoder", "unet"])
def test_configurations_that_name_something_else_are_refused(copied_pipeline: Path, component: str, key: str) -> None:
    _configure(copied_pipeline / component, **{key: None})
    TextToImage.load(copied_pipeline)
    _other(copied_pipeline / "text_encoder" / "model.safetensors", "evil.safetensors")
    _configure(copied_pipeline / component, **{key: "evil.safetensors"})
    with pytest.raises(UserError, match=f"{component}/config.json has {key}, which is not taken"):
        TextToImage.load(copied_pipeline)
    _configure(copied_pipeline / component, **{key: None, "text_config": {key: "evil.safetensors"}})
    with pytest.raises(UserError, match=f"has {key}"):
        TextToImage.load(copied_pipeline)


@pytest.mark.skipif(not is_peft_available(), reason="needs peft, which would put the adapter on")
def test_an_adapter_beside_a_text_encoder_is_not_put_on(copied_pipeline: Path, tiny_text_to_image: TextToImage) -> None:
    from peft import LoraConfig, get_peft_model

    clean = find_external(str(copied_pipeline), "text_to_image").digest()
    encoder = TextToImage.load(copied_pipeline).text_encoder
    adapted = get_peft_model(encoder, LoraConfig(target_modules=["q_proj"], init_lora_weights=False))
    adapted.save_pretrained(copied_pipeline / "text_encoder")
    assert (copied_pipeline / "text_encoder" / "adapter_config.json").is_file()
    assert find_external(str(copied_pipeline), "text_to_image").digest() == clean
    found = TextToImage.load(copied_pipeline)
    for ours, theirs in zip(parts(found), parts(tiny_text_to_image), strict=True):
        assert ours.state_dict().keys() == theirs.state_dict().keys()
        assert all(torch.equal(ours.state_dict()[name], value) for name, value in theirs.state_dict().items())


def test_weights_that_are_links_are_read(copied_pipeline: Path) -> None:
    """As in the cache of the hub, where a link leads from a snapshot to a file that its digest names."""
    file = copied_pipeline / "unet" / U_NET
    file.rename(copied_pipeline / "blob")
    file.symlink_to(Path("..") / "blob")
    TextToImage.load(copied_pipeline)
