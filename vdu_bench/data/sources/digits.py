"""scikit-learn's 1,797 handwritten digits, 8x8: the embedded tier's data for class unlearning."""

from __future__ import annotations

import torch

from vdu_bench.data.image_set import ImageSet
from vdu_bench.data.splits import DataSplits
from vdu_bench.data.splitting import stratified_split

HELD_OUT_PER_CLASS = 50
SPLIT_SEED = 0


def load_digits() -> DataSplits:
    """1,297 images to learn from and 500 (50 of each class) to calibrate judges on; grey, ``[N, 1, 8, 8]``.

    Source: the test part of UCI's "Optical Recognition of Handwritten Digits" (CC BY 4.0), which ships with
    scikit-learn. Its pixels count inked points, 0..16; they are scaled to 0..255.
    """
    from sklearn.datasets import load_digits as sklearn_digits

    bunch = sklearn_digits()
    images = torch.from_numpy(bunch.images)[:, None].mul(255 / 16).round().to(torch.uint8)
    labels = torch.from_numpy(bunch.target).long()
    everything = ImageSet.of_classes(images, labels, [str(digit) for digit in range(10)])
    train, held_out = stratified_split(labels, HELD_OUT_PER_CLASS, SPLIT_SEED)
    return DataSplits(everything.subset(train), everything.subset(held_out))
