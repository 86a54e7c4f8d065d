"""A wrong value is named, and what is wrong with it said in words."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field, ValidationError, field_validator

from vdu_bench.wrong_values import PLAIN_NAME, in_words


class Part(BaseModel):
    key: int = 1


class Thing(BaseModel):
    name: str = Field("a", pattern=PLAIN_NAME)
    other: str = Field("b", pattern="^b$")
    number: int = Field(1, ge=1)
    share: float = 0.5
    flag: bool = True
    word: Literal["one", "two"] = "one"
    part: Part = Part()
    table: dict[str, int] = {}
    several: list[int] = []
    pair: tuple[int, ...] = ()

    @field_validator("share")
    @classmethod
    def _share(cls, value: float) -> float:
        if value > 1:
            raise ValueError("a share is at most 1")
        return value


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"name": "A b"}, "'A b' has other characters than small letters, digits and underscores"),
        ({"name": 3}, "3 is not a text"),
        ({"other": "c"}, "String should match pattern"),
        ({"number": "x"}, "'x' is not a whole number"),
        ({"number": 1.5}, "1.5 is not a whole number"),
        ({"number": 0}, "0 should be greater than or equal to 1"),
        ({"share": "much"}, "'much' is not a number"),
        ({"share": 2}, "a share is at most 1"),
        ({"flag": "perhaps"}, "'perhaps' is neither true nor false"),
        ({"part": "key"}, "'key' is no mapping of keys to values"),
        ({"table": [1]}, "[1] is no mapping of keys to values"),
        ({"several": 1}, "1 is no list"),
        ({"pair": "1"}, "'1' is no list"),
        ({"word": "three"}, "'three' should be 'one' or 'two'"),
    ],
)
def test_a_mistake_is_a_sentence(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as mistake:
        Thing.model_validate(given)
    assert in_words(mistake.value.errors()[0]).startswith(words)


def test_a_long_value_is_shortened_and_a_named_one_left_out() -> None:
    with pytest.raises(ValidationError) as mistake:
        Thing.model_validate({"number": "x" * 100})
    assert len(in_words(mistake.value.errors()[0])) < 70
    assert in_words(mistake.value.errors()[0], "it") == "it is not a whole number"
