"""A task on a folder of one's own images, after a task that there is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vdu_bench.data.pictures import side_of
from vdu_bench.data.sources.image_folder import ImageFolder
from vdu_bench.data.splits import DataSplits
from vdu_bench.errors import UserError
from vdu_bench.judges.clip.specs import ClipRecipe
from vdu_bench.models.specs import LatentRecipe, ModelRecipe
from vdu_bench.tasks.own_prompts import own_prompts
from vdu_bench.tasks.task import Task
from vdu_bench.tasks.writing import as_yaml

FEW = 50
"""A class with fewer training images is warned of."""


@dataclass(frozen=True)
class OwnTask:
    """A task file that begins as another task, and what was found in the images.

    Attributes:
        content: the file's keys and values.
        found: sentences for whoever asked for it.
        warnings: what is likely to go wrong.
    """

    content: dict[str, Any]
    found: tuple[str, ...]
    warnings: tuple[str, ...]

    def text(self, made_by: str) -> str:
        """The file; `made_by`, the command, stands above its keys."""
        return (
            f"# Made by: {made_by}\n"
            "# What is not said here is as in the task that it extends: vdu-bench show FILE tells all of it. Settings\n"
            "# of methods are that task's, too; vdu-bench tune searches for others.\n" + as_yaml(self.content)
        )


def own_task(
    name: str, parent: Task, extends: str, source: ImageFolder, folder: str, forget: str | None = None
) -> OwnTask:
    """A task that forgets something of a folder's images, with the parent's recipes sized for them.

    Without a size in `source`, images are taken as they are where the parent's network can be sized for that, and else
    resized to the parent's own size.

    Args:
        name: of the task.
        parent: the task whose recipes are taken.
        extends: what the file calls the parent.
        source: the folder, absolute.
        folder: what the file calls the folder.
        forget: a class or an attribute; the first if not given.

    Raises:
        UserError: the images cannot be used, do not go with the parent's kind of model or network, or show no such
            thing.
    """
    prompted = parent.prompts is not None
    if prompted and source.attributes is None:
        raise UserError(
            f"{parent.name} has prompts, which ask for attributes: name the CSV file of them by --attributes, or take "
            "a task without prompts, such as --from digits_1"
        )
    if not prompted and source.attributes is not None:
        raise UserError(f"{parent.name} is of classes, and not of attributes: take --from faces_hats for these")
    # An autoencoder of the catalog's is one of images in colour.
    if prompted and source.channels == 1:
        raise UserError(f"--channels 1: models like those of {parent.name} are of images in colour; leave it out")
    train, held_out = source.parts(None)
    files = train.files if held_out is None else (*train.files, *held_out.files)
    native = side_of(files)
    size = _size(parent, source.size, native)
    options = {"size": None if size == native else size, "channels": 3 if prompted else source.channels}
    sized = source.model_copy(update=options)
    splits = sized.load(None)
    images = splits.train
    wanted = images.names[0] if forget is None else forget
    if wanted not in images.names:
        raise UserError(f"--forget {wanted!r}: the images show no such thing{splits.instead_of(wanted)}")
    if len(images.names) < 2:
        raise UserError(f"{source.folder} has one attribute alone, {wanted!r}, and something has to be kept")
    if int(images.shows(wanted).sum()) in (0, len(images)):
        raise UserError(f"--forget {wanted!r}: all images to learn from show it, or none does")
    channels = images.images.shape[1]
    look = f"{size} x {size} pixels, {'in colour' if channels == 3 else 'grey'}"
    content: dict[str, Any] = {
        "name": name,
        "family": name,
        "extends": extends,
        "title": f"forget {wanted} ({len(images)} images of {look}; after {parent.name})",
        "data": {
            "source": "image_folder",
            **sized.model_dump(mode="json", exclude_defaults=True),
            "folder": folder,
            "channels": channels,
        },
        "forget": wanted,
        **_model(parent, size, channels),
    }
    if prompted:
        content["prompts"] = own_prompts(images.names, wanted)
    if isinstance(parent.clip, ClipRecipe):
        content["clip"] = {"name": f"clip_{name}", "network": {"vision_cfg": {"image_size": size}}}
    found = [
        f"{len(files):,} images, {look}" + ("" if size == native else " (the square in their middle, resized)"),
        _listed(splits),
        f"{len(images):,} to learn from, {len(splits.held_out):,} held out"
        + (f": {source.held_out:.0%} of them, always the same" if held_out is None else ""),
        f"to forget: {wanted}" + (", the first of them; --forget names another" if forget is None else ""),
        *_costs(parent, size),
    ]
    return OwnTask(content, tuple(found), tuple(_warnings(splits)))


def seen_from(path: Path, file: Path) -> str:
    """What a task file calls a path: ./... where it is below the file's folder, else the absolute path."""
    path, folder = path.expanduser().absolute(), file.absolute().parent
    return f"./{path.relative_to(folder)}" if path.is_relative_to(folder) else str(path)


def _levels(network: dict[str, Any]) -> int:
    return int(2 ** (len(network["block_out_channels"]) - 1))


def _size(parent: Task, asked: int | None, native: int | None) -> int:
    """The size of the images that the sized network takes."""
    recipe = parent.recipe
    if recipe is None:
        if asked is None:
            raise UserError(f"the base of {parent.name} is from elsewhere: give --size, the size of its images")
        return asked
    shrunk = _levels(recipe.autoencoder.network) if isinstance(recipe, LatentRecipe) else 1
    step = shrunk * _levels(recipe.denoiser)
    if asked is not None and asked % step:
        near = max(step, round(asked / step) * step)
        raise UserError(f"--size {asked}: the network of {parent.name} halves images, and takes {near}, not {asked}")
    # Its layers were chosen for its own size, and of much larger images they would see too little.
    own = int(recipe.denoiser["sample_size"]) * shrunk
    fits = native is not None and native % step == 0 and native <= 4 * own
    return asked or (native if fits and native is not None else own)


def _model(parent: Task, size: int, channels: int) -> dict[str, Any]:
    recipe = parent.recipe
    if isinstance(recipe, LatentRecipe):
        shrunk = size // _levels(recipe.autoencoder.network)
        return {
            "model": {
                "denoiser": {"sample_size": shrunk},
                "autoencoder": {"network": {"sample_size": size}},
            }
        }
    if isinstance(recipe, ModelRecipe):
        return {"model": {"denoiser": {"sample_size": size, "in_channels": channels, "out_channels": channels}}}
    return {}


def _listed(splits: DataSplits) -> str:
    shown = (splits.train.concepts.sum(0) + splits.held_out.concepts.sum(0)).tolist()
    counts = [f"{name} {count:,}" for name, count in zip(splits.train.names, shown, strict=True)]
    what = "classes" if splits.train.exclusive else "attributes"
    more = f" and {len(counts) - 12} more" if len(counts) > 12 else ""
    return f"{len(counts)} {what}: {', '.join(counts[:12])}{more}"


def _costs(parent: Task, size: int) -> Iterator[str]:
    if parent.recipe is None:
        return
    shrunk = _levels(parent.recipe.autoencoder.network) if isinstance(parent.recipe, LatentRecipe) else 1
    times = (size / (int(parent.recipe.denoiser["sample_size"]) * shrunk)) ** 2
    steps = f"{parent.recipe.training.steps:,} steps of {parent.recipe.training.batch_size} images"
    yield (
        f"its base and retrained models are trained first: {steps} each"
        + (f", {times:.3g} times the pixels of {parent.name}'s" if times != 1 else "")
    )


def _warnings(splits: DataSplits) -> Iterator[str]:
    for name, column in zip(splits.train.names, splits.train.concepts.T, strict=True):
        if (count := int(column.sum())) < FEW:
            yield f"{name} has {count} images to learn from; with fewer than {FEW}, models and judge are poor"
        if not splits.held_out.shows(name).any():
            yield f"no held-out image shows {name}, so the judge cannot be checked on it; give a larger data.held_out"
