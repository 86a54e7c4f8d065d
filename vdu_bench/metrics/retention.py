"""Do the features that were not to be forgotten still come when they are asked for? Text-to-image models only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vdu_bench.measured import Matrix
from vdu_bench.metrics.evidence import Evidence
from vdu_bench.metrics.metric import Measurement, Metric, unknown, without_interval
from vdu_bench.stats.proportion import proportion

NOTHING = "nothing"


class RetainAccuracy(Metric):
    """Features that come: share of those that the retain prompts ask for, over all images of these prompts.

    A prompt that asks for two features counts twice. The judge decides; the original's row says what it is worth.
    """

    unit = "%"
    better = "higher"
    kinds = ("text_to_image",)
    headline = True
    rank = 1
    scale = "share"
    of_real = "alike"

    def compute(self, evidence: Evidence) -> Measurement:
        asked = _asked(evidence)
        shown = evidence.after.retain.shown.numpy()
        if not asked.any():
            return unknown("no retain prompt asks for a feature")
        return Measurement(proportion(int((shown & asked).sum()), int(asked.sum())))


class Interference(Metric):
    """Shift of other features: how far their shares moved, whatever was asked for; 0 where only the forgotten moved.

    The mean absolute change, in percentage points, over the cells of the matrix asked x measured (the record has it
    whole) but for the forgotten feature's own column. Sampling noise alone makes it larger than 0, so a row is read
    beside its neighbours; the noise is the smaller since both sides start from the same latents.
    """

    unit = "points"
    better = "lower"
    kinds = ("text_to_image",)
    rank = 2
    scale = "positive"
    tolerance = "1"  # not relative: it may be 0

    def compute(self, evidence: Evidence) -> Measurement:
        matrix = _matrix(evidence)
        before, after = np.array(matrix.before), np.array(matrix.after)
        others = [k for k, name in enumerate(matrix.columns) if name != evidence.task.forget]
        images = len(evidence.after.forget) + len(evidence.after.retain)
        change = float(np.abs(after - before)[:, others].mean())
        estimate = without_interval(change, images, "a mean of absolute changes; its spread comes from seeds")
        return Measurement(estimate, matrix=matrix)


def _matrix(evidence: Evidence) -> Matrix:
    """Asked feature x measured feature, in percent of the images whose prompt asks for it, before and after.

    The forget prompts make the forgotten feature's row, though some of them ask for others as well; ``nothing`` is the
    row of the prompts that ask for no feature.
    """
    names = list(evidence.judge.names)
    asked = _asked(evidence)
    rows: dict[str, NDArray[np.bool_]] = {name: asked[:, k] for k, name in enumerate(names)}
    rows[NOTHING] = np.logical_not(asked.any(axis=1))
    rows = {name: images for name, images in rows.items() if images.any()}
    tables = []
    for samples in (evidence.before, evidence.after):
        forget, retain = samples.forget.shown.numpy(), samples.retain.shown.numpy()
        table = {
            evidence.task.forget: forget.mean(0),
            **{name: retain[images].mean(0) for name, images in rows.items()},
        }
        tables.append([[100 * float(value) for value in row] for row in table.values()])
    return Matrix(rows=[evidence.task.forget, *rows], columns=names, unit="%", before=tables[0], after=tables[1])


def _asked(evidence: Evidence) -> NDArray[np.bool_]:
    """bool ``[N, K]``: which features the prompt of each retain image asks for."""
    prompts = evidence.prompts
    names = evidence.judge.names
    return np.array(
        [
            [name in prompts.retain[prompt] for name in names]
            for prompt in prompts.cycled("retain", len(evidence.after.retain))
        ]
    )
