"""The paper's table as data: methods in rows; for each data set the classes, with forgetting, attacks, distances."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from statistics import fmean

from vdu_bench.measured import Estimate
from vdu_bench.metrics.catalog import METRICS, metric_facts
from vdu_bench.records import Record, Role
from vdu_bench.reports.comparable import by_variant
from vdu_bench.reports.families import families, scales
from vdu_bench.reports.paper.agreement import agreements
from vdu_bench.reports.paper.published import Publication, PublishedNumber
from vdu_bench.reports.tables.leaderboard import (
    REFERENCES,
    Column,
    Leaderboard,
    Row,
    gaps,
    leaderboards,
    troubles,
    warnings,
)
from vdu_bench.reports.tables.notes import apart, counts, destroyed, untested
from vdu_bench.reports.tables.text import DESTROYED, TIED, seeds_text, settings_lines, tuning_text

_DISTANCES = {"fd_judge": "Frechet distance", "fid_inception": "u-FID"}
"""What the distances are called here, of however many samples they are; only in Inception's features it is a FID."""

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
    """The rows: references, contestants, external checkpoints, and whose numbers are published. None is empty. In the
    second and third, who is within the quality limit anywhere comes first, and who forgot most, on average over the
    classes in which it is within."""
    caption: str
    notes: tuple[str, ...]
    """A sentence each."""

    def role(self, method: str) -> str:
        """A row's role; ``published`` where it was not measured here."""
        rows = (found.row(method) for group in self.data_sets for found in group.classes)
        return next((row.role for row in rows if row is not None), "published")


def paper_tables(
    records: Iterable[Record], publications: Sequence[Publication], settings: bool = False
) -> list[PaperTable]:
    """A table for each scale of the records, by name: numbers of two scales never share one.

    Args:
        records: of any number of tasks.
        publications: what to set beside them.
        settings: whether notes say each row's settings, and where they are from.

    Raises:
        UserError: when records of one variant do not compare (see `check_comparable`).
    """
    records = list(records)
    groups = dict(by_variant(records))
    home, scale_of = families(records), scales(records)
    boards = sorted(leaderboards(records), key=lambda board: (scale_of[board.variant], home[board.variant]))
    return [
        _table(scale, list(group), groups, home, publications, settings)
        for scale, group in groupby(boards, key=lambda board: scale_of[board.variant])
    ]


def _table(
    scale: str,
    boards: Sequence[Leaderboard],
    groups: Mapping[str, Sequence[Record]],
    home: Mapping[str, str],
    publications: Sequence[Publication],
    settings: bool,
) -> PaperTable:
    cited = _cited(boards, publications)
    places = [(home[board.variant], _class_title(board)) for board in boards]
    titles = [
        title if places.count((family, title)) == 1 and board.setup == board.task else board.variant
        for board, (family, title) in zip(boards, places, strict=True)
    ]
    classes = [_class(title, board, cited) for title, board in zip(titles, boards, strict=True)]
    return PaperTable(
        scale,
        tuple(
            DataSet(family, tuple(group)) for family, group in groupby(classes, key=lambda one: home[one.board.variant])
        ),
        _sections(classes),
        _caption(scale, classes),
        (
            *_shared(classes, lambda found: destroyed(found.board)),
            *_protocols(classes, home),
            *_shared(classes, lambda found: counts(_as_shown(found))),
            *_shared(classes, lambda found: apart(_as_shown(found))),
            *_shared(classes, lambda found: _troubles(found, groups[found.board.variant])),
            *_shared(classes, lambda found: untested(found.board, [column.column for column in found.columns])),
            *agreements(boards, home),
            *(_shared(classes, lambda found: _settings(found.board)) if settings else ()),
            *_sources(cited),
            *_other_scales(classes),
        ),
    )


def _class_title(board: Leaderboard) -> str:
    images = board.forget_images
    return board.forget if images is None else f"{board.forget}, {images:,} image{'s' * (images > 1)}"


def _cited(boards: Sequence[Leaderboard], publications: Sequence[Publication]) -> list[Publication]:
    shown = {(board.task, column.name) for board in boards if _whole(board) for column in _axes(board)}
    return [one for one in publications if any(one.beside(task, metric) for task, metric in shown)]


def _class(title: str, board: Leaderboard, cited: Sequence[Publication]) -> PaperClass:
    found = [PaperColumn(column, _published(board, column, cited)) for column in _axes(board)]
    # Of further ways to tell forgetting, those alone that have a published number to stand beside.
    first = next((one.column.name for one in found if one.column.axis == "forgetting"), "")
    columns = [one for one in found if one.column.axis != "forgetting" or one.column.name == first or one.published]
    return PaperClass(title, board, tuple(columns))


def _axes(board: Leaderboard) -> list[Column]:
    # Where every cell of a class failed, the column of what was to be forgotten says so.
    return [*board.on_axis("forgetting"), *_attacked(board), *board.on_axis("distance")] or _unmeasured()


def _attacked(board: Leaderboard) -> list[Column]:
    """What attacks bring back, of models that were put under any: as much of it as stands in the first table."""
    columns = (column for column in board.columns if column.group == "robustness" and column.headline)
    return sorted(columns, key=lambda column: column.place)


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
    names = sorted(roles, key=lambda method: _order(classes, method))
    sections = [tuple(method for method in names if roles[method] == role) for role in _ROLES]
    published = [numbers for found in classes for column in found.columns for numbers in column.published]
    cited = dict.fromkeys(method for one in published for method in one.numbers)
    sections.append(tuple(method for method in cited if method not in roles))
    return tuple(section for section in sections if section)


def _order(classes: Sequence[PaperClass], method: str) -> tuple[int, int, float, str]:
    """Sorts rows by their own numbers alone, so that another row never changes the order of the rest."""
    within: list[float] = []
    beyond: list[float] = []
    for found in classes:
        row, axis = found.row(method), next(iter(found.board.on_axis("forgetting")), None)
        if row is not None and row.status == "ok" and axis is not None:
            value = row.estimates.get(axis.name, Estimate()).value
            (beyond if method in found.board.destroyed else within).append(value)
    known = [value for value in within or beyond if math.isfinite(value)]
    place = REFERENCES.index(method) if method in REFERENCES else len(REFERENCES)
    return place, 0 if within else 1 if beyond else 2, -fmean(known) if known else math.inf, method


def _caption(scale: str, classes: Sequence[PaperClass]) -> str:
    rows = [row for found in classes for row in found.board.rows if row.status == "ok"]
    title = f"{scale.capitalize()} scale" if scale else "Scale unknown"
    columns = [column for found in classes for column in found.columns]
    forgetting = dict.fromkeys(_title(column.column) for column in columns if column.column.axis == "forgetting")
    attacked = dict.fromkeys(_title(column.column) for column in columns if column.column.group == "robustness")
    distances = dict.fromkeys(_title(column.column) for column in columns if column.column.axis == "distance")
    *names, last = [*forgetting, *attacked, *distances]
    listed = f"{', '.join(names)} and {last}" if names else last
    features = "; distances are in the features and of as many samples as their names say" * bool(distances)
    sentences = [f"{title}: {listed}{features}"]
    seeds = sorted({row.seeds for row in rows if len(row.seeds) > 1})
    if seeds:
        over = " or ".join(map(seeds_text, seeds))
        sentences.append(f"Mean over seeds {over}, with its 95 % interval in brackets")
    if any(len(row.seeds) == 1 for row in rows):
        sentences.append("Of a single seed, the number with its own 95 % interval in brackets, where it has one")
    tested = {"noise": "paired over initial noise and seeds", "seeds": "over seeds"}
    tests = []
    for test, how in tested.items():
        titles = dict.fromkeys(
            _title(column.column)
            for found in classes
            for column in found.columns
            if (best := found.board.best.get(column.column.name)) is not None and best.best and best.test == test
        )
        tests += [f"{', '.join(titles)} {how}"] if titles else []
    if any(best.best for found in classes for best in found.board.best.values()):
        sentences.append("Bold: a column's best contestant by its mean")
    if tests:
        sentences.append(
            f"{TIED}: not told from it by a paired test at 95 % (Holm over the column; {', '.join(tests)})"
        )
        if any(len(row.seeds) == 1 for row in rows if row.role == "contestant"):
            sentences.append("With one seed the test is about these runs, not about how far others would scatter")
    if any(found.board.destroyed for found in classes):
        sentences.append(f"{DESTROYED}: beyond the quality limit, a destroyed model, which competes in no column")
    return ". ".join(sentences) + "."


def _title(column: Column) -> str:
    return _DISTANCES.get(column.name) or column.title or column.label


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


def _shared(classes: Sequence[PaperClass], notes: Callable[[PaperClass], Iterable[str]]) -> list[str]:
    """Notes on classes, each with those that it is about."""
    places: dict[str, list[str]] = {}
    for found in classes:
        for note in notes(found):
            places.setdefault(note, []).append(found.board.variant)
    return [f"{', '.join(where)}: {note}" for note, where in places.items()]


def _as_shown(found: PaperClass) -> Leaderboard:
    """The board with the columns of this table alone: notes on others would be about what is not here."""
    return replace(found.board, columns=tuple(column.column for column in found.columns))


def _troubles(found: PaperClass, records: Sequence[Record]) -> list[str]:
    columns = [column.column for column in found.columns]
    return [*troubles(records), *warnings(records), *gaps(found.board.rows, columns)]


def _settings(board: Leaderboard) -> list[str]:
    found = []
    for row in board.rows:
        if row.settings_from:
            given = ", ".join(settings_lines(row)) or "no setting differs from the method's default"
            origin = ": ".join(filter(None, (row.settings_from, tuning_text(row))))
            found.append(f"{row.method}: {given} ({origin})")
    return found


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
