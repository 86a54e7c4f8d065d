"""The junk threshold, on planted features."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from vdu_bench.judges.classifier.junk import JunkDetector

RUNS, TRAIN, HELD_OUT, FRESH = 25, 300, 400, 2000


def planted(generator: torch.Generator, n: int) -> Tensor:
    """Points of three clusters, one of them wide."""
    centre = torch.randint(3, (n,), generator=generator)
    spread = torch.tensor([0.5, 1.0, 3.0])[centre][:, None]
    return spread * torch.randn(n, 5, generator=generator) + 8 * centre[:, None]


def test_of_real_images_that_it_never_saw_it_calls_one_in_a_hundred_junk() -> None:
    generator = torch.Generator().manual_seed(0)
    fresh, own = [], []
    for _ in range(RUNS):
        detector = JunkDetector(planted(generator, TRAIN), planted(generator, HELD_OUT))
        fresh.append(float(detector.flags(planted(generator, FRESH)).double().mean()))
        own.append(float(detector.held_out_flags.double().mean()))
    for rates in (fresh, own):
        assert np.mean(rates) == pytest.approx(0.01, abs=3 * np.std(rates) / np.sqrt(RUNS))


def test_what_is_far_from_everything_is_junk() -> None:
    generator = torch.Generator().manual_seed(1)
    detector = JunkDetector(planted(generator, TRAIN), planted(generator, HELD_OUT))
    assert detector.flags(planted(generator, 50) + 40).all()
    held_out = planted(generator, HELD_OUT)
    held_out[7] += 40
    assert JunkDetector(planted(generator, TRAIN), held_out).held_out_flags[7]
