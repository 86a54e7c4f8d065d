"""What somebody else's file holds, where it has an end: no pipe, no device, and no few bytes that fill a memory."""

from __future__ import annotations

import errno
import gzip
import os
import stat
from io import BytesIO
from pathlib import Path

STEP = 1 << 20
"""So many bytes are unpacked at once."""


def read_regular(file: Path) -> bytes:
    """The content of a file, also behind a link. Raises OSError, for what is no file of its own as well."""
    # A pipe would wait for a writer. Windows knows neither pipes of this kind nor the flag.
    descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(file))
        return stream.read()


def gunzip(content: bytes, most: int) -> bytes:
    """What was compressed by gzip.

    Args:
        content: the compressed bytes.
        most: so many bytes it may have at most.

    Raises:
        OSError, EOFError, zlib.error: it is damaged, or has more than that (OSError).
    """
    parts, size = [], 0
    with gzip.GzipFile(fileobj=BytesIO(content)) as stream:
        while part := stream.read(STEP):
            parts.append(part)
            size += len(part)
            if size > most:
                raise OSError(f"it unpacks to more than {most:,} bytes")
    return b"".join(parts)
