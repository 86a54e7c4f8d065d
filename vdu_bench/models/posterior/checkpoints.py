"""The posterior over weights from finished checkpoints, read one tensor at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from vdu_bench.errors import UserError
from vdu_bench.models.pipelines.old_names import present_name
from vdu_bench.models.pipelines.pipeline_files import pipeline_folder, weights_file
from vdu_bench.models.posterior.gaussian import MomentAccumulator, WeightPosterior
from vdu_bench.plain_json import parsed


def checkpoint_posterior(checkpoints: Sequence[str | Path], parameters: Mapping[str, Tensor]) -> WeightPosterior:
    """Mean and sample standard deviation of a denoiser's weights over checkpoints, in float32 on the CPU.

    Every checkpoint counts alike. The weights are streamed: at no time is more than one tensor of one checkpoint read.

    Args:
        checkpoints: at least two pipelines in diffusers' layout, folders or hub ids; their
            ``unet/diffusion_pytorch_model.safetensors``, or the shards that its index names, are read, or the same
            beside ``model_index.json``.
        parameters: the denoiser's parameters to estimate, by name, such as `selected_parameters` gives. Of their values
            only the shapes count.

    Raises:
        UserError: there are fewer than two checkpoints, one has no readable safetensors, or its names or shapes are not
            those of `parameters`.
    """
    if len(checkpoints) < 2:
        raise UserError(f"a posterior needs at least two checkpoints, not {len(checkpoints)}")
    mean: dict[str, Tensor] = {}
    std: dict[str, Tensor] = {}
    with ExitStack() as stack:
        archives = [_open(source, parameters, stack) for source in checkpoints]
        for name in parameters:
            moments = MomentAccumulator()
            for stored in archives:
                archive, key = stored[name]
                moments.add({name: archive.get_tensor(key)})
            posterior = moments.posterior()
            mean |= posterior.mean
            std |= posterior.std
    return WeightPosterior(mean, std)


def _open(source: str | Path, parameters: Mapping[str, Tensor], stack: ExitStack) -> dict[str, tuple[Any, str]]:
    """The open safetensors file that holds each of the parameters, and its name there, by parameter name."""
    folder = pipeline_folder(source, ["unet"])
    file = weights_file(folder, "unet", "safetensors")
    if file is None:
        raise UserError(
            f"{source} has no safetensors for its unet: convert it by reading the pipeline and saving it again, "
            "DiffusionPipeline.from_pretrained(...).save_pretrained(..., safe_serialization=True)"
        )
    try:
        if file.suffix == ".json":
            shards = set(parsed(file.read_bytes())["weight_map"].values())
            files = [file.with_name(shard) for shard in sorted(shards)]
        else:
            files = [file]
        archives = [stack.enter_context(safe_open(part, framework="pt")) for part in files]
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        place = file.relative_to(folder).as_posix()
        raise UserError(f"{source}: {place} cannot be read ({type(error).__name__})") from error
    stored = ((archive, key) for archive in archives for key in archive.keys())  # noqa: SIM118
    holders = {present_name(key, parameters): (archive, key) for archive, key in stored}
    missing = [name for name in parameters if name not in holders]
    if missing:
        raise UserError(f"{source} has no weights {_named(missing)}: its network is another one")
    for name, parameter in parameters.items():
        archive, key = holders[name]
        shape = archive.get_slice(key).get_shape()
        if shape != list(parameter.shape):
            raise UserError(f"{source}: {name} is {shape}, and must be {list(parameter.shape)}")
    return holders


def _named(names: Sequence[str]) -> str:
    rest = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + rest
