"""Whatever kind of model lies in a folder or on the hub."""

from __future__ import annotations

import json
from pathlib import Path

from vdu_bench.errors import UserError
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.pipeline_files import pipeline_folder
from vdu_bench.models.specs import ModelKind
from vdu_bench.models.text_to_image import TextToImage
from vdu_bench.models.unconditional import UnconditionalDDPM

MODELS: dict[str, type[DiffusionModel]] = {"DDPMPipeline": UnconditionalDDPM, "StableDiffusionPipeline": TextToImage}


def load_model(source: str | Path, kind: ModelKind) -> DiffusionModel:
    """The pipeline in a folder, or of a hub id, in diffusers' layout; as float32 on the CPU.

    Raises:
        UserError: there is none, it is not of the `kind` that is needed, or a part of it cannot be read.
    """
    folder = pipeline_folder(source, [])
    try:
        found = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))["_class_name"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UserError(f"{source} is no diffusers pipeline: it has no readable model_index.json") from error
    wanted = next(name for name, model in MODELS.items() if model.kind == kind)
    if found != wanted:
        raise UserError(
            f"{source} is a {found}, and {'an' if kind[0] in 'aeiou' else 'a'} {kind} task needs a {wanted}"
        )
    return MODELS[found].load(source)
