"""Which image files a folder has, by class or by a table beside them. Nothing is decoded here."""

from __future__ import annotations

import csv
import os
import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vdu_bench.errors import UserError, did_you_mean

ENDINGS = (".png", ".jpg", ".jpeg", ".jfif", ".webp", ".bmp", ".ppm", ".pgm", ".tif", ".tiff")
NOT_READ = (".gif", ".jp2", ".heic", ".heif", ".avif", ".ico", ".tga", ".psd")
"""Endings of images in other formats. They are refused, since nobody would see that they are left out."""
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


def images_in(folder: Path) -> Iterator[Path]:
    """The image files of a folder and of what is below it, but for what is not `visible`.

    Raises:
        OSError: a folder cannot be read.
        UserError: an image is in a format that is not read, or a link leads to a folder, or nowhere.
    """
    for place in sorted(folder.iterdir()):
        if not visible(place.name):
            continue
        if not place.is_dir():
            if _is_image(place):
                yield place
        elif place.is_symlink():
            # It may lead back up.
            raise UserError(
                f"{place} is a link to a folder, which is not followed: put the images there, or links to each of them"
            )
        else:
            yield from images_in(place)


def parts_of(folder: Path, classes: bool = True) -> tuple[Path, Path | None]:
    """The folders of the training and the held-out images; the folder itself and None where it has no parts.

    Large and small letters are the same in the name of a part.

    Args:
        folder: where they are.
        classes: whether other folders are classes. Those beside a table are called as they like.

    Raises:
        UserError: the folder is not there; has a part ``train`` beside folders that are no part or, of classes, beside
            images; has one part in two spellings; or, of classes, has a held-out part alone.
    """
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "is not there"
        raise UserError(f"{folder} {what}; data.folder names the folder with a folder of images for each class")
    inside = _folders(folder)
    own = [name for name in inside if name.lower() in (TRAIN, *HELD_OUT)]
    parts = {name.lower(): name for name in own}
    if TRAIN not in parts:
        if classes and own:
            raise UserError(
                f"{folder} has {own[0]}/, a name of the held-out part, and no {TRAIN}/: move the folders of the "
                f"classes into {TRAIN}/, or, where {own[0]} is one of them, rename it"
            )
        return folder, None
    if doubled := [name for name in own if parts[name.lower()] != name]:
        raise UserError(
            f"{folder} has {doubled[0]}/ and {parts[doubled[0].lower()]}/, which are the same part: put all that is in "
            "them into one"
        )
    if strange := [name for name in inside if name not in own]:
        raise UserError(
            f"{folder} has {parts[TRAIN]}/ beside {strange[0]}/, which is no part of the data: classes belong into "
            f"{parts[TRAIN]}/ (and {HELD_OUT[0]}/, if there is one), or all side by side without parts"
        )
    if classes and (stray := _image_beside(folder)):
        raise UserError(f"{stray} is in no part of the data: put it into its class in {parts[TRAIN]}/, or take it away")
    held_out = next((parts[name] for name in HELD_OUT if name in parts), None)
    return folder / parts[TRAIN], None if held_out is None else folder / held_out


def by_class(part: Path) -> Labelled:
    """The images of ``PART/CLASS/``, at any depth; classes are the visible folders, sorted by name.

    Raises:
        UserError: there are fewer than two classes, one has no image, images lie beside the classes' folders, or as
            `images_in`.
    """
    names = tuple(_folders(part))
    if stray := _image_beside(part):
        raise UserError(
            f"{stray} is in no class: put it into a folder that is called like its class, or name a table of "
            "attributes by data.attributes"
        )
    if len(names) < 2:
        what = f"one class alone, {names[0]!r}" if names else "no class"
        raise UserError(f"{part} has {what}: it needs a folder of images for each of at least two classes")
    files, shown = [], []
    for name in names:
        own = sorted(images_in(part / name), key=lambda file: file.relative_to(part).as_posix())
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
        UserError: the file is missing or malformed (the line is named), a column or an image is missing, or a column or
            an image comes twice.
    """
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.DictReader(stream, strict=True)
            rows.fieldnames = head = [name.strip() for name in rows.fieldnames or ()]
            lines = [(rows.line_num, row) for row in rows]
    except OSError as error:
        raise UserError(f"cannot read {table}, which data.attributes names: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{table} is no CSV file in UTF-8: {error}") from error
    if FILE not in head:
        raise UserError(f"{table} has no column {FILE!r} in its first line{did_you_mean(FILE, filter(None, head))}")
    if doubled := [name for name in head if name and head.count(name) > 1]:
        raise UserError(f"{table} has two columns {doubled[0]!r} in its first line: rename one, or take it away")
    if columns is None and "" in head:
        raise UserError(
            f"{table}: column {head.index('') + 1} has no name in the first line; give it one, take it away, or name "
            "the columns that are attributes by data.names"
        )
    names = tuple(name for name in head if name != FILE) if columns is None else tuple(columns)
    for name in names:
        if name not in head:
            raise UserError(f"{table} has no column {name!r}{did_you_mean(name, filter(None, head))}")
    if not names or not lines:
        raise UserError(f"{table} has {'no row' if names else f'no column beside {FILE!r}'}, so nothing is labelled")
    found: dict[str, tuple[Path, tuple[bool, ...]]] = {}
    for number, row in lines:
        where = f"{table}, line {number}"
        if None in row or None in row.values():
            raise UserError(f"{where} has not as many values as the first line has names")
        file, place = table.parent / row[FILE], _place(row[FILE], table.parent)
        if place in found:
            raise UserError(f"{where}: {row[FILE]} comes twice; take one of the lines away")
        if not file.is_file():
            raise UserError(f"{where}: there is no file {file}")
        found[place] = file, tuple(_truth(row[name], name, where) for name in names)
    files, shown = zip(*(found[place] for place in sorted(found)), strict=True)
    return Labelled(files, shown, names)


def places_of(part: Path) -> list[Path]:
    """The classes' folders of a part, which decide with all in them what `by_class` gives."""
    return [part / name for name in _folders(part)]


def _place(name: str, folder: Path) -> str:
    """One spelling of a file's place as seen from a folder: images come in its order, wherever the folder lies."""
    place = posixpath.normpath(name)
    # Only what leads out of the folder may lead back into it.
    leads_out = place.startswith("..") or os.path.isabs(place)
    return Path(os.path.relpath(folder / place, folder)).as_posix() if leads_out else place


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


def _image_beside(folder: Path) -> Path | None:
    """The first image in a folder itself. Raises UserError, as `images_in`, but for links to folders."""
    files = (place for place in sorted(folder.iterdir()) if visible(place.name) and not place.is_dir())
    return next(filter(_is_image, files), None)


def _is_image(file: Path) -> bool:
    if not file.exists():
        raise UserError(f"{file} is a link to what is not there: mend it, or take it away")
    ending = file.suffix.lower()
    if ending in NOT_READ:
        raise UserError(f"{file} is of a format that is not read: convert it to PNG, or take it away")
    return ending in ENDINGS and file.is_file()
