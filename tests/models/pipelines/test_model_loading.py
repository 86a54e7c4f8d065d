from __future__ import annotations

from pathlib import Path

import pytest
import torch

from vdu_bench.errors import UserError
from vdu_bench.models.pipelines.loading import load_model
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.specs import ModelKind


@pytest.fixture
def folders(tiny_model: UnconditionalDDPM, tiny_pipeline: Path, tmp_path: Path) -> dict[str, Path]:
    tiny_model.save(tmp_path / "ddpm")
    return {"unconditional": tmp_path / "ddpm", "text_to_image": tiny_pipeline}


@pytest.mark.parametrize(("kind", "cls"), [("unconditional", UnconditionalDDPM), ("text_to_image", TextToImage)])
def test_what_is_asked_for_is_loaded_as_float32(folders: dict[str, Path], kind: ModelKind, cls: type) -> None:
    model = load_model(folders[kind], kind)
    assert type(model) is cls
    assert (model.device.type, model.dtype) == ("cpu", torch.float32)


@pytest.mark.parametrize(
    ("kind", "other", "words"),
    [
        ("unconditional", "text_to_image", "is a StableDiffusionPipeline, and an unconditional task needs a DDPMPipe"),
        ("text_to_image", "unconditional", "is a DDPMPipeline, and a text_to_image task needs a StableDiffusionPipe"),
    ],
)
def test_the_other_kind_is_refused(folders: dict[str, Path], kind: ModelKind, other: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        load_model(folders[other], kind)


@pytest.mark.parametrize("content", [None, "{", "[]", "{}"])
def test_what_is_no_pipeline_is_said_to_be_none(folders: dict[str, Path], content: str | None) -> None:
    index = folders["unconditional"] / "model_index.json"
    index.unlink() if content is None else index.write_text(content)
    with pytest.raises(UserError, match="is no diffusers pipeline: it has no readable model_index.json"):
        load_model(folders["unconditional"], "unconditional")


def test_neither_a_folder_nor_an_id_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="neither a folder nor the id"):
        load_model(tmp_path / "missing", "unconditional")
