"""Pipelines by their class names: known without torch, and one more is one more class and one more entry."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import diffusers
import pytest
from diffusers import DDIMPipeline
from elsewhere import draw, lay_flat

from vdu_bench.errors import UserError
from vdu_bench.models.pipelines.loading import check_images, load_model
from vdu_bench.models.pipelines.registry import PIPELINES, PipelineFacts, pipelines_of
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.specs import KINDS, ModelKind


class Implicit(UnconditionalDDPM):
    """diffusers' DDIMPipeline."""

    facts: ClassVar[PipelineFacts] = PipelineFacts(
        name="DDIMPipeline",
        conditioning="unconditional",
        network="UNet2DModel",
        components=("unet",),
        target=f"{__name__}:Implicit",
    )


def test_each_class_is_the_one_of_its_entry_and_diffusers_has_it() -> None:
    for name, facts in PIPELINES.items():
        assert facts.name == name
        model = facts.model()
        assert model.facts is facts  # type: ignore[attr-defined]
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
    DDIMPipeline(tiny_model.denoiser, tiny_model.noise_scheduler).save_pretrained(tmp_path / "ddim")
    with pytest.raises(UserError, match="is a DDIMPipeline, and an unconditional task needs a DDPMPipeline$"):
        load_model(tmp_path / "ddim", "unconditional")
    monkeypatch.setitem(PIPELINES, "DDIMPipeline", Implicit.facts)
    model = load_model(tmp_path / "ddim", "unconditional")
    assert type(model).__name__ == "Implicit"
    assert draw(model).equal(draw(tiny_model))
    tiny_model.save(tmp_path / "ddpm")
    assert type(load_model(tmp_path / "ddpm", "unconditional")) is UnconditionalDDPM
    with pytest.raises(UserError, match="is a DDIMPipeline, and a text_to_image task needs a StableDiffusionPipeline"):
        load_model(tmp_path / "ddim", "text_to_image")
    # Without an index it is the first of those that have such a network.
    flat = lay_flat(tmp_path / "ddpm", tmp_path / "flat")
    (flat / "model_index.json").unlink()
    assert type(load_model(flat, "unconditional")) is UnconditionalDDPM


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
