"""Unlearning of a pipeline of one's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from vdu_bench.api.named_methods import the_method
from vdu_bench.api.own_context import OwnContext, Words
from vdu_bench.api.own_images import OwnImages, own_images
from vdu_bench.api.own_pipeline import Pipeline, model_of, pipeline_with
from vdu_bench.api.own_posterior import Source, laplace_spec, own_posterior
from vdu_bench.engine.progress import Progress
from vdu_bench.errors import UserError
from vdu_bench.methods.method import Method
from vdu_bench.methods.settings import checked_settings
from vdu_bench.methods.unchanged_base import unchanged
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.precision import arithmetic
from vdu_bench.models.specs import ComputeSpec, Precision, SamplerSpec

Images = str | Path | Image.Image | Tensor | Sequence[str | Path | Image.Image | Tensor]
"""A folder, a file, a PIL image, a tensor (uint8, or floating point in 0..1, ``[N, C, H, W]``), or several of these."""


def unlearn(
    pipeline: Pipeline,
    method: str | type[Method] | Method,
    forget: Images | None = None,
    *,
    prompts: str | Sequence[str] | None = None,
    captions: str | Sequence[str] | None = None,
    anchor: str = "",
    keep: str | Sequence[str] = (),
    retain: Images | None = None,
    retain_captions: str | Sequence[str] | None = None,
    posterior: Source | None = None,
    sampler: SamplerSpec | Mapping[str, Any] | None = None,
    autocast: Precision = "off",
    gradient_checkpointing: bool = False,
    seed: int = 0,
    quiet: bool = False,
    **settings: Any,
) -> Pipeline:
    """A pipeline that has forgotten; the one that was given stays as it is.

    It works where the pipeline is (``pipeline.to("cuda")``), in float32, and gives back the pipeline's own precision.
    The same call gives the same weights on a CPU.

    Args:
        pipeline: of diffusers, in memory: DDPMPipeline, DDIMPipeline, StableDiffusionPipeline or its image-to-image
            twin.
        method: a method's name (``vdu-bench list methods``), its class, or one with its settings.
        forget: images of what is to be forgotten. Files and PIL images are scaled to the pipeline's size and cut to it
            from the middle; of a folder all images are taken, but hidden ones.
        prompts: of a text-to-image pipeline, ask for what is to be forgotten.
        captions: what the forget images show, one for all or one for each. Default: what the folder's
            ``metadata.jsonl`` or ``metadata.csv`` says (``file_name``, ``text``), else one of `prompts`, drawn anew
            each time. Metadata without a ``text`` are refused.
        anchor: what is to be made of the prompts instead, for methods that lead there.
        keep: prompts for what is to be kept, for methods that are told.
        retain: images of what is to be kept, for methods that need some.
        retain_captions: what these show, as `captions`, with no default but the folder's.
        posterior: over the denoiser's weights, for methods that need one: a folder of checkpoints, a list of them, a
            `WeightPosterior` or a file of one, or ``laplace`` for the approximation at the pipeline's own samples,
            whose settings are those of `LaplacePosterior`.
        sampler: how the pipeline's own samples are drawn, where they are needed: a `SamplerSpec` or its fields.
            Default: its defaults, in batches of 8, with a guidance scale of 7.5 where the pipeline takes prompts.
        autocast: precision of the denoiser's arithmetic. Meanwhile torch's own flags for TF32 say so too: ``off`` is
            float32 proper, and all others compute in TF32 what stays in float32.
        gradient_checkpointing: compute activations twice, and keep few of them.
        seed: of every draw.
        quiet: no progress bar.
        settings: the method's, where they differ from its defaults (``vdu-bench show vdu``).

    Raises:
        UserError: something cannot be used, or the method needs what was not given; it says what to pass.
        Diverged: a loss or a weight is not finite.
        TypeError: the method changed the pipeline that it was given.
    """
    found = the_method(_checked_method(method), settings)
    compute = {"autocast": autocast, "gradient_checkpointing": gradient_checkpointing}
    computing = checked_settings("unlearn", ComputeSpec, compute)
    model = model_of(pipeline)
    who = type(found).__name__
    if model.conditioning not in found.supports:
        raise UserError(f"{who} works on {' and '.join(found.supports)} models only, and this pipeline is not one")
    if found.role != "contestant":
        raise UserError(f"{who} is a reference row of tables, and unlearns nothing")
    model.computing(computing)
    drawn_by = _sampler(sampler, model)
    shape = model.image_shape
    to_forget = None if forget is None else own_images(forget, shape, "forget")
    to_keep = None if retain is None else own_images(retain, shape, "retain")
    words = _words(model, to_forget, to_keep, prompts, captions, anchor, keep, retain_captions)
    progress = Progress(quiet)
    with arithmetic(autocast), _laplace_bar(posterior, progress) as on_image:
        kept = None if words is None else (words.anchor, *words.preserve)
        estimate = None if posterior is None else own_posterior(posterior, model, drawn_by, kept, on_image)
        context = OwnContext(model, found, to_forget, to_keep, words, estimate, seed, drawn_by)
        found.prepare(model, context)
    with arithmetic(autocast), progress.steps(who, found.steps) as context.on_step, unchanged(model, who):
        made = found.unlearn(model, context)
    return pipeline_with(pipeline, made, model)


def _checked_method(given: Any) -> Any:
    """A method, its name or its class. Raises UserError for anything else."""
    if isinstance(given, str | Method) or (isinstance(given, type) and issubclass(given, Method)):
        return given
    kind = given.__name__ if isinstance(given, type) else type(given).__name__
    raise UserError(f"method is a {kind}: give a method's name, its class, or one with its settings")


def _laplace_bar(posterior: Source | None, progress: Progress) -> AbstractContextManager[Callable[[int], None] | None]:
    spec = laplace_spec(posterior)
    return nullcontext() if spec is None else progress.bar("laplace posterior", spec.samples)


def _sampler(given: SamplerSpec | Mapping[str, Any] | None, model: DiffusionModel) -> SamplerSpec:
    if isinstance(given, SamplerSpec):
        return given
    if given is not None and not isinstance(given, Mapping):
        raise UserError(
            f"sampler is a {type(given).__name__}: give a SamplerSpec or its fields, such as {{'steps': 30}}"
        )
    defaults = {"batch_size": 8, "guidance_scale": 7.5 if model.prompted else 1.0}
    return checked_settings("sampler", SamplerSpec, {**defaults, **(given or {})})


def _listed(text: str | Sequence[str] | None, called: str) -> tuple[str, ...]:
    if text is None or isinstance(text, str):
        return () if text is None else (text,)
    found = tuple(text) if isinstance(text, Iterable) else (text,)
    for one in found:
        if not isinstance(one, str):
            raise UserError(f"{called} has a {type(one).__name__}: give a text, or a list of them")
    return found


def _words(
    model: DiffusionModel,
    forget: OwnImages | None,
    retain: OwnImages | None,
    prompts: str | Sequence[str] | None,
    captions: str | Sequence[str] | None,
    anchor: str,
    keep: str | Sequence[str],
    retain_captions: str | Sequence[str] | None,
) -> Words | None:
    if not model.prompted:
        given = {"prompts": prompts, "captions": captions, "anchor": anchor, "keep": keep}
        for name, value in {**given, "retain_captions": retain_captions}.items():
            if value:
                raise UserError(f"{name}: an unconditional pipeline takes no words")
        return None
    asked = _listed(prompts, "prompts")
    own = _captions(forget, captions, "captions")
    if forget is not None and not own:
        if not asked:
            raise UserError("a text-to-image pipeline is told what images show: pass prompts=..., or captions=...")
        own = (asked,) * len(forget.images)
    kept = _captions(retain, retain_captions, "retain_captions")
    if retain is not None and not kept:
        raise UserError("a text-to-image pipeline is told what images show: pass retain_captions=...")
    words = Words(asked, anchor, _listed(keep, "keep"), own, kept)
    every = [*asked, anchor, *words.preserve, *(caption for captions in (*own, *kept) for caption in captions)]
    # Here, and not after an hour: a prompt that is too long.
    model.check_prompts(len(every), every)
    return words


def _captions(images: OwnImages | None, given: str | Sequence[str] | None, called: str) -> tuple[tuple[str, ...], ...]:
    """For each image what it shows; empty where nobody says."""
    if images is None:
        if given:
            raise UserError(f"{called} go with images, and there are none")
        return ()
    own = _listed(given, called)
    if not own and images.untold is not None:
        raise UserError(
            f"{images.untold} has no 'text' for any image, which is the key that captions are looked for under: call "
            f"it so there, or pass {called}=..."
        )
    told = own * len(images.images) if isinstance(given, str) else own or tuple(images.captions or ())
    if told and len(told) != len(images.images):
        raise UserError(
            f"{called}: there are {len(told)} for {len(images.images)} images; give one for each, or one for all"
        )
    return tuple((caption,) for caption in told)
