"""Support vector machines as a judge."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.svm import SVC

from vdu_bench.data.image_set import ImageSet
from vdu_bench.data.sources.digits import load_digits
from vdu_bench.data.sources.faces import load_faces
from vdu_bench.data.splits import DataSplits
from vdu_bench.engine.shipped import ASSETS
from vdu_bench.errors import UserError
from vdu_bench.judges.classifier.augmentation import off_manifold
from vdu_bench.judges.classifier.judge import Judge
from vdu_bench.judges.classifier.svm import KernelMachines, fit_machines
from vdu_bench.judges.classifier.training import confusion_matrix, train_judge
from vdu_bench.judges.specs import SVMRecipe, read_recipe
from vdu_bench.tasks.loading import catalog

SPLITS = load_digits()
SMALL = SVMRecipe(network="svm", images=200)


def values(images: torch.Tensor) -> np.ndarray:
    return (images.float() / 127.5 - 1).flatten(1).double().numpy()


def test_it_says_what_scikit_learn_s_machine_says() -> None:
    recipe = SVMRecipe(network="svm", outliers=0, gamma=0.5, penalty=3)
    machines = fit_machines(recipe, SPLITS.train)
    x, held_out = values(SPLITS.train.images), SPLITS.held_out.images
    logits = machines(held_out.float() / 127.5 - 1).double().numpy()
    for k in (0, 7):
        theirs = SVC(C=3, gamma=0.5 / (x.shape[1] * x.var())).fit(x, SPLITS.train.concepts[:, k].numpy())
        np.testing.assert_allclose(logits[:, k], theirs.decision_function(values(held_out)), atol=2e-4)
    assert np.isneginf(logits[:, -1]).all(), "nobody said what is none of the classes"


def test_training_is_deterministic_and_the_seed_decides() -> None:
    one, two = (train_judge("svm", SMALL, SPLITS) for _ in range(2))
    assert one.digest() == two.digest()
    assert one.accuracy > 0.9
    assert train_judge("svm", SMALL.model_copy(update={"seed": 1}), SPLITS).digest() != one.digest()


def test_saved_and_loaded_without_a_pickle(tmp_path: Path) -> None:
    judge = train_judge("svm", SMALL, SPLITS)
    judge.save(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {"judge.safetensors", "judge.json"}
    again = Judge.load(tmp_path)
    assert isinstance(again.network, KernelMachines)
    assert (again.digest(), again.recipe) == (judge.digest(), judge.recipe)
    for ours, theirs in zip(judge.read(SPLITS.held_out.images), again.read(SPLITS.held_out.images), strict=True):
        assert torch.equal(ours, theirs)


def test_copies_are_learned_from_beside_the_images() -> None:
    plain, more = (fit_machines(SMALL.model_copy(update={"copies": copies}), SPLITS.train) for copies in (0, 2))
    assert len(plain.support) <= round(200 / 0.75) < len(more.support)


def test_an_attribute_s_machine_says_nothing_of_what_is_off_the_manifold() -> None:
    """Its answer must not depend on outliers; the last machine's alone does."""
    faces = load_faces().train
    recipe = SVMRecipe(network="svm", images=150, gamma=0.1)
    shown = faces.images[:50].float() / 127.5 - 1
    one, two = (fit_machines(recipe.model_copy(update={"outliers": share}), faces)(shown) for share in (0.1, 0.4))
    torch.testing.assert_close(one[:, :-1], two[:, :-1], atol=1e-4, rtol=0)
    assert not torch.allclose(one[:, -1], two[:, -1], atol=1e-2)


def test_a_concept_that_it_cannot_learn_is_named() -> None:
    images = SPLITS.train
    some = ImageSet(images.images, images.concepts & torch.tensor([True] * 9 + [False]), images.names)
    with pytest.raises(UserError, match="that a support vector machine learns from does not show 9"):
        fit_machines(SMALL, some)
    every = ImageSet(images.images, images.concepts | torch.tensor([True] + [False] * 9), images.names)
    with pytest.raises(UserError, match="that a support vector machine learns from shows 0"):
        fit_machines(SMALL, every)


def test_a_recipe_is_read_as_it_was_written() -> None:
    recipe = SVMRecipe(network="svm", images=5, gamma=2)
    assert read_recipe(recipe.model_dump(mode="json")) == recipe
    assert "training" not in recipe.model_dump()


@pytest.mark.parametrize(("family", "least"), [("digits", 0.99), ("faces", 0.98)])
def test_the_shipped_ones_err_as_rarely_as_the_first_judge_and_say_so(family: str, least: float) -> None:
    splits: DataSplits = {"digits": load_digits, "faces": load_faces}[family]()
    folder = ASSETS / family / "second_judge"
    judge = Judge.load(folder)
    task = next(task for task in catalog().values() if task.family == family)
    assert judge.recipe == task.second_judge
    assert torch.equal(judge.confusion, confusion_matrix(judge, splits.held_out))
    assert judge.accuracy >= least
    assert sum(file.stat().st_size for file in folder.iterdir()) < 600_000


@pytest.mark.parametrize(("family", "most"), [("digits", 0.15), ("faces", 0.35)])
def test_off_the_manifold_they_see_little(family: str, most: float) -> None:
    """Blends of two portraits are what the portraits' one sees something in; the first judge does not."""
    held_out = {"digits": load_digits, "faces": load_faces}[family]().held_out.images
    judge = Judge.load(ASSETS / family / "second_judge")
    generator = torch.Generator().manual_seed(1)
    noise = torch.randint(256, held_out.shape, generator=generator).to(torch.uint8)
    assert float(judge.read(noise)[0].any(1).float().mean()) < 0.02
    made = ((off_manifold(held_out.float() / 127.5 - 1, generator) + 1) * 127.5).round().to(torch.uint8)
    assert float(judge.read(made)[0].any(1).float().mean()) < most
