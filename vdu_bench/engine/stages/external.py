"""A model that somebody else unlearned, read once and kept in the suite's own form."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vdu_bench.engine.cells import Cell, External
from vdu_bench.engine.code import code_digest
from vdu_bench.engine.stage import Stage
from vdu_bench.engine.stages.base import base
from vdu_bench.engine.stages.unlearned import Unlearned
from vdu_bench.engine.usage import pipeline_code
from vdu_bench.engine.weights import Weights, read_model, save_model
from vdu_bench.engine.workshop import Workshop
from vdu_bench.errors import UserError, warn
from vdu_bench.models.files.external import load_external
from vdu_bench.models.files.sameness import not_finite, unchanged
from vdu_bench.plain_json import printable_line
from vdu_bench.records import Timings


def external(shop: Workshop, cell: Cell, checkpoint: External) -> Unlearned:
    """The model of a checkpoint.

    Raises:
        UserError: it cannot be read, is not of the kind and shape of the task's base, or was written to meanwhile.
    """
    task, whole, files = cell.task, base(shop, cell.task), checkpoint.files

    def make(folder: Path) -> Mapping[str, Any]:
        # The base is changed in its place, and so it is read anew below.
        model, own = load_external(files, read_model(task, whole))
        # Its checksum was taken when the command began, and what is kept goes by that.
        if files.digest() != checkpoint.sha256:
            raise UserError(f"{files.source} changed while it was being evaluated: once it is whole, run this again")
        before = read_model(task, whole)
        return {
            "own": own,
            "unchanged": unchanged(model, before),
            "not_finite": not_finite(model),
            "stored": save_model(model, before, folder),
        }

    spec = {"sha256": checkpoint.sha256, "form": files.form, "whole": files.around is not None}
    follow = ["vdu_bench.models.files.external", "vdu_bench.models.files.sameness", *pipeline_code(task)]
    code = code_digest(follow, alone=[__name__, "vdu_bench.engine.weights"])
    stage = Stage("external", spec, make, {"base": whole}, code)
    known = shop.known(stage)
    artifact = shop.get(stage)
    facts = artifact.facts
    own = printable_line(facts["own"])
    if not known:
        shop.progress.say(f"{task.name}/{cell.method}: {own}")
    # Judged as it is all the same, since it was asked for; but nobody is to take it for a method that failed.
    cautions = [printable_line(line) for line in (facts["unchanged"], facts["not_finite"], files.remark) if line]
    for line in cautions:
        warn(f"{cell.method}: {line}")
    told = [*([own] if files.form == "file" else []), *cautions]
    seconds = math.nan if checkpoint.seconds is None else checkpoint.seconds
    return Unlearned(
        artifact.address,
        Weights.of(facts["stored"], artifact, whole),
        None,
        Timings(unlearn_seconds=seconds, nfe_forward=None, nfe_backward=None),
        remark=f"{cell.method}: {'; '.join(told)}" if told else "",
    )
