"""What a person sees while a run goes on: a bar for long work, a line for what is worth knowing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm


class Progress:
    """Bars and lines on standard error; bars only where it is a terminal.

    Args:
        quiet: neither.
    """

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet

    def say(self, line: str) -> None:
        """One line, above a bar that may be running."""
        if not self._quiet:
            tqdm.write(line, file=sys.stderr)

    @contextmanager
    def bar(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
        """A bar over `total` units; the function it gives moves it on by so many."""
        # None lets tqdm decide by whether standard error is a terminal.
        with tqdm(total=total, desc=label, leave=False, file=sys.stderr, disable=True if self._quiet else None) as bar:

            def advance(n: int) -> None:
                bar.update(n)

            yield advance

    @contextmanager
    def steps(self, label: str, total: int) -> Iterator[Callable[[int, float], None]]:
        """A bar over optimiser steps; the function it gives takes the step and its loss."""
        with self.bar(label, total) as advance:
            yield lambda _step, _loss: advance(1)
