"""Yes and no for each of many samples, packed to text and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

# A table of records that are there packs nothing, and is printed without numpy.
if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def pack(flags: NDArray[np.bool_]) -> str:
    """bool ``[N]`` as hex: eight to a byte, the first in the highest bit, padded with zeros."""
    import numpy as np

    return np.packbits(flags).tobytes().hex()


def unpack(text: str, n: int) -> NDArray[np.bool_]:
    """What `pack` made of `n` flags: bool ``[n]``. Raises ValueError for text that is not `n` bits."""
    import numpy as np

    return np.unpackbits(np.frombuffer(packed(text, n), dtype=np.uint8), count=n).astype(np.bool_)


def counted(text: str, n: int) -> int:
    """How many of `n` flags are set, without numpy. Raises ValueError as `unpack`."""
    return (int.from_bytes(packed(text, n), "big") >> (-n % 8)).bit_count()


def packed(text: str, n: int) -> bytes:
    """The bytes behind `text`. Raises ValueError where they are not those of `n` bits."""
    try:
        found = bytes.fromhex(text)
    except ValueError as error:
        raise ValueError(f"the bits of {n} samples are not hex digits: {error}") from error
    if len(found) != -(-n // 8):
        raise ValueError(f"{len(found)} bytes do not hold one bit for each of {n} samples")
    return found
