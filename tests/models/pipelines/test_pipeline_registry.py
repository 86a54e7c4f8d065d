"""Pipelines by their class names: known without torch, and one more is one more class and one more entry."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import diffusers
import pytest
from diffusers import DDIMPipeline, DDIMScheduler
from elsewhere import draw, lay_flat

from vdu_bench.errors import UserError
from vdu_bench.models.pipelines.loading import check_images, load_model
from vdu_bench.models.pipelines.registry import PIPELINES, PipelineFacts, pipelines_of
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.specs import KINDS, ModelKind


class Mine(UnconditionalDDPM):
    """Somebody's own pipeline."""

    facts: ClassVar[PipelineFacts] = PipelineFacts(
        name="MyPipeline",
        conditioning="unconditional",
        network="UNet2DModel",
        components=("unet",),
        target=f"{__name__}:Mine",
    )


def test_each_class_is_the_one_of_its_entry_and_diffusers_has_it() -> None:
    for name, facts in PIPELINES.items():
        assert facts.name == name
        model = facts.model()
        assert model.facts.components == facts.components  # type: ignore[attr-defined]
        assert model.conditioning == facts.conditioning
        assert hasattr(diffusers, facts.name)
        assert hasattr(diffusers, facts.network)
    assert all(pipelines_of(kind) for kind in KINDS)


@pytest.mark.parametrize(("kind", "prompted"), [("unconditional", False), ("text_to_image", True)])
def test_a_model_says_whether_it_takes_prompts(
    kind: ModelKind, prompted: bool, tiny_model: UnconditionalDDPM, tiny_pipeline: Path, tmp_path: Path
) -> None:
    tiny_model.save(tmp_path)
    assert load_model(tiny_pipeline if prompted else tmp_path, kind).prompted is prompted


def test_one_more_pipeline_is_one_more_class_and_one_more_entry(
    tiny_model: UnconditionalDDPM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_model.save(tmp_path / "mine")
    index = tmp_path / "mine" / "model_index.json"
    index.write_text(index.read_text().replace("DDPMPipeline", "MyPipeline"))
    with pytest.raises(UserError, match="is a MyPipeline, and an unconditional task needs a DDPMPipeline or a DDIMPip"):
        load_model(tmp_path / "mine", "unconditional")
    monkeypatch.setitem(PIPELINES, "MyPipeline", Mine.facts)
    model = load_model(tmp_path / "mine", "unconditional")
    assert type(model).__name__ == "Mine"
    assert draw(model).equal(draw(tiny_model))
    tiny_model.save(tmp_path / "ddpm")
    assert type(load_model(tmp_path / "ddpm", "unconditional")) is UnconditionalDDPM
    with pytest.raises(UserError, match="is a MyPipeline, and a text_to_image task needs a StableDiffusionPipeline"):
        load_model(tmp_path / "mine", "text_to_image")
    # Without an index it is the first of those that have such a network.
    flat = lay_flat(tmp_path / "ddpm", tmp_path / "flat")
    (flat / "model_index.json").unlink()
    assert type(load_model(flat, "unconditional")) is UnconditionalDDPM


def test_pipelines_of_other_names_with_the_same_networks_are_the_same_models(
    tiny_model: UnconditionalDDPM, tiny_pipeline: Path, copied_pipeline: Path, tmp_path: Path
) -> None:
    DDIMPipeline(tiny_model.denoiser, DDIMScheduler()).save_pretrained(tmp_path / "ddim")
    assert draw(load_model(tmp_path / "ddim", "unconditional")).equal(draw(tiny_model))
    index = copied_pipeline / "model_index.json"
    index.write_text(index.read_text().replace("StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline"))
    expected = draw(load_model(tiny_pipeline, "text_to_image"))
    assert draw(load_model(copied_pipeline, "text_to_image")).equal(expected)


def test_images_of_another_shape_are_named(tiny_model: UnconditionalDDPM) -> None:
    check_images(tiny_model, (1, 8, 8), "mine")
    with pytest.raises(UserError, match=r"^mine makes images of \[1, 8, 8\], and the data are of \[3, 32, 32\]$"):
        check_images(tiny_model, (3, 32, 32), "mine")


def test_what_lies_in_a_folder_is_known_without_torch(tiny_pipeline: Path) -> None:
    code = f"""
import sys
from vdu_bench.models.files.external_files import find_external
assert find_external({str(tiny_pipeline)!r}, "text_to_image").form == "pipeline"
assert not {{"torch", "diffusers"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
