"""Independent seeds for independent purposes, derived from one.

Every draw in the suite comes from a generator that is seeded with ``derive_seed(seed, purpose, ...)``,
so that adding a draw to one part never shifts the numbers of another.
"""

from __future__ import annotations

import hashlib


def derive_seed(seed: int, *purpose: str | int) -> int:
    """A 63-bit seed that depends on `seed` and on every word of `purpose`, the same on every platform."""
    text = "/".join([str(seed), *map(str, purpose)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
