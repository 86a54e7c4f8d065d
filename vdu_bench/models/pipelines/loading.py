"""Whatever kind of model lies in a folder or on the hub."""

from __future__ import annotations

from pathlib import Path

from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.files.pipeline_files import check_pipeline, pipeline_folder
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.specs import ModelKind

MODELS: dict[ModelKind, type[DiffusionModel]] = {model.kind: model for model in (UnconditionalDDPM, TextToImage)}


def load_model(source: str | Path, kind: ModelKind) -> DiffusionModel:
    """The pipeline in a folder, or of a hub id, in diffusers' layout; as float32 on the CPU.

    Raises:
        UserError: there is none, it is not of the `kind` that is needed, or a part of it cannot be read.
    """
    # Before the weights of the wrong kind are downloaded.
    check_pipeline(pipeline_folder(source, []), source, kind)
    return MODELS[kind].load(source)
