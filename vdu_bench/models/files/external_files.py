"""What lies at the place of a checkpoint from elsewhere: its form, and the files that decide it. Without torch."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from vdu_bench.errors import UserError
from vdu_bench.files import PICKLED, digest_of_file, what_it_is
from vdu_bench.models.pipelines.finding import find_pipeline
from vdu_bench.models.pipelines.pipeline_files import (
    CONFIG,
    INDEX,
    SCHEDULER,
    SHARD,
    check_pipeline,
    check_whole,
    class_name,
    component_file,
    configuration_files,
    download,
    is_pipeline,
    patterns,
    variant_patterns,
    weights_file,
    weights_files,
)
from vdu_bench.models.pipelines.registry import pipelines_of
from vdu_bench.models.pipelines.schedule import check_denoiser, check_noise, scheduler_config
from vdu_bench.models.specs import ModelKind, takes_prompts
from vdu_bench.plain_json import parsed
from vdu_bench.spec import digest_of

Form = Literal["pipeline", "unet", "text_encoder", "parts", "file"]

SUFFIXES = (".safetensors", *PICKLED)

LORAS = ("pytorch_lora_weights", "adapter_model")
"""What diffusers and peft call the file of a LoRA, without its suffix."""

SHOWN = 3
"""So many names of files that were not read are told."""

NETWORKS = ("unet", "text_encoder", "text_encoder_2")
"""The components that may come without the rest of a pipeline."""


@dataclass(frozen=True)
class ExternalFiles:
    """A model that somebody else unlearned, as it lies on disk.

    Attributes:
        source: what the user calls it: a path or a hub id.
        form: a whole ``pipeline``; a ``unet``, a ``text_encoder`` or both (``parts``) with their configurations; or a
            ``file`` of weights or a LoRA.
        place: the folder, or the file.
        read: the files that decide the model.
        parts: by component, the folder of a network that is put into the pipeline, or onto the base.
        around: the pipeline that the other parts are of, where they are not the base's.
        noise: the folder with the noise schedule of a network that lies in no whole pipeline; None where none is there.
        remark: what lies beside it and was not read, in words.
    """

    source: str
    form: Form
    place: Path
    read: tuple[Path, ...]
    parts: dict[str, Path] = field(default_factory=dict)
    around: Path | None = None
    noise: Path | None = None
    remark: str = ""

    @property
    def name(self) -> str:
        """The hub id, or the last part of the path: what it is called in a record, which is not for one machine."""
        # A link is left as it is called: the hub's cache links to files that have digests for names.
        return Path(os.path.abspath(self.source)).name if Path(self.source).exists() else self.source

    def digest(self) -> str:
        """sha256 of the file that is read; of several, over their places and sha256."""
        if len(self.read) == 1:
            return digest_of_file(self.read[0])
        folder = self.place if self.place.is_dir() else self.place.parent
        return digest_of({Path(os.path.relpath(file, folder)).as_posix(): digest_of_file(file) for file in self.read})


def find_external(source: str, kind: ModelKind) -> ExternalFiles:
    """The form of a checkpoint and its files, downloaded where they lie on the hub; nothing is read but JSON.

    In a folder, a whole pipeline comes before its parts, these before a LoRA, and safetensors before what is pickled.
    Where a part of a whole pipeline is named, the rest of that pipeline goes with it.

    Args:
        source: a folder, a file or a hub id.
        kind: of the model that is needed.

    Raises:
        UserError: there is nothing, nothing that can be used, or it is of another kind.
    """
    place = _place(source, kind)
    if place.is_file():
        return _file(place, source, kind)
    if is_pipeline(place):
        read, components = _pipeline_files(place, source, kind)
        remark = _joined(_others(place, components[0]), _unread(place, components))
        return ExternalFiles(source, "pipeline", place, read, around=place, remark=remark)
    if found := _networks(place, kind):
        return _parts(place, found, source, kind)
    for suffix in SUFFIXES:
        for name in LORAS:
            if (file := place / f"{name}{suffix}").is_file():
                return _file(file, source, kind)
    if weights_files(place, ""):
        _check_unet(place / CONFIG, source, kind)
    raise UserError(f"{source} holds {_nothing(place)}")


def _networks(place: Path, kind: ModelKind) -> dict[str, list[Path]]:
    """The files of each network that lies in a folder, by component."""
    components = NETWORKS if takes_prompts(kind) else NETWORKS[:1]
    found = {name: files for name in components if (files := weights_files(place, name))}
    if takes_prompts(kind) and (place / CONFIG).is_file():
        # Without a folder of its own a text encoder may be either, and its class tells which.
        other = "text_encoder" if _is_second(place / CONFIG) else "text_encoder_2"
        found = {name: files for name, files in found.items() if name != other or files[0].parent != place}
    return found


def _is_second(config: Path) -> bool:
    """Whether a text encoder's configuration is of one that projects the whole prompt, as Stable Diffusion XL's."""
    try:
        return "CLIPTextModelWithProjection" in parsed(config.read_bytes())["architectures"]
    # A damaged file is for whoever reads the weights to complain of.
    except (OSError, ValueError, LookupError, TypeError):
        return False


def _pipeline_files(place: Path, source: str, kind: ModelKind) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """All files that decide a pipeline, and its components."""
    facts = check_pipeline(place, source, kind)
    check_whole(place, facts, source)
    components = facts.components
    check_noise(place, components[0], source)
    weights = [file for component in components for file in weights_files(place, component)]
    return (*configuration_files(place, components), *weights), components


def _file(file: Path, source: str, kind: ModelKind) -> ExternalFiles:
    if file.suffix not in SUFFIXES:
        raise UserError(f"{source} is no file of weights: they are called {', '.join(SUFFIXES)}")
    if other := what_it_is(file):
        raise UserError(f"{source} {other}")
    if (shard := SHARD.search(file.stem)) is not None or _in_index(file):
        of = f" of {int(shard[1])}" if shard is not None else ""
        raise UserError(f"{source} is one shard{of}, and not the whole network: name its folder, {file.parent}")
    around, noise, read = _beside(file.parent, kind, source)
    beside = [place] if (place := file.with_name("adapter_config.json")).is_file() else []
    return ExternalFiles(source, "file", file, (file, *beside, *read), around=around, noise=noise)


def _in_index(file: Path) -> bool:
    """Whether an index beside a file names it as one of the shards of a network."""
    for index in file.parent.glob("*.index*.json"):
        try:
            if file.name in parsed(index.read_bytes())["weight_map"].values():
                return True
        # A damaged index tells nothing.
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            continue
    return False


def _parts(place: Path, found: dict[str, list[Path]], source: str, kind: ModelKind) -> ExternalFiles:
    """A U-Net, a text encoder or both, with what lies around them."""
    read: list[Path] = []
    for name in NETWORKS:
        # The base's own would stand in for it without a word.
        if (place / name / CONFIG).is_file() and name not in found and takes_prompts(kind):
            raise UserError(f"{source} has the configuration of its {name}, and not the weights")
    for name, weights in found.items():
        config = component_file(place, name, CONFIG)
        if name == "unet":
            _check_unet(config, source, kind)
        elif not config.is_file():
            raise UserError(f"{source} has the weights of a text encoder without its config.json")
        read += [config, *weights]
    folders = {name: component_file(place, name, CONFIG).parent for name in found}
    alone = next(iter(folders.values())) if len(folders) == 1 else None
    around, noise, others = (None, None, ()) if alone != place else _beside(place, kind, source)
    if noise is None and around is None and component_file(place, "scheduler", SCHEDULER).is_file():
        scheduler_config(place, source)
        noise, others = place, (component_file(place, "scheduler", SCHEDULER),)
    form: Form = "parts" if len(found) > 1 else "unet" if "unet" in found else "text_encoder"
    unet = folders.get("unet")
    remarks = [] if unet is None or (unet == place and around is None) else [_others(unet.parent, unet.name)]
    if around is None and weights_files(place, "vae") and (place / "vae").is_dir():
        remarks.append("the vae beside it was not read (there is no model_index.json): the base's own is used")
    remark = _joined(*remarks, _unread(place, tuple(found)))
    return ExternalFiles(source, form, place, tuple(dict.fromkeys((*read, *others))), folders, around, noise, remark)


def _beside(folder: Path, kind: ModelKind, source: str) -> tuple[Path | None, Path | None, tuple[Path, ...]]:
    """What lies around the folder of a network: the pipeline, or where that is not whole its noise; and their files."""
    above = Path(os.path.abspath(folder)).parent
    if (folder / SCHEDULER).is_file():
        scheduler_config(folder, source)
        return None, folder, (folder / SCHEDULER,)
    if not (above / INDEX).is_file() or not folder.name.startswith(("unet", "text_encoder")):
        return None, None, ()
    components = check_pipeline(above, source, kind).components
    if all(weights_files(above, component) for component in components):
        return above, None, _pipeline_files(above, source, kind)[0]
    if (above / "scheduler" / SCHEDULER).is_file():
        scheduler_config(above, source)
        return None, above, (above / "scheduler" / SCHEDULER,)
    return None, None, ()


def _others(pipeline: Path, read: str) -> str:
    """Other U-Nets beside the one that is read, and what to name to have one of them; empty where there is none."""
    found = [
        folder.name
        for folder in sorted(pipeline.glob("unet*"))
        if folder.name != read and folder.is_dir() and weights_files(folder, "")
    ]
    if not found:
        return ""
    return f"its {read} was read, and not {' or '.join(found)} beside it: name {found[0]} to have that one"


def _unread(place: Path, components: tuple[str, ...]) -> str:
    """Weights beside those that are read, of the same networks or to go onto them; empty where there are none."""
    found = [
        place / f"{name}{suffix}" for name in LORAS for suffix in SUFFIXES if (place / f"{name}{suffix}").is_file()
    ]
    for component in components:
        if component in NETWORKS:
            # Whoever reads a component without weights complains of it.
            read = weights_files(place, component)
            beside = read[0].parent.glob("*model*") if read else ()
            found += [file for file in sorted(beside) if _is_whole(file) and file not in read]
    found += [
        folder
        for folder in sorted(place.glob("*ema*"))
        if not folder.name.startswith("unet") and weights_files(folder, "")
    ]
    names = list(dict.fromkeys(file.relative_to(place).as_posix() for file in found))
    shown = names if len(names) <= SHOWN + 1 else [*names[:SHOWN], f"{len(names) - SHOWN} more"]
    return f"not read, though beside it: {', '.join(shown)}" if shown else ""


def _is_whole(file: Path) -> bool:
    """Whether a file of weights is a network, and not one of several."""
    return file.suffix in SUFFIXES and file.is_file() and not SHARD.search(file.stem)


def _joined(*remarks: str) -> str:
    return "; ".join(filter(None, remarks))


def _place(source: str, kind: ModelKind) -> Path:
    if Path(source).exists():
        return Path(source)
    if Path(source).suffix in SUFFIXES:
        raise UserError(f"there is no file {source}")
    folder = download(source, [INDEX])
    if (folder / INDEX).is_file():
        return find_pipeline(source, kind)
    wanted = [CONFIG, SCHEDULER, *(f"{name}/{CONFIG}" for name in NETWORKS), "adapter_config.json"]
    folder = download(source, [*wanted, *_weights("safetensors")])
    safe = {name: weights_file(folder, name, "safetensors") is not None for name in NETWORKS}
    if not any(safe.values()) and not any((folder / f"{name}.safetensors").is_file() for name in LORAS):
        folder = download(source, _weights("bin"))
    elif lacking := [name for name, there in safe.items() if not there and (folder / name / CONFIG).is_file()]:
        # Otherwise the base's own would be taken for it.
        folder = download(source, [pattern for name in lacking for pattern in patterns(name, "bin")])
    lacking = [name for name in NETWORKS if (folder / name / CONFIG).is_file() and not weights_files(folder, name)]
    if lacking or not _has_something(folder):
        folder = download(source, [pattern for name in ("", *NETWORKS) for pattern in variant_patterns(name)])
    return folder


def _has_something(folder: Path) -> bool:
    if any((folder / f"{name}{suffix}").is_file() for name in LORAS for suffix in SUFFIXES):
        return True
    return any(weights_files(folder, name) for name in NETWORKS)


def _weights(form: Literal["safetensors", "bin"]) -> list[str]:
    alone = [pattern.removeprefix("text_encoder/") for pattern in patterns("text_encoder", form)]
    places = [*patterns("", form), *(pattern for name in NETWORKS for pattern in patterns(name, form)), *alone]
    return [*(f"{name}.{form}" for name in LORAS), *places]


def _check_unet(config: Path, source: str, kind: ModelKind) -> None:
    found = class_name(config)
    if found is None:
        raise UserError(f"{source} has the weights of a network without a readable config.json of diffusers")
    if found not in (networks := sorted({facts.network for facts in pipelines_of(kind)})):
        raise UserError(f"{source} is a {found}, and the task's model has a {' or a '.join(networks)}")
    check_denoiser(parsed(config.read_bytes()), source)


def _nothing(folder: Path) -> str:
    what = (
        "neither a pipeline (model_index.json) nor a U-Net (config.json and diffusion_pytorch_model.safetensors) nor a "
        f"text encoder (config.json and model.safetensors) nor a LoRA ({LORAS[0]}.safetensors)"
    )
    files = sorted(file.name for file in folder.glob("*") if file.suffix in SUFFIXES) if folder.is_dir() else []
    return f"{what}; a file of weights is named itself, such as {folder / files[0]}" if files else what
