from __future__ import annotations

import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import CLIPTokenizer

from vdu_bench.models.pipelines.word_tokenizer import BEGIN, END, word_tokenizer

WORDS = ["a", "and", "eyeglasses", "glasses", "hat", "hair", "portrait", "with", ","]
TOKENIZER = word_tokenizer(WORDS, 16)


def tokens(text: str, tokenizer: CLIPTokenizer = TOKENIZER) -> list[str]:
    """The tokens between begin and end."""
    found = tokenizer.convert_ids_to_tokens(tokenizer(text).input_ids)
    assert (found[0], found[-1]) == (BEGIN, END)
    return found[1:-1]


def test_each_word_is_one_token_of_its_own() -> None:
    assert [tokens(word) for word in WORDS] == [[f"{word}</w>"] for word in WORDS]
    assert len({TOKENIZER(word).input_ids[1] for word in WORDS}) == len(WORDS)


def test_a_caption_has_as_many_tokens_as_words_and_signs() -> None:
    assert tokens("a portrait with glasses, a hat and hair") == [
        f"{word}</w>" for word in ("a", "portrait", "with", "glasses", ",", "a", "hat", "and", "hair")
    ]


def test_an_earlier_word_s_merges_may_take_a_word_apart() -> None:
    assert tokens("beard art", word_tokenizer(["art", "beard"], 16)) == ["be", "ar", "d</w>", "art</w>"]
    assert tokens("beard art", word_tokenizer(["beard", "art"], 16)) == ["beard</w>", "art</w>"]


def test_capitals_and_spaces_do_not_matter() -> None:
    assert TOKENIZER("  A   Hat ").input_ids == TOKENIZER("a hat").input_ids


@pytest.mark.parametrize(
    ("word", "spelt"),
    [
        ("nose", ["n", "o", "s", "e</w>"]),
        ("7", ["7</w>"]),
        ("b!", ["b</w>", "!</w>"]),
    ],
)
def test_unknown_words_are_spelt_out(word: str, spelt: list[str]) -> None:
    assert tokens(word) == spelt


@given(st.text(string.ascii_lowercase + string.digits + " ,", max_size=40))
def test_nothing_is_lost(text: str) -> None:
    pieces = tokens(text)
    assert END not in pieces, "that is also the token for the unknown"
    assert "".join(piece.removesuffix("</w>") for piece in pieces) == text.replace(" ", "")


def test_prompts_are_padded_to_the_length_that_is_asked_for() -> None:
    padded = TOKENIZER(["a hat", ""], padding="max_length").input_ids
    assert [len(row) for row in padded] == [16, 16]
    end = TOKENIZER.eos_token_id
    assert padded[1] == [TOKENIZER.bos_token_id, *[end] * 15]
    assert padded[0][3:] == [end] * 13


def test_saved_and_read_by_transformers_it_is_the_same(tmp_path: Path) -> None:
    TOKENIZER.save_pretrained(tmp_path)
    again = CLIPTokenizer.from_pretrained(tmp_path)
    assert len(again) == len(TOKENIZER)
    assert again.model_max_length == 16
    for text in (*WORDS, "a portrait with eyeglasses, hair and a hat", "nose", ""):
        for settings in ({}, {"padding": "max_length"}):
            assert again(text, **settings).input_ids == TOKENIZER(text, **settings).input_ids


def test_the_words_alone_decide() -> None:
    again = word_tokenizer(WORDS, 16)
    assert again.get_vocab() == TOKENIZER.get_vocab()
    assert word_tokenizer([*WORDS, "nose"], 16).get_vocab() != TOKENIZER.get_vocab()
