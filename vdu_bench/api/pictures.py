"""The suite's figures as a notebook shows them."""

from __future__ import annotations

import base64
import html
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vdu_bench.api.place import expanded
from vdu_bench.engine.grids import first_samples
from vdu_bench.engine.store import Store
from vdu_bench.errors import UserError
from vdu_bench.files import write_atomically
from vdu_bench.records import Record
from vdu_bench.reports.frontier import frontiers
from vdu_bench.reports.report import write_courses, write_data, write_frontier, write_plots, write_sweeps
from vdu_bench.reports.tables.leaderboard import leaderboards


@dataclass(frozen=True)
class Pictures:
    """Figures by name, each as the content of its files.

    Attributes:
        files: by file name (``digits_1_tradeoff.png``, ``.pdf``), its content.
    """

    files: Mapping[str, bytes]

    def save(self, folder: str | Path) -> list[Path]:
        """Write the files into a folder, which is made where it is missing; their paths. Raises OSError."""
        return [write_atomically(Path(expanded(folder)) / name, content) for name, content in self.files.items()]

    def _repr_html_(self) -> str:
        return "".join(
            f'<img alt="{html.escape(name.removesuffix(".png"))}" style="max-width: 100%" '
            f'src="data:image/png;base64,{base64.b64encode(content).decode()}">'
            for name, content in self.files.items()
            if name.endswith(".png")
        )

    def __repr__(self) -> str:
        return f"Pictures({', '.join(self.files)}); .save(folder) writes them"


def draw(records: Sequence[Record], kind: str, store: Callable[[], Store]) -> Pictures:
    """The pictures of a kind.

    Args:
        records: of any number of tasks.
        kind: the end of a figure's file name; ``sweep`` for the curves of a setting.
        store: gives the store that the samples lie in.

    Raises:
        UserError: these records give no picture of this kind.
    """
    lacking: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        if kind == "sweep":
            for frontier in frontiers(records, swept_in(records)):
                if frontier.curves:
                    write_frontier(frontier, place)
        elif kind == "forget_images":
            write_sweeps(records, place)
        elif kind == "data":
            write_data(records, place)
        else:
            grids = first_samples(records, store(), lacking.append) if kind == "samples" else None
            write_plots(leaderboards(records), place, grids)
            write_courses(records, place)
        drawn = {file.name: file.read_bytes() for file in sorted(place.iterdir()) if file.suffix in (".png", ".pdf")}
    wanted = drawn if kind == "sweep" else {n: c for n, c in drawn.items() if Path(n).stem.endswith(f"_{kind}")}
    if not wanted and lacking:
        raise UserError(lacking[0].removeprefix("warning: ").replace("--store", "store="))
    if not wanted:
        others = sorted({Path(name).stem.rpartition("_")[2] for name in drawn})
        hint = f"; there are {', '.join(others)}" if others else ""
        raise UserError(f"these records give no picture of the kind {kind!r}{hint}")
    return Pictures(wanted)


def swept_in(records: Sequence[Record]) -> dict[str, str]:
    """By method, the one setting in which its rows differ; methods of which there is none, or more, are left out."""
    values: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for record in records:
        if record.role == "contestant":
            for name, value in record.settings.items():
                values[record.method][name].add(repr(value))
    differing = {method: [name for name, found in own.items() if len(found) > 1] for method, own in values.items()}
    return {method: names[0] for method, names in differing.items() if len(names) == 1}
