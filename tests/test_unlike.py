"""Two values that differ are told by what differs, however long they are."""

from __future__ import annotations

import pytest

from vdu_bench.unlike import apart, both, excerpts, unlike

LONG = "the same words again and again, and " * 9


def test_the_place_is_told_and_not_all_that_is_the_same() -> None:
    before = {"words": [LONG, "one"], "steps": 1, "same": LONG}
    found = unlike("prompts", before, {**before, "words": [LONG, "two"]})
    assert (found.name, found.before, found.now, found.more) == ("prompts.words.1", '"one"', '"two"', "")


def test_others_are_named_and_what_one_side_lacks_is_nothing() -> None:
    now = {"b": {"c": None}, "d": 1, "e": 2, "f": 3, "g": 4, "h": 5}
    found = unlike("x", {"a": 1}, now)
    assert (found.name, found.before, found.now) == ("x.a", "1", "nothing")
    assert found.more == " (6 more differ: x.b, x.d, x.e, ...)"
    assert unlike("x", {"a": None}, {}).before == "null"


def test_short_lists_and_those_of_two_lengths_are_told_as_a_whole() -> None:
    assert unlike("x", [1, 2], [1, 3]).name == "x"
    assert unlike("x", [LONG], [LONG, 3]).name == "x"
    found = unlike("x", [1, 2], [1, 2, 3])
    assert (found.name, found.before, found.now) == ("x", "[1, 2]", "[1, 2, 3]")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (LONG + "one", LONG + "two"),
        ("one" + LONG, "two" + LONG),
        (LONG, LONG + "more"),
        (LONG[:200] + "1" + LONG, LONG[:200] + "2" + LONG),
    ],
)
def test_no_two_excerpts_look_the_same(one: str, other: str) -> None:
    shown = both(one, other, 40)
    assert shown[0] != shown[1]
    assert max(map(len, shown)) <= 40
    assert both("a", "b", 40) == ('"a"', '"b"')


def test_of_many_texts_none_look_the_same() -> None:
    texts = ["0" + LONG + "a", "0" + LONG + "b", "1" + LONG]
    assert len(set(excerpts(texts, 40))) == 3


def test_of_two_mappings_what_differs_alone() -> None:
    assert apart({"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 4}) == ({"b": 2}, {"b": 3, "c": 4})
