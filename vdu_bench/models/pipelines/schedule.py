"""What a pipeline's files say of its noise, and whether that is a process that the suite samples. Without torch.

A saved scheduler is two things at once: the noise schedule that the network was trained with, and the settings of
whichever sampler its owner used last. The first alone is taken: the sampler is the task's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vdu_bench.errors import UserError, in_short
from vdu_bench.models.pipelines.pipeline_files import CONFIG, INDEX, SCHEDULER, component_file
from vdu_bench.plain_json import parsed

TAKEN = (
    *("DDIMInverseScheduler", "DDIMParallelScheduler", "DDIMScheduler", "DDPMParallelScheduler", "DDPMScheduler"),
    *("DEISMultistepScheduler", "DPMSolverMultistepInverseScheduler", "DPMSolverMultistepScheduler"),
    *("DPMSolverSDEScheduler", "DPMSolverSinglestepScheduler", "EulerAncestralDiscreteScheduler"),
    *("EulerDiscreteScheduler", "HeunDiscreteScheduler", "KDPM2AncestralDiscreteScheduler", "KDPM2DiscreteScheduler"),
    *("LMSDiscreteScheduler", "PNDMScheduler", "RePaintScheduler", "SASolverScheduler", "UniPCMultistepScheduler"),
)
"""diffusers' schedulers whose noise is DDPM's (Ho et al. 2020, eq. 4), each a sampler of the same kind of network."""

DISTILLED = ("LCMScheduler", "TCDScheduler")
"""Their noise is DDPM's too, but their networks are made for a few steps of their own."""

BETAS = ("linear", "scaled_linear", "squaredcos_cap_v2")
PREDICTIONS = ("epsilon", "v_prediction", "sample")


def scheduler_config(folder: Path, source: str | Path) -> dict[str, Any]:
    """A pipeline's scheduler as it was saved, with the name of its class.

    Args:
        folder: the pipeline's.
        source: how the user called it, for messages.

    Raises:
        UserError: it cannot be read, its noise is not DDPM's, or it is one that no sampler of the suite goes with.
    """
    config = _read(component_file(folder, "scheduler", SCHEDULER), source)
    names = [config.get("_class_name"), _named_by_index(folder)]
    known = [name for name in names if name is not None]
    if not known:
        raise UserError(f"{source}: its {SCHEDULER} does not say which scheduler it is of (_class_name)")
    for name in known:
        _check_class(name, source)
    config["_class_name"] = known[0]
    # What diffusers wrote before it knew other predictions than these two, and does not read any more.
    if config.get("predict_epsilon") is False and "prediction_type" not in config:
        config["prediction_type"] = "sample"
    _check_values(config, source)
    return config


def check_noise(folder: Path, component: str, source: str | Path) -> None:
    """Raise UserError, before any weights are read, where a pipeline's network or noise is of another kind.

    Args:
        folder: the pipeline's.
        component: the denoiser's own folder in it.
        source: how the user called it.
    """
    scheduler_config(folder, source)
    check_denoiser(_read(component_file(folder, component, CONFIG), source), source)


def check_denoiser(config: Mapping[str, Any], source: str | Path) -> None:
    """Raise UserError for a denoiser that predicts a variance beside the noise, has no size, or takes a class label."""
    into, out = config.get("in_channels"), config.get("out_channels")
    if isinstance(into, int) and out == 2 * into:
        raise UserError(
            f"{source} has a denoiser of {into} channels that gives {out}: it predicts a variance beside the noise "
            "(learned variance, Nichol & Dhariwal 2021), which the suite does not sample"
        )
    check_unlabelled(config, source)
    if "sample_size" in config and not config["sample_size"]:
        raise UserError(
            f"{source}: its denoiser's config.json has sample_size {json.dumps(config['sample_size'])}, so that "
            "nothing tells the size of its images; write the height and width of its latents there"
        )


def check_unlabelled(config: Mapping[str, Any], source: str | Path) -> None:
    """Raise UserError for a denoiser that takes a class label, of which the suite has none to give."""
    for key in ("class_embed_type", "num_class_embeds"):
        if config.get(key):
            raise UserError(
                f"{source}: {key} {json.dumps(config[key])}: a denoiser that takes a class label is neither asked by "
                "prompts nor without a condition, and the suite has these two kinds"
            )


def _read(file: Path, source: str | Path) -> dict[str, Any]:
    what = "scheduler" if file.name == SCHEDULER else file.name
    try:
        config = parsed(file.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"{source}: the {what} cannot be read ({in_short(error)})") from error
    if not isinstance(config, dict):
        raise UserError(f"{source}: the {what} cannot be read: it is no mapping of keys to values")
    return config


def _named_by_index(folder: Path) -> str | None:
    """The scheduler's class as the pipeline's index has it; None where it has none."""
    try:
        return str(parsed((folder / INDEX).read_bytes())["scheduler"][1])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _check_class(name: str, source: str | Path) -> None:
    if name in TAKEN:
        return
    why = (
        "its network was distilled for a few steps, and the suite's samplers take others"
        if name in DISTILLED
        else "its noise is not DDPM's, and sampled as if it were, its images would be others"
    )
    raise UserError(f"{source} has a {name}: {why}. Schedulers that are taken: {', '.join(TAKEN)}")


def _check_values(config: Mapping[str, Any], source: str | Path) -> None:
    """Raise UserError for a schedule of DDPM's classes that is set to something else, or has no sampler here."""
    name, prediction = config["_class_name"], config.get("prediction_type", "epsilon")
    if prediction not in PREDICTIONS:
        raise UserError(f"{source}: its network predicts {prediction!r}; taken: {', '.join(PREDICTIONS)}")
    if config.get("use_flow_sigmas"):
        raise UserError(f"{source}: its {name} is set to flow matching (use_flow_sigmas), and not to DDPM's noise")
    if config.get("timestep_type", "discrete") != "discrete":
        raise UserError(f"{source}: its {name} has continuous times (timestep_type), and DDPM's are whole numbers")
    if str(config.get("variance_type", "")).startswith("learned"):
        raise UserError(
            f"{source}: its network predicts a variance beside the noise (variance_type {config['variance_type']!r}), "
            "which the suite does not sample"
        )
    betas = config.get("beta_schedule", "linear")
    if config.get("trained_betas") is None and betas not in BETAS:
        raise UserError(f"{source}: its beta_schedule is {betas!r}, which no sampler has; taken: {', '.join(BETAS)}")
