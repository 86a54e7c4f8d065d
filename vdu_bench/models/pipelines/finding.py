"""Where a whole pipeline lies, once its configurations say that it can be used. Without torch."""

from __future__ import annotations

from pathlib import Path

from vdu_bench.models.pipelines.pipeline_files import check_pipeline, check_whole, pipeline_folder
from vdu_bench.models.pipelines.schedule import check_noise
from vdu_bench.models.specs import ModelKind


def find_pipeline(source: str | Path, kind: ModelKind) -> Path:
    """The folder with all that a pipeline is read from.

    Raises:
        UserError: as `pipeline_folder`; or it is no pipeline, not of the `kind` that is needed, without one of its
            parts, or of a noise that the suite does not sample, which is said before its weights are downloaded.
    """
    folder = pipeline_folder(source, [])
    facts = check_pipeline(folder, source, kind)
    check_whole(folder, facts, source)
    check_noise(folder, facts.components[0], source)
    return pipeline_folder(source, facts.components)
