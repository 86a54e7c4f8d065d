"""The posterior over a pipeline's weights, from whatever its user has."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from pathlib import Path

from vdu_bench.api.place import expanded
from vdu_bench.errors import UserError
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.pipelines.pipeline_files import weights_file
from vdu_bench.models.posterior.checkpoints import checkpoint_posterior
from vdu_bench.models.posterior.gaussian import WeightPosterior
from vdu_bench.models.posterior.laplace import laplace_posterior
from vdu_bench.models.specs import LaplacePosterior, SamplerSpec

Source = str | Path | Sequence[str | Path] | WeightPosterior | LaplacePosterior
"""``laplace`` or its settings, a folder of checkpoints, a file that a `WeightPosterior` wrote, several checkpoints (of
each a folder or a hub id), or the posterior itself."""

LAPLACE = "laplace"


def own_posterior(
    source: Source,
    model: DiffusionModel,
    sampler: SamplerSpec,
    prompts: Sequence[str] | None,
    on_image: Callable[[int], None] | None = None,
) -> Callable[[Sequence[str]], WeightPosterior]:
    """What gives the posterior over the weights of some names.

    Args:
        source: where it is from.
        model: whose weights.
        sampler: how the samples are drawn that Laplace's is taken at.
        prompts: what they are asked for by, in turn; None for an unconditional model.
        on_image: called with 1 after each of these samples.

    Raises:
        UserError: it is none of these, or there are no checkpoints at that place; when it is asked for, they are of
            another network.
    """
    if isinstance(source, WeightPosterior):
        return lambda names: _fitting(source, model, names)
    if (spec := laplace_spec(source)) is not None:
        asked = None if prompts is None else list(islice(cycle(prompts), spec.samples))
        return lambda names: laplace_posterior(model, names, spec, sampler, asked, on_image)
    if isinstance(source, str | Path) and Path(expanded(source)).is_file():
        read = _read(Path(expanded(source)))
        return lambda names: _fitting(read, model, names)
    checkpoints = _checkpoints(source)
    parameters = dict(model.denoiser.named_parameters())

    def of_checkpoints(names: Sequence[str]) -> WeightPosterior:
        return checkpoint_posterior(checkpoints, {name: parameters[name] for name in names})

    return of_checkpoints


def laplace_spec(source: Source | None) -> LaplacePosterior | None:
    """The settings of Laplace's approximation, where that is asked for."""
    if isinstance(source, LaplacePosterior):
        return source
    return LaplacePosterior(source="laplace") if isinstance(source, str) and source == LAPLACE else None


def _checkpoints(source: object) -> Sequence[str | Path]:
    if isinstance(source, str | Path):
        return checkpoints_in(Path(expanded(source)))
    if not isinstance(source, list | tuple):
        raise UserError(
            f"posterior is a {type(source).__name__}: give a folder of checkpoints, a list of them, a WeightPosterior "
            "or a file of one, or 'laplace'"
        )
    if wrong := [one for one in source if not isinstance(one, str | Path)]:
        raise UserError(f"posterior holds a {type(wrong[0]).__name__}: give folders of checkpoints, or hub ids")
    return [expanded(one) for one in source]


def checkpoints_in(folder: Path) -> list[Path]:
    """The folders right below one that hold a U-Net's safetensors, ``checkpoint-9`` before ``checkpoint-10``.

    Raises UserError where there are fewer than two.
    """
    if not folder.is_dir():
        raise UserError(f"posterior: there is no folder {folder}; for several checkpoints give a list")
    found = [place for place in folder.iterdir() if place.is_dir() and weights_file(place, "unet", "safetensors")]
    if len(found) < 2:
        raise UserError(
            f"posterior: {folder} has {len(found)} folders with a U-Net in safetensors (checkpoint-1000/unet/...), and "
            "a posterior needs at least two"
        )
    return sorted(found, key=lambda place: [int(part) if part.isdecimal() else -1 for part in _words(place.name)])


def _words(name: str) -> list[str]:
    return [*re.findall(r"\d+", name), name]


def _read(file: Path) -> WeightPosterior:
    try:
        return WeightPosterior.load(file)
    # Whatever safetensors make of it, or of names that are none of a posterior's.
    except Exception as error:
        raise UserError(f"posterior: {file} is no file that WeightPosterior.save wrote") from error


def _fitting(posterior: WeightPosterior, model: DiffusionModel, names: Sequence[str]) -> WeightPosterior:
    found = posterior.only(names)
    shapes = {name: tuple(p.shape) for name, p in model.denoiser.named_parameters()}
    for name in names:
        if not tuple(found.mean[name].shape) == tuple(found.std[name].shape) == shapes[name]:
            raise UserError(
                f"posterior: {name} is {list(found.std[name].shape)}, and {list(shapes[name])} in the pipeline"
            )
    return found
