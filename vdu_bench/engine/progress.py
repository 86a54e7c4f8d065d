"""What a person sees while a run goes on: a bar for long work, a line for what is worth knowing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from tqdm import tqdm

from vdu_bench.plain_json import printable


class Phases:
    """One bar at a time, which says what goes on: the main work, or a phase of it.

    Args:
        progress: whose bars they are.
        label: what they all begin with.
        name: of the main work.
        total: its units.
    """

    def __init__(self, progress: Progress, label: str, name: str, total: int) -> None:
        self._progress, self._label, self._name, self._total = progress, label, name, total
        self._done = 0
        self._open: ExitStack | None = None
        self._advance: Callable[[int], None] = lambda _: None

    def step(self, _step: int, _loss: float) -> None:
        """One unit of the main work is done."""
        if self._open is None:
            self.show()
        self._done += 1
        self._advance(1)

    def show(self) -> None:
        """The bar of the main work, as far as that is."""
        self._show(self._name, self._total)
        if self._done:
            self._advance(self._done)

    @contextmanager
    def phase(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        """A phase of `total` units, in place of the bar that is there; the function it gives moves it on."""
        self.close()
        self._show(name, total)
        try:
            yield self._advance
        finally:
            self.close()

    def close(self) -> None:
        """Take away the bar that is there."""
        if self._open is not None:
            self._open.close()
        self._open = None

    def _show(self, name: str, total: int) -> None:
        self._open = ExitStack()
        self._advance = self._open.enter_context(self._progress.bar(f"{self._label}: {name}", total))


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
            tqdm.write(printable(line), file=sys.stderr)

    @contextmanager
    def bar(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
        """A bar over `total` units; the function it gives moves it on by so many."""
        # None lets tqdm decide by whether standard error is a terminal.
        with tqdm(
            total=total, desc=printable(label), leave=False, file=sys.stderr, disable=True if self._quiet else None
        ) as bar:

            def advance(n: int) -> None:
                bar.update(n)

            yield advance

    @contextmanager
    def phases(self, label: str, name: str, total: int) -> Iterator[Phases]:
        """A bar over `total` units of what is mainly done, which gives way to bars of phases before and between."""
        phases = Phases(self, label, name, total)
        phases.show()
        try:
            yield phases
        finally:
            phases.close()

    @contextmanager
    def steps(self, label: str, total: int) -> Iterator[Callable[[int, float], None]]:
        """A bar over optimiser steps; the function it gives takes the step and its loss."""
        with self.bar(label, total) as advance:
            yield lambda _step, _loss: advance(1)
