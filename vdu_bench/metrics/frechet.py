"""The Frechet distance between two sets of images, through torch-fidelity."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset
from torch_fidelity.metric_fid import (
    KEY_METRIC_FID,
    fid_features_to_statistics,
    fid_statistics_to_metric,
)
from torch_fidelity.utils import create_feature_extractor, extract_featuresdict_from_input_id_cached

from vdu_bench.metrics.inception import EXTRACTOR, FEATURES, Inception

BATCH = {"cpu": 64, "cuda": 256}
"""Images that Inception is shown at once, by the kind of device: always as many, since last bits depend on it."""

Statistics = dict[str, Any]
"""float64 ``mu`` ``[F]`` and ``sigma`` ``[F, F]``."""


def frechet_distance(one: Statistics, other: Statistics) -> float:
    """The Frechet distance between two sets of images, by the Gaussian fits of their features.

    |mu_1 - mu_2|^2 + tr(S_1 + S_2 - 2 (S_1 S_2)^(1/2)) (Heusel et al. 2017); computed by torch-fidelity. Both sets need
    more images than there are features.
    """
    return float(fid_statistics_to_metric(one, other, verbose=False)[KEY_METRIC_FID])


def feature_statistics(features: Tensor, weights: NDArray[np.float64] | None = None) -> Statistics:
    """Mean and covariance of features, float ``[N, F]``, on the CPU, by torch-fidelity.

    In float64, since the covariance of a few thousand float32 features is otherwise off in the fourth digit.

    Args:
        features: of the images.
        weights: how much each counts, float64 ``[N]``, summing to 1; None: all alike. The mean is sum w_i x_i then, and
            the covariance sum w_i (x_i - mean) (x_i - mean)' / (1 - sum w_i^2), which for equal weights is the common
            unbiased one (numpy's ``aweights``).
    """
    found = features.double()
    if weights is None:
        plain: Statistics = fid_features_to_statistics(found)
        return plain
    values = found.numpy()
    return {
        "mu": np.average(values, axis=0, weights=weights),
        "sigma": np.cov(values, rowvar=False, aweights=weights),
    }


def inception_statistics(
    images: Tensor,
    inception: Inception,
    rows: Sequence[int] | None = None,
    weights: NDArray[np.float64] | None = None,
) -> Statistics:
    """Mean and covariance of images, uint8 ``[N, C, H, W]``, in Inception's features, by torch-fidelity itself.

    In float32, as its own are.

    Args:
        images: grey or in colour.
        inception: the network.
        rows: positions of the images to take; all if None. They are read one by one, and never copied together.
        weights: as for `feature_statistics`, of the images that are taken.
    """
    device = torch.device(inception.device)
    cuda = device.type == "cuda"
    options: dict[str, Any] = {"batch_size": BATCH[device.type], "cuda": cuda, "verbose": False}
    layer = str(FEATURES)
    # torch-fidelity knows no cards but the current one. torch's data loader draws a seed from the global generator,
    # which is set aside for that.
    with torch.cuda.device(device) if cuda else nullcontext(), torch.random.fork_rng(devices=[]):
        with inception.checked() as weights_file:
            network = create_feature_extractor(
                EXTRACTOR, [layer], feature_extractor_weights_path=str(weights_file), **options
            )
        taken = _Images(inception.as_input(images), range(len(images)) if rows is None else rows)
        features: Tensor = extract_featuresdict_from_input_id_cached(
            1, network, input1=taken, cache=False, save_cpu_ram=True, **options
        )[layer]
    if weights is None:
        found: Statistics = fid_features_to_statistics(features)
        return found
    # In the types of torch-fidelity's own, which it compares.
    weighted = feature_statistics(features, weights)
    return {**weighted, "mu": weighted["mu"].astype(np.float32)}


class _Images(Dataset[Tensor]):
    def __init__(self, images: Tensor, rows: Sequence[int]) -> None:
        self._images, self._rows = images, rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Tensor:
        return self._images[self._rows[index]]
