from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
import torch_fidelity
from scipy.linalg import sqrtm
from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric

from vdu_bench.data.sources.digits import load_digits
from vdu_bench.judges.classifier.judge import Judge
from vdu_bench.metrics.frechet import frechet_distance, register_judge


def scipy_distance(a: np.ndarray, b: np.ndarray) -> float:
    mean, cov_a, cov_b = a.mean(0) - b.mean(0), np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    return float(mean @ mean + np.trace(cov_a + cov_b - 2 * sqrtm(cov_a @ cov_b).real))


def test_equals_scipy_s_and_torch_fidelity_s_own(tiny_judge: Judge) -> None:
    judge, splits = tiny_judge, load_digits()
    one, two = splits.train.images[:400], splits.held_out.images.flip(2)
    value = frechet_distance(one, two, judge)
    features = [judge.read(images)[1].double() for images in (one, two)]
    assert value == pytest.approx(scipy_distance(*(f.numpy() for f in features)), rel=1e-4)
    theirs = fid_statistics_to_metric(*(fid_features_to_statistics(f) for f in features), False)[KEY_METRIC_FID]
    assert value == pytest.approx(theirs, rel=1e-6)
    assert value > 0.01


def test_zero_for_the_same_images_and_large_for_noise(tiny_judge: Judge) -> None:
    judge, images = tiny_judge, load_digits().held_out.images
    noise = torch.randint(256, images.shape, generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    assert frechet_distance(images, images, judge) == pytest.approx(0, abs=1e-5)
    halves = frechet_distance(images[::2], images[1::2], judge)
    assert frechet_distance(images, noise, judge) > 5 * halves


def test_the_extractor_s_name_carries_the_weights(tiny_judge: Judge) -> None:
    judge = tiny_judge
    name = register_judge(judge)
    assert name == register_judge(judge)
    assert judge.digest()[:16] in name
    other = copy.deepcopy(judge)
    next(other.network.parameters()).data.add_(1)
    assert register_judge(other) != name


def test_the_judge_at_hand_reads_where_one_of_the_same_weights_came_before(
    tiny_judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    earlier, later = copy.deepcopy(tiny_judge), copy.deepcopy(tiny_judge)
    monkeypatch.setattr(earlier, "read", lambda images: read.append("earlier") or tiny_judge.read(images))
    monkeypatch.setattr(later, "read", lambda images: read.append("later") or tiny_judge.read(images))
    images = load_digits().held_out.images
    frechet_distance(images[:200], images[1:201], earlier)
    read.clear()
    frechet_distance(images[:201], images[1:202], later)
    assert set(read) == {"later"}


def test_is_what_calculate_metrics_gives_for_the_registered_name(tiny_judge: Judge, tmp_path: Path) -> None:
    judge, splits = tiny_judge, load_digits()

    class Images(torch.utils.data.Dataset):
        def __init__(self, images: torch.Tensor) -> None:
            self.images = images

        def __len__(self) -> int:
            return len(self.images)

        def __getitem__(self, index: int) -> torch.Tensor:
            return self.images[index]

    one, two = splits.train.images[:300], splits.held_out.images
    theirs = torch_fidelity.calculate_metrics(
        input1=Images(one),
        input2=Images(two),
        fid=True,
        feature_extractor=register_judge(judge),
        batch_size=37,
        cuda=False,
        cache_root=str(tmp_path),
        save_cpu_ram=True,
        verbose=False,
    )
    assert frechet_distance(one, two, judge) == pytest.approx(theirs[KEY_METRIC_FID], rel=1e-4, abs=1e-6)


def test_a_reference_is_read_once_and_another_one_or_another_judge_s_anew(
    tiny_judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    monkeypatch.setattr("vdu_bench.metrics.frechet._OF_REFERENCES", {})
    other = copy.deepcopy(tiny_judge)
    next(other.network.parameters()).data.mul_(1.5)
    for judge in (tiny_judge, other):
        whole = judge.read
        monkeypatch.setattr(judge, "read", lambda images, whole=whole: read.append(len(images)) or whole(images))
    images = load_digits().train.images
    one, two, reference = images[:200], images[200:410], images[410:930]
    first = frechet_distance(one, reference, tiny_judge)
    assert read == [520, 200]
    again = frechet_distance(one, reference.clone(), tiny_judge)
    assert (again, read[2:]) == (first, [200])
    values = {first, frechet_distance(one, reference.flip(3), tiny_judge), frechet_distance(one, reference, other)}
    assert len(values) == 3
    assert read[3:] == [520, 200, 520, 200]
    assert frechet_distance(two, reference, tiny_judge) != first
