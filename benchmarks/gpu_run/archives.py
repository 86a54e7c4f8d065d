"""Small archives: folders as tar, cut into pieces that a repository or a mail takes."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path
from typing import Any, BinaryIO

LIMIT = 15_000_000
"""Bytes: every piece has fewer."""


class Pieces:
    """A file that is written as several, ``NAME.000``, ``NAME.001`` and so on: ``cat NAME.* | tar xz`` unpacks them."""

    def __init__(self, name: Path, limit: int) -> None:
        self._name, self._limit = name, limit
        self.files: list[Path] = []
        self._open: BinaryIO | None = None
        self._room = 0

    def write(self, content: bytes) -> int:
        """Append; a new piece is begun where the last one is full."""
        data = memoryview(content)
        rest = data
        while rest:
            if not self._room:
                self._begin()
            assert self._open is not None
            self._open.write(rest[: self._room])
            taken = min(len(rest), self._room)
            self._room -= taken
            rest = rest[taken:]
        return len(data)

    def close(self) -> None:
        """Close the last piece."""
        if self._open is not None:
            self._open.close()

    def _begin(self) -> None:
        self.close()
        file = self._name.with_name(f"{self._name.name}.{len(self.files):03d}")
        self.files.append(file)
        self._open, self._room = file.open("wb"), self._limit


def pack(folder: Path, name: Path, limit: int = LIMIT - 1) -> list[dict[str, Any]]:
    """Pack a folder; its pieces with bytes and sha256. Pieces of an earlier packing under the name are removed."""
    name.parent.mkdir(parents=True, exist_ok=True)
    for old in name.parent.glob(f"{name.name}.[0-9][0-9][0-9]"):
        old.unlink()
    pieces = Pieces(name, limit)
    with tarfile.open(fileobj=pieces, mode="w|gz") as archive:  # type: ignore[call-overload]
        archive.add(folder, arcname=folder.name)
    pieces.close()
    return [
        {"file": file.name, "bytes": file.stat().st_size, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
        for file in pieces.files
    ]
