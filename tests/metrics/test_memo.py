from __future__ import annotations

from vdu_bench.metrics.memo import Memo


def test_a_key_is_made_once_and_another_one_too() -> None:
    memo, made = Memo(), []
    for key in ("a", "b", "a", ("a", 1), "b"):
        assert memo.once(key, lambda key=key: made.append(key) or key) == key
    assert made == ["a", "b", ("a", 1)]
