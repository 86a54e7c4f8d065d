"""Processes that die where a test wants them to."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from typing import Any

import vdu_bench.models.training.resuming


def kill_after(owner: Any, name: str, calls: int = 1) -> None:
    """Let the process die in the call number `calls` of a function, after its work and before what follows it."""
    original, left = getattr(owner, name), [calls]

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, wrapped)


def die_in(stage: Callable[[], None], work: Callable[[], object]) -> None:
    """Do the work in a process that keeps its state after every step, and that `stage` has made to die."""

    def die() -> None:
        vdu_bench.models.training.resuming.CHECKPOINT_SECONDS = 0.0
        stage()
        work()

    process = multiprocessing.get_context("fork").Process(target=die)
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
