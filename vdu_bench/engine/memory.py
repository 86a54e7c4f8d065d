"""Memory: whether there is enough, what nobody holds any more, and the peak of a block of code."""

from __future__ import annotations

import gc
import math
import threading
from collections.abc import Sequence
from types import TracebackType

import psutil
import torch

from vdu_bench.errors import UserError
from vdu_bench.tasks.task import Task

MIB = 1024 * 1024
GIB = 1024 * MIB
INTERVAL_SECONDS = 0.02


def check_memory(task: Task, shape: Sequence[int]) -> None:
    """Raise UserError where a cell's samples alone are more than this machine holds.

    Args:
        task: says how many there are.
        shape: ``(C, H, W)`` of an image. Of each, the bytes are held twice while batches are put together.
    """
    sets = 1 if task.prompts is None else 2
    needed = 2 * sets * task.samples * math.prod(shape)
    there = psutil.virtual_memory().total + psutil.swap_memory().total
    if needed > there:
        raise UserError(
            f"{task.name}: {task.samples} samples of {list(shape)} take {needed / GIB:.0f} GiB of memory at least, and "
            f"this machine has {there / GIB:.0f}: give fewer by --samples"
        )


def release(device: torch.device | str) -> None:
    """Give back what nobody holds any more of a card's memory; on a CPU nothing is done.

    A compiled model is in cycles, which stay until the garbage collector comes, and the collector knows nothing of a
    card that is nearly full. What was freed torch keeps for itself, where other processes on the card may need it.
    """
    if torch.device(device).type == "cuda":
        gc.collect()
        torch.cuda.empty_cache()


def standing(device: torch.device | str) -> float:
    """MiB of a card's memory that this process's tensors hold now; 0 on a CPU, whose peak is that of a process."""
    place = torch.device(device)
    return torch.cuda.memory_allocated(place) / MIB if place.type == "cuda" else 0.0


class PeakMemory:
    """A context manager; afterwards ``mib`` is the peak of the block.

    On a GPU it is what torch allocated for tensors at most, less `before`: without it, the judges, scorers and other
    models that a process holds would count as a method's. On a CPU it is the process's resident set, with all that it
    holds. A process has no resettable high-water mark that every system offers, so a thread looks every 20 ms.

    Args:
        device: where the block computes.
        before: MiB that count for something else, as `standing` gave them.
    """

    def __init__(self, device: torch.device | str, before: float = 0.0) -> None:
        self._device, self._before = torch.device(device), before
        self._done = threading.Event()
        self.mib = 0.0

    def __enter__(self) -> PeakMemory:
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
        else:
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._device.type == "cuda":
            self.mib = torch.cuda.max_memory_allocated(self._device) / MIB - self._before
        else:
            self._done.set()
            self._thread.join()

    def _watch(self) -> None:
        process = psutil.Process()
        while True:
            self.mib = max(self.mib, process.memory_info().rss / MIB)
            if self._done.wait(INTERVAL_SECONDS):
                return
