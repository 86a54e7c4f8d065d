"""Whose fault an error is: a cell has one method, but many probes and metrics, which its name does not tell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from vdu_bench.errors import Diverged, NoRoom, NotFetched, UserError, one_line


@contextmanager
def blaming(kind: str, name: str) -> Iterator[None]:
    """Have an error say what broke off with it.

    Args:
        kind: what has the name, such as ``metric``.
        name: whose code runs in it.

    Raises:
        RuntimeError: with the name and the error's own words, from any other error; one that has the name already
            stays, and so does what is nobody's fault (`Diverged`, `NoRoom`, `NotFetched`).
        UserError: likewise, of the error's own type.
    """
    try:
        yield
    except (Diverged, NoRoom, NotFetched):
        raise
    except (Exception, SystemExit) as error:
        if str(error).startswith((f"{name}: ", f"the {kind} {name}: ")):
            raise
        if isinstance(error, UserError):
            raise type(error)(f"the {kind} {name}: {error}") from error
        raise RuntimeError(f"the {kind} {name}: {one_line(error)}") from error
