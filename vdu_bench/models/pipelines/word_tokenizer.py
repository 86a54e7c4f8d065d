"""A tokenizer for a text encoder of our own: CLIP's, over the words that captions are made of."""

from __future__ import annotations

import string
from collections.abc import Sequence

from transformers import CLIPTokenizer

CHARACTERS = string.ascii_lowercase + string.digits + string.punctuation
BEGIN, END = "<|startoftext|>", "<|endoftext|>"


def word_tokenizer(words: Sequence[str], max_tokens: int) -> CLIPTokenizer:
    """CLIP's byte-pair encoding over a vocabulary of `words`, their beginnings, letters, digits and punctuation.

    A word is one token, unless an earlier word's merges take it apart: "ar" of "art" makes three of "beard". Any other
    word is spelt out, so that no prompt is without tokens.

    Args:
        words: in lower case.
        max_tokens: the length of every prompt, its begin and end included.
    """
    tokens = dict.fromkeys([*CHARACTERS, *(f"{character}</w>" for character in CHARACTERS)])
    merges: dict[tuple[str, str], None] = {}
    for word in words:
        parts = [*word[:-1], f"{word[-1]}</w>"]
        while len(parts) > 1:
            merges[parts[0], parts[1]] = None
            parts = [parts[0] + parts[1], *parts[2:]]
            tokens[parts[0]] = None
    vocabulary = {token: place for place, token in enumerate([*tokens, BEGIN, END])}
    return CLIPTokenizer(vocab=vocabulary, merges=list(merges), model_max_length=max_tokens)
