"""One thread for every test, and tasks small enough for one."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import yaml
from pipelines import write_pipeline, write_xl_pipeline

from vdu_bench.data.sources.digits import load_digits
from vdu_bench.engine.failures import REGISTRIES
from vdu_bench.judges.classifier.judge import Judge
from vdu_bench.judges.classifier.training import train_judge
from vdu_bench.models.pipelines.stable_diffusion_xl import StableDiffusionXL
from vdu_bench.models.pipelines.text_to_image import TextToImage
from vdu_bench.models.pipelines.unconditional import UnconditionalDDPM
from vdu_bench.models.specs import LatentRecipe, ModelRecipe
from vdu_bench.tasks.loading import read_tasks
from vdu_bench.tasks.task import Task

# Tests fork, and a forked child must not wait for threads that only its parent has.
torch.set_num_threads(1)

TINY = Path(__file__).parent / "tiny.yaml"
TINY_FACES = Path(__file__).parent / "tiny_faces.yaml"

LONG = ("test_notebook.py", "test_strangers_path.py", "test_broken_on_purpose.py", "test_gpu_script.py")
"""Files whose tests take a minute or so. Begun last, one process would wait for the other."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONG)


@pytest.fixture(autouse=True)
def nothing_registered_stays() -> Iterator[None]:
    """No other test is to find what this one registers, by a plug-in file or by itself."""
    with pytest.MonkeyPatch.context() as patch:
        for registry in REGISTRIES:
            patch.setattr(registry, "_entries", registry.entries())
            patch.setattr(registry, "_loaded", dict(registry._loaded))
        yield


@pytest.fixture(scope="session")
def tiny_file() -> Path:
    """A task file: the real digits, a network of 12 k weights, everything in seconds."""
    return TINY


@pytest.fixture(scope="session")
def tiny_task() -> Task:
    """The task of `tiny_file`."""
    return read_tasks(TINY)[0]


@pytest.fixture(scope="session")
def tiny_recipe() -> ModelRecipe:
    """The model recipe of the tiny task."""
    return ModelRecipe.model_validate(yaml.safe_load(TINY.read_text())["model"])


@pytest.fixture(scope="session")
def tiny_judge(tiny_task: Task) -> Judge:
    """The tiny task's judge, trained."""
    return train_judge("tiny_judge", tiny_task.judge, load_digits())


@pytest.fixture
def tiny_model(tiny_recipe: ModelRecipe) -> UnconditionalDDPM:
    """The tiny task's network, untrained."""
    return UnconditionalDDPM.from_recipe(tiny_recipe).freeze()


@pytest.fixture(scope="session")
def tiny_pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Stable Diffusion pipeline of a million random weights, as diffusers saves it; not to be written to."""
    folder = tmp_path_factory.mktemp("pipelines") / "tiny"
    write_pipeline(folder)
    return folder


@pytest.fixture
def copied_pipeline(tiny_pipeline: Path, tmp_path: Path) -> Path:
    """A copy of the tiny pipeline, to be damaged."""
    return Path(shutil.copytree(tiny_pipeline, tmp_path / "copied"))


@pytest.fixture(scope="session")
def tiny_xl_pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of Stable Diffusion XL."""
    folder = tmp_path_factory.mktemp("xl") / "pipeline"
    write_xl_pipeline(folder)
    return folder


@pytest.fixture
def copied_xl_pipeline(tiny_xl_pipeline: Path, tmp_path: Path) -> Path:
    """A copy of the tiny XL pipeline, to be damaged."""
    return Path(shutil.copytree(tiny_xl_pipeline, tmp_path / "copied_xl"))


@pytest.fixture
def tiny_xl(tiny_xl_pipeline: Path) -> StableDiffusionXL:
    """The model in `tiny_xl_pipeline`."""
    return StableDiffusionXL.load(tiny_xl_pipeline).freeze()


@pytest.fixture(scope="session")
def tiny_faces_file() -> Path:
    """A task file: the portraits, a whole latent pipeline of a few thousand weights, everything in seconds."""
    return TINY_FACES


@pytest.fixture(scope="session")
def tiny_faces_task() -> Task:
    """The task of `tiny_faces_file`."""
    return read_tasks(TINY_FACES)[0]


@pytest.fixture(scope="session")
def tiny_latent_recipe(tiny_faces_task: Task) -> LatentRecipe:
    """The model recipe of the tiny faces task."""
    assert isinstance(tiny_faces_task.recipe, LatentRecipe)
    return tiny_faces_task.recipe


@pytest.fixture
def tiny_text_to_image(tiny_pipeline: Path) -> TextToImage:
    """The model in `tiny_pipeline`."""
    return TextToImage.load(tiny_pipeline).freeze()


@pytest.fixture(params=["tiny_text_to_image", "tiny_xl"])
def prompted_model(request: pytest.FixtureRequest) -> TextToImage:
    """Each of the models that take prompts, in turn."""
    found: TextToImage = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """A machine on which nothing was ever fetched, with a network; the addresses that were asked for."""
    found: list[object] = []

    def refused(*address: object, **_: object) -> None:
        found.append(address)
        raise OSError("no connection in a test")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    for module in ("constants", "utils._cache_manager"):
        monkeypatch.setattr(f"huggingface_hub.{module}.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "torch"))
    monkeypatch.delenv("VDU_BENCH_DATA", raising=False)
    return found
