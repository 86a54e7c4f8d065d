"""What torchrun or accelerate launch told this process: how many there are, and which of them it is.

Raises UserError for a variable of theirs that is no number.
"""

from __future__ import annotations

import os

from vdu_bench.errors import UserError


def launched() -> int:
    """How many processes were started to work together; 1 for a process on its own."""
    return _number("WORLD_SIZE", 1)


def rank() -> int:
    """Which of all processes this is, from 0."""
    return _number("RANK", 0)


def local_rank() -> int:
    """Which of this machine's processes this is, from 0."""
    return _number("LOCAL_RANK", 0)


def _number(name: str, otherwise: int) -> int:
    """What a variable of the environment says. Raises UserError where that is no whole number."""
    text = os.environ.get(name)
    if text is None:
        return otherwise
    if not text.isdecimal():
        raise UserError(
            f"the variable {name} is {text!r}, and torchrun sets it to a number: unset it, or start by torchrun"
        )
    return int(text)
