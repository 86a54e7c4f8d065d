from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from vdu_bench.models.posterior.gaussian import MomentAccumulator
from vdu_bench.models.specs import FitSpec
from vdu_bench.models.training import resuming
from vdu_bench.models.training.checkpoint import FILE_NAME, read_checkpoint, write_checkpoint
from vdu_bench.models.training.fitting import Fit, gradients_of
from vdu_bench.models.training.resuming import Course, fit_resumably


class Killed(Exception):
    """Stands for a kill at a step."""


def run(
    steps: int, checkpoints: Path | None = None, kill_at: int | None = None, done: list[int] | None = None
) -> tuple[Course, Tensor, MomentAccumulator]:
    """A walk towards a goal that moves with the step; a snapshot every third step."""
    p = nn.Parameter(torch.zeros(2))
    moments = MomentAccumulator()

    def loss(step: int) -> Tensor:
        return (p - step * torch.tensor([1.0, -2.0])).square().sum()

    def on_step(step: int, _loss: float) -> None:
        if step == kill_at:
            raise Killed

    def after_step(count: int) -> None:
        if done is not None:
            done.append(count)
        if count % 3 == 0:
            moments.add({"p": p})

    running = Fit([p], FitSpec(steps=steps, learning_rate=0.1, ema_decay=0.9))
    course = fit_resumably(running, loss, checkpoints, on_step, {"every third": moments}, after_step)
    return course, p.detach(), moments


def losses_of(steps: int) -> list[float]:
    """Each step's loss, from the loop itself without any parts."""
    p = nn.Parameter(torch.zeros(2))
    running = Fit([p], FitSpec(steps=steps, learning_rate=0.1))
    slope = gradients_of(lambda step: (p - step * torch.tensor([1.0, -2.0])).square().sum())
    return [loss for _ in range(steps) for _, loss in running.advance(slope)]


@pytest.mark.parametrize("steps", [20, 40, 50, 123])
def test_losses_are_means_of_twentieths(steps: int) -> None:
    each = losses_of(steps)
    parts = [[each[s] for s in range(steps) if s * 20 // steps == part] for part in range(20)]
    assert all(parts)
    assert run(steps)[0].losses == pytest.approx([sum(part) / len(part) for part in parts])


@pytest.mark.parametrize("steps", [1, 7, 19])
def test_of_a_short_run_they_are_each_step_s(steps: int) -> None:
    assert run(steps)[0].losses == pytest.approx(losses_of(steps))


@pytest.mark.parametrize("kill_at", [0, 2, 17, 48])
def test_a_run_that_was_cut_off_ends_as_if_it_had_not_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kill_at: int
) -> None:
    monkeypatch.setattr(resuming, "CHECKPOINT_SECONDS", 0.0)
    course, p, moments = run(50)
    with pytest.raises(Killed):
        run(50, tmp_path, kill_at)
    done: list[int] = []
    course_again, p_again, moments_again = run(50, tmp_path, done=done)
    assert done == list(range(kill_at + 2, 51))
    assert torch.equal(p, p_again)
    assert course.losses == course_again.losses
    assert moments.count == moments_again.count == 16
    one, two = moments.posterior(), moments_again.posterior()
    assert torch.equal(one.mean["p"], two.mean["p"])
    assert torch.equal(one.std["p"], two.std["p"])


def test_the_time_of_all_sittings_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resuming, "CHECKPOINT_SECONDS", 0.0)
    clock = [0.0]

    def tick() -> float:
        clock[0] += 1
        return clock[0]

    monkeypatch.setattr(resuming.time, "monotonic", tick)
    with pytest.raises(Killed):
        run(10, tmp_path, 4)
    first = clock[0]
    clock[0] = 1000.0
    course, _, _ = run(10, tmp_path)
    # Up to a few ticks: what lies between a sitting's last checkpoint and its end is lost with it.
    assert course.seconds == pytest.approx(first + clock[0] - 1000, abs=5)


def test_nothing_is_written_before_the_time_has_come(tmp_path: Path) -> None:
    run(5, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux tells what is mapped")
def test_a_state_that_was_read_holds_no_file(tmp_path: Path) -> None:
    """Windows replaces no file that is mapped, and the training that goes on from it writes the next state there."""
    write_checkpoint(tmp_path, {}, {"fit": {"p": torch.arange(3.0)}})
    kept = read_checkpoint(tmp_path)
    assert kept is not None
    assert str(tmp_path / FILE_NAME) not in Path("/proc/self/maps").read_text()
    assert kept.part("fit")["p"].tolist() == [0.0, 1.0, 2.0]
