"""What lies at the place of a checkpoint from elsewhere: its form, and the files that decide it. Without torch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vdu_bench.errors import UserError
from vdu_bench.models.pipelines.finding import find_pipeline
from vdu_bench.models.pipelines.pipeline_files import (
    CONFIG,
    INDEX,
    SCHEDULER,
    check_pipeline,
    class_name,
    configuration_files,
    download,
    is_pipeline,
    patterns,
    weights_file,
    weights_files,
)
from vdu_bench.models.pipelines.registry import pipelines_of
from vdu_bench.models.pipelines.schedule import check_noise
from vdu_bench.models.specs import ModelKind

Form = Literal["pipeline", "unet", "file"]

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
    if is_pipeline(place):
        components = check_pipeline(place, source, kind).components
        check_noise(place, components[0], source)
        weights = [file for component in components for file in weights_files(place, component)]
        return ExternalFiles(source, "pipeline", place, (*configuration_files(place, components), *weights))
    for folder in (place, place / "unet"):
        if weights := weights_files(folder, ""):
            _check_unet(folder, source, kind)
            return ExternalFiles(source, "unet", folder, (folder / CONFIG, *weights))
    for suffix in SUFFIXES:
        if (file := place / f"{LORA}{suffix}").is_file():
            return ExternalFiles(source, "file", file, (file,))
    raise UserError(f"{source} holds {_nothing(place)}")


def _place(source: str, kind: ModelKind) -> Path:
    if Path(source).exists():
        return Path(source)
    if Path(source).suffix in SUFFIXES:
        raise UserError(f"there is no file {source}")
    folder = download(source, [INDEX])
    if (folder / INDEX).is_file():
        return find_pipeline(source, kind)
    alone = ("", "unet")
    folder = download(source, [CONFIG, SCHEDULER, f"unet/{CONFIG}", *_weights(alone, "safetensors")])
    if not any(weights_file(folder, component, "safetensors") for component in alone) and not _lora(folder):
        folder = download(source, _weights(alone, "bin"))
    return folder


def _weights(components: Sequence[str], form: Literal["safetensors", "bin"]) -> list[str]:
    return [f"{LORA}.{form}", *(pattern for component in components for pattern in patterns(component, form))]


def _lora(folder: Path) -> bool:
    return (folder / f"{LORA}.safetensors").is_file()


def _check_unet(folder: Path, source: str, kind: ModelKind) -> None:
    found = class_name(folder / CONFIG)
    if found is None:
        raise UserError(f"{source} has the weights of a network without a readable config.json of diffusers")
    if found not in (networks := [facts.network for facts in pipelines_of(kind)]):
        raise UserError(f"{source} is a {found}, and the task's model has a {' or a '.join(networks)}")


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
