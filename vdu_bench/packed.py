"""Many records in one file: JSON Lines, compressed. What is the same in all of them then costs a checkout nothing."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from vdu_bench.errors import UserError

PACKED = "records.jsonl.gz"
"""The file's name in a folder of results."""


def pack(records: Iterable[str]) -> bytes:
    """The file's bytes for records as JSON, a line each; the same records give the same bytes."""
    lines = (json.dumps(json.loads(record), separators=(",", ":"), ensure_ascii=False) + "\n" for record in records)
    return gzip.compress("".join(lines).encode(), mtime=0)


def unpack(file: Path) -> list[Any]:
    """The plain JSON of each line. Raises UserError, naming file and line."""
    try:
        lines = gzip.decompress(file.read_bytes()).decode().splitlines()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {file}: {error}") from error
    found: list[Any] = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(from_json(line))
        except ValueError as error:
            raise UserError(f"{file}, line {number}: not JSON: {error}") from error
    return found


def pack_of(file: Path) -> Path | None:
    """The packed file that a record lies in, by the name it goes by; None for a file of its own."""
    return next((parent for parent in file.parents if parent.name == PACKED), None)
