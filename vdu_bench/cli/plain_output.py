"""Output for terminals and pipes that cannot encode every character: a plain one in its place, and never an error."""

from __future__ import annotations

import codecs
import io
import sys
import unicodedata

PLAIN = {
    "\N{CIRCLED TIMES}": "(x)",
    "\N{WHITE DIAMOND}": "<>",
    "\N{RIGHTWARDS ARROW}": "->",
    "\N{LEFTWARDS ARROW}": "<-",
    "\N{UPWARDS ARROW}": "^",
    "\N{DOWNWARDS ARROW}": "v",
    "\N{PLUS-MINUS SIGN}": "+/-",
    "\N{MULTIPLICATION SIGN}": "x",
    "\N{MIDDLE DOT}": ".",
    "\N{BULLET}": "*",
    "\N{HORIZONTAL ELLIPSIS}": "...",
    "\N{EN DASH}": "-",
    "\N{EM DASH}": "-",
    "\N{MINUS SIGN}": "-",
    "\N{LESS-THAN OR EQUAL TO}": "<=",
    "\N{GREATER-THAN OR EQUAL TO}": ">=",
    "\N{ALMOST EQUAL TO}": "~",
    "\N{NOT EQUAL TO}": "!=",
    "\N{INFINITY}": "inf",
    "\N{LEFT SINGLE QUOTATION MARK}": "'",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{LEFT DOUBLE QUOTATION MARK}": '"',
    "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
    "\N{CHECK MARK}": "yes",
    "\N{BALLOT X}": "no",
    "\N{DAGGER}": "+",
    "\N{DOUBLE DAGGER}": "++",
    "\N{DEGREE SIGN}": " deg",
    "\N{FULL BLOCK}": "#",
    "\N{BOX DRAWINGS LIGHT HORIZONTAL}": "-",
    "\N{BOX DRAWINGS HEAVY HORIZONTAL}": "-",
    "\N{BOX DRAWINGS LIGHT VERTICAL}": "|",
    "\N{BOX DRAWINGS HEAVY VERTICAL}": "|",
}
HANDLER = "vdu_bench.plain"


def plain(error: UnicodeError) -> tuple[str, int]:
    """An error handler of `codecs`: what stands for characters that an encoding has not."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_plain(character) for character in error.object[error.start : error.end]), error.end


def _plain(character: str) -> str:
    if character in PLAIN:
        return PLAIN[character]
    # A letter without its marks, where there is one below them.
    letters = "".join(part for part in unicodedata.normalize("NFKD", character) if part.isascii())
    return letters or "?"


def make_output_plain() -> None:
    """Have standard output and standard error write in their own encodings whatever they are given."""
    codecs.register_error(HANDLER, plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=HANDLER)
