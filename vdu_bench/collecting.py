"""Python's collector of garbage, and when it is in the way."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the collector until the end of the block, if it was on.

    It looks through all that lives each time there is a quarter more of it. To read ten thousand records, of which
    nothing is garbage, takes four times as long with it.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
