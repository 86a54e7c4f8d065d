"""A LoRA onto a pipeline: whatever its matrices are called, they find their places or it is refused."""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from diffusers.utils import logging
from diffusers.utils.state_dict_utils import convert_unet_state_dict_to_peft
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from vdu_bench.errors import UserError, in_short
from vdu_bench.extras import install
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.plain_json import parsed

ADAPTER = "external"
METADATA = "lora_adapter_metadata"
"""Where diffusers keeps a LoRA's configuration in the header of its file."""

FUSE = "fuse it where it was made, and save the whole network"
OTHERS = {
    "dora_scale": "a DoRA",
    "lora_magnitude_vector": "a DoRA",
    ".hada_w": "a LoHa",
    "lokr_w": "a LoKr",
    "lokr_t": "a LoKr",
    ".oft_": "an OFT adapter",
    ".boft_": "a BOFT adapter",
    "vera_lambda": "a VeRA",
    ".ia3_": "an IA3 adapter",
    ".on_input": "an IA3 adapter",
    ".base_layer.": "a network with an adapter still in it (base_layer)",
}
"""What stands in the names of adapters that are no plain LoRA."""

ADAPTED = re.compile(r"\.(lora_[AB])\.(?!weight$|bias$)([^.]+)\.(weight|bias)$")
"""How peft's own state dict calls a matrix: with its adapter's name."""
BARE = re.compile(r"\.lora_[AB]$")
OF_PEFT = ("r", "lora_alpha", "target_modules", "rank_pattern", "alpha_pattern", "use_rslora", "lora_bias")


def refuse_other_adapters(state: Mapping[str, Tensor], source: str) -> None:
    """Raise UserError, which says what it is, for an adapter that is no plain LoRA."""
    for name in state:
        for part, what in OTHERS.items():
            if part in name:
                raise UserError(f"{source} is {what} ({name}), which is not read: {FUSE}")


def fuse_lora(base: Any, state: dict[str, Tensor], file: Path, source: str) -> str:
    """Fuse a LoRA into a pipeline's networks by diffusers' own loader, at scale 1; what it is, in words.

    Args:
        base: the model, which is changed.
        state: its matrices by name.
        file: where they are from; its header, or a configuration beside it, says more of the LoRA.
        source: what the user calls it.

    Raises:
        UserError: it is of another kind, a matrix finds no place or none of its value, or the base takes none.
    """
    if not isinstance(base, TextToImage):
        raise UserError(f"{source} is a LoRA, which only a StableDiffusionPipeline takes; the task's is unconditional")
    if find_spec("peft") is None:
        raise UserError(f"{source} is a LoRA, and diffusers reads it with the help of peft: {install('lora')}")
    state, folded = _scaled(_plainly_named(state, source))
    prefixed = any(name.startswith(("unet.", "text_encoder.", "text_encoder_2.", "lora_")) for name in state)
    alphas = bool(folded) or any(name.endswith(".alpha") for name in state)
    header = _header(file, prefixed, source, alphas)
    pipeline = base.pipeline()
    networks = {"unet": pipeline.unet, **base.text_encoders}
    try:
        # Matrices are initialised before they are filled; the global generator is set aside for that.
        # What Windows cannot remove, since an error's traceback holds it, stays for the system to clear away.
        scratch = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        with torch.random.fork_rng(devices=[]), _silent_diffusers(), scratch as folder:
            # Written again under its plain names: the scale is in a file's header, which a state dict has not.
            save_file(
                {name: value.contiguous() for name, value in state.items()}, Path(folder) / "l.safetensors", header
            )
            where = {"weight_name": "l.safetensors", "use_safetensors": True, "local_files_only": True}
            if prefixed:
                # As the loader of XL itself asks: kohya's names of its blocks are counted by the U-Net's own.
                blocks = {"unet_config": pipeline.unet.config} if len(base.text_encoders) > 1 else {}
                # Copied, so that nothing holds the file when its folder is removed.
                state = {
                    name: value.clone()
                    for name, value in pipeline.lora_state_dict(folder, **where, **blocks)[0].items()
                }
                pipeline.load_lora_weights(folder, adapter_name=ADAPTER, **where)
            else:
                pipeline.unet.load_lora_adapter(folder, prefix=None, adapter_name=ADAPTER, **where)
                state = {f"unet.{name}": value for name, value in state.items()}
            landed = {
                f"{network}.{name.replace(f'.{ADAPTER}.', '.')}": value.detach().clone()
                for network, module in networks.items()
                for name, value in module.named_parameters()
                if ".lora_" in name
            }
            _check_landed(state, landed, source)
            scales = sorted(folded or {scale for module in networks.values() for scale in _scales(module)})
            pipeline.fuse_lora(adapter_names=[ADAPTER])
            pipeline.unload_lora_weights()
    except UserError:
        raise
    # Whatever the libraries make of a damaged file, or of one for another network.
    except Exception as error:
        raise UserError(f"{source} cannot be put onto the base as a LoRA ({in_short(error)})") from error
    of = [name for name in networks if any(key.startswith(f"{name}.") for key in landed)]
    told = METADATA in header or alphas
    at = " and ".join(f"{scale:g}" for scale in scales) + ("" if told else ", since the file tells none")
    pairs = sum(name.endswith(".weight") for name in landed) // 2
    return f"a LoRA of {pairs} pairs of matrices ({', '.join(of)}) is fused into the base, at scale {at}"


def _plainly_named(state: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    """The matrices without what peft, torch.compile and training in parallel write into their names."""
    refuse_other_adapters(state, source)
    adapters = {found[2] for name in state if (found := ADAPTED.search(name))}
    if len(adapters) > 1:
        raise UserError(f"{source} holds several adapters, {' and '.join(sorted(adapters))}: save one alone")
    named = {}
    for name, value in state.items():
        if BARE.search(name):
            raise UserError(
                f"{source} is a LoRA in loralib's names ({name}), whose scale, alpha / r, is not in the file: {FUSE}"
            )
        plain = ADAPTED.sub(r".\1.\3", name).replace("_orig_mod.", "").removeprefix("module.")
        named[plain.replace("base_model.model.", "")] = value
    if len(named) < len(state):
        raise UserError(f"{source} holds matrices twice, under names such as {next(iter(state))}")
    return named


def _scaled(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], set[float]]:
    """kohya's matrices with each one's scale, its alpha over its rank, put into it; and the scales there were.

    diffusers finds no place for some layers' own alphas, and would give these the most common one.
    """
    found, scales = dict(state), set()
    for name in state:
        layer = name.removesuffix(".alpha")
        up, down = f"{layer}.lora_up.weight", f"{layer}.lora_down.weight"
        if layer != name and up in state and down in state:
            scale = float(found.pop(name)) / len(state[down])
            found[up] = state[up].float() * scale
            scales.add(round(scale, 6))
    return found, scales


def _header(file: Path, prefixed: bool, source: str, alphas: bool) -> dict[str, str]:
    """What the file's header says of a LoRA, or what a configuration of peft beside it does."""
    header: dict[str, str] = {"format": "pt"}
    if file.suffix == ".safetensors":
        with safe_open(file, framework="pt") as archive:
            header |= archive.metadata() or {}
    beside = file.with_name("adapter_config.json")
    if METADATA in header or alphas or not beside.is_file():
        return header
    try:
        config = parsed(beside.read_bytes())
        if config.get("use_dora") or config.get("peft_type", "LORA") != "LORA":
            raise UserError(f"{source}: its adapter_config.json is of another adapter than a plain LoRA: {FUSE}")
        found = {key: config[key] for key in OF_PEFT if config.get(key) is not None}
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(f"{source}: its adapter_config.json cannot be read ({in_short(error)})") from error
    prefix = "unet." if prefixed else ""
    return header | {METADATA: json.dumps({f"{prefix}{key}": value for key, value in found.items()})}


def _check_landed(state: Mapping[str, Tensor], landed: Mapping[str, Tensor], source: str) -> None:
    """Raise UserError where a matrix of the file is not in the networks with its values, or one there is not in it."""
    if len(landed) != len(state):
        raise UserError(
            f"{source} is a LoRA of {len(state)} matrices, and the base's networks have a place for {len(landed)}"
            f"{_odd_one(state, landed)}; it was made for another network, or is not whole"
        )
    ours, theirs = (Counter(map(_content, tensors.values())) for tensors in (landed, state))
    if ours != theirs:
        raise UserError(
            f"{source}: {(theirs - ours).total()} of the {len(state)} matrices of its LoRA did not arrive in the "
            f"base's networks under their names, such as {next(iter(state))}; names must be those of diffusers"
        )


def _content(tensor: Tensor) -> tuple[tuple[int, ...], bytes]:
    return tuple(tensor.shape), tensor.float().contiguous().numpy().tobytes()


def _scales(network: nn.Module) -> Iterator[float]:
    for module in network.modules():
        scaling = getattr(module, "scaling", None)
        if isinstance(scaling, dict) and ADAPTER in scaling:
            yield round(float(scaling[ADAPTER]), 6)


@contextmanager
def _silent_diffusers() -> Iterator[None]:
    """Whether every matrix found its place is checked afterwards; diffusers would only warn."""
    before = logging.get_verbosity()
    logging.set_verbosity(logging.CRITICAL)
    try:
        yield
    finally:
        logging.set_verbosity(before)


def _odd_one(state: Mapping[str, Tensor], landed: Mapping[str, Tensor]) -> str:
    """One of a LoRA's matrices that found no place in the U-Net, or one that it lacks."""
    of_unet = {name.removeprefix("unet."): value for name, value in state.items() if name.startswith("unet.")}
    if of_unet and not any("lora_A" in name for name in of_unet):
        of_unet = convert_unet_state_dict_to_peft(of_unet)
    odd = sorted({f"unet.{name}" for name in of_unet} ^ {name for name in landed if name.startswith("unet.")})
    return f", and one or the other lacks {odd[0]}" if odd else ""
