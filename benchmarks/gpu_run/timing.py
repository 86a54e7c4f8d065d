"""Seconds on a device, and the precision that its arithmetic has."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Literal

import torch

Precision = Literal["float32", "tf32", "bfloat16"]


def seconds_of(work: Callable[[], Any], device: torch.device) -> float:
    """How long the work takes, until the device is done with it."""
    _wait(device)
    started = time.perf_counter()
    work()
    _wait(device)
    return time.perf_counter() - started


@contextmanager
def precision_of(name: str) -> Iterator[None]:
    """TF32 in matrix products and convolutions, or not; bfloat16 is asked for by autocast, beside it."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = name != "float32"
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before


def autocast_of(name: str) -> torch.dtype | None:
    """The type to compute in, where it is not the weights' own."""
    return torch.bfloat16 if name == "bfloat16" else None


def autocasting(name: str, device: torch.device) -> Any:
    """A context in which torch computes so."""
    dtype = autocast_of(name)
    return nullcontext() if dtype is None else torch.autocast(device.type, dtype)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
