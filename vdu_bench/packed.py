"""Many records in one file: JSON Lines, compressed. What is the same in all of them then costs a checkout nothing."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from vdu_bench.bounded import gunzip, read_regular
from vdu_bench.errors import UserError
from vdu_bench.plain_json import read_json

PACKED = "records.jsonl.gz"
"""The file's name in a folder of results."""
MOST = 1 << 30
"""So many bytes its lines may have: a hundred thousand records."""


def pack(records: Iterable[str]) -> bytes:
    """The file's bytes for records as JSON, a line each; the same records give the same bytes."""
    lines = (json.dumps(json.loads(record), separators=(",", ":"), ensure_ascii=False) + "\n" for record in records)
    return gzip.compress("".join(lines).encode(), mtime=0)


def unpack(file: Path) -> list[Any]:
    """The plain JSON of each line. Raises UserError, naming file and line, or that it is empty."""
    try:
        # Not splitlines: a text in a record may have characters that end a line elsewhere.
        lines = gunzip(read_regular(file), MOST).removesuffix(b"\n").split(b"\n")
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"cannot read {file}: {error}") from error
    if not any(line.strip() for line in lines):
        raise UserError(f"no records under {file}: the file is empty; get it again, or remove it")
    found: list[Any] = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(read_json(line))
        except ValueError as error:
            raise UserError(f"{file}, line {number}: not JSON: {error}") from error
    return found


def pack_of(file: Path) -> Path | None:
    """The packed file that a record lies in, by the name it goes by; None for a file of its own."""
    return next((parent for parent in file.parents if parent.name == PACKED), None)
