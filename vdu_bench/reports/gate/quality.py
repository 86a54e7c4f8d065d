"""Who destroyed the model, and had not in the reference."""

from __future__ import annotations

from collections.abc import Sequence

from vdu_bench.reports.gate.pairing import Notice, Pair
from vdu_bench.reports.tables.leaderboard import leaderboards
from vdu_bench.reports.tables.notes import destroyed_words


def newly_destroyed(pairs: Sequence[Pair]) -> list[Notice]:
    """A notice for each row whose mean is beyond the quality limit, and was not over the same seeds of the reference.

    It does not fail the gate: a method that destroys the model with one seed of three does so with none of three now
    and then, and no test of a few seeds that were all drawn anew can tell that from a fault.
    """
    before = {board.variant: board for board in leaderboards([pair.old for pair in pairs])}
    notices = []
    for board in leaderboards([pair.new for pair in pairs]):
        for row in board.destroyed.keys() - before[board.variant].destroyed.keys():
            text = f"has destroyed the model, and had not in the reference: {destroyed_words(board, row)}"
            notices.append(Notice(f"{board.variant}/{row}", "quality", text))
    return sorted(notices, key=lambda notice: notice.where)
