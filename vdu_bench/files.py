"""Files: written so that a reader, or a kill, never meets half of one; and what tells one content from another."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vdu_bench.errors import UserError
from vdu_bench.plain_json import parsed


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """A place beside `file` to write to, which takes its name when all went well; makes the folder. Raises OSError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    # Nobody can guess the name, and what was put there in advance, such as a link to a file elsewhere, is not opened.
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(8)}.tmp")
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o666))
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


def require_writable(folder: Path, option: str) -> None:
    """Make a folder, and see that it takes a file. Raises UserError, naming the option that named it, where not."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Under a name that nobody can have put a link at.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(f"cannot write to {option} {folder}: {error.strerror}") from error


def require_place(folder: Path, option: str) -> None:
    """`require_writable` as far as it can be told without making anything: by the nearest folder that is there."""
    # Not Path's own way to ask, which raises for a place below a folder that this process may not look into.
    there = next((one for one in (folder, *folder.absolute().parents) if os.path.exists(one)), folder)
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        why = os.strerror(errno.EACCES if there.is_dir() else errno.ENOTDIR)
        raise UserError(f"cannot write to {option} {folder}: {why}")


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


_OF_TORCH = (b"PK\x03\x04", b"\x80\x02")
"""How files of torch begin: an archive now, a pickle once."""
PICKLED = (".bin", ".pt", ".pth", ".ckpt")
"""What files of weights that are pickled are called."""


def what_it_is(file: Path) -> str:
    """What a file of weights or data is in place of that, as the rest of a sentence, with what to do; else empty.

    A pointer of git-lfs, a page of HTML, nothing, or an archive or safetensors that were cut short: what a download
    leaves that went wrong. Or weights under the name of another format.
    """
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            head = stream.read(4096)
            if file.suffix == ".safetensors" and size >= 8:
                # A file of another kind begins with a number that no head is long.
                length = int.from_bytes(head[:8], "little")
                stream.seek(8)
                header = stream.read(length) if length < 10**8 else b""
    except OSError:
        return ""
    again = "download it again"
    if size == 0:
        return f"is empty; {again}"
    if head.startswith(b"version https://git-lfs"):
        return "is a pointer of git-lfs, and not the file itself; get that by `git lfs pull` in its repository"
    if head.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        return "is a web page (HTML), and not the file itself: the download went to a login or an error; " + again
    if head.startswith(b"PK\x03\x04") and not zipfile.is_zipfile(file):
        return f"was cut short: it is an archive without an end; {again}"
    if file.suffix == ".safetensors" and (promised := _promised(head, header if size >= 8 else b"")) > size:
        return f"was cut short: it has {size} bytes, and its head promises {promised}; {again}"
    # The length of a head may be the same bytes.
    if file.suffix == ".safetensors" and head.startswith(_OF_TORCH) and head[8:9] != b"{":
        return "is what torch.save writes, under the name of safetensors: rename it to .pt"
    if file.suffix in PICKLED and head[8:10] == b'{"' and int.from_bytes(head[:8], "little") < size:
        return "is in the format of safetensors, under the name of a pickle: rename it to .safetensors"
    return ""


def _promised(head: bytes, header: bytes) -> int:
    """How long a file of safetensors says that it is; 0 where it is none."""
    length = int.from_bytes(head[:8], "little")
    if head[8:9] != b"{":
        return 0
    if len(header) < length:
        return 8 + length
    try:
        entries = parsed(header)
        return 8 + length + max((entry["data_offsets"][1] for name, entry in entries.items() if name[:2] != "__"))
    except (ValueError, LookupError, TypeError, AttributeError):
        return 0


def stamp(roots: Iterable[Path]) -> str:
    """sha256 over place, size and time of change of all files below `roots`: changes when their content does.

    Of a link to what is not there, and of a file that has just gone, the place alone: whoever reads them names them.
    """
    found = []
    for root in roots:
        for file, place in _placed(root):
            try:
                facts = os.stat(file)
                size, changed = facts.st_size, facts.st_mtime_ns
            except OSError:
                size = changed = -1
            found.append((place, size, changed))
    return hashlib.sha256(json.dumps(sorted(found)).encode()).hexdigest()


def _placed(root: Path) -> Iterator[tuple[str, str]]:
    """Each file at or below a place, and where it really lies: of a link, what it leads to."""
    if not root.is_dir():
        yield str(root), os.path.realpath(root)
        return
    for folder, _, names in os.walk(root):
        # Of a hundred thousand files, each one's own way from the root down takes seconds.
        really = os.path.realpath(folder)
        for name in names:
            file = os.path.join(folder, name)
            yield file, os.path.realpath(file) if os.path.islink(file) else os.path.join(really, name)
