"""The Frechet distance in a judge's or in Inception's features, through torch-fidelity."""

from __future__ import annotations

import hashlib
from typing import Any

import torch
import torch_fidelity
from torch import Tensor
from torch.utils.data import Dataset
from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_input_id_to_statistics, fid_statistics_to_metric
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY
from torch_fidelity.utils import create_feature_extractor

from vdu_bench.judges.classifier.judge import Judge
from vdu_bench.metrics.inception import EXTRACTOR, FEATURES, Inception

LAYER = "features"

Statistics = dict[str, Any]
"""float64 ``mu`` ``[F]`` and ``sigma`` ``[F, F]``."""

# Tens of thousands of real images are the reference of every cell of a task, and reading them takes longer than
# measuring its samples.
_OF_REFERENCES: dict[tuple[str, ...], Statistics] = {}


class _Images(Dataset[Tensor]):
    def __init__(self, images: Tensor) -> None:
        self._images = images

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> Tensor:
        return self._images[index]


def register_judge(judge: Judge) -> str:
    """Make the judge's features a torch-fidelity extractor; its name there, which carries the weights' digest."""
    name = f"judge-{judge.digest()[:16]}"
    # An earlier judge of the same weights may be on another device, and would be kept alive.
    FEATURE_EXTRACTORS_REGISTRY.pop(name, None)

    class JudgeFeatures(torch_fidelity.FeatureExtractorBase):
        def __init__(self, name: str, features_list: list[str], **_: Any) -> None:
            super().__init__(name, features_list)

        @staticmethod
        def get_provided_features_list() -> tuple[str, ...]:
            return (LAYER,)

        @staticmethod
        def get_default_feature_layer_for_metric(metric: str) -> str:  # noqa: ARG004
            return LAYER

        @staticmethod
        def can_be_compiled() -> bool:
            return False

        def forward(self, images: Tensor) -> tuple[Tensor, ...]:
            # float64, since the covariance of a few thousand float32 features is otherwise off in the fourth digit.
            return (judge.read(images)[1].double(),)

    torch_fidelity.register_feature_extractor(name, JudgeFeatures)
    return name


def frechet_distance(images: Tensor, reference: Tensor, judge: Judge) -> float:
    """The Frechet distance between two sets of images, uint8 ``[N, C, H, W]``, in the judge's features.

    |mu_1 - mu_2|^2 + tr(S_1 + S_2 - 2 (S_1 S_2)^(1/2)) of their Gaussian fits (Heusel et al. 2017); computed by
    torch-fidelity. Both sets need more images than the judge has features. What the reference gives is kept for the
    process's next call.
    """
    name = register_judge(judge)
    # The judge itself is where it is; nothing is to be copied by the library.
    return _distance(images, reference, (name,), name, LAYER, batch_size=1000, cuda=False)


def fid(images: Tensor, reference: Tensor, inception: Inception) -> float:
    """The Frechet inception distance between two sets of images, uint8 ``[N, C, H, W]``, by torch-fidelity itself."""
    return _distance(
        inception.as_input(images),
        inception.as_input(reference),
        (EXTRACTOR, inception.digest()),
        EXTRACTOR,
        str(FEATURES),
        batch_size=64,
        cuda=torch.device(inception.device).type == "cuda",
        feature_extractor_weights_path=str(inception.weights),
    )


def _distance(
    images: Tensor, reference: Tensor, who: tuple[str, ...], extractor: str, layer: str, **options: Any
) -> float:
    key = (_digest(reference), *who)
    # torch's data loader draws a seed from the global generator, which is set aside for that.
    with torch.random.fork_rng(devices=[]):
        network = create_feature_extractor(extractor, [layer], verbose=False, **options)

        def statistics(images: Tensor) -> Statistics:
            found: Statistics = fid_input_id_to_statistics(
                1, network, layer, input1=_Images(images), cache=False, save_cpu_ram=True, verbose=False, **options
            )
            return found

        if key not in _OF_REFERENCES:
            _OF_REFERENCES[key] = statistics(reference)
        result = fid_statistics_to_metric(statistics(images), _OF_REFERENCES[key], verbose=False)
    return float(result[KEY_METRIC_FID])


def _digest(images: Tensor) -> str:
    return hashlib.sha256(images.contiguous().numpy().data).hexdigest()
