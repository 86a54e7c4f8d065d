"""Whose neighbours samples are: real images', of all kinds, or a training image's own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch_fidelity.metric_prc import KEY_METRIC_PRECISION, KEY_METRIC_RECALL, prc_features_to_metric

from vdu_bench.judges.classifier.neighbours import distance_to_nearest
from vdu_bench.metrics.evidence import Evidence, RealReadings
from vdu_bench.metrics.metric import Measurement, Metric, unknown, without_interval
from vdu_bench.stats.cross_calibration import cross_calibrated
from vdu_bench.stats.proportion import proportion

NEIGHBOURS = 3
LEVEL = 0.99
SAME = 1e-4
"""A held-out image as near to a training image as this share of the median distance is that image once more."""

_NO_INTERVAL = "neighbourhoods depend on each other; its spread comes from seeds"


class Precision(Metric):
    """Samples among real images: share within the radius of one, to its third neighbour.

    Kynkaanniemi et al. 2019 ("Improved precision and recall"), by torch-fidelity, in the judge's features. The real
    images are training images that would be right answers: as many as there are samples, where there are so many, and
    as many for each retain prompt.
    """

    unit = "%"
    better = "higher"
    rank = 8
    scale = "share"
    of_real = "alike"

    def compute(self, evidence: Evidence) -> Measurement:
        return _measured(evidence, KEY_METRIC_PRECISION)


class Recall(Metric):
    """Real images among samples: share within the radius of one, to its third neighbour.

    As precision, with the sides exchanged. The radius shrinks as samples grow in number, so the label carries it.
    """

    unit = "%"
    better = "higher"
    rank = 8
    scale = "share"
    of_real = "at_own_count"

    def label(self, name: str, evidence: Evidence) -> str:
        return f"{name}_{len(evidence.after.retain)}"

    def compute(self, evidence: Evidence) -> Measurement:
        return _measured(evidence, KEY_METRIC_RECALL)


def _measured(evidence: Evidence, key: str) -> Measurement:
    if evidence.reference.missing:
        return unknown(evidence.reference.missing)
    samples, real = evidence.after.retain, evidence.balanced_reference
    n = len(samples if key == KEY_METRIC_PRECISION else real)
    if min(len(samples), len(real)) <= NEIGHBOURS:
        return unknown(f"no image has {NEIGHBOURS} neighbours among {len(samples)} samples and {len(real)} real images")
    shares = samples.memo.once(
        ("precision and recall", evidence.reference_key),
        # In float64, since a float32 distance of an image to itself need not be 0.
        lambda: prc_features_to_metric(
            samples.features.double(),
            real.double(),
            prc_neighborhood=NEIGHBOURS,
            prc_batch_size=len(samples) + len(real),
            save_cpu_ram=False,
            verbose=False,
        ),
    )
    # Shares come as float32 means.
    return Measurement(without_interval(100 * round(n * shares[key]) / n, len(samples), _NO_INTERVAL))


class Copies(Metric):
    """Copies of training images: share of samples nearer to one than real images lie to one another.

    Nearer than the 1 % quantile of held-out images' distances to their nearest training image, in the judge's features,
    cross-calibrated in five folds: a model that makes new images has about 1 %, one that repeats its training images
    100 %. Held-out images that are training images once more set no threshold, and are copies themselves. After the
    test for copying of Meehan et al. 2020 ("A non-parametric test to detect data-copying"), by one image's distance
    instead of the ranks of all. Of a text-to-image model the samples are those of the retain prompts.
    """

    unit = "%"
    better = "lower"
    rank = 8
    gate = "sampled"
    tolerance = "2"
    counts = "copies"
    scale = "share"
    of_real = "alike"

    def compute(self, evidence: Evidence) -> Measurement:
        real = evidence.real
        yardstick = real.memo.once("copies", lambda: _Yardstick.of(real))
        if np.isnan(yardstick.threshold):
            return unknown("every held-out image is a training image too")
        if evidence.held_out_rows is None:
            nearest = distance_to_nearest(evidence.after.retain.features, real.train).numpy()
            copies = nearest < yardstick.threshold
        else:
            copies = yardstick.held_out[evidence.held_out_rows.numpy()]
        return Measurement(proportion(int(copies.sum()), len(copies)), outcomes=copies)


@dataclass(frozen=True)
class _Yardstick:
    """How near is a copy, and which held-out images are: bool ``[H]``."""

    threshold: float
    held_out: NDArray[np.bool_]

    @classmethod
    def of(cls, real: RealReadings) -> _Yardstick:
        distances = distance_to_nearest(real.held_out, real.train).numpy().astype(np.float64)
        copies = distances <= SAME * np.median(distances)
        if copies.all():
            return cls(np.nan, copies)
        calibrated = cross_calibrated(-distances[~copies], LEVEL)
        copies[~copies] = calibrated.beyond
        return cls(-calibrated.threshold, copies)
