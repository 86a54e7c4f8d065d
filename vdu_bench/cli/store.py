"""The commands that look after the store."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from vdu_bench.cli.options import StoreOption, store_at
from vdu_bench.errors import UserError
from vdu_bench.plain_json import printable_line

storing = typer.Typer(no_args_is_help=True, help="Look after the store, where stages are kept for reuse.")

DAY = 24 * 3600.0


@storing.command("ls")
def ls(
    kind: Annotated[str, typer.Argument(help="Of one kind alone, such as unlearned or images; of all, if empty.")] = "",
    store: StoreOption = None,
) -> None:
    """List what is kept: a line an artifact, with kind, address, size, date, and what it is."""
    from vdu_bench.engine.inventory import inventory, titles

    root = _root(store)
    found = inventory(root, kind)
    if kind and not found:
        kinds = sorted({artifact.kind for artifact in inventory(root)})
        raise UserError(f"the store {root} has nothing of the kind {kind!r}; it has {', '.join(kinds) or 'nothing'}")
    told = titles(root, found)
    for artifact in found:
        date = time.strftime("%Y-%m-%d", time.localtime(artifact.made))
        line = (
            f"{artifact.kind:15} {artifact.address[:12]} {_sized(artifact.size):>9}  {date}  {told[artifact.address]}"
        )
        typer.echo(printable_line(line.rstrip()))


@storing.command("du")
def du(store: StoreOption = None) -> None:
    """Say how much room each kind takes, and running states and unfinished folders beside them."""
    from vdu_bench.engine.inventory import inventory, size_of, unfinished

    root = _root(store)
    found = inventory(root)
    rows: list[tuple[str, int, int]] = []
    for kind in dict.fromkeys(artifact.kind for artifact in found):
        sizes = [artifact.size for artifact in found if artifact.kind == kind]
        rows.append((kind, len(sizes), sum(sizes)))
    running = [place for place in (root / "running").glob("*") if place.is_dir()]
    for name, places in (("running", running), ("unfinished", unfinished(root))):
        if places:
            rows.append((name, len(places), sum(map(size_of, places))))
    for name, count, size in rows:
        typer.echo(f"{printable_line(name):15} {count:6} {_sized(size):>9}")
    typer.echo(f"{'all':15} {sum(row[1] for row in rows):6} {_sized(sum(row[2] for row in rows)):>9}  {root}")


@storing.command("gc")
def gc(
    records: Annotated[
        list[Path] | None,
        typer.Argument(help="Folders of records: what these rest on stays, and what other cells left may go."),
    ] = None,
    older_than: Annotated[
        float | None, typer.Option(min=0, metavar="DAYS", help="Only what was made so many days ago or before.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Remove it; without this, only say what would go.")] = False,
    store: StoreOption = None,
) -> None:
    """Say what may go, and with --yes remove it: what killed runs left half made, and what no cell needs any more.

    Base models, posteriors, retrained models and judges always stay: they took longest. Without folders of records and
    without a number of days, only what is half made goes. Do not remove while runs that use the store go on: what they
    would have found, they make again.

    Examples:

      vdu-bench store gc --yes

      vdu-bench store gc results/ --older-than 30
    """
    from vdu_bench.engine.inventory import half_written, inventory, remove, size_of, unfinished, unneeded
    from vdu_bench.records import read_records

    root = _root(store)
    kept = None if not records else read_records(*records)
    before = None if older_than is None else time.time() - DAY * older_than
    places: list[tuple[Path, int]] = [(place, size_of(place)) for place in (*unfinished(root), *half_written(root))]
    places += [(artifact.folder, artifact.size) for artifact in unneeded(inventory(root), kept, before)]
    gone = 0
    for place, size in places:
        name = place.relative_to(root).as_posix()
        try:
            removed = yes and remove(place)
        except OSError as error:
            raise UserError(f"cannot remove {place}: {error.strerror}") from error
        gone += size if removed or not yes else 0
        typer.echo(
            f"{printable_line(name)}  {_sized(size)}" + ("" if removed or not yes else "  (in the making, and left)")
        )
    done = "removed" if yes else "would go; --yes removes them"
    typer.echo(f"{len(places)} of them, {_sized(gone)}: {done}" if places else "nothing may go")


def _root(folder: Path | None) -> Path:
    from vdu_bench.engine.progress import Progress

    place: Any = store_at(folder, Progress(quiet=True))
    root: Path = place.root
    if not os.path.isdir(root):
        raise UserError(f"there is no store {root}; the first vdu-bench run makes it, or name another by --store")
    return root


def _sized(size: float) -> str:
    """Such as ``3.2 MiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
