"""A record's model written as a pipeline, as its changed tensors, or as a LoRA."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from safetensors.torch import save_file

from vdu_bench.engine.export.stored import stored_model
from vdu_bench.engine.store import Store
from vdu_bench.errors import UserError
from vdu_bench.models.files.changed_tensors import changes, state_dict
from vdu_bench.models.files.external_files import NETWORKS
from vdu_bench.models.files.lora_of_change import write_lora
from vdu_bench.records import Record
from vdu_bench.writing import filling, is_partial, writing_to

Form = Literal["pipeline", "changed", "lora"]


def export_model(record: Record, store: Store, folder: Path, form: Form) -> str:
    """Write a record's model into a folder; what was written, in a line.

    Args:
        record: whose.
        store: where its stages are.
        folder: made where it is missing; it has to be empty for a pipeline.
        form: a whole diffusers pipeline; the tensors that differ from the base's, in diffusers' names; or a LoRA.

    Raises:
        UserError: there is no such model, it has no such form, or the folder cannot be written to.
    """
    found = stored_model(record, store)
    if form == "pipeline" and folder.is_dir() and any(not is_partial(one) for one in folder.iterdir()):
        raise UserError(f"{folder} is not empty: a pipeline needs a folder of its own")
    model = found.read()
    if form == "lora" and not model.prompted:
        raise UserError(f"{record.cell_name} is an unconditional pipeline, which takes no LoRA; use --as changed")
    differing = {} if form == "pipeline" else changes(model, found.read_base(), record.cell_name)
    if form == "changed" and (others := sorted(set(differing) - set(NETWORKS))):
        raise UserError(f"{record.cell_name}: its {', '.join(others)} is changed; use --as pipeline")
    with writing_to(folder), filling(folder) as place:
        if form == "pipeline":
            model.save(place)
            return f"{folder}: a diffusers pipeline"
        if form == "lora":
            file, rank = write_lora(differing, place, record.cell_name)
            return f"{folder / file.name}: a LoRA of rank {rank} for {len(differing['unet'].after)} layers"
        state, name = state_dict(differing), f"{record.cell_name.replace('/', '-')}.safetensors"
        save_file(state, place / name, {"format": "pt", "base": record.digests.get("base", "")})
    return f"{folder / name}: {len(state)} tensors that differ from the base's"
