"""Which image files a folder has, by class or by a table beside them. Nothing is decoded here."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vdu_bench.errors import UserError, did_you_mean

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".ppm", ".pgm", ".tif", ".tiff")
TRAIN = "train"
HELD_OUT = ("test", "val", "valid", "validation")
"""How the held-out part may be called, in order of preference."""

FILE = "file_name"
"""The column of a table that names the image, as Hugging Face's image folders call it."""

YES, NO = ("1", "true", "yes"), ("0", "-1", "false", "no")


@dataclass(frozen=True)
class Labelled:
    """Images of one part, sorted by their place in it.

    Attributes:
        files: N files.
        shown: for each of them whether it shows each of `names`.
        names: the concepts.
    """

    files: tuple[Path, ...]
    shown: tuple[tuple[bool, ...], ...]
    names: tuple[str, ...]

    def in_order_of(self, names: tuple[str, ...]) -> Labelled:
        """The same, with the concepts in the order of `names`, which are as many and called alike."""
        places = [self.names.index(name) for name in names]
        return Labelled(self.files, tuple(tuple(row[i] for i in places) for row in self.shown), names)


def visible(name: str) -> bool:
    """Whether a name is somebody's own: what file managers, notebooks and archives of a Mac leave is not."""
    return not name.startswith(".") and name != "__MACOSX"


def parts_of(folder: Path) -> tuple[Path, Path | None]:
    """The folders of the training and the held-out images; the folder itself and None where it has no parts.

    Raises:
        UserError: the folder is not there, or has a part ``train`` beside folders that are no part.
    """
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "is not there"
        raise UserError(f"{folder} {what}; data.folder names the folder with a folder of images for each class")
    inside = _folders(folder)
    if TRAIN not in inside:
        return folder, None
    if strange := [name for name in inside if name not in (TRAIN, *HELD_OUT)]:
        raise UserError(
            f"{folder} has {TRAIN}/ beside {strange[0]}/, which is no part of the data: classes belong into {TRAIN}/ "
            f"(and {HELD_OUT[0]}/, if there is one), or all side by side without parts"
        )
    held_out = next((name for name in HELD_OUT if name in inside), None)
    return folder / TRAIN, None if held_out is None else folder / held_out


def by_class(part: Path) -> Labelled:
    """The images of ``PART/CLASS/``, at any depth; classes are the visible folders, sorted by name.

    Raises:
        UserError: there are fewer than two classes, one has no image, or images lie beside the classes' folders.
    """
    names = tuple(_folders(part))
    stray = sorted(file for file in part.iterdir() if _is_image(file))
    if stray:
        raise UserError(
            f"{stray[0]} is in no class: put it into a folder that is called like its class, or name a table of "
            "attributes by data.attributes"
        )
    if len(names) < 2:
        what = f"one class alone, {names[0]!r}" if names else "no class"
        raise UserError(f"{part} has {what}: it needs a folder of images for each of at least two classes")
    files, shown = [], []
    for name in names:
        own = sorted(_images(part / name), key=lambda file: file.relative_to(part).as_posix())
        if not own:
            raise UserError(
                f"the class {part / name} has no image ({', '.join(ENDINGS)}); put some there, or remove the folder"
            )
        files += own
        shown += [tuple(name == other for other in names)] * len(own)
    return Labelled(tuple(files), tuple(shown), names)


def by_table(table: Path, columns: Sequence[str] | None) -> Labelled:
    """The images that a CSV file names, sorted by name, with its columns of truth values.

    The column ``file_name`` has an image's place as seen from the file; truth values are 1, true or yes, and 0, -1,
    false or no.

    Args:
        table: the file.
        columns: those that are concepts, in this order; all but ``file_name`` if not given.

    Raises:
        UserError: the file is missing or malformed (the line is named), a column or an image is missing, or an image
            comes twice.
    """
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.DictReader(stream, strict=True)
            head = list(rows.fieldnames or ())
            lines = [(rows.line_num, row) for row in rows]
    except OSError as error:
        raise UserError(f"cannot read {table}, which data.attributes names: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{table} is no CSV file in UTF-8: {error}") from error
    if FILE not in head:
        raise UserError(f"{table} has no column {FILE!r} in its first line{did_you_mean(FILE, head)}")
    names = tuple(name for name in head if name != FILE) if columns is None else tuple(columns)
    for name in names:
        if name not in head:
            raise UserError(f"{table} has no column {name!r}{did_you_mean(name, head)}")
    if not names or not lines:
        raise UserError(f"{table} has {'no row' if names else f'no column beside {FILE!r}'}, so nothing is labelled")
    found: dict[str, tuple[bool, ...]] = {}
    for number, row in lines:
        where = f"{table}, line {number}"
        if None in row or None in row.values():
            raise UserError(f"{where} has not as many values as the first line has names")
        if row[FILE] in found:
            raise UserError(f"{where}: {row[FILE]} comes twice")
        if not (table.parent / row[FILE]).is_file():
            raise UserError(f"{where}: there is no file {table.parent / row[FILE]}")
        found[row[FILE]] = tuple(_truth(row[name], name, where) for name in names)
    files = sorted(found)
    return Labelled(tuple(table.parent / file for file in files), tuple(found[file] for file in files), names)


def places_of(part: Path) -> list[Path]:
    """The classes' folders of a part, which decide with all in them what `by_class` gives."""
    return [part / name for name in _folders(part)]


def _truth(text: str, name: str, where: str) -> bool:
    word = text.strip().lower()
    if word not in YES + NO:
        raise UserError(
            f"{where}: {name} is {text!r}, and a truth value is 1 or 0, true or false, yes or no; name the columns "
            "that are attributes by data.names"
        )
    return word in YES


def _folders(folder: Path) -> list[str]:
    return sorted(place.name for place in folder.iterdir() if place.is_dir() and visible(place.name))


def _is_image(file: Path) -> bool:
    return visible(file.name) and file.suffix.lower() in ENDINGS and file.is_file()


def _images(folder: Path) -> Iterator[Path]:
    return (file for file in _walk(folder.iterdir()) if _is_image(file))


def _walk(places: Iterable[Path]) -> Iterator[Path]:
    for place in places:
        # A link to a folder is not followed: it may lead back up.
        if place.is_dir() and not place.is_symlink():
            if visible(place.name):
                yield from _walk(place.iterdir())
        else:
            yield place
