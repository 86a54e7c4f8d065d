"""Judges of attributes: any number of them in an image, or none where it is off the manifold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from vdu_bench.data.image_set import ImageSet
from vdu_bench.data.sources.faces import NAMES, load_faces
from vdu_bench.data.splits import DataSplits
from vdu_bench.judges.classifier.augmentation import off_manifold
from vdu_bench.judges.classifier.judge import Judge
from vdu_bench.judges.classifier.network import JudgeNetwork
from vdu_bench.judges.classifier.training import confusion_matrix, train_judge
from vdu_bench.judges.specs import SmallCNNRecipe
from vdu_bench.models.specs import FitSpec

RECIPE = SmallCNNRecipe(
    width=8,
    features=32,
    max_rotation=0,
    training=FitSpec(steps=300, batch_size=64, learning_rate=0.004, schedule="cosine"),
)


@pytest.fixture(scope="module")
def splits() -> DataSplits:
    """A part of the portraits: 2,500 to learn from, 500 held out."""
    faces = load_faces()
    return DataSplits(faces.train.subset(torch.arange(2500)), faces.held_out.subset(torch.arange(500)))


@pytest.fixture(scope="module")
def judge(splits: DataSplits) -> Judge:
    return train_judge("faces_judge", RECIPE, splits)


class Planted(JudgeNetwork):
    """Says what stands in an image's first row: a pixel above the middle is a yes, one answer after the other."""

    def __init__(self, answers: int) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1))
        self.answers = answers

    def features(self, images: Tensor) -> Tensor:
        return images[:, 0, 0, : self.answers] * self.scale

    def read_out(self, features: Tensor) -> Tensor:
        return features


def planted(answers: list[list[bool]], exclusive: bool = False) -> tuple[Judge, Tensor]:
    """A judge of two attributes, and images that it gives these answers for: the two, and off the manifold."""
    names = ("hat", "beard")
    judge = Judge("planted", Planted(3), names, RECIPE, (1, 2, 4), exclusive, torch.zeros(0))
    images = torch.full((len(answers), 1, 2, 4), 10, dtype=torch.uint8)
    images[:, 0, 0, :3] = torch.where(torch.tensor(answers), 200, 50).to(torch.uint8)
    return judge, images


def test_it_learns_every_attribute(judge: Judge, splits: DataSplits) -> None:
    shown, features = judge.read(splits.held_out.images)
    assert shown.dtype == torch.bool
    assert shown.shape == (500, 5)
    assert features.shape == (500, 32)
    right = (shown == splits.held_out.concepts).float().mean(0)
    assert float(right.min()) > 0.9
    # Far from what always saying no would reach.
    assert float((right - (~splits.held_out.concepts).float().mean(0)).min()) > 0.1
    assert not judge.exclusive


def test_the_confusion_is_counted_by_attribute(judge: Judge, splits: DataSplits) -> None:
    shown = judge.read(splits.held_out.images)[0].tolist()
    truth = splits.held_out.concepts.tolist()
    for k in range(5):
        counts = [0, 0, 0, 0]
        for said, is_so in zip(shown, truth, strict=True):
            counts[2 * is_so[k] + said[k]] += 1
        assert judge.confusion[k].tolist() == counts
    assert judge.confusion.dtype == torch.int64
    assert judge.confusion.sum(1).tolist() == [500] * 5


def test_accuracy_is_the_worst_attribute_s(judge: Judge, splits: DataSplits) -> None:
    right = (judge.read(splits.held_out.images)[0] == splits.held_out.concepts).double().mean(0)
    assert judge.accuracy == pytest.approx(float(right.min()), abs=1e-6)
    assert right.min() < right.max()


def test_planted_answers_come_out() -> None:
    answers = [
        [False, False, False],
        [True, False, False],
        [True, True, False],
        # Off the manifold nothing is shown, whatever else is said.
        [True, True, True],
        [False, False, True],
    ]
    judge, images = planted(answers)
    expected = torch.tensor([[False, False], [True, False], [True, True], [False, False], [False, False]])
    assert torch.equal(judge.read(images)[0], expected)


def test_planted_confusion_comes_out() -> None:
    answers = [[True, False], [True, False], [False, False], [True, True], [False, True]]
    judge, images = planted([[*row, False] for row in answers])
    truth = torch.tensor([[True, False], [False, False], [True, False], [True, True], [False, False]])
    judge.confusion = confusion_matrix(judge, ImageSet(images, truth, judge.names))
    # True negatives, false positives, false negatives, true positives.
    assert judge.confusion.tolist() == [[1, 1, 1, 2], [3, 1, 0, 1]]
    assert judge.accuracy == pytest.approx(3 / 5)


def test_off_the_manifold_nothing_is_shown(judge: Judge, splits: DataSplits) -> None:
    held_out = splits.held_out.images
    generator = torch.Generator().manual_seed(1)
    noise = torch.randint(256, held_out.shape, generator=generator).to(torch.uint8)
    assert float(judge.read(noise)[0].any(1).float().mean()) < 0.02
    made = ((off_manifold(held_out.float() / 127.5 - 1, generator) + 1) * 127.5).round().to(torch.uint8)
    real = judge.read(held_out)[0].any(1).float().mean()
    assert float(judge.read(made)[0].any(1).float().mean()) < 0.15 < float(real)


def test_training_is_the_recipe_s_alone(splits: DataSplits) -> None:
    short = RECIPE.model_copy(update={"training": RECIPE.training.model_copy(update={"steps": 3})})
    torch.manual_seed(1)
    state = torch.get_rng_state()
    one = train_judge("judge", short, splits)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert one.digest() == train_judge("judge", short, splits).digest()


def test_saved_and_loaded(judge: Judge, splits: DataSplits, tmp_path: Path) -> None:
    judge.save(tmp_path)
    again = Judge.load(tmp_path)
    assert (again.exclusive, again.names, again.recipe) == (False, NAMES, RECIPE)
    assert again.digest() == judge.digest()
    assert torch.equal(again.confusion, judge.confusion)
    for ours, theirs in zip(judge.read(splits.held_out.images), again.read(splits.held_out.images), strict=True):
        assert torch.equal(ours, theirs)


def test_a_file_from_before_there_were_attributes_is_of_classes(judge: Judge, tmp_path: Path) -> None:
    judge.save(tmp_path)
    facts = json.loads((tmp_path / "judge.json").read_text())
    del facts["exclusive"]
    (tmp_path / "judge.json").write_text(json.dumps(facts))
    assert Judge.load(tmp_path).exclusive
