"""Locks between processes: who waits for one is told so, and a file system that has none is named."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from vdu_bench.errors import NoRoom

FIRST = 5.0
"""Seconds that are waited for a lock before a line says so: most stages are done by then."""
AGAIN = 60.0
"""Seconds until the line comes again."""

LACKING = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS)
"""What the system says where a file system has no locks."""


def acquired(lock: FileLock, seconds: float, option: str = "--store") -> bool:
    """Whether a lock was acquired in so many seconds.

    Raises NoRoom, naming the option by which another place is named, where the file system has no locks.
    """
    try:
        lock.acquire(timeout=seconds)
    except Timeout:
        return False
    except (OSError, NotImplementedError) as error:
        number = error.errno if isinstance(error, OSError) else errno.ENOSYS
        if number not in LACKING:
            raise
        file = Path(lock.lock_file)
        raise NoRoom(
            f"the file system of {file.parent} has no locks that work ({os.strerror(number)}: {file.name}): mount it "
            f"with locks, or name a folder on another by {option}"
        ) from error
    return True


@contextmanager
def locked(file: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Hold a lock, and say by a line now and then that it is waited for. Raises NoRoom as `acquired`."""
    lock = FileLock(file)
    seconds = FIRST
    while not acquired(lock, seconds):
        # A file system without flock has files in the place of locks, and a process that was killed on another machine
        # leaves one that nobody takes away.
        say(f"waiting for another process: it holds {file} (if none runs any more, on any machine, remove that file)")
        seconds = AGAIN
    try:
        yield
    finally:
        lock.release()
