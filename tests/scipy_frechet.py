"""The Frechet distance as scipy's matrix root gives it, to hold the suite's own against."""

from __future__ import annotations

import numpy as np
from scipy.linalg import sqrtm


def scipy_distance(a: np.ndarray, b: np.ndarray) -> float:
    mean, cov_a, cov_b = a.mean(0) - b.mean(0), np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    return float(mean @ mean + np.trace(cov_a + cov_b - 2 * sqrtm(cov_a @ cov_b).real))
