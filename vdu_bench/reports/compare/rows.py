"""Which rows of two sets of records are set side by side, and whether their numbers compare at all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from vdu_bench.errors import UserError, did_you_mean
from vdu_bench.records import Protocol, Record
from vdu_bench.reports.comparable import by_variant, check_comparable, compared, protocol_of
from vdu_bench.unlike import unlike
from vdu_bench.variants import changed


@dataclass(frozen=True)
class RowPair:
    """A row of A and one of B, of the same task."""

    variant: str
    """The task's name, and what was changed of it."""
    left: str
    """A's row."""
    right: str
    """B's row."""
    cells: tuple[tuple[Record, Record], ...]
    """A's record and B's of each seed that both have, ascending; at least one."""
    alone: tuple[int, ...]
    """Seeds that one of them alone has, ascending."""

    @property
    def seeds(self) -> list[int]:
        """The sample seeds that both have."""
        return [record.seeds.sample for record, _ in self.cells]

    @property
    def settings(self) -> dict[str, tuple[Any, Any]]:
        """The settings that differ, by dotted name: A's and B's; empty for two methods, whose settings are others."""
        if self.cells[0][0].method != self.cells[0][1].method:
            return {}
        left, right = self.cells[0][0].settings, self.cells[0][1].settings
        back, forth = changed(right, left), changed(left, right)
        return {name: (back.get(name), forth.get(name)) for name in sorted(back.keys() | forth.keys())}


def parse_rows(texts: Iterable[str]) -> list[tuple[str, str]]:
    """What ``--row`` says: A's row and B's of ``vdu[gamma=0.3]=vdu``. Raises UserError for another form.

    A pair that is given twice is one.
    """
    return list(dict.fromkeys(map(_parsed, texts)))


def pair_rows(left: Sequence[Record], right: Sequence[Record], rows: Sequence[tuple[str, str]] = ()) -> list[RowPair]:
    """The rows to compare, by task and name: those of the same name, or those that `rows` names.

    Args:
        left: A's records.
        right: B's records.
        rows: A's row and B's row of each pair that is asked for.

    Raises:
        UserError: records of one set, or of the two, do not compare (the field is named); a row that is asked for is
            not there; or nothing is in both.
    """
    check_comparable(left)
    check_comparable(right)
    protocol_of([*left, *right])
    sides = dict(by_variant(left)), dict(by_variant(right))
    shared = [variant for variant in sides[0] if variant in sides[1]]
    if not shared:
        raise UserError(f"A and B have no task in common: A has {', '.join(sides[0])}; B has {', '.join(sides[1])}")
    for name, records, place in (("A", left, 0), ("B", right, 1)):
        there = {record.row for record in records if record.variant in shared}
        if unknown := next((row[place] for row in rows if row[place] not in there), None):
            raise UserError(f"--row: {name} has no row {unknown!r}{did_you_mean(unknown, there)}")
    pairs: list[RowPair] = []
    for variant in shared:
        _check_sides(variant, sides[0][variant], sides[1][variant])
        names = [{record.row for record in side[variant]} for side in sides]
        asked = rows or [(name, name) for name in sorted(names[0] & names[1])]
        for row, other in asked:
            if (pair := _pair(variant, row, other, sides[0][variant], sides[1][variant])) is not None:
                pairs.append(pair)
    if not pairs:
        what = "row of one name, or none with a seed that both have" if not rows else "seed of these rows"
        raise UserError(f"A and B have no {what}, in {', '.join(shared)}; name rows by --row ROW_OF_A=ROW_OF_B")
    return pairs


def _parsed(text: str) -> tuple[str, str]:
    depth = 0
    for place, character in enumerate(text):
        depth += (character == "[") - (character == "]")
        if character == "=" and depth == 0:
            row, other = text[:place].strip(), text[place + 1 :].strip()
            if row and other:
                return row, other
            break
    raise UserError(f"--row {text!r}: write ROW_OF_A=ROW_OF_B, such as 'vdu[gamma=0.3]=vdu'")


def _pair(variant: str, row: str, other: str, left: Sequence[Record], right: Sequence[Record]) -> RowPair | None:
    sides = [
        {record.seeds.sample: record for record in records if record.row == name}
        for records, name in ((left, row), (right, other))
    ]
    seeds = sorted(sides[0].keys() & sides[1].keys())
    if not seeds:
        return None
    cells = tuple((sides[0][seed], sides[1][seed]) for seed in seeds)
    return RowPair(variant, row, other, cells, tuple(sorted(sides[0].keys() ^ sides[1].keys())))


def _check_sides(variant: str, left: Sequence[Record], right: Sequence[Record]) -> None:
    """Within a side all agree already, so that one measured record can speak for it."""
    facts = [_facts(side) for side in (left, right)]
    for name in (name for name in facts[0] if name in facts[1]):
        one, other = facts[0][name], facts[1][name]
        if one != other:
            found = unlike(name, one, other)
            raise UserError(
                f"{variant}: A and B do not compare: {found.name} is {found.before} in A and {found.now} in "
                f"B{found.more}; measure both alike"
            )


def _facts(records: Sequence[Record]) -> dict[str, Any]:
    """What must be the same on both sides, by name."""
    facts: dict[str, Any] = {"forget": records[0].forget}
    # Noise is paired with noise only where both began from one model.
    if base := next((record.digests["base"] for record in records if "base" in record.digests), None):
        facts["digests.base"] = base
    if protocol := next((record.protocol for record in records if record.protocol is not None), None):
        facts |= {field: compared(protocol, field) for field in Protocol.model_fields}
    for record in records:
        facts |= {f"probe_settings.{probe}": settings for probe, settings in record.probe_settings.items()}
        if "retrain" in record.digests:
            # What leaks and gaps are against, which may be another one with each seed.
            facts[f"digests.retrain of seed {record.seeds.sample}"] = record.digests["retrain"]
        for name, result in record.metrics.items():
            facts |= {f"{name}'s {field}": getattr(result, field) for field in ("label", "unit", "better")}
    return facts
