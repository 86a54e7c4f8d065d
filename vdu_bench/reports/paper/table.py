"""The paper's table as data: methods in rows; for each data set the classes with PUL and u-FID in columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from vdu_bench.metrics.catalog import METRICS, metric_facts
from vdu_bench.records import Record, Role
from vdu_bench.reports.comparable import by_variant
from vdu_bench.reports.families import families, scales
from vdu_bench.reports.paper.best import BestGroup, best_group
from vdu_bench.reports.paper.published import Publication, PublishedNumber
from vdu_bench.reports.tables.leaderboard import (
    Column,
    Leaderboard,
    Row,
    gaps,
    leaderboards,
    troubles,
    warnings,
)
from vdu_bench.reports.tables.text import seeds_text

_DISTANCE = "u-FID"
"""What papers call the distances, in whatever features and of however many samples they are."""

_ROLES: tuple[Role, ...] = ("reference", "contestant", "external")


@dataclass(frozen=True)
class PublishedColumn:
    """What one publication says of a metric of a task."""

    marker: int
    """Its number in the table's notes."""
    paper: str
    numbers: Mapping[str, PublishedNumber]
    """By whose number it is: a row of the table."""


@dataclass(frozen=True)
class PaperColumn:
    """A measured metric, with what is published of it."""

    column: Column
    best: BestGroup
    published: tuple[PublishedColumn, ...]


@dataclass(frozen=True)
class PaperClass:
    """One class or feature to forget: a variant of a task."""

    title: str
    """Such as ``1``, or ``1, 25 images`` to draw from; the task's name where two of a data set read the same."""
    board: Leaderboard
    columns: tuple[PaperColumn, ...]

    def row(self, method: str) -> Row | None:
        """A method's measured row, if it has one."""
        return next((row for row in self.board.rows if row.method == method), None)


@dataclass(frozen=True)
class DataSet:
    """Tasks that share data, model and judge."""

    family: str
    classes: tuple[PaperClass, ...]


@dataclass(frozen=True)
class PaperTable:
    """The table of one scale."""

    scale: str
    """Empty where nothing was measured and no installed task tells it."""
    data_sets: tuple[DataSet, ...]
    sections: tuple[tuple[str, ...], ...]
    """The rows: references, contestants, external checkpoints, and whose numbers are published. None is empty."""
    caption: str
    notes: tuple[str, ...]
    """A sentence each."""

    def role(self, method: str) -> str:
        """A row's role; ``published`` where it was not measured here."""
        rows = (found.row(method) for group in self.data_sets for found in group.classes)
        return next((row.role for row in rows if row is not None), "published")


def paper_tables(records: Iterable[Record], publications: Sequence[Publication]) -> list[PaperTable]:
    """A table for each scale of the records, by name: numbers of two scales never share one.

    Raises:
        UserError: when records of one variant do not compare (see `check_comparable`).
    """
    records = list(records)
    groups = dict(by_variant(records))
    home, scale_of = families(records), scales(records)
    boards = sorted(leaderboards(records), key=lambda board: (scale_of[board.variant], home[board.variant]))
    return [
        _table(scale, list(group), groups, home, publications)
        for scale, group in groupby(boards, key=lambda board: scale_of[board.variant])
    ]


def _table(
    scale: str,
    boards: Sequence[Leaderboard],
    groups: Mapping[str, Sequence[Record]],
    home: Mapping[str, str],
    publications: Sequence[Publication],
) -> PaperTable:
    cited = _cited(boards, publications)
    places = [(home[board.variant], _class_title(board)) for board in boards]
    titles = [
        title if places.count((family, title)) == 1 and board.setup == board.task else board.variant
        for board, (family, title) in zip(boards, places, strict=True)
    ]
    classes = [_class(title, board, groups[board.variant], cited) for title, board in zip(titles, boards, strict=True)]
    return PaperTable(
        scale,
        tuple(
            DataSet(family, tuple(group)) for family, group in groupby(classes, key=lambda one: home[one.board.variant])
        ),
        _sections(classes),
        _caption(scale, classes),
        (
            *_protocols(classes, home),
            *(note for found in classes for note in _class_notes(found, groups[found.board.variant])),
            *_bold_notes(classes),
            *_sources(cited),
            *_other_scales(classes),
        ),
    )


def _class_title(board: Leaderboard) -> str:
    images = board.forget_images
    return board.forget if images is None else f"{board.forget}, {images:,} image{'s' * (images > 1)}"


def _cited(boards: Sequence[Leaderboard], publications: Sequence[Publication]) -> list[Publication]:
    shown = {(board.task, column.name) for board in boards if _whole(board) for column in _columns(board)}
    return [one for one in publications if any(one.beside(task, metric) for task, metric in shown)]


def _class(title: str, board: Leaderboard, records: Sequence[Record], cited: Sequence[Publication]) -> PaperClass:
    return PaperClass(
        title,
        board,
        tuple(
            PaperColumn(column, best_group(board, column, records), _published(board, column, cited))
            for column in _columns(board)
        ),
    )


def _columns(board: Leaderboard) -> list[Column]:
    # Where every cell of a class failed, the column of what was to be forgotten says so.
    return [*board.on_axis("forgetting"), *board.on_axis("distance")] or _unmeasured()


def _unmeasured() -> list[Column]:
    """The columns of forgetting, as the installed metrics have them."""
    installed = METRICS.each(metric_facts).items()
    found = [Column.of(name, facts) for name, facts in installed if facts.axis == "forgetting"]
    return sorted(found, key=lambda column: column.place)


def _published(board: Leaderboard, column: Column, cited: Sequence[Publication]) -> tuple[PublishedColumn, ...]:
    found = []
    for marker, publication in enumerate(cited if _whole(board) else (), 1):
        numbers = {number.method: number for number in publication.beside(board.task, column.name)}
        if numbers:
            found.append(PublishedColumn(marker, publication.paper, numbers))
    return tuple(found)


def _whole(board: Leaderboard) -> bool:
    # As far as publications say, theirs are of the whole forget set; and nothing else was changed.
    return board.variant == board.task


def _sections(classes: Sequence[PaperClass]) -> tuple[tuple[str, ...], ...]:
    roles = {row.method: row.role for found in classes for row in found.board.rows}
    # The original first: it is what the others are held against.
    names = sorted(roles, key=lambda method: (method != "original", method))
    sections = [tuple(method for method in names if roles[method] == role) for role in _ROLES]
    published = [numbers for found in classes for column in found.columns for numbers in column.published]
    cited = dict.fromkeys(method for one in published for method in one.numbers)
    sections.append(tuple(method for method in cited if method not in roles))
    return tuple(section for section in sections if section)


def _caption(scale: str, classes: Sequence[PaperClass]) -> str:
    rows = [row for found in classes for row in found.board.rows if row.status == "ok"]
    title = f"{scale.capitalize()} scale" if scale else "Scale unknown"
    columns = [column for found in classes for column in found.columns]
    forgetting = dict.fromkeys(_title(column.column) for column in columns if column.column.axis == "forgetting")
    names = f"{', '.join(forgetting)} and {_DISTANCE}"
    sentences = [f"{title}: {names}, the latter in the features and of as many samples as its name says"]
    seeds = sorted({row.seeds for row in rows if len(row.seeds) > 1})
    if seeds:
        over = " or ".join(map(seeds_text, seeds))
        sentences.append(f"Mean ± half the 95 % interval over seeds {over} (Student's t)")
    if any(len(row.seeds) == 1 for row in rows):
        sentences.append("Of a single seed, the number with its own 95 % interval in brackets, where it has one")
    tested = {"noise": "paired over initial noise and seeds", "seeds": "over seeds"}
    tests = []
    for test, how in tested.items():
        titles = dict.fromkeys(
            _title(column.column) for column in columns if column.best.methods and column.best.test == test
        )
        tests += [f"{', '.join(titles)} {how}"] if titles else []
    if tests:
        sentences.append(
            "Bold: a column's best contestant and those that a paired test does not separate from it at 95 % (Holm "
            f"over the column; {', '.join(tests)})"
        )
        if any(len(row.seeds) == 1 for row in rows if row.role == "contestant"):
            sentences.append("With one seed bold is about these runs, not about how far others would scatter")
    else:
        sentences.append("Nothing is bold, since nothing could be tested")
    return ". ".join(sentences) + "."


def _title(column: Column) -> str:
    return _DISTANCE if column.axis == "distance" else column.title or column.label


def _protocols(classes: Sequence[PaperClass], home: Mapping[str, str]) -> list[str]:
    notes = []
    for found in classes:
        protocol = found.board.protocol
        if protocol is None:
            continue
        regimes = sorted({row.regime for row in found.board.rows if row.role != "reference"})
        facts = [f"{protocol.samples:,} samples a cell", f"judge {protocol.judge}"]
        facts += [f"regime {' or '.join(regimes)}"] if regimes else []
        notes.append(f"{home[found.board.variant]}: {', '.join(facts)}")
    return list(dict.fromkeys(notes))


def _class_notes(found: PaperClass, records: Sequence[Record]) -> list[str]:
    columns = [column.column for column in found.columns]
    notes = [*troubles(records), *warnings(records), *gaps(found.board.rows, columns)]
    return [f"{found.board.variant}: {note}" for note in notes]


def _bold_notes(classes: Sequence[PaperClass]) -> list[str]:
    """Which columns were not tested, or not as the caption says; those with the same reason share a sentence."""
    places: dict[str, list[str]] = {}
    for found in classes:
        labels: dict[str, list[str]] = {}
        for column in found.columns:
            if column.best.why:
                what = column.best.why if column.best.methods else f"nothing is bold: {column.best.why}"
                labels.setdefault(what, []).append(column.column.label)
        for what, names in labels.items():
            places.setdefault(what, []).append(f"{found.board.variant} ({', '.join(names)})")
    return [f"{', '.join(where)}: {what}" for what, where in places.items()]


def _sources(cited: Sequence[Publication]) -> list[str]:
    notes = []
    for marker, publication in enumerate(cited, 1):
        sources = "; ".join(dict.fromkeys(number.source for number in publication.numbers))
        notes.append(f"[{marker}] {publication.paper}, {publication.title}: {sources}")
    if notes:
        notes.append("Published numbers are of other models, judges and samplers than the measured ones beside them")
    return notes


def _other_scales(classes: Sequence[PaperClass]) -> list[str]:
    theirs = {
        found.board.task: number.task
        for found in classes
        for column in found.columns
        for source in column.published
        for number in source.numbers.values()
        if number.task != found.board.task
    }
    return [f"{task}: what is published belongs to {full}, whose models are larger" for task, full in theirs.items()]
