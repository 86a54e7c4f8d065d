"""State dicts as people save them: wrapped into a training's state, under prefixes, or something else altogether."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from vdu_bench.errors import UserError, in_short
from vdu_bench.files import what_it_is
from vdu_bench.models.files.external_files import NETWORKS
from vdu_bench.models.pipelines.components import unread_pickle
from vdu_bench.models.pipelines.old_names import present_name

EITHER = "text_model"
"""The word in front of text encoders' own names, which transformers leave out of the first's since their version 5."""

WORDS = (*NETWORKS, EITHER)
"""Words in front of a weight's name that tell whose it is."""

Place = tuple[str, str] | None
"""A network, and a weight's name in it; None for none."""

WRAPPED = ("module", "_orig_mod", "model", "net", "network", "denoiser", "ema_model")
"""Words in front of a weight's name that tell how it was trained: in parallel, compiled, in somebody's own class."""

NO_WEIGHTS = ("optimizer", "optim", "opt", "lr_scheduler", "scheduler", "scaler", "grad_scaler", "hyper_parameters")
"""Keys of a training's state that hold tensors, and none of a network's."""


WHOLE = {
    *("state_dict", "model", "model_state_dict", "model_state", "net", "network", "generator", "denoiser", "params"),
    *("ema", "ema_state_dict", "model_ema", "ema_model", "ema_params", "weights", "unet_ema", "vae", "module"),
    *WORDS,
}
"""Keys of a training's state under which whole networks stand."""


MOST_VALUES = 200_000
DEEPEST = 50
"""So many values, and mappings in mappings, no state of a training has."""


class Endless(Exception):
    """A tree of mappings that has no end, or as good as none."""


def read_state(file: Path, source: str) -> tuple[dict[str, Tensor], str]:
    """The tensors of a file by name, and in words which part of it they are; empty where they are all of it.

    Modules that were saved one by one (the first ESD code's) are taken apart. A training's state is unwrapped where
    one of its entries alone can be meant; of a list (the ermongroup's code) that is the last state dict, the average.

    Raises:
        UserError: it cannot be read without running code, it is no file of tensors, or it holds several networks.
    """
    if other := what_it_is(file):
        raise UserError(f"{source} {other}")
    if file.suffix == ".safetensors":
        try:
            return load_file(file), ""
        except (OSError, SafetensorError) as error:
            raise UserError(f"{source} cannot be read ({in_short(error)})") from error
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    # Whatever the library makes of a damaged or a hostile file.
    except Exception as error:
        raise unread_pickle(source, file.name, error) from error
    try:
        content, part = _unwrapped(content, source)
        state = dict(_flat(content))
    except Endless as error:
        raise UserError(f"{source} holds mappings in mappings without an end, and no state dict") from error
    for name, value in state.items():
        if not isinstance(value, Tensor):
            raise UserError(f"{source} is no state dict: {name} is a {type(value).__name__}, and no tensor")
    return state, part


def _unwrapped(content: Any, source: str) -> tuple[Mapping[Any, Any], str]:
    """The state dict in what was saved, and where it was; content that is one itself as it is."""
    if isinstance(content, Sequence) and not isinstance(content, str):
        places = [place for place, value in enumerate(content) if _is_state(value)]
        if not places:
            raise UserError(f"{source} holds a {type(content).__name__} without a state dict in it")
        others = f", and not number {' or '.join(map(str, places[:-1]))}" if places[:-1] else ""
        place = places[-1]
        return content[place], f"number {place} of its list of {len(content)} (from 0{others})"
    if not isinstance(content, Mapping):
        raise UserError(f"{source} holds a {type(content).__name__}, and no state dict")
    if not content or any(isinstance(value, Tensor) and value.dim() for value in content.values()):
        return content, ""
    found = [key for key, value in content.items() if key not in NO_WEIGHTS and _is_state(value)]
    if len(found) == len(content) and (not set(found) & WHOLE or set(found) <= set(WORDS)):
        return content, ""  # module by module, or network by network
    if len(found) == 1:
        return content[found[0]], ""
    if found and set(found) <= set(WORDS):
        return {key: content[key] for key in found}, f"its {' and '.join(map(repr, found))}"
    held = ", ".join(f"{key!r}" for key in content)
    if not found:
        raise UserError(f"{source} holds {held}, and none of them is a state dict")
    several = " and ".join(f"{key!r}" for key in found)
    alone = next((key for key in WORDS if key in found), found[-1])
    raise UserError(
        f"{source} holds several networks, {several}: save the one that is to be judged alone, by "
        f"torch.save(torch.load(FILE, weights_only=True)[{alone!r}], NEW_FILE)"
    )


def _is_state(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(isinstance(leaf, Tensor) for _, leaf in _flat(value))


def _flat(tree: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    """Each value by the keys that lead to it. Raises Endless."""
    waiting = [("", 0, iter(tree.items()))]
    seen = 0
    while waiting:
        prefix, depth, rest = waiting[-1]
        for key, value in rest:
            seen += 1
            # One mapping in many places, each of which may be in many places, takes no room in a file.
            if seen > MOST_VALUES or depth > DEEPEST:
                raise Endless
            if isinstance(value, Mapping):
                waiting.append((f"{prefix}{key}.", depth + 1, iter(value.items())))
                break
            yield f"{prefix}{key}", value
        else:
            waiting.pop()


def placed(state: Mapping[str, Tensor], known: Mapping[str, Mapping[str, Tensor]], source: str) -> dict[str, Place]:
    """The network that each weight is of, and its name there; None for one that is of none.

    Two text encoders have layers of the same names. Where no word tells whose they are, all of a file's are of that one
    whose shapes they have.

    Args:
        state: the weights by name, as a file has them.
        known: by network, its own weights.
        source: what the user calls the file.

    Raises:
        UserError: they may be of either text encoder.
    """
    encoders = [name for name in known if name.startswith("text_encoder")]
    others = [name for name in known if name not in encoders]
    if len(encoders) < 2:
        return {name: _placed(name, known, list(known)) for name in state}
    readings = [{name: _placed(name, known, [*others, encoder]) for name in state} for encoder in encoders]
    fitting = [
        sum(place is not None and known[place[0]][place[1]].shape == state[name].shape for name, place in found.items())
        for found in readings
    ]
    best = [found for found, count in zip(readings, fitting, strict=True) if count == max(fitting)]
    if max(fitting) == len(state) and any(found != best[0] for found in best):
        words = " or ".join(f"{encoder}." for encoder in encoders)
        raise UserError(f"{source} may be of either text encoder: write {words} before the names of its weights")
    return best[0]


def _placed(name: str, known: Mapping[str, Mapping[str, Any]], bare: Sequence[str]) -> Place:
    """Where a weight is of; without a word that tells the network, it is of one of `bare`."""
    network, rest = "", name
    while True:
        for candidate in [network] if network else bare:
            if (found := _known_as(rest, known.get(candidate, {}))) is not None:
                return candidate, found
        word, dot, after = rest.partition(".")
        if not dot or (word not in WORDS and word not in WRAPPED):
            return None
        if word == EITHER:
            network = network or next((name for name in bare if name.startswith("text_encoder")), "text_encoder")
        elif word in NETWORKS:
            network = word
        rest = after


def _known_as(name: str, known: Mapping[str, Any]) -> str | None:
    # transformers have left this word out of the names since their version 5.
    for candidate in (name, f"text_model.{name}", present_name(name, known)):
        if candidate in known:
            return candidate
    return None
