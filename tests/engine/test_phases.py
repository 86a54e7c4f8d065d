"""Bars that say which phase goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from vdu_bench.engine.progress import Progress


class Told(Progress):
    """Keeps what a person would see: each bar with how far it came."""

    def __init__(self) -> None:
        super().__init__(quiet=True)
        self.bars: list[list[object]] = []
        self.open = 0

    @contextmanager
    def bar(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
        bar: list[object] = [label, total, 0]
        self.bars.append(bar)
        self.open += 1

        def advance(n: int) -> None:
            bar[2] = int(str(bar[2])) + n

        yield advance
        self.open -= 1


def test_a_phase_stands_in_the_place_of_the_main_bar() -> None:
    told = Told()
    with told.phases("cell", "unlearning", 3) as bar:
        with bar.phase("copy", 2) as advance:
            assert told.open == 1
            advance(1)
            advance(1)
        bar.step(0, 0.5)
        bar.step(1, 0.5)
        with bar.phase("again", 1):
            pass
        bar.step(2, 0.5)
    assert told.open == 0
    assert told.bars == [
        ["cell: unlearning", 3, 0],
        ["cell: copy", 2, 2],
        ["cell: unlearning", 3, 2],
        ["cell: again", 1, 0],
        ["cell: unlearning", 3, 3],
    ]
