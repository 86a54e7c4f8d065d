"""The judges: trained and calibrated on the task's real images."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal

from vdu_bench.engine.code import code_digest
from vdu_bench.engine.environment import describe_environment
from vdu_bench.engine.stage import Stage
from vdu_bench.engine.store import Artifact
from vdu_bench.engine.workshop import Workshop
from vdu_bench.errors import NotFetched
from vdu_bench.judges.classifier.judge import Judge
from vdu_bench.judges.classifier.training import train_judge
from vdu_bench.judges.specs import JudgeRecipe, NetworkRecipe, TimmRecipe
from vdu_bench.stats.proportion import proportion
from vdu_bench.tasks.task import Task


def judge(shop: Workshop, task: Task) -> Artifact:
    """The judge, trained and calibrated; a weak one is said once."""
    return _made(shop, task, "judge", task.judge)


def second_judge(shop: Workshop, task: Task) -> Artifact | None:
    """The judge of another family, likewise; None where the task names none."""
    return None if task.second_judge is None else _made(shop, task, "second_judge", task.second_judge)


def fetch_weights(shop: Workshop, task: Task, kind: Literal["judge", "second_judge"]) -> None:
    """Have the weights that a judge starts from, if it is not trained yet. Raises UserError where they cannot be had,
    before hours are spent."""
    recipe: JudgeRecipe | None = getattr(task, kind)
    if isinstance(recipe, TimmRecipe) and recipe.pretrained and not _trained(shop, task, kind, recipe):
        from vdu_bench.judges.classifier.timm_network import pretrained_weights

        pretrained_weights(recipe.architecture)


def _trained(shop: Workshop, task: Task, kind: str, recipe: JudgeRecipe) -> bool:
    try:
        return shop.store.find(kind, _stage(shop, task, kind, recipe).full_spec) is not None
    except NotFetched:
        # Nothing was trained on data that are not here.
        return False


def load_judge(shop: Workshop, task: Task) -> Judge:
    """The judge, on the device."""
    return _loaded(shop, judge(shop, task))


def load_second_judge(shop: Workshop, task: Task) -> Judge | None:
    """The judge of another family, on the device; None where the task names none."""
    artifact = second_judge(shop, task)
    return None if artifact is None else _loaded(shop, artifact)


def weak_judge(task: Task, judge: Judge, which: str = "judge") -> list[str]:
    """A sentence where a judge's accuracy on held-out images is below what its task asks for, and one where it hardly
    tells what is to be forgotten: of a rare concept, a judge that never sees it is right about nearly every image.

    For the second, the shares that it is right about among the images with the concept and among those without weigh
    alike, and each is taken at the upper end of its 95 % interval, since there may be few.
    """
    least = task.judge_accuracy
    if least is None:
        return []
    found = []
    if judge.accuracy < least:
        found.append(
            f"the {which} names {judge.accuracy:.2%} of the held-out images rightly, and the task asks for "
            f"{least:.2%}: numbers that rest on it are not to be trusted"
        )
    yes, shown, no, others = judge.seen(task.forget)
    if not shown:
        found.append(f"no held-out image shows {task.forget!r}, so nothing tells whether the {which} sees it")
    elif others and (proportion(yes, shown).high + proportion(no, others).high) / 200 < least:
        found.append(
            f"the {which} sees {task.forget!r} in {yes} of the {shown} held-out images that show it and in "
            f"{others - no} of the {others} others, and the task asks for {least:.2%} right of either: numbers "
            "that rest on it are not to be trusted"
        )
    return found


def _stage(shop: Workshop, task: Task, kind: str, recipe: JudgeRecipe) -> Stage:
    spec = {"family": task.family, "recipe": recipe.model_dump(mode="json"), "data": shop.data_digest(task)}
    label = f"{task.family}: {_words(kind)}"

    def make(folder: Path) -> Mapping[str, Any]:
        # What is not trained step by step is trained in seconds.
        steps = shop.progress.steps(label, recipe.training.steps) if isinstance(recipe, NetworkRecipe) else None
        with steps or nullcontext() as on_step:
            made = train_judge(f"{task.family}_{kind}", recipe, shop.splits(task), shop.device, on_step)
        made.save(folder)
        return {"accuracy": made.accuracy, "environment": describe_environment(shop.device)}

    code = code_digest(["vdu_bench.judges.classifier.training"], alone=[__name__])
    return Stage(kind, spec, make, code=code, label=label)


def _made(shop: Workshop, task: Task, kind: str, recipe: JudgeRecipe) -> Artifact:
    stage = _stage(shop, task, kind, recipe)
    known = shop.known(stage)
    artifact = shop.get(stage)
    if not known:
        for warning in weak_judge(task, _loaded(shop, artifact), _words(kind)):
            shop.progress.say(f"{task.name}: warning: {warning}")
    return artifact


def _words(kind: str) -> str:
    return kind.replace("_", " ")


def _loaded(shop: Workshop, artifact: Artifact) -> Judge:
    def load() -> Judge:
        loaded = Judge.load(artifact.folder)
        loaded.network.to(shop.device)
        return loaded

    return shop.held(artifact.kind, artifact.address, load)
