"""A part of a data set that is too large for memory: always the same images, drawn at random."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vdu_bench.errors import UserError
from vdu_bench.seeds import derive_seed
from vdu_bench.spec import PositiveInt

ImageCount = Literal["all"] | PositiveInt
SEED = 0
"""The same for everybody, so that the numbers of two people are of the same images."""


def drawn(count: ImageCount, total: int, option: str, where: object) -> NDArray[np.int64]:
    """Positions of the images to take, ascending, int64; a smaller draw is a part of a larger one.

    Images are drawn without regard to what they show, so shares of attributes are kept but for chance.

    Args:
        count: how many; all of them if it says so.
        total: how many there are.
        option: what the count is called in a task file; each option has a draw of its own.
        where: the file or folder that has them, for the message.

    Raises:
        UserError: there are fewer, or none at all.
    """
    wanted = total if count == "all" else count
    if not 0 < wanted <= total:
        raise UserError(f"{where} has {total} images, and {option} asks for {count}")
    return np.sort(np.random.default_rng(derive_seed(SEED, "subset", option)).permutation(total)[:wanted])
