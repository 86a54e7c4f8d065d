"""Writing to where a user said: a folder that is there as a whole or not at all, and a disk that takes no more."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from safetensors import SafetensorError

from vdu_bench.errors import UserError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
"""What the system says of a disk that takes no more."""
CLOSED = (errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENAMETOOLONG)
"""What it says of a place that cannot be written to."""
MEND = "free some room, or name another"
"""What to do about either."""

PARTIAL = ".partial"
"""How a folder is called that is being filled. One that a kill left is taken for nothing, and goes with the next."""


def refused(error: Exception, place: Path) -> str:
    """What the system says where an error is of writing to `place`; empty for any other error.

    A full disk's error may name no file. Any other has to name one below `place`, or what `place` would lie in: what
    cannot be read elsewhere is not meant.
    """
    if isinstance(error, shutil.Error):
        # Of a whole folder that is copied: for each file from, to, and its error as text.
        number = _number_in(error, r"Errno (\d+)")
        return os.strerror(number) if number in FULL else ""
    number = error.errno if isinstance(error, OSError) else _number_in(error, r"(?:os error |code: )(\d+)")
    file = getattr(error, "filename", None)
    if number in FULL or (number in CLOSED and isinstance(file, str | os.PathLike) and _is_of(Path(file), place)):
        return os.strerror(number)
    return ""


def _is_of(file: Path, place: Path) -> bool:
    return file.is_relative_to(place) or place.is_relative_to(file) or file.is_relative_to(_beside(place))


def _number_in(error: Exception, pattern: str) -> int | None:
    """The system's number of an error that has it in its message alone."""
    found = re.search(pattern, str(error))
    return int(found[1]) if found else None


@contextmanager
def writing_to(place: Path, called: str = "") -> Iterator[None]:
    """What is done in it writes to `place`.

    Args:
        place: a folder.
        called: how the user named it, such as an option.

    Raises:
        UserError: the disk takes no more, or the place cannot be written to; in a line that names it and the mend.
    """
    try:
        yield
    except (OSError, SafetensorError) as error:
        if not (why := refused(error, place)):
            raise
        raise UserError(f"cannot write to {called + ' ' * bool(called)}{place}: {why}; {MEND}") from error


@contextmanager
def filling(folder: Path) -> Iterator[Path]:
    """A folder to write to, whose content goes into `folder` when all went well; else nothing does.

    Where `folder` is not there, all of it appears at once. Where it is, each file is moved into it and replaces one of
    its name; others stay.

    Raises:
        OSError: `folder` cannot be made or written to.
    """
    there = folder.exists()
    # Inside of one that is there: what is above it may be closed, or another disk.
    partial = folder / PARTIAL if there else _beside(folder)
    with _empty(partial):
        yield partial
        if there:
            for one in sorted(partial.iterdir()):
                os.replace(one, folder / one.name)
        else:
            os.rename(partial, folder)


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """A folder to write to, which takes the place of `folder`, and of all that was in it, when all went well.

    Raises:
        OSError: `folder` cannot be written to, or what was in it cannot be removed.
    """
    with _empty(_beside(folder)) as partial:
        yield partial
        # Out of the way first: who reads it finds the old one, none or the new one, and never a half.
        doomed = folder.parent / f".{folder.name}.old{PARTIAL}"
        shutil.rmtree(doomed, ignore_errors=True)
        with suppress(FileNotFoundError):
            folder.rename(doomed)
        os.rename(partial, folder)
        shutil.rmtree(doomed, ignore_errors=True)


def is_partial(folder: Path) -> bool:
    """Whether a folder is one that is being filled, or that a kill left so."""
    return folder.name.startswith(".") and folder.name.endswith(PARTIAL)


def _beside(folder: Path) -> Path:
    return folder.parent / f".{folder.name}{PARTIAL}"


@contextmanager
def _empty(partial: Path) -> Iterator[Path]:
    """An empty folder, which is gone afterwards with what is still in it."""
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)
