"""Commands in processes of their own, some at a time, until a time is over."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

GRACE = 20.0
"""Seconds that a process has to end after it was told that the time is over."""


def run_all(commands: Mapping[str, Sequence[str]], at_once: int, logs: Path) -> dict[str, int]:
    """Run the commands, `at_once` at a time and in their order; the exit status of each, by name.

    What a command says goes to ``LOGS/NAME.txt``. When this is interrupted, so are they, and are waited for.
    """
    logs.mkdir(parents=True, exist_ok=True)
    waiting, running, ended = list(commands), dict[str, subprocess.Popen[bytes]](), dict[str, int]()
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                name = waiting.pop(0)
                with (logs / f"{name}.txt").open("ab") as log:
                    running[name] = subprocess.Popen(
                        commands[name], stdout=log, stderr=subprocess.STDOUT, preexec_fn=_interruptible
                    )
            for name, process in list(running.items()):
                if (status := process.poll()) is not None:
                    ended[name] = status
                    del running[name]
            time.sleep(0.05)
    finally:
        _stop(list(running.values()))
    return ended


def _interruptible() -> None:
    """What a shell starts in the background ignores Ctrl-C, and would hand that on."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.send_signal(signal.SIGINT)
    end = time.monotonic() + GRACE
    for process in processes:
        try:
            process.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
