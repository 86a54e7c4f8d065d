"""Whether whole tracebacks are wanted. In the environment, so that worker processes know too."""

from __future__ import annotations

import os
from collections.abc import Sequence

VARIABLE = "VDU_BENCH_DEBUG"


def debugging() -> bool:
    """Whether whole tracebacks are to be shown."""
    return os.environ.get(VARIABLE, "") not in ("", "0")


def without_debug(arguments: Sequence[str]) -> list[str]:
    """A command line without ``--debug``, which may stand anywhere before a ``--``, and holds from now on."""
    own = list(arguments)
    end = own.index("--") if "--" in own else len(own)
    if "--debug" in own[:end]:
        os.environ[VARIABLE] = "1"
    return [word for word in own[:end] if word != "--debug"] + own[end:]
