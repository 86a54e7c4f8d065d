"""Records as one holds them in Python: frames, leaderboards, pictures."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

from vdu_bench.api.place import expanded, store_at
from vdu_bench.errors import UserError
from vdu_bench.records import Record, read_records

if TYPE_CHECKING:
    import pandas as pd

    from vdu_bench.api.pictures import Pictures


class Results(Sequence[Record]):
    """The records of some cells, in the order of task, method and seed; in a notebook, their leaderboards.

    Args:
        records: of any number of tasks.
        store: the folder of the store that they were made with, for sample grids; None for the user's own.
    """

    def __init__(self, records: Iterable[Record], store: str | Path | None = None) -> None:
        self.records = tuple(sorted(records, key=lambda record: record.order))
        """All that is known, cell by cell."""
        self._store = store

    def __len__(self) -> int:
        return len(self.records)

    @overload
    def __getitem__(self, place: int) -> Record: ...
    @overload
    def __getitem__(self, place: slice) -> Results: ...
    def __getitem__(self, place: int | slice) -> Record | Results:
        return Results(self.records[place], self._store) if isinstance(place, slice) else self.records[place]

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    @property
    def failed(self) -> list[str]:
        """The cells that broke off with an error; the record's ``reason`` says which."""
        return [record.cell_name for record in self.records if record.status == "failed"]

    def only(self, task: str | None = None, method: str | None = None) -> Results:
        """The records of one task, of one method, or of both; by their names, whatever was changed of them."""
        kept = (record for record in self.records if task in (None, record.task) and method in (None, record.method))
        return Results(kept, self._store)

    def frame(self, settings: bool = False) -> pd.DataFrame:
        """A row for each record and metric.

        Columns: task, forget_images (Int64, missing for all of them), scale, method, seed, metric, value, low and high
        (float64 in `unit`, NaN where there is none; a 95 % interval), n, unit, better, status. With `settings`, four
        more: settings (those that differ from the method's defaults, as JSON), settings_from, tuning_trials,
        tuning_evaluations.
        """
        from vdu_bench.reports.tables.frames import long_frame

        return long_frame(self.records, settings)

    def leaderboard(self) -> pd.DataFrame:
        """A row for each task and method, over the seeds, in the order of the printed tables.

        The index is (task, method). Columns: a metric each (float64, the mean over the seeds in the metric's own unit;
        NaN where it is missing, diverged or failed), then seeds (how many), status (the worst), destroyed (whether it
        is beyond the task's quality limit). Raises UserError where records of one task do not compare.
        """
        import pandas as pd

        from vdu_bench.reports.tables.leaderboard import leaderboards

        rows = []
        for board in leaderboards(self.records):
            columns = [*board.main_columns, *board.other_columns]
            for row in board.rows:
                known = {c.name: row.estimates[c.name].value for c in columns if c.name in row.estimates}
                told = {"seeds": len(row.seeds), "status": row.status, "destroyed": row.method in board.destroyed}
                rows.append({"task": board.variant, "method": row.method, **known, **told})
        last = ["seeds", "status", "destroyed"]
        frame = pd.DataFrame(rows, columns=None if rows else ["task", "method", *last]).set_index(["task", "method"])
        return frame[[*(name for name in frame.columns if name not in last), *last]]

    def plot(self, kind: str = "tradeoff") -> Pictures:
        """The pictures of a kind, one for each task where it can be drawn; a notebook shows them.

        Kinds: ``tradeoff`` (forgetting against distance), ``metrics`` (bars), ``samples`` (of what the store holds),
        ``sweep`` (curves of a setting), ``forget_images`` and ``data`` (by how much a method may see), ``curve`` (what
        an attack brings back), and what else ``vdu-bench plot`` draws, by the end of the files' names.

        Raises UserError for a kind of which these records give none.
        """
        from vdu_bench.api.pictures import draw

        return draw(self.records, kind, lambda: store_at(self._store))

    def export(self, folder: str | Path, form: Literal["pipeline", "changed", "lora"] = "pipeline") -> Path:
        """Write the model of the one record that there is (see `only`), as ``vdu-bench export`` does; the folder.

        Args:
            folder: made where it is missing; empty for a pipeline.
            form: a whole diffusers pipeline, the tensors that differ from the base's, or a LoRA.

        Raises:
            UserError: there is another number of records; the model is not in the store, or has no such form.
        """
        from vdu_bench.engine.export.models import export_model

        if len(self) != 1:
            raise UserError(f"there are {len(self)} records, and one is exported at a time: choose it, as results[0:1]")
        place = Path(expanded(folder))
        export_model(self.records[0], store_at(self._store), place, form)
        return place

    def _repr_html_(self) -> str:
        from vdu_bench.api.html_tables import leaderboards_html

        return leaderboards_html(self.records)

    def __repr__(self) -> str:
        rows: dict[str, list[str]] = defaultdict(list)
        for record in self.records:
            if record.row not in rows[record.variant]:
                rows[record.variant].append(record.row)
        told = [f"{variant}: {', '.join(methods)}" for variant, methods in rows.items()]
        return f"Results({len(self.records)} records; {'; '.join(told)})"


def load(*folders: str | os.PathLike[str], store: str | Path | None = None) -> Results:
    """The records of folders of results, read together.

    Args:
        folders: what ``vdu-bench run --out`` or `run` wrote to, or any folder of records; ``results`` if none is named.
        store: the folder of the store that they were made with, for sample grids; None for the user's own.

    Raises:
        UserError: there are no records, a file is none, or one cell is in two folders and not the same.
    """
    return Results(read_records(*(Path(expanded(folder)) for folder in folders or ("results",))), store)
