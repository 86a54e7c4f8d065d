"""A model that somebody else unlearned, from whatever form they published it in. Nothing is unpickled but tensors."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

import torch
from diffusers.utils import logging
from diffusers.utils.state_dict_utils import convert_unet_state_dict_to_peft
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from vdu_bench.errors import UserError, in_short
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.files.external_files import ExternalFiles
from vdu_bench.models.pipelines.components import more_than_tensors, read_component
from vdu_bench.models.pipelines.loading import load_model
from vdu_bench.models.pipelines.old_names import present_name
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.selection import Selection, selected_parameters

INPUTS = ("class_embed_type", "num_class_embeds", "addition_embed_type", "encoder_hid_dim_type")
"""What a denoiser may want to be given beside x_t, t and a condition, as its configuration says."""

ADAPTER = "external"


def load_external(files: ExternalFiles, base: DiffusionModel) -> tuple[DiffusionModel, str]:
    """The model, as float32 on the CPU, and what of it is the checkpoint's own, in words.

    A pipeline stands for itself. A U-Net, a state dict (of all weights or of some, in diffusers' names) and a LoRA go
    onto the base; a LoRA through diffusers' own loader, at scale 1, and fused.

    Args:
        files: as `find_external` gives them.
        base: the task's, on the CPU; it is used up.

    Raises:
        UserError: a file cannot be read, weights are missing, left over or of the wrong shape, or the model works on
            other latents than the base, or wants other inputs.
    """
    if files.form == "pipeline":
        model, own = load_model(files.place, base.conditioning), "a whole pipeline"
    elif files.form == "unet":
        model, own = copy.copy(base), "the U-Net"
        model.denoiser = read_component(type(base.denoiser), files.place, "", files.source)
        key = "cross_attention_dim"
        _check_same(files.source, "conditions of", _config(model).get(key), _config(base).get(key))
    else:
        state = _read_state(files.place, files.source)
        apply = _fuse_lora if any("lora" in name for name in state) else _replace_weights
        model, own = apply(base, state, files)
    _check_same(files.source, "latents of", model.latent_shape, base.latent_shape)
    _check_same(files.source, "images of", model.image_shape, base.image_shape)
    for key in INPUTS:
        _check_same(files.source, f"a denoiser with {key}", _config(model).get(key), _config(base).get(key))
    return model, own


def _config(model: DiffusionModel) -> Any:
    return model.denoiser.config


def _check_same(source: str, what: str, found: Any, wanted: Any) -> None:
    if found != wanted:
        sides = [list(side) if isinstance(side, tuple) else side for side in (found, wanted)]
        raise UserError(f"{source} has {what} {sides[0]}, and the task's base {sides[1]}: they do not compare")


def _read_state(file: Path, source: str) -> dict[str, Tensor]:
    """The tensors of a file by name; modules that were saved one by one (the first ESD code's) are taken apart."""
    if file.suffix == ".safetensors":
        try:
            return load_file(file)
        except (OSError, SafetensorError) as error:
            raise UserError(f"{source} cannot be read ({in_short(error)})") from error
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    # Whatever the library makes of a damaged or a hostile file.
    except Exception as error:
        raise more_than_tensors(source, file.name) from error
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping):
        raise UserError(f"{source} holds a {type(content).__name__}, and no state dict")
    state = dict(_flat(content))
    for name, value in state.items():
        if not isinstance(value, Tensor):
            raise UserError(f"{source} is no state dict: {name} is a {type(value).__name__}, and no tensor")
    return state


def _flat(tree: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _replace_weights(
    base: DiffusionModel, state: dict[str, Tensor], files: ExternalFiles
) -> tuple[DiffusionModel, str]:
    source = files.source
    if state and all(name.startswith("unet.") for name in state):
        state = {name.removeprefix("unet."): value for name, value in state.items()}
    known = base.denoiser.state_dict()
    state = {present_name(name, known): value for name, value in state.items()}
    left_over = [name for name in state if name not in known]
    if left_over:
        raise UserError(
            f"{source}: {len(left_over)} of its {len(state)} names are none of the base's U-Net, such as "
            f"{left_over[0]}; names must be those of diffusers, which has scripts to convert others to its own"
        )
    for name, value in state.items():
        if value.shape != known[name].shape:
            raise UserError(f"{source}: {name} is {list(value.shape)}, and in the base {list(known[name].shape)}")
        if not value.is_floating_point():
            raise UserError(f"{source}: {name} is of {value.dtype}, and no number of a network")
    if not state:
        raise UserError(f"{source} holds no weights")
    base.denoiser.load_state_dict(state, strict=False)
    return base, f"{len(state)} of the {len(known)} tensors of the base's U-Net are replaced{_kind_of(state, base)}"


def _kind_of(state: Mapping[str, Tensor], model: DiffusionModel) -> str:
    for selection in get_args(Selection):
        try:
            if set(selected_parameters(model.denoiser, selection)) == set(state):
                return f" ({selection.replace('_', '-')})"
        except UserError:  # it has no such weights
            continue
    return ""


def _fuse_lora(base: DiffusionModel, state: dict[str, Tensor], files: ExternalFiles) -> tuple[DiffusionModel, str]:
    source = files.source
    if not isinstance(base, TextToImage):
        raise UserError(f"{source} is a LoRA, which only a StableDiffusionPipeline takes; the task's is unconditional")
    if find_spec("peft") is None:
        raise UserError(f"{source} is a LoRA, and diffusers reads it with the help of peft: pip install peft")
    if dora := [name for name in state if "dora_scale" in name or "lora_magnitude_vector" in name]:
        raise UserError(
            f"{source} is a DoRA ({dora[0]}), which diffusers does not read whole: fuse it where it was made"
        )
    pipeline = base.pipeline()
    networks = {"unet": pipeline.unet, "text_encoder": pipeline.text_encoder}
    # A file's own scale is in its header, which a state dict has not.
    place: Any = state
    where: dict[str, Any] = {}
    if files.place.suffix == ".safetensors":
        place = files.place.parent
        where = {"weight_name": files.place.name, "use_safetensors": True, "local_files_only": True}
    try:
        # Matrices are initialised before they are filled; the global generator is set aside for that.
        with torch.random.fork_rng(devices=[]), _silent_diffusers():
            if any(name.startswith(("unet.", "text_encoder.", "lora_")) for name in state):
                # It empties a dict in the old notation.
                state, _ = pipeline.lora_state_dict(dict(place) if place is state else place, **where)
                pipeline.load_lora_weights(place, adapter_name=ADAPTER, **where)
            else:
                pipeline.unet.load_lora_adapter(place, prefix=None, adapter_name=ADAPTER, **where)
                state = {f"unet.{name}": value for name, value in state.items()}
    # Whatever the libraries make of a damaged file, or of one for another network.
    except Exception as error:
        raise UserError(f"{source} cannot be put onto the base as a LoRA ({in_short(error)})") from error
    landed = {
        f"{network}.{name.replace(f'.{ADAPTER}.', '.')}"
        for network, module in networks.items()
        for name, _ in module.named_parameters()
        if ".lora_" in name
    }
    if len(landed) != len(state):
        raise UserError(
            f"{source} is a LoRA of {len(state)} matrices, and the base's networks have a place for {len(landed)}"
            f"{_odd_one(state, landed)}; it was made for another network, or is not whole"
        )
    pipeline.fuse_lora(adapter_names=[ADAPTER])
    pipeline.unload_lora_weights()
    of = [name for name in networks if any(key.startswith(f"{name}.") for key in landed)]
    return base, f"a LoRA of {len(landed) // 2} pairs of matrices ({', '.join(of)}) is fused into the base"


@contextmanager
def _silent_diffusers() -> Iterator[None]:
    """Whether every matrix found its place is checked afterwards; diffusers would only warn."""
    before = logging.get_verbosity()
    logging.set_verbosity(logging.CRITICAL)
    try:
        yield
    finally:
        logging.set_verbosity(before)


def _odd_one(state: Mapping[str, Tensor], landed: set[str]) -> str:
    """One of a LoRA's matrices that found no place in the U-Net, or one that it lacks."""
    of_unet = {name.removeprefix("unet."): value for name, value in state.items() if name.startswith("unet.")}
    if of_unet and not any("lora_A" in name for name in of_unet):
        of_unet = convert_unet_state_dict_to_peft(of_unet)
    odd = sorted({f"unet.{name}" for name in of_unet} ^ {name for name in landed if name.startswith("unet.")})
    return f", and one or the other lacks {odd[0]}" if odd else ""
