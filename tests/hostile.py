"""Names that a page must show and never run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SCRIPT = "<script>alert(1)</script>"
IMAGE = "&<img src=x onerror=alert(2)>"
END = "</script><script>alert(3)</script>"


def no_samples(address: str, picks: Sequence[int]) -> NDArray[np.uint8] | None:  # noqa: ARG001
    """Of a page without a store."""
    return None
