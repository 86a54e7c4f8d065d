"""What lies in the store of a record's model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load_file

from vdu_bench.engine.stages.base import pipeline_of
from vdu_bench.engine.store import Artifact, Store
from vdu_bench.engine.weights import CHANGED, put_into
from vdu_bench.errors import UserError
from vdu_bench.models.diffusion import DiffusionModel
from vdu_bench.models.pipelines.loading import load_model
from vdu_bench.models.pipelines.pipeline_files import check_pipeline
from vdu_bench.models.specs import KINDS, ModelKind
from vdu_bench.records import Record


@dataclass(frozen=True)
class StoredModel:
    """A record's model, as it lies on disk.

    Attributes:
        base: the pipeline that it was made of.
        whole: the pipeline that it is, but for `changed`: the base, or its own.
        changed: the tensors that differ from `whole`; None where none do.
    """

    base: Path
    whole: Path
    changed: Path | None

    @property
    def kind(self) -> ModelKind:
        """What it is asked with. Raises UserError where its pipeline is gone."""
        for kind in KINDS[:-1]:
            try:
                check_pipeline(self.whole, self.whole, kind)
            except UserError:
                continue
            return kind
        check_pipeline(self.whole, self.whole, KINDS[-1])
        return KINDS[-1]

    def read(self) -> DiffusionModel:
        """The model, as float32 on the CPU. Raises UserError where a file cannot be read."""
        model = load_model(self.whole, self.kind)
        if self.changed is not None:
            put_into(load_file(self.changed), model)
        return model

    def read_base(self) -> DiffusionModel:
        """The base, likewise."""
        return load_model(self.base, self.kind)


def stored_model(record: Record, store: Store) -> StoredModel:
    """Where a record's model lies.

    Raises:
        UserError: there is none (of real images, of a cell that diverged or failed), or it is not in the store.
    """
    if record.status == "failed" or "base" not in record.stages:
        raise UserError(f"{record.cell_name} has no model: it {record.status} ({record.reason})")
    if "unlearned" not in record.stages:
        raise UserError(f"{record.cell_name} has no model: it is of held-out images")
    base = _artifact("base", record, store)
    done = _artifact("external" if record.role == "external" else "unlearned", record, store, "unlearned")
    stored = done.facts["stored"]
    if stored == "none":
        raise UserError(f"{record.cell_name} has no model: it diverged ({record.reason})")
    whole = {"whole": done, "retrain": _artifact("retrain", record, store) if stored == "retrain" else done}
    changed = done.folder / CHANGED if stored == "changed" else None
    return StoredModel(pipeline_of(base), pipeline_of(whole.get(stored, base)), changed)


def _artifact(kind: str, record: Record, store: Store, called: str = "") -> Artifact:
    found = store.at(kind, record.stages[called or kind])
    if found is None:
        raise UserError(
            f"the {called or kind} model of {record.cell_name} is not in the store {store.root}: name the store that "
            "it was run with by --store, or run it again"
        )
    return found
