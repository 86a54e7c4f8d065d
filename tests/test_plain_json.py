"""Values in messages."""

from __future__ import annotations

from pathlib import Path

import pytest

from vdu_bench.plain_json import in_json, printable, printable_line, shortened


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [None, True]}, '{"a": [null, true], "b": 1}'),
        (Path("a/b"), '"a/b"'),
        ("x" * 58, '"' + "x" * 58 + '"'),
        ("x" * 59, '"' + "x" * 56 + "..."),
    ],
)
def test_a_value_is_json_of_sixty_characters_at_most(value: object, text: str) -> None:
    assert in_json(value) == text
    assert len(text) <= 60


def test_what_is_left_out_is_seen() -> None:
    assert shortened("12345", 5) == "12345"
    assert shortened("123456", 5) == "12..."
    assert in_json([1000, 2000], 8) == "[1000..."


def test_what_is_printed_moves_no_cursor() -> None:
    assert printable("a\x1b]0;title\x07b\x9b2J\r\n\tc\rd\u202e") == "a?]0;title?b?2J\n\tc?d?"
    assert printable_line("a \n::error::b\r\nc\x1b[2J") == "a ::error::b c?[2J"
