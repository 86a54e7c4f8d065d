"""Files: written so that a reader, or a kill, never meets half of one; and what tells one content from another."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vdu_bench.errors import UserError


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """A place beside `file` to write to, which takes its name when all went well; makes the folder. Raises OSError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    # The process id keeps two runs that share a folder out of each other's temporary file.
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        os.replace(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(file: Path, content: bytes) -> Path:
    """Write a whole file by `replacing`. Returns `file`. Raises OSError."""
    with replacing(file) as temporary:
        temporary.write_bytes(content)
    return file


def write_output(file: Path, text: str) -> None:
    """Write what a user asked for with --output. Raises UserError where the file cannot be written."""
    try:
        write_atomically(file, text.encode())
    except OSError as error:
        raise UserError(f"cannot write to --output {file}: {error.strerror}") from error


def digest_of_file(file: Path) -> str:
    """sha256 of a file's content."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def stamp(roots: Iterable[Path]) -> str:
    """sha256 over place, size and time of change of all files below `roots`: changes when their content does."""
    found = []
    for root in roots:
        inside = (Path(folder, name) for folder, _, names in os.walk(root) for name in names)
        for file in inside if root.is_dir() else [root]:
            facts = file.stat()
            found.append((os.path.realpath(file), facts.st_size, facts.st_mtime_ns))
    return hashlib.sha256(json.dumps(sorted(found)).encode()).hexdigest()
