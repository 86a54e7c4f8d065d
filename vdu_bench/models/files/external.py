"""A model that somebody else unlearned, from whatever form they published it in. Nothing is unpickled but tensors."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from diffusers import DDPMScheduler
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from vdu_bench.errors import UserError
from vdu_bench.models.diffusion import DiffusionModel, attribute_of
from vdu_bench.models.files.external_files import ExternalFiles
from vdu_bench.models.files.lora import fuse_lora, refuse_other_adapters
from vdu_bench.models.files.states import placed, read_state
from vdu_bench.models.pipelines.components import read_component, read_noise_scheduler
from vdu_bench.models.pipelines.loading import load_model
from vdu_bench.models.pipelines.pipeline_files import CONFIG
from vdu_bench.models.pipelines.schedule import check_denoiser
from vdu_bench.models.selection import Selection, selected_parameters
from vdu_bench.models.specs import NOISE
from vdu_bench.plain_json import parsed

INPUTS = (
    *("class_embed_type", "num_class_embeds", "addition_embed_type", "encoder_hid_dim_type"),
    *("addition_time_embed_dim", "projection_class_embeddings_input_dim"),
    "time_cond_proj_dim",  # a guidance scale, as of models that were distilled to few steps
)
"""What a denoiser may want to be given beside x_t, t and a condition, as its configuration says."""

NO_MATTER = ("dropout", "sample_size")
"""Keys of a denoiser's configuration that change nothing of what its weights do in sampling."""

CALLED = {"unet": "U-Net", "text_encoder": "text encoder", "text_encoder_2": "second text encoder"}
"""The networks that a checkpoint may bring, in words."""

PREDICTIONS = {"v": "v_prediction", "epsilon": "epsilon"}
"""What trainers of LoRAs write into a file's header, and diffusers' word for it."""


def load_external(files: ExternalFiles, base: DiffusionModel) -> tuple[DiffusionModel, str]:
    """The model, as float32 on the CPU, and what of it is the checkpoint's own, in words.

    A pipeline stands for itself, also where one of its parts alone is named. A U-Net, a text encoder, a state dict (of
    all weights or of some, in diffusers' names) and a LoRA go onto the base, with the noise that lies beside them; a
    LoRA through diffusers' own loader, at scale 1, and fused.

    Args:
        files: as `find_external` gives them.
        base: the task's, on the CPU; it is changed, and not to be used after this.

    Raises:
        UserError: a file cannot be read, weights are missing, left over or of the wrong shape, or the model works on
            other latents than the base, or wants other inputs.
    """
    source = files.source
    model = copy.copy(base) if files.around is None else load_model(files.around, base.conditioning)
    other_noise = ""
    if files.noise is not None:
        found = read_noise_scheduler(files.noise, source).config
        own = model.noise_scheduler.config
        if any(found[key] != own[key] for key in NOISE):
            noise = {key: found[key] for key in NOISE}
            model.noise_scheduler = DDPMScheduler.from_config(own, **noise)
            other_noise = ", with the noise schedule that lies beside it"
    if files.form == "file":
        own_words = _from_file(model, files)
    else:
        for name, folder in files.parts.items():
            if not hasattr(model, attribute_of(name)):
                raise UserError(f"{source} has a {CALLED[name]}, and the task's base has none")
            found = read_component(type(_network(model, name)), folder, name, source)
            _check_part(source, name, found, _network(model, name))
            setattr(model, attribute_of(name), found.requires_grad_(False).eval())
        parts = " and the ".join(CALLED[name] for name in files.parts)
        own_words = f"the {parts}" if parts else "a whole pipeline"
        if parts and files.around is not None:
            own_words += " in the pipeline that it lies in"
    _check_same(source, "latents of", model.latent_shape, base.latent_shape)
    _check_same(source, "images of", model.image_shape, base.image_shape)
    for key in INPUTS:
        _check_same(source, f"a denoiser with {key}", _config(model).get(key), _config(base).get(key))
    return model, own_words + other_noise


def _config(model: DiffusionModel) -> Any:
    return model.denoiser.config


def _network(model: DiffusionModel, name: str) -> Any:
    return getattr(model, attribute_of(name))


def _check_same(source: str, what: str, found: Any, wanted: Any) -> None:
    if found != wanted:
        sides = [list(side) if isinstance(side, tuple) else side for side in (found, wanted)]
        raise UserError(f"{source} has {what} {sides[0]}, and the task's base {sides[1]}: they do not compare")


def _check_part(source: str, name: str, found: Any, wanted: Any) -> None:
    if name.startswith("text_encoder"):
        for key, what in (
            ("hidden_size", "embeddings of"),
            ("max_position_embeddings", "prompts of"),
            ("vocab_size", "a vocabulary of"),
            # The first of Stable Diffusion XL's has a number there, too, and projects nothing.
            *((("projection_dim", "projections of"),) if hasattr(wanted, "text_projection") else ()),
        ):
            _check_same(source, what, getattr(found.config, key), getattr(wanted.config, key))
    else:
        key = "cross_attention_dim"
        _check_same(source, "conditions of", found.config.get(key), wanted.config.get(key))


def _from_file(model: DiffusionModel, files: ExternalFiles) -> str:
    """Put what a file holds onto a model; what that is, in words."""
    _check_header(files.place, model, files.source)
    state, part = read_state(files.place, files.source)
    refuse_other_adapters(state, files.source)
    if any("lora" in name for name in state):
        words = fuse_lora(model, state, files.place, files.source)
    else:
        _check_beside(files.place.with_name(CONFIG), model, files.source)
        words = _replace_weights(model, state, files.source, "base" if files.around is None else "pipeline")
    return f"{words}, from {part}" if part else words


def _check_header(file: Path, model: DiffusionModel, source: str) -> None:
    """Raise UserError where a file's header says that its network predicts something else than the model's."""
    if file.suffix != ".safetensors":
        return
    try:
        with safe_open(file, framework="pt") as archive:
            metadata = archive.metadata() or {}
    except (OSError, SafetensorError):
        return  # whoever reads it complains of it
    found = PREDICTIONS.get(metadata.get("modelspec.prediction_type", ""))
    own = model.noise_scheduler.config["prediction_type"]
    if found is not None and found != own:
        raise UserError(f"{source} was made for a network that predicts {found}, and the task's base predicts {own}")


def _check_beside(file: Path, model: DiffusionModel, source: str) -> None:
    """Raise UserError where the configuration beside a file of weights is of another network than the model's."""
    try:
        config = parsed(file.read_bytes())
    except (OSError, ValueError):
        return
    if not isinstance(config, dict) or config.get("_class_name") != type(model.denoiser).__name__:
        return
    check_denoiser(config, source)
    own = dict(_config(model))
    for key, value in config.items():
        if key in own and not key.startswith("_") and key not in NO_MATTER and _plain(value) != _plain(own[key]):
            raise UserError(
                f"{source}: the config.json beside it has {key} {json.dumps(value)}, and the task's base "
                f"{json.dumps(_plain(own[key]))}: its weights would make another network in the base. If all "
                "of them are there, name the folder"
            )


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _replace_weights(model: DiffusionModel, state: Mapping[str, Tensor], source: str, whole: str) -> str:
    """Put weights into what a model has of them; `whole` is what the model is called in the words that come back."""
    networks: dict[str, nn.Module] = {
        name: network for name in CALLED if (network := getattr(model, attribute_of(name), None)) is not None
    }
    known = {name: network.state_dict() for name, network in networks.items()}
    found: dict[str, dict[str, Tensor]] = {name: {} for name in networks}
    left_over, count = [], 0
    # Not the count from 0 up that transformers once kept among the weights.
    state = {name: value for name, value in state.items() if not name.endswith("position_ids")}
    for name, place in placed(state, known, source).items():
        if place is None:
            left_over.append(name)
        else:
            found[place[0]][place[1]] = state[name]
            count += 1
    if left_over:
        raise UserError(
            f"{source}: {len(left_over)} of its {len(state)} names are none of the {whole}'s {_listed(networks)}, such "
            f"as {left_over[0]}; names must be those of diffusers, which has scripts to convert others to its own"
        )
    for name, own in found.items():
        for key, value in own.items():
            _check_tensor(key, value, known[name][key], source)
    if not count:
        raise UserError(f"{source} holds no weights")
    if count > sum(map(len, found.values())):
        raise UserError(f"{source} holds weights twice, under different words in front of one name: save one of them")
    words = []
    for name, own in found.items():
        if own:
            networks[name].load_state_dict(own, strict=False)
            kind = _kind_of(own, networks[name]) if name == "unet" else ""
            words.append(
                f"{len(own)} of the {len(known[name])} tensors of the {whole}'s {CALLED[name]} are replaced{kind}"
            )
    around = "" if whole == "base" else ", in the pipeline that it lies in"
    return " and ".join(words) + around


def _listed(networks: Mapping[str, nn.Module]) -> str:
    return " or ".join(CALLED[name] for name in networks)


def _check_tensor(name: str, value: Tensor, own: Tensor, source: str) -> None:
    if value.shape != own.shape:
        raise UserError(f"{source}: {name} is {list(value.shape)}, and in the base {list(own.shape)}")
    if not value.is_floating_point():
        raise UserError(f"{source}: {name} is of {value.dtype}, and no number of a network")


def _kind_of(state: Mapping[str, Tensor], denoiser: nn.Module) -> str:
    for selection in get_args(Selection):
        try:
            if set(selected_parameters(denoiser, selection)) == set(state):
                return f" ({selection.replace('_', '-')})"
        except UserError:  # it has no such weights
            continue
    return ""
