"""Writing report files so that a reader, or a kill, never meets half of one."""

from __future__ import annotations

import os
from pathlib import Path

from vdu_bench.errors import UserError


def write_atomically(file: Path, content: bytes) -> Path:
    """Write beside `file` and rename over it; makes the folder. Returns `file`. Raises OSError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    # The process id keeps two runs that share a folder out of each other's temporary file.
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)
    return file


def write_output(file: Path, text: str) -> None:
    """Write what a user asked for with --output. Raises UserError where the file cannot be written."""
    try:
        write_atomically(file, text.encode())
    except OSError as error:
        raise UserError(f"cannot write to --output {file}: {error.strerror}") from error
