"""Every task file that ships: it loads, its network fits its data, and what the paper's tasks promise is in them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import DDPMScheduler, UNet2DModel

from vdu_bench.data.catalog import SOURCES
from vdu_bench.judges.classifier.networks import make_network
from vdu_bench.judges.specs import TimmRecipe
from vdu_bench.tasks.loading import FILES, catalog, read_tasks
from vdu_bench.tasks.task import Task

FOLDER = Path(__file__).parents[2] / "vdu_bench" / "tasks" / "catalog"
TASKS = {task.name: task for file in sorted(FOLDER.glob("*.yaml")) for task in read_tasks(file)}
PAPER = [
    "mnist_1",
    "mnist_8",
    "cifar10_ship",
    "cifar10_automobile",
    "tinyimagenet_fish",
    "tinyimagenet_butcher_shop",
]
TRAINED = ["cifar10_ship_trained", "cifar10_automobile_trained"]
FULL = [*PAPER, *TRAINED, "fashion_mnist_trouser"]
SMALL = [f"{name}_small" for name in PAPER]
FAMILIES = {task.family: task for task in TASKS.values()}
UNCONDITIONAL = [family for family, task in FAMILIES.items() if task.model.kind == "unconditional" and task.recipe]


def test_every_file_is_an_entry_point_of_its_own_name() -> None:
    declared = {name: entry.target for name, entry in FILES.entries().items()}
    assert declared == {file.stem: f"vdu_bench.tasks.catalog:{file.name}" for file in FOLDER.glob("*.yaml")}
    assert set(catalog()) == set(TASKS)


def test_the_paper_s_class_tasks_are_there_with_their_scale() -> None:
    full = [name for name, task in TASKS.items() if task.scale == "full" and task.prompts is None]
    assert full == sorted(FULL, key=list(TASKS).index)
    assert {name for name, task in TASKS.items() if task.scale == "small"} == set(SMALL)
    assert (TASKS["tinyimagenet_fish"].forget, TASKS["tinyimagenet_butcher_shop"].forget) == ("n01443537", "n02927161")
    assert (TASKS["mnist_8_small"].forget, TASKS["fashion_mnist_trouser"].forget) == ("8", "trouser")


@pytest.mark.parametrize("family", FAMILIES)
def test_tasks_of_a_family_share_data_model_and_judge(family: str) -> None:
    members = [task for task in TASKS.values() if task.family == family]
    first = members[0]
    for task in members[1:]:
        assert (task.data, task.model, task.judge, task.scale) == (first.data, first.model, first.judge, first.scale)
        assert task.second_judge == first.second_judge


@pytest.mark.parametrize("family", FAMILIES)
def test_the_second_judge_is_of_another_family(family: str) -> None:
    task = FAMILIES[family]
    assert task.second_judge is not None
    kinds = [(judge.network, getattr(judge, "architecture", "")) for judge in (task.judge, task.second_judge)]
    assert kinds[0] != kinds[1]


@pytest.mark.parametrize("family", UNCONDITIONAL)
def test_the_network_takes_the_images(family: str) -> None:
    task = FAMILIES[family]
    SOURCES.entry(task.data.source)
    with torch.device("meta"):
        model = UNet2DModel(**task.model.denoiser)
        shape = (2, model.config["in_channels"], model.config["sample_size"], model.config["sample_size"])
        assert tuple(model(torch.empty(shape), torch.tensor([1, 2])).sample.shape) == shape
        judge = make_network(task.judge, (shape[1], *shape[2:]), 11).eval()
        assert tuple(judge(torch.empty(shape)).shape) == (2, 11)
        if isinstance(task.second_judge, TimmRecipe):
            second = make_network(task.second_judge, (shape[1], *shape[2:]), 11).eval()
            assert tuple(second(torch.empty(shape)).shape) == (2, 11)


@pytest.mark.parametrize("name", [name for name in [*FULL, *SMALL] if TASKS[name].recipe])
def test_the_schedule_is_ho_et_al_s(name: str) -> None:
    schedule = DDPMScheduler(**TASKS[name].model.noise_scheduler)
    assert torch.equal(schedule.betas, torch.linspace(1e-4, 0.02, 1000))


def weights(task: Task) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in UNet2DModel(**task.model.denoiser).parameters())


def test_cifar_10_s_base_is_ho_et_al_s() -> None:
    task = TASKS["cifar10_ship_trained"]
    assert weights(task) == 35_746_307, "35.7 million, as its appendix B says"
    training = task.model.training
    assert (training.steps, training.learning_rate, training.ema_decay) == (800_000, 2e-4, 0.9999)
    assert task.model.denoiser["dropout"] == 0.1


@pytest.mark.parametrize("name", ["cifar10_ship", "cifar10_automobile"])
def test_cifar_10_s_base_is_the_public_one_unless_a_task_says_that_it_is_trained(name: str) -> None:
    task, ours = TASKS[name], TASKS[f"{name}_trained"]
    assert (task.base, task.recipe, task.posterior_source.source) == ("google/ddpm-cifar10-32", None, "laplace")
    assert ours.recipe is not None
    assert (ours.base, ours.posterior_source.source) == (None, "snapshots")
    apart = {"name", "family", "title", "base", "model", "posterior"}
    assert task.model_dump(exclude=apart) == ours.model_dump(exclude=apart)


@pytest.mark.parametrize("name", ["mnist_1", "mnist_8", "fashion_mnist_trouser"])
def test_mnist_s_full_scale_is_affordable(name: str) -> None:
    task = TASKS[name]
    training = task.model.training
    assert 2e6 <= weights(task) <= 3e6
    assert training.steps <= 15_000
    assert (training.batch_size, training.schedule, training.autocast) == (128, "cosine", "bfloat16")
    assert 2 * weights(task) < 15e6, "a file of a repository, in half precision"


def test_the_small_base_is_small() -> None:
    task = TASKS["mnist_1_small"]
    assert weights(task) == 1_085_937
    assert (task.model.training.steps, task.model.training.batch_size) == (12_000, 32)


def test_full_scale_judges_have_to_reach_what_the_data_allow() -> None:
    asked = {name: TASKS[name].judge_accuracy for name in FULL}
    assert asked["mnist_1"] == asked["mnist_8"] == 0.99
    assert {asked[name] for name in asked if name.startswith("cifar10")} == {0.93}
