"""The global generators, set by a seed and given back: what a method or a probe of somebody else's may draw from."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def seeded_globals(device: str, seed: int) -> Iterator[None]:
    """Let torch's, numpy's and Python's global generators draw by `seed`; afterwards they are as they were.

    What the suite itself draws comes from generators of its own. But ``torch.randn_like`` takes none, and without this
    its numbers would hang on whatever ran before in the process.
    """
    place = torch.device(device)
    pythons, numpys = random.getstate(), np.random.get_state()  # noqa: NPY002 it is the global one that others use
    with torch.random.fork_rng(devices=[place] if place.type == "cuda" else []):
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        try:
            yield
        finally:
            random.setstate(pythons)
            np.random.set_state(numpys)  # noqa: NPY002
