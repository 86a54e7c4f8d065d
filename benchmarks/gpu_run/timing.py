"""Seconds on a device, and the precision that its arithmetic has."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from vdu_bench.models.precision import arithmetic


def seconds_of(work: Callable[[], Any], device: torch.device) -> float:
    """How long the work takes, until the device is done with it."""
    _wait(device)
    started = time.perf_counter()
    work()
    _wait(device)
    return time.perf_counter() - started


def arithmetic_of(name: str) -> AbstractContextManager[None]:
    """The suite's own, by what a model's precision is called: of float32 it is proper."""
    precision: Any = "off" if name == "float32" else name
    return arithmetic(precision)


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
