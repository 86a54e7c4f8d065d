from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch.optim.swa_utils import update_bn

from vdu_bench.data.sources.digits import load_digits
from vdu_bench.engine.shipped import ASSETS
from vdu_bench.judges.classifier.augmentation import jitter, off_manifold
from vdu_bench.judges.classifier.judge import Judge
from vdu_bench.judges.classifier.junk import JunkDetector
from vdu_bench.judges.classifier.training import confusion_matrix, train_judge
from vdu_bench.tasks.task import Task

SPLITS = load_digits()


@pytest.fixture(scope="module")
def shipped() -> Judge:
    return Judge.load(ASSETS / "digits" / "judge")


@pytest.fixture(scope="module")
def detector(shipped: Judge) -> JunkDetector:
    return JunkDetector(shipped.read(SPLITS.train.images)[1], shipped.read(SPLITS.held_out.images)[1])


def test_training_is_deterministic_and_learns(tiny_task: Task) -> None:
    one, two = (train_judge("tiny", tiny_task.judge, SPLITS) for _ in range(2))
    assert one.digest() == two.digest()
    assert one.accuracy > 0.5


def test_averaged_weights_have_their_own_normalisation(tiny_task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[torch.Tensor] = []

    def noted(batches: Iterator[torch.Tensor], network: torch.nn.Module) -> None:
        given.extend(batches)
        update_bn(given, network)

    monkeypatch.setattr("vdu_bench.judges.classifier.training.update_bn", noted)
    training = tiny_task.judge.training.model_copy(update={"ema_decay": 0.9, "steps": 30, "learning_rate": 0.05})
    judge = train_judge("tiny", tiny_task.judge.model_copy(update={"training": training}), SPLITS)
    first, normal = judge.network.body[0], judge.network.body[1]
    with torch.no_grad():
        seen = torch.stack([first(batch).mean((0, 2, 3)) for batch in given]).mean(0)
    assert len(given) == 30
    assert torch.allclose(normal.running_mean, seen, atol=1e-6)
    # Without it, what was seen by the weights on the way stays.
    monkeypatch.setattr("vdu_bench.judges.classifier.training.update_bn", lambda *_: None)
    left = train_judge("tiny", tiny_task.judge.model_copy(update={"training": training}), SPLITS).network.body[1]
    assert float((left.running_mean - seen).abs().max()) > 0.01


def test_the_shipped_judge_is_calibrated_as_it_says(shipped: Judge) -> None:
    assert torch.equal(shipped.confusion, confusion_matrix(shipped, SPLITS.held_out))
    assert shipped.confusion.sum(1).tolist() == [50] * 10
    assert shipped.accuracy >= 0.98


def test_confusion_counts_none_in_the_last_column(shipped: Judge) -> None:
    blank = SPLITS.held_out.images.clone()
    blank[:] = 0
    images = type(SPLITS.held_out)(blank, SPLITS.held_out.concepts, SPLITS.held_out.names)
    matrix = confusion_matrix(shipped, images)
    assert matrix[:, 10].tolist() == [50] * 10


def test_saved_and_loaded(shipped: Judge, tmp_path: Path) -> None:
    shipped.save(tmp_path)
    again = Judge.load(tmp_path)
    assert again.digest() == shipped.digest()
    for ours, theirs in zip(shipped.read(SPLITS.train.images), again.read(SPLITS.train.images), strict=True):
        assert torch.equal(ours, theirs)


def test_about_one_real_image_in_a_hundred_is_called_junk(detector: JunkDetector) -> None:
    assert 2 <= int(detector.held_out_flags.sum()) <= 9


@pytest.mark.parametrize("kind", ["noise", "shuffled", "grey", "black"])
def test_planted_junk_is_found(shipped: Judge, detector: JunkDetector, kind: str) -> None:
    generator = torch.Generator().manual_seed(1)
    images = SPLITS.held_out.images
    junk = {
        "noise": torch.randint(256, images.shape, generator=generator).to(torch.uint8),
        "shuffled": images.flatten(2)[:, :, torch.randperm(64, generator=generator)].reshape(images.shape),
        "grey": torch.full_like(images, 90),
        "black": torch.zeros_like(images),
    }[kind]
    shown, features = shipped.read(junk)
    assert float(detector.flags(features).float().mean()) > 0.95
    assert float(shown.any(1).float().mean()) < 0.05


def test_no_jitter_changes_nothing_and_some_moves_a_little() -> None:
    x = SPLITS.train.images[:20].float() / 127.5 - 1
    torch.testing.assert_close(jitter(x, 0, 0.0, torch.Generator()), x, atol=1e-5, rtol=0)
    moved = jitter(x, 1, 10.0, torch.Generator().manual_seed(0))
    assert 0.01 < float((moved - x).abs().mean()) < 0.5


def test_off_manifold_images_are_in_range_and_not_the_originals() -> None:
    x = SPLITS.train.images[:200].float() / 127.5 - 1
    made = off_manifold(x, torch.Generator().manual_seed(0))
    assert made.shape == x.shape
    assert made.min() >= -1
    assert made.max() <= 1
    assert int(torch.isclose(made, x).all(3).all(2).all(1).sum()) == 0
