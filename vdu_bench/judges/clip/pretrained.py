"""CLIP models with weights that open_clip knows, or that lie in a file of theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from vdu_bench.errors import UserError, did_you_mean, in_short
from vdu_bench.fetching import may_fetch, not_fetched
from vdu_bench.judges.clip.scorer import ClipScorer
from vdu_bench.judges.clip.specs import PretrainedClip


def load_pretrained(spec: PretrainedClip, device: torch.device | str = "cpu") -> ClipScorer:
    """The scorer that a specification names; what open_clip knows of the weights is heeded for a local file as well.

    Weights are safetensors, or are read by torch's ``weights_only=True``, which runs no code.

    Raises:
        UserError: open_clip does not have the model or the weights, they cannot be downloaded, or the file is not
            there, is of another model, or holds more than tensors.
    """
    # Seconds to import, which runs without a CLIP score can do without.
    import open_clip

    file, known = find_weights(spec)
    try:
        # Every weight is drawn before it is read, and the global generator is set aside for that.
        with torch.random.fork_rng(devices=[]):
            model, _, preprocess = open_clip.create_model_and_transforms(
                spec.model,
                pretrained=str(file),
                precision=spec.precision,
                weights_only=True,
                # open_clip itself takes the activation from the model's name alone, and only warns that the weights
                # were trained with another: those by OpenAI were, and score otherwise with the wrong one.
                force_quick_gelu=bool(known.get("quick_gelu")),
                image_mean=known.get("mean"),
                image_std=known.get("std"),
                image_interpolation=known.get("interpolation"),
                image_resize_mode=known.get("resize_mode"),
            )
        tokenizer = open_clip.get_tokenizer(spec.model)
    # Whatever the library makes of a damaged file, of one for another network, or of a tokenizer that it cannot have.
    except Exception as error:
        raise UserError(f"{spec.model} cannot be made with the weights in {file} ({in_short(error)})") from error
    dtype = open_clip.get_input_dtype(spec.precision) or torch.float32
    return ClipScorer(spec.name, model.to(device), preprocess, tokenizer, dtype)


def find_weights(spec: PretrainedClip) -> tuple[Path, dict[str, Any]]:
    """The file with a specification's weights, of one's own or downloaded, and what open_clip knows of them.

    Raises:
        UserError: open_clip does not have the model or the weights, they cannot be downloaded, or the file is not
            there or holds more than tensors.
    """
    import open_clip

    if spec.model not in open_clip.list_models():
        raise UserError(f"open_clip has no model {spec.model!r}{did_you_mean(spec.model, open_clip.list_models())}")
    known: dict[str, Any] = open_clip.get_pretrained_cfg(spec.model, spec.weights)
    file = _downloaded(spec, known) if spec.file is None else Path(spec.file)
    _check_file(spec, file)
    return file, known


def _downloaded(spec: PretrainedClip, known: dict[str, Any]) -> Path:
    import open_clip

    if not known:
        tags = open_clip.list_pretrained_tags_by_model(spec.model)
        raise UserError(
            f"open_clip has no weights {spec.weights!r} for {spec.model}{did_you_mean(spec.weights, tags)}; "
            "weights of your own need their path as `file`"
        )
    if not may_fetch() and not _has_snapshot(known):
        raise not_fetched(f"{spec.model} with the weights {spec.weights!r}")
    try:
        return Path(open_clip.download_pretrained(known))
    # Whatever the hub, the network and the library make of it.
    except Exception as error:
        where = known.get("hf_hub", "").rstrip("/")
        raise UserError(
            f"the weights {spec.weights!r} of {spec.model} cannot be downloaded ({in_short(error)}); where there is no "
            f"network, give the path of a copy as `file`"
            + (f" (they are open_clip_model.safetensors of {where} on the Hugging Face hub)" if where else "")
        ) from error


def _has_snapshot(known: dict[str, Any]) -> bool:
    """Whether the weights' repository, which open_clip may name a file of, was fetched from the hub before."""
    from huggingface_hub import snapshot_download

    try:
        snapshot_download("/".join(known.get("hf_hub", "").split("/")[:2]), local_files_only=True)
    # Of several unrelated kinds, for nothing in the cache and for no such id.
    except Exception:
        return False
    return True


def _check_file(spec: PretrainedClip, file: Path) -> None:
    if not file.is_file():
        raise UserError(f"{file} is no file with the weights {spec.weights!r} of {spec.model}")
    if file.suffix == ".safetensors":
        return
    try:
        # open_clip reads a file again without `weights_only` where that raises a TypeError; this does not.
        torch.load(file, map_location="meta", weights_only=True)
    except Exception as error:
        raise UserError(
            f"{file} cannot be read as tensors alone, and reading it otherwise could run code that is in it: take "
            "safetensors, or, if you trust it, convert its state dict to them where that does no harm"
        ) from error
