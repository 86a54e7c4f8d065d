"""A worker's lines and bars, on the screen of whoever started the run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from vdu_bench.engine.progress import Progress

if TYPE_CHECKING:
    from distributed import Client

TOPIC = "vdu-bench"
EVERY = 0.5
"""Seconds between two messages of one bar."""


class RemoteProgress(Progress):
    """Sends lines and bars to the client, from a task of a Dask worker."""

    def __init__(self) -> None:
        super().__init__(quiet=True)

    def say(self, line: str) -> None:
        _send({"line": line})

    @contextmanager
    def bar(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
        done, sent = 0, time.monotonic()

        def advance(n: int) -> None:
            nonlocal done, sent
            done += n
            if time.monotonic() - sent >= EVERY:
                sent = time.monotonic()
                _send({"bar": label, "total": total, "done": done})

        _send({"bar": label, "total": total, "done": 0})
        try:
            yield advance
        finally:
            _send({"bar": label, "total": 0, "done": 0})


def _send(message: dict[str, Any]) -> None:
    from distributed import get_worker

    get_worker().log_event(TOPIC, message)


@contextmanager
def following(client: Client, progress: Progress) -> Iterator[None]:
    """Show what the workers of `client` send, as long as this lasts."""
    bars: dict[str, tuple[Any, Callable[[int], None], int]] = {}

    def close(label: str) -> None:
        if label in bars:
            bars.pop(label)[0].__exit__(None, None, None)

    def show(event: tuple[float, dict[str, Any]]) -> None:
        message = event[1]
        if "line" in message:
            progress.say(message["line"])
            return
        label, total, done = message["bar"], message["total"], message["done"]
        if total == 0:
            close(label)
            return
        if label not in bars:
            bar = progress.bar(label, total)
            bars[label] = bar, bar.__enter__(), 0
        bar, advance, before = bars[label]
        advance(done - before)
        bars[label] = bar, advance, done

    client.subscribe_topic(TOPIC, show)
    try:
        yield
    finally:
        if client.status == "running":
            client.unsubscribe_topic(TOPIC)
        for label in list(bars):
            close(label)
