"""A vocabulary for a CLIP of our own: one token for each word that captions are made of."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from itertools import pairwise

Pair = tuple[str, str]

BYTES = 2 * 256
"""The first tokens of CLIP's vocabulary: every byte, and every byte at the end of a word."""

MARKS = 2
"""The last ones: a text's begin and end."""


def word_merges(words: Sequence[str]) -> list[str]:
    """Merges of a byte-pair encoding that make one token of each word, as lines of CLIP's merges file.

    Any other word falls into pieces of these, and into bytes at last; none is unknown.

    Args:
        words: what captions consist of, in lower case.
    """
    # open_clip takes seconds to import.
    from open_clip.tokenizer import bytes_to_unicode

    characters = bytes_to_unicode()
    ranks: dict[Pair, int] = {}
    for word in words:
        letters = [characters[byte] for byte in word.encode()]
        letters[-1] += "</w>"
        # The merges of earlier words come first, so each new one has to go on from what they make of this word.
        while len(parts := _merged(letters, ranks)) > 1:
            ranks[parts[0], parts[1]] = len(ranks)
    return [" ".join(pair) for pair in ranks]


def _merged(parts: list[str], ranks: Mapping[Pair, int]) -> list[str]:
    """What byte-pair encoding leaves of a word: of all neighbours that can be merged, those of least rank go first."""
    while able := [pair for pair in pairwise(parts) if pair in ranks]:
        first, second = min(able, key=lambda pair: ranks[pair])
        merged: list[str] = []
        place = 0
        while place < len(parts):
            if parts[place : place + 2] == [first, second]:
                merged.append(first + second)
                place += 2
            else:
                merged.append(parts[place])
                place += 1
        parts = merged
    return parts


def pack_merges(merges: Sequence[str]) -> bytes:
    """The content of a file that open_clip's SimpleTokenizer reads; equal merges give equal bytes."""
    # Without a last newline, of which open_clip would make one more token, of no letters.
    return gzip.compress("\n".join(["#version: 0.2", *merges]).encode(), mtime=0)


def unpack_merges(content: bytes) -> list[str]:
    """The merges in what `pack_merges` made."""
    return gzip.decompress(content).decode().split("\n")[1:]
