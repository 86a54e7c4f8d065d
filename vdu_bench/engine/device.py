"""The device that a run was asked to use."""

from __future__ import annotations

import torch

from vdu_bench.errors import UserError
from vdu_bench.launch import launched, local_rank
from vdu_bench.models.precision import set_algorithms, set_arithmetic


def set_device(name: str) -> str:
    """The device of this process from here on, as `resolve_device` gives it: what names none of its own runs there too.

    A GPU's arithmetic is set outright, and not left to torch's defaults: float32 proper, and for cuDNN's convolutions
    the same algorithms in every run. What is added up there in no fixed order, such as the gradients of attention and
    of indexed reads, may still differ in last bits. A task that asks for another precision has it while its models are
    trained and sampled.
    """
    device = resolve_device(name)
    if device.startswith("cuda"):
        torch.cuda.set_device(torch.device(device).index or 0)
    set_arithmetic("off")
    set_algorithms()
    return device


def resolve_device(name: str) -> str:
    """``auto`` is the first GPU where there is one, else the CPU. Raises UserError for one that is not there.

    Of several processes on one machine each has the GPU of its own number.
    """
    if "," in name:
        raise UserError(f"device {name!r}: several are for several processes; give --jobs, or name one")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and launched() > 1:
        name = f"cuda:{local_rank()}"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UserError(f"unknown device {name!r}; use auto, cpu, cuda or cuda:N") from error
    if device.type == "cpu":
        if device.index:
            raise UserError(f"there is no device {name!r}: torch has one CPU; use cpu")
        return "cpu"
    if device.type != "cuda":
        raise UserError(f"device {name!r} is not supported; use auto, cpu, cuda or cuda:N")
    if not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count():
        raise UserError(f"there is no device {name!r} here: torch sees {torch.cuda.device_count()} GPU(s)")
    return str(device)
