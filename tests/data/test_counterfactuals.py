from __future__ import annotations

from typing import Any

import pytest
import torch

from vdu_bench.data.counterfactuals import CounterfactualPairs

NAMES = ("hat", "beard")
WITHOUT = torch.tensor([[False, True], [False, False], [False, False]])
WITH = torch.tensor([[True, True], [True, False], [True, False]])


def pairs(**changes: Any) -> CounterfactualPairs:
    """Three pairs of 2x2 pixels: black without a hat, white with one."""
    halves = {
        "without": torch.zeros(3, 3, 2, 2, dtype=torch.uint8),
        "with_": torch.full((3, 3, 2, 2), 255, dtype=torch.uint8),
        "concepts_without": WITHOUT,
        "concepts_with": WITH,
    }
    return CounterfactualPairs("hat", NAMES, **{**halves, **changes})


def flipped(concepts: torch.Tensor, row: int, column: int) -> torch.Tensor:
    changed = concepts.clone()
    changed[row, column] ^= True
    return changed


def test_pairs_that_differ_in_one_attribute_are_taken() -> None:
    assert len(pairs()) == 3


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"concepts_with": flipped(WITH, 0, 1)}, "nothing else"),
        ({"concepts_with": flipped(WITH, 1, 0)}, "nothing else"),
        ({"concepts_with": WITHOUT, "concepts_without": WITH}, "nothing else"),
        ({"without": torch.zeros(2, 3, 2, 2, dtype=torch.uint8)}, "differ in shape"),
    ],
    ids=["another attribute too", "one pair in nothing", "the wrong way round", "fewer of one half"],
)
def test_pairs_that_differ_in_more_or_less_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        pairs(**changes)


def test_the_digest_changes_with_either_half_and_with_the_concepts() -> None:
    prints = {
        pairs().digest(),
        pairs(without=torch.ones(3, 3, 2, 2, dtype=torch.uint8)).digest(),
        pairs(with_=torch.ones(3, 3, 2, 2, dtype=torch.uint8)).digest(),
        pairs(concepts_without=flipped(WITHOUT, 2, 1), concepts_with=flipped(WITH, 2, 1)).digest(),
    }
    assert len(prints) == 4
    assert pairs().digest() in prints
