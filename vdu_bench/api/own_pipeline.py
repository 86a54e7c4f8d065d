"""A diffusers pipeline in memory behind the suite's interface, and back again."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from torch import nn

from vdu_bench.errors import UserError
from vdu_bench.models.diffusion import DiffusionModel, attribute_of
from vdu_bench.models.pipelines.components import read_noise_scheduler
from vdu_bench.models.pipelines.registry import PIPELINES, PipelineFacts
from vdu_bench.models.pipelines.schedule import check_denoiser

Pipeline = TypeVar("Pipeline")


def facts_of(pipeline: Any) -> PipelineFacts:
    """What is known of a pipeline's class. Raises UserError for one that the suite does not take."""
    for kind in type(pipeline).__mro__:
        if kind.__name__ in PIPELINES:
            return PIPELINES[kind.__name__]
    raise UserError(
        f"a {type(pipeline).__name__} is no pipeline that can be unlearned; these can: {', '.join(PIPELINES)}, as "
        "diffusers' DiffusionPipeline.from_pretrained gives them"
    )


def model_of(pipeline: Any) -> DiffusionModel:
    """The model in a pipeline, frozen, as float32 where the pipeline is.

    Its networks are its own, but their weights are the pipeline's memory, where that is float32: a model that is only
    read costs nothing. Nothing of the pipeline is changed.

    Raises:
        UserError: the pipeline is of another class, lacks a part, its noise is not DDPM's, or a part of it cannot be
            worked on as it is: offloaded, quantised, with adapters that were not fused, or with projections that were.
    """
    facts = facts_of(pipeline)
    source = f"the {type(pipeline).__name__}"
    lacking = [
        name for name in (*facts.components, *facts.tokenizers, "scheduler") if getattr(pipeline, name, None) is None
    ]
    if lacking:
        raise UserError(f"{source} has no {' and no '.join(lacking)}: load it whole, with each of its parts")
    networks = [_view(_plain(pipeline, component, source)) for component in facts.components]
    check_denoiser(networks[0].config, source)
    # By way of its files, so that an object is taken exactly as its folder would be.
    with tempfile.TemporaryDirectory() as folder:
        pipeline.scheduler.save_pretrained(Path(folder) / "scheduler")
        noise = read_noise_scheduler(Path(folder), source)
    tokenizers = [copy.deepcopy(getattr(pipeline, name)) for name in facts.tokenizers]
    settings = {key: pipeline.config.get(key, default) for key, default in facts.settings.items()}
    kind: Any = facts.model()
    try:
        model: DiffusionModel = kind(networks[0], noise, *networks[1:], *tokenizers, **settings)
    except UserError as error:
        raise UserError(f"{source}: {error}") from error
    return model.freeze()


def pipeline_with(pipeline: Pipeline, model: DiffusionModel, base: DiffusionModel) -> Pipeline:
    """A pipeline as the given one, with the networks of `model` that are not those of `base`.

    It has memory of its own for these, in the pipeline's precision, and shares the others with the given pipeline.

    Args:
        pipeline: stays as it is.
        model: what was made of `base`.
        base: as `model_of` gave it.
    """
    found: Any = pipeline
    made: Any = copy.copy(pipeline)
    made.register_modules(scheduler=copy.deepcopy(found.scheduler))
    for component in facts_of(pipeline).components:
        attribute = attribute_of(component)
        network = getattr(model, attribute)
        if network is not getattr(base, attribute):
            made.register_modules(**{component: _as_before(network, _bare(getattr(found, component)))})
    return cast(Pipeline, made)


def _bare(network: Any) -> Any:
    """Without torch.compile's wrapper."""
    return getattr(network, "_orig_mod", network)


def _plain(pipeline: Any, component: str, source: str) -> Any:
    network = _bare(getattr(pipeline, component, None))
    if not isinstance(network, nn.Module):
        raise UserError(f"{source} has no {component}")
    parameters = dict(network.named_parameters())
    if any(hasattr(module, "_hf_hook") for module in network.modules()) or any(p.is_meta for p in parameters.values()):
        raise UserError(
            f"{source}: its {component} is offloaded; call pipeline.remove_all_hooks() and pipeline.to(...)"
        )
    if name := next((name for name in parameters if ".lora_" in name), None):
        raise UserError(
            f"{source}: its {component} has an adapter ({name}); call pipeline.fuse_lora() and "
            "pipeline.unload_lora_weights()"
        )
    if any(getattr(module, "fused_projections", False) for module in network.modules()):
        raise UserError(
            f"{source}: its {component} has fused projections, beside which its own weights decide nothing, and which "
            "unfuse_qkv_projections() leaves in it: load it again, and fuse what comes back"
        )
    if name := next(
        (name for name, p in parameters.items() if p.dtype.itemsize < 2 or not p.is_floating_point()), None
    ):
        raise UserError(f"{source}: its {component} is quantised ({name} is {parameters[name].dtype}): load it without")
    return network


def _view(network: Any) -> Any:
    """A network of its own, frozen, on the other's float32 weights; with float32 copies of others."""
    memo: dict[int, Any] = {id(p): nn.Parameter(p.detach().float(), requires_grad=False) for p in network.parameters()}
    memo |= {id(b): b.detach().float() if b.is_floating_point() else b.detach() for b in network.buffers()}
    return copy.deepcopy(network, memo).eval()


def _as_before(network: Any, before: nn.Module) -> Any:
    """A network put into the precision and the modes that another one has, which shares no memory with that."""
    dtypes = {name: p.dtype for name, p in before.named_parameters()}
    taken = {p.data_ptr() for p in before.parameters()}
    wanted = {name: p.requires_grad for name, p in before.named_parameters()}
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            data = parameter.data.to(dtypes[name])
            # A training of one pipeline would otherwise change the other.
            parameter.data = data.clone() if data.data_ptr() in taken else data
            parameter.requires_grad_(wanted[name])
    if not getattr(before, "is_gradient_checkpointing", False) and hasattr(network, "disable_gradient_checkpointing"):
        network.disable_gradient_checkpointing()
    return network.train(before.training)
