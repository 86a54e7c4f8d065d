"""Data as text that is safe anywhere in a page: JSON, compressed, in base64."""

from __future__ import annotations

import gzip
import json
import math
from base64 import b64encode
from functools import lru_cache
from typing import Any


def packed(data: Any) -> str:
    """Plain data as base64 of compressed JSON, the same text every time.

    Base64 has no character that means anything to HTML or a script, so no name in a record can leave its place; and a
    browser unpacks only what is looked at.

    Raises:
        ValueError: a number is not finite; `number` makes those None.
    """
    text = json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return packed_text(text)


def packed_text(text: str) -> str:
    """Text as base64 of its compressed UTF-8."""
    return b64encode(gzip.compress(text.encode(), compresslevel=6, mtime=0)).decode()


@lru_cache(2**16)
def number(value: float | None) -> float | None:
    """With six significant digits, which no table or figure shows more of; None for what is not finite."""
    return float(f"{value:.6g}") if value is not None and math.isfinite(value) else None


def plain(value: Any) -> Any:
    """Nested data with numbers that are not finite as None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value
