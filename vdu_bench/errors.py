"""The errors that the suite raises on purpose.

`UserError` and what derives from it carry one line that names the mistake and the mend; the command
line prints that line and exits with status 2. `Diverged` is a result, not a mistake: the cell it
happens in gets a record with status ``diverged``.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable
from functools import cache


class UserError(Exception):
    """Input that cannot be used. The message is one line, fit to be shown without a traceback."""


class NoRoom(UserError):
    """The store, or the disk that it is on, takes no more, or has no locks: no cell can be made after it."""


class NotFetched(UserError):
    """Something has to come over a network first, in a command that fetches nothing (`vdu_bench.fetching`)."""


class RegimeError(UserError):
    """A method asked for data that the run's regime does not allow, or that it did not declare."""


class Diverged(Exception):
    """Training, unlearning or sampling produced a value that is not finite."""


@cache
def warn(line: str) -> None:
    """Say on standard error, once in a process, what is wrong and does not stop the command."""
    print(f"vdu-bench: warning: {line}", file=sys.stderr)


def flat(text: object) -> str:
    """Text, or an error's message, on one line."""
    return " ".join(str(text).split())


def one_line(error: BaseException) -> str:
    """An error on one line: its type and its message."""
    return f"{type(error).__name__}: {flat(error)}"


def in_short(error: BaseException) -> str:
    """Another library's error on one line: its type, and the first 200 characters of its message."""
    return f"{type(error).__name__}: {flat(error)[:200]}"


MANY = 20
"""Names that a message still lists."""
CLOSE = 0.65
"""How alike a known name is at least, by difflib: ``vdo`` means ``vdu``, and ``nope`` does not mean ``copies``."""


def did_you_mean(wrong: str, known: Iterable[str], lister: str = "") -> str:
    """The tail of an error message: the closest known name, and all of them where they are few.

    Where they are many and none is close, `lister`, a command, is said to name them.
    """
    names = sorted(known)
    small = {name.casefold(): name for name in names}
    # Papers write VDU and ESD, commands vdu and esd.
    close = difflib.get_close_matches(wrong, names, n=1, cutoff=CLOSE) or [
        small[name] for name in difflib.get_close_matches(wrong.casefold(), small, n=1, cutoff=CLOSE)
    ]
    hint = f"; did you mean {close[0]!r}?" if close else ""
    if len(names) > MANY:
        return hint or f" ({lister} names them)" * bool(lister)
    return hint + f" (known: {', '.join(names)})" * bool(names)
