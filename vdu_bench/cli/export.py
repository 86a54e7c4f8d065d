"""The command that takes a model out of the store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from vdu_bench.cli.options import Quiet, StoreOption, store_at

exporting = typer.Typer()

Form = Literal["pipeline", "changed", "lora"]


@exporting.command()
def export(
    record: Annotated[Path, typer.Argument(help="A record, such as results/records/digits_1/vdu/seed0.json.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to; made where it is missing.")],
    as_: Annotated[
        Form | None,
        typer.Option(
            "--as",
            help="pipeline: a whole diffusers folder; changed: the tensors that differ from the base's, as safetensors "
            "in diffusers' names; lora: where the change is of low rank. Default: pipeline, or with --images nothing.",
        ),
    ] = None,
    images: Annotated[
        int | None,
        typer.Option(min=1, help="Write so many samples as PNGs to DIR/images, with the judge's reading in the name."),
    ] = None,
    store: StoreOption = None,
    quiet: Quiet = False,
) -> None:
    """Take a record's unlearned model out of the store, in a form that diffusers and vdu-bench evaluate read.

    Examples:

      vdu-bench export results/records/digits_1/vdu/seed0.json no_ones/

      vdu-bench export results/records/faces_hats/uce/seed0.json hats/ --as lora

      vdu-bench export results/records/digits_1/vdu/seed0.json look/ --images 16
    """
    from vdu_bench.engine.progress import Progress
    from vdu_bench.records import read_record

    found, place = read_record(record), store_at(store, Progress(quiet))
    if as_ is not None or images is None:
        from vdu_bench.engine.export.models import export_model

        typer.echo(export_model(found, place, folder, as_ or "pipeline"))
    if images is not None:
        from vdu_bench.engine.export.samples import export_images

        typer.echo(export_images(found, place, folder / "images", images))
