"""The files of a diffusers pipeline, from a folder or from the Hugging Face hub. Without torch.

Two layouts are known: each component in a folder of its own, and the files of a pipeline of one network side by side,
as ``google/ddpm-cifar10-32`` has them. Like diffusers, we look into the component's own folder first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from vdu_bench.errors import UserError, in_short
from vdu_bench.fetching import may_fetch, not_fetched
from vdu_bench.models.pipelines.registry import PIPELINES, PipelineFacts, pipelines_of
from vdu_bench.models.specs import ModelKind
from vdu_bench.plain_json import parsed

WeightsFormat = Literal["safetensors", "bin"]

INDEX = "model_index.json"
CONFIG = "config.json"
SCHEDULER = "scheduler_config.json"

SHARD = re.compile(r"-\d+-of-(\d+)$")
"""How the name of one of several files of a network ends, without its suffix."""

HUB_FAULTS = {
    "GatedRepoError": "its terms have to be accepted there first",
    "RepositoryNotFoundError": "it has no such model, or none that everybody may see",
    "LocalEntryNotFoundError": "it was not reached, and nothing was fetched before",
}
"""By the client's name for it, why nothing came."""

CONFIGURATIONS = (
    *(INDEX, CONFIG, SCHEDULER, f"unet/{CONFIG}"),
    *("scheduler/*.json", "tokenizer*/*.json", "tokenizer*/*.txt"),
)
"""What tells whether a pipeline can be used, before anything large is had, as glob patterns."""


def pipeline_folder(source: str | Path, components: Sequence[str]) -> Path:
    """The folder with a pipeline's configurations and the weights of `components`.

    A folder is taken as it is. From the hub (an id such as ``owner/name``) the files are downloaded to its cache: a
    pickled ``.bin`` only for a component that has no safetensors there, a variant (``.fp16``) only for one
    without either.

    Raises:
        UserError: `source` is neither a folder nor a model on the hub that can be reached.
    """
    if Path(source).is_dir():
        return Path(source)
    wanted = [*CONFIGURATIONS, *(f"{component}/{CONFIG}" for component in components)]
    wanted += [pattern for component in components for pattern in _anywhere(component, components, "safetensors")]
    folder = download(str(source), wanted)
    pickled = [
        pattern
        for component in components
        if weights_file(folder, component, "safetensors") is None
        for pattern in _anywhere(component, components, "bin")
    ]
    folder = download(str(source), pickled) if pickled else folder
    lacking = [component for component in components if not weights_files(folder, component)]
    variants = [pattern for component in lacking for pattern in variant_patterns(component)]
    return download(str(source), variants) if variants else folder


def check_pipeline(folder: Path, source: str | Path, kind: ModelKind) -> PipelineFacts:
    """What is known of the pipeline in a folder; `source` is what a user calls it.

    Raises UserError where there is none, or none of the kind that is needed.
    """
    found = _pipeline_name(folder)
    if found is None:
        raise UserError(f"{source} is no diffusers pipeline: it has no readable {INDEX}")
    facts = PIPELINES.get(found)
    if facts is None or facts.conditioning != kind:
        article = "an" if kind[0] in "aeiou" else "a"
        needed = " or a ".join(known.name for known in pipelines_of(kind))
        raise UserError(f"{source} is a {found}, and {article} {kind} task needs a {needed}")
    return facts


def check_whole(folder: Path, facts: PipelineFacts, source: str | Path) -> None:
    """Raise UserError for a pipeline whose index says that it comes without a part that it is read from."""
    try:
        index = parsed((folder / INDEX).read_bytes())
        lacking = [
            name for name in (*facts.components, *facts.tokenizers) if name in index and not _is_there(index[name])
        ]
    # A pipeline of one network may lie without an index; a damaged one is not taken for a pipeline.
    except (OSError, ValueError, TypeError):
        return
    if lacking:
        raise UserError(
            f"{source} is no whole pipeline: its {INDEX} has no {' and no '.join(lacking)} (null). So has Stable "
            "Diffusion XL's refiner, which ends what another model began: name the other"
        )


def is_pipeline(folder: Path) -> bool:
    """Whether a folder says that it is a pipeline, or has the files of a whole one side by side."""
    return (folder / INDEX).is_file() or _pipeline_name(folder) is not None


def configuration_files(folder: Path, components: Sequence[str]) -> list[Path]:
    """The files beside the weights that decide a pipeline, sorted."""
    places = {component_file(folder, component, CONFIG) for component in components}
    places.add(component_file(folder, "scheduler", SCHEDULER))
    beside = {file for pattern in CONFIGURATIONS if pattern not in (CONFIG, SCHEDULER) for file in folder.glob(pattern)}
    return sorted(beside | {file for file in places if file.is_file()})


def component_file(folder: Path, component: str, name: str) -> Path:
    """Where a component's file of this name is: in its own folder, or where that has none, beside the index."""
    own, beside = folder / component / name, folder / name
    return beside if beside.is_file() and not own.is_file() else own


def weights_file(folder: Path, component: str, form: WeightsFormat) -> Path | None:
    """A component's weights in one of the formats, or the JSON index of their shards; None where there is neither.

    They lie beside its configuration. An empty component stands for the folder itself, which is then a U-Net's.
    """
    whole = component_file(folder, component, CONFIG).with_name(f"{_stem(component, form)}.{form}")
    index = whole.with_name(f"{whole.name}.index.json")
    return next((file for file in (whole, index) if file.is_file()), None)


def variant_file(folder: Path, component: str) -> Path | None:
    """A component's weights under the name of a variant, such as ``diffusion_pytorch_model.fp16.safetensors``.

    They count where there is nothing else. Of several, those of half precision come first, safetensors before pickles.
    """
    place = component_file(folder, component, CONFIG).parent
    forms: tuple[WeightsFormat, ...] = ("safetensors", "bin")
    found = [
        (form != "safetensors", variant not in ("fp16", "bf16"), variant, file)
        for form in forms
        for pattern in (f"{_stem(component, form)}.*.{form}", f"{_stem(component, form)}.{form}.index.*.json")
        for file in place.glob(pattern)
        if (variant := variant_of(file)) is not None
    ]
    return min(found)[-1] if found else None


def variant_of(file: Path) -> str | None:
    """The variant that a file of weights is named for, or an index of its shards; None for the plain ones.

    Such as ``fp16`` of ``model.fp16.safetensors`` and of ``model.safetensors.index.fp16.json``.
    """
    words = file.name.split(".")
    if len(words) == 5 and words[2] == "index":
        return words[3]
    # A shard of a variant is named for it as well, and is no network.
    return words[1] if len(words) == 3 and not SHARD.search(words[1]) else None


def variant_patterns(component: str) -> list[str]:
    """What variants of a component's weights are called on the hub, as glob patterns."""
    forms: tuple[WeightsFormat, ...] = ("safetensors", "bin")
    stems = {form: f"{component}/{_stem(component, form)}".lstrip("/") for form in forms}
    return [f"{stem}{rest}" for form, stem in stems.items() for rest in (f".*.{form}", f".{form}.index.*.json")]


def weights_files(folder: Path, component: str) -> list[Path]:
    """The files that a component's weights are read from, with the index of their shards; empty where there is none.

    Raises UserError where libraries would not agree which files these are, or a shard lies in another folder.
    """
    file = weights_file(folder, component, "safetensors") or weights_file(folder, component, "bin")
    file = file or variant_file(folder, component)
    if file is None:
        return []
    if file.suffix != ".json":
        if (index := file.with_name(f"{file.name}.index.json")).is_file():
            # diffusers reads the shards then, and transformers the whole file.
            raise UserError(f"{file} has an index of shards beside it, {index.name}: which is meant? Take one away")
        return [file]
    try:
        shards = {str(name) for name in parsed(file.read_bytes())["weight_map"].values()}
    # A damaged index is for whoever reads the weights to complain of.
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return [file]
    if others := sorted(name for name in shards if Path(name).name != name or "\\" in name or name == ".."):
        raise UserError(f"{file} names {others[0]} as a shard: shards lie beside their index")
    return [file, *(shard for name in sorted(shards) if (shard := file.with_name(name)).is_file())]


def patterns(component: str, form: WeightsFormat) -> list[str]:
    """What a component's weights in one of the formats are called on the hub, as glob patterns."""
    stem = f"{component}/{_stem(component, form)}".lstrip("/")
    return [f"{stem}.{form}", f"{stem}.{form}.index.json", f"{stem}-*.{form}"]


def class_name(file: Path) -> str | None:
    """The class that one of diffusers' configurations is of; None where that cannot be read."""
    try:
        return str(parsed(file.read_bytes())["_class_name"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def download(hub_id: str, wanted: Sequence[str]) -> Path:
    """The folder with those files of a hub id that match a pattern. Raises UserError as `pipeline_folder`."""
    # Imported here: a command whose cells are done has no use for the hub's client, which takes a while to load.
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    try:
        return Path(snapshot_download(hub_id, allow_patterns=list(wanted), local_files_only=not may_fetch()))
    except HFValidationError as error:
        raise UserError(f"{hub_id} is neither a folder nor the id of a model on the Hugging Face hub") from error
    except OSError as error:
        if not may_fetch():
            raise not_fetched(hub_id) from error
        kinds = [kind.__name__ for kind in type(error).__mro__]
        why = next((HUB_FAULTS[name] for name in kinds if name in HUB_FAULTS), in_short(error))
        raise UserError(f"{hub_id} is not a folder, and could not be had from the Hugging Face hub: {why}") from error


def _pipeline_name(folder: Path) -> str | None:
    if (folder / INDEX).is_file():
        return class_name(folder / INDEX)
    if not (folder / SCHEDULER).is_file():
        return None
    network = class_name(folder / CONFIG)
    return next((facts.name for facts in PIPELINES.values() if facts.may_lie_flat and facts.network == network), None)


def _is_there(named: Any) -> bool:
    """Whether an index's entry, a library and a class, names something."""
    return named is not None and not (isinstance(named, list) and None in named)


def _anywhere(component: str, components: Sequence[str], form: WeightsFormat) -> list[str]:
    """Patterns of a component's weights in its own folder and, where it is the only one, beside the index."""
    return [*patterns(component, form), *(patterns("", form) if len(components) == 1 else [])]


def _stem(component: str, form: WeightsFormat) -> str:
    if not component.startswith("text_encoder"):
        return "diffusion_pytorch_model"
    return "model" if form == "safetensors" else "pytorch_model"
