"""What lies at the place of a checkpoint from elsewhere: its form, and the files that decide it. Without torch."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vdu_bench.errors import UserError
from vdu_bench.models.files.pipeline_files import (
    COMPONENTS,
    CONFIGURATIONS,
    check_pipeline,
    download,
    patterns,
    pipeline_folder,
    weights_file,
    weights_files,
)
from vdu_bench.models.specs import ModelKind

Form = Literal["pipeline", "unet", "file"]

UNETS: dict[ModelKind, str] = {"unconditional": "UNet2DModel", "text_to_image": "UNet2DConditionModel"}
"""The diffusers class of the denoiser of each kind of model."""

PICKLED = (".bin", ".pt", ".pth", ".ckpt")
SUFFIXES = (".safetensors", *PICKLED)

LORA = "pytorch_lora_weights"
"""What diffusers calls the file of a LoRA, without its suffix."""


@dataclass(frozen=True)
class ExternalFiles:
    """A model that somebody else unlearned, as it lies on disk.

    Attributes:
        source: what the user calls it: a path or a hub id.
        form: a whole ``pipeline``, a ``unet`` with its configuration, or a ``file`` of weights or a LoRA.
        place: the folder, or the file.
        read: the files that decide the model.
    """

    source: str
    form: Form
    place: Path
    read: tuple[Path, ...]

    @property
    def name(self) -> str:
        """The hub id, or the last part of the path: what it is called in a record, which is not for one machine."""
        # A link is left as it is called: the hub's cache links to files that have digests for names.
        return Path(os.path.abspath(self.source)).name if Path(self.source).exists() else self.source


def find_external(source: str, kind: ModelKind) -> ExternalFiles:
    """The form of a checkpoint and its files, downloaded where they lie on the hub; nothing is read but JSON.

    In a folder, a whole pipeline comes before a U-Net, that before a LoRA, and safetensors before what is pickled.

    Args:
        source: a folder, a file or a hub id.
        kind: of the model that is needed.

    Raises:
        UserError: there is nothing, nothing that can be used, or it is of another kind.
    """
    place = _place(source, kind)
    if place.is_file():
        if place.suffix not in SUFFIXES:
            raise UserError(f"{source} is no file of weights: they are called {', '.join(SUFFIXES)}")
        return ExternalFiles(source, "file", place, (place,))
    if (place / "model_index.json").is_file():
        check_pipeline(place, source, kind)
        weights = [file for component in COMPONENTS[kind] for file in weights_files(place, component)]
        configurations = [*CONFIGURATIONS, *(f"{component}/config.json" for component in COMPONENTS[kind])]
        found = sorted({file for pattern in configurations for file in place.glob(pattern)})
        return ExternalFiles(source, "pipeline", place, (*found, *weights))
    for folder in (place, place / "unet"):
        if weights := weights_files(folder, ""):
            _check_unet(folder, source, kind)
            return ExternalFiles(source, "unet", folder, (folder / "config.json", *weights))
    for suffix in SUFFIXES:
        if (file := place / f"{LORA}{suffix}").is_file():
            return ExternalFiles(source, "file", file, (file,))
    raise UserError(f"{source} holds {_nothing(place)}")


def _place(source: str, kind: ModelKind) -> Path:
    if Path(source).exists():
        return Path(source)
    if Path(source).suffix in SUFFIXES:
        raise UserError(f"there is no file {source}")
    folder = download(source, ["model_index.json"])
    if (folder / "model_index.json").is_file():
        # Before the weights of the wrong kind are downloaded.
        check_pipeline(folder, source, kind)
        return pipeline_folder(source, COMPONENTS[kind])
    alone = ("", "unet")
    folder = download(source, ["config.json", "unet/config.json", *_weights(alone, "safetensors")])
    if not any(weights_file(folder, component, "safetensors") for component in alone) and not _lora(folder):
        folder = download(source, _weights(alone, "bin"))
    return folder


def _weights(components: Sequence[str], form: Literal["safetensors", "bin"]) -> list[str]:
    return [f"{LORA}.{form}", *(pattern for component in components for pattern in patterns(component, form))]


def _lora(folder: Path) -> bool:
    return (folder / f"{LORA}.safetensors").is_file()


def _check_unet(folder: Path, source: str, kind: ModelKind) -> None:
    try:
        found = json.loads((folder / "config.json").read_text(encoding="utf-8"))["_class_name"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UserError(f"{source} has the weights of a network without a readable config.json of diffusers") from error
    if found != UNETS[kind]:
        raise UserError(f"{source} is a {found}, and the task's model has a {UNETS[kind]}")


def _nothing(folder: Path) -> str:
    if (folder / "adapter_config.json").is_file():
        return (
            "a LoRA in peft's own layout: save it in diffusers', by StableDiffusionPipeline.save_lora_weights("
            "DIR, unet_lora_layers=convert_state_dict_to_diffusers(get_peft_model_state_dict(unet)))"
        )
    what = (
        "neither a pipeline (model_index.json) nor a U-Net (config.json and diffusion_pytorch_model.safetensors) nor a "
        f"LoRA ({LORA}.safetensors)"
    )
    files = sorted(file.name for file in folder.glob("*") if file.suffix in SUFFIXES) if folder.is_dir() else []
    return f"{what}; a file of weights is named itself, such as {folder / files[0]}" if files else what
