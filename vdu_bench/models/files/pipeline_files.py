"""The files of a diffusers pipeline, from a folder or from the Hugging Face hub: safetensors before all else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError

from vdu_bench.errors import UserError
from vdu_bench.models.specs import ModelKind

WeightsFormat = Literal["safetensors", "bin"]

PIPELINES: dict[ModelKind, str] = {"unconditional": "DDPMPipeline", "text_to_image": "StableDiffusionPipeline"}
"""The diffusers class of each kind of model."""

COMPONENTS: dict[ModelKind, tuple[str, ...]] = {
    "unconditional": ("unet",),
    "text_to_image": ("unet", "vae", "text_encoder"),
}
"""The parts of it that have weights."""

CONFIGURATIONS = ("model_index.json", "scheduler/*.json", "tokenizer/*.json", "tokenizer/*.txt")
"""The files beside those of the components, as glob patterns."""


def pipeline_folder(source: str | Path, components: Sequence[str]) -> Path:
    """The folder with a pipeline's configurations and the weights of `components`.

    A folder is taken as it is. From the hub (an id such as ``owner/name``) the files are downloaded to its cache: a
    pickled ``.bin`` only for a component that has no safetensors there.

    Raises:
        UserError: `source` is neither a folder nor a model on the hub that can be reached.
    """
    if Path(source).is_dir():
        return Path(source)
    wanted = [*CONFIGURATIONS, *(f"{component}/config.json" for component in components)]
    wanted += [pattern for component in components for pattern in patterns(component, "safetensors")]
    folder = download(str(source), wanted)
    pickled = [p for c in components if weights_file(folder, c, "safetensors") is None for p in patterns(c, "bin")]
    return download(str(source), pickled) if pickled else folder


def check_pipeline(folder: Path, source: str | Path, kind: ModelKind) -> None:
    """Raise UserError where a folder holds no pipeline of the kind that is needed; `source` is what a user calls it."""
    try:
        found = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))["_class_name"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UserError(f"{source} is no diffusers pipeline: it has no readable model_index.json") from error
    if found != PIPELINES[kind]:
        article = "an" if kind[0] in "aeiou" else "a"
        raise UserError(f"{source} is a {found}, and {article} {kind} task needs a {PIPELINES[kind]}")


def weights_file(folder: Path, component: str, form: WeightsFormat) -> Path | None:
    """A component's weights in one of the formats, or the JSON index of their shards; None where there is neither.

    An empty component stands for the folder itself, which is then a U-Net's.
    """
    whole = folder / component / f"{_stem(component, form)}.{form}"
    index = whole.with_name(f"{whole.name}.index.json")
    return next((file for file in (whole, index) if file.is_file()), None)


def weights_files(folder: Path, component: str) -> list[Path]:
    """The files that a component's weights are read from, with the index of their shards; empty where there is none."""
    file = weights_file(folder, component, "safetensors") or weights_file(folder, component, "bin")
    if file is None or file.suffix != ".json":
        return [] if file is None else [file]
    try:
        shards = {str(name) for name in json.loads(file.read_text(encoding="utf-8"))["weight_map"].values()}
    # A damaged index is for whoever reads the weights to complain of.
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return [file]
    return [file, *(shard for name in sorted(shards) if (shard := file.with_name(name)).is_file())]


def _stem(component: str, form: WeightsFormat) -> str:
    if component != "text_encoder":
        return "diffusion_pytorch_model"
    return "model" if form == "safetensors" else "pytorch_model"


def patterns(component: str, form: WeightsFormat) -> list[str]:
    """What a component's weights in one of the formats are called on the hub, as glob patterns."""
    stem = f"{component}/{_stem(component, form)}".lstrip("/")
    return [f"{stem}.{form}", f"{stem}.{form}.index.json", f"{stem}-*.{form}"]


def download(hub_id: str, wanted: Sequence[str]) -> Path:
    """The folder with those files of a hub id that match a pattern. Raises UserError as `pipeline_folder`."""
    try:
        return Path(snapshot_download(hub_id, allow_patterns=list(wanted)))
    except HFValidationError as error:
        raise UserError(f"{hub_id} is neither a folder nor the id of a model on the Hugging Face hub") from error
    except OSError as error:
        raise UserError(
            f"{hub_id} is not a folder, and could not be had from the Hugging Face hub ({type(error).__name__})"
        ) from error
