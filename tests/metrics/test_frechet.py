from __future__ import annotations

from typing import Any

import pytest
import torch
import torch_fidelity
from scipy_frechet import scipy_distance
from torch import Tensor
from torch_fidelity.metric_fid import KEY_METRIC_FID

from vdu_bench.data.sources.digits import load_digits
from vdu_bench.judges.classifier.judge import Judge
from vdu_bench.metrics.frechet import feature_statistics, frechet_distance


def distance(one: Tensor, two: Tensor, judge: Judge) -> float:
    return frechet_distance(*(feature_statistics(judge.read(images)[1]) for images in (one, two)))


def test_equals_scipy_s(tiny_judge: Judge) -> None:
    splits = load_digits()
    one, two = splits.train.images[:400], splits.held_out.images.flip(2)
    value = distance(one, two, tiny_judge)
    features = [tiny_judge.read(images)[1].double().numpy() for images in (one, two)]
    assert value == pytest.approx(scipy_distance(*features), rel=1e-4)
    assert value > 0.01


def test_zero_for_the_same_images_and_large_for_noise(tiny_judge: Judge) -> None:
    judge, images = tiny_judge, load_digits().held_out.images
    noise = torch.randint(256, images.shape, generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    assert distance(images, images, judge) == pytest.approx(0, abs=1e-5)
    halves = distance(images[::2], images[1::2], judge)
    assert distance(images, noise, judge) > 5 * halves


def test_is_what_torch_fidelity_gives_for_the_judge_as_its_extractor_to_the_bit(tiny_judge: Judge) -> None:
    """Of a subset of features that were read together, as the real images are, too."""

    class Images(torch.utils.data.Dataset[Tensor]):
        def __init__(self, images: Tensor) -> None:
            self.images = images

        def __len__(self) -> int:
            return len(self.images)

        def __getitem__(self, index: int) -> Tensor:
            return self.images[index]

    class JudgeFeatures(torch_fidelity.FeatureExtractorBase):
        def __init__(self, name: str, features_list: list[str], **_: Any) -> None:
            super().__init__(name, features_list)

        @staticmethod
        def get_provided_features_list() -> tuple[str, ...]:
            return ("features",)

        @staticmethod
        def get_default_feature_layer_for_metric(metric: str) -> str:  # noqa: ARG004
            return "features"

        @staticmethod
        def can_be_compiled() -> bool:
            return False

        def forward(self, images: Tensor) -> tuple[Tensor, ...]:
            return (tiny_judge.read(images)[1].double(),)

    torch_fidelity.register_feature_extractor("tiny-judge", JudgeFeatures)
    splits = load_digits()
    kept, samples = ~splits.train.shows("1"), splits.held_out.images
    found = torch_fidelity.calculate_metrics(
        input1=Images(samples),
        input2=Images(splits.train.images[kept]),
        fid=True,
        feature_extractor="tiny-judge",
        batch_size=1000,
        cuda=False,
        cache=False,
        save_cpu_ram=True,
        verbose=False,
    )
    together = tiny_judge.read(splits.train.images)[1]
    statistics = (feature_statistics(features) for features in (tiny_judge.read(samples)[1], together[kept]))
    assert frechet_distance(*statistics) == found[KEY_METRIC_FID]
