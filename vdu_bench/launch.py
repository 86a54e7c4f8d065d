"""What torchrun or accelerate launch told this process: how many there are, and which of them it is."""

from __future__ import annotations

import os


def launched() -> int:
    """How many processes were started to work together; 1 for a process on its own."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Which of all processes this is, from 0."""
    return int(os.environ.get("RANK", "0"))


def local_rank() -> int:
    """Which of this machine's processes this is, from 0."""
    return int(os.environ.get("LOCAL_RANK", "0"))
