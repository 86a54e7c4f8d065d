"""Synthetic records with per-sample outcomes, as the gate reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vdu_bench.measured import Estimate, MetricResult, Outcomes
from vdu_bench.metrics.catalog import metric_facts
from vdu_bench.records import Ledger, Protocol, Record, Seeds, Timings

SURVIVORS = {"original": 1.0, "retrain": 0.01, "vdu": 0.2, "esd": 0.25}
DISTANCES = {"original": 21.5, "retrain": 2.0, "vdu": 12.0, "esd": 14.0}

PROTOCOL = Protocol(
    version=1,
    scale="embedded",
    sampler={"name": "dpmsolver++", "steps": 20},
    samples=2000,
    dtype="float32",
    extractor="judge",
    extractor_digest="ab" * 32,
    reference="1165 images",
    judge="judge",
    judge_digest="ab" * 32,
    confusion=[[90, 1], [2, 88]],
    classes=["0", "1"],
)


def cells(
    survivors: Mapping[str, float] | None = None,
    seeds: Iterable[int] = (0, 1, 2),
    draw: int = 0,
    task: str = "digits_1",
    rate: float = 0.1,
) -> list[Record]:
    """A record for each seed and each of four methods, or more where `survivors` names them.

    `rate` is how often the original makes the forget class, `survivors` the shares of those that methods still make.
    They are nested: what a method with fewer survivors still shows, the same method with more shows too. So two calls
    that differ in one share alone differ by that loss alone, and two that differ in `draw` by all that chance decides.
    """
    records = []
    for seed in seeds:
        rng = np.random.default_rng([draw, seed])
        base, rank = rng.random(PROTOCOL.samples) < rate, rng.random(PROTOCOL.samples)
        for method, share in {**SURVIVORS, **(survivors or {})}.items():
            hits, junk = base & (rank < share), rng.random(PROTOCOL.samples) < 0.03
            values = {
                "pul": 100 * (1 - hits.sum() / base.sum()),
                "concept_rate": 100 * hits.mean(),
                "fd_judge": DISTANCES.get(method, 13.0) * rng.normal(1, 0.05),
                "junk_rate": 100 * junk.mean(),
                "unlearn_seconds": 2.0 + seed,
                "nfe_forward": 5120,
                "training_images": 132,
            }
            records.append(_record(task, method, seed, values, {"forget": hits, "junk": junk}))
    return records


def write(records: Iterable[Record], folder: Path) -> Path:
    """As a run does, to ``FOLDER/records/VARIANT/METHOD/seedN.json``; returns the folder."""
    for record in records:
        file = folder / "records" / f"{record.cell_name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(record.to_json())
    return folder


def _record(
    task: str, method: str, seed: int, values: dict[str, float], outcomes: dict[str, NDArray[np.bool_]]
) -> Record:
    made = Record(
        task=task,
        forget="1",
        method="named",
        role="reference" if method in ("original", "retrain") else "contestant",
        regime="full",
        settings={"steps": 40},
        seeds=Seeds(train=0, unlearn=seed, sample=seed),
        protocol=PROTOCOL.model_copy(deep=True),
        ledger=Ledger(forget_images=132),
        timings=Timings(unlearn_seconds=values["unlearn_seconds"], nfe_forward=int(values["nfe_forward"])),
        environment={"packages": {"torch": "2.9.1"}, "device": "cpu", "threads": 2},
        stages={"base": "ab" * 32},
        digests={"base": "ab" * 32},
        status="ok",
        metrics={name: result(name, value) for name, value in values.items()},
        outcomes={name: Outcomes.of(flags) for name, flags in outcomes.items()},
    )
    # No file has a name with such characters as tests of escapes want, and none is read.
    made.method = method
    return made


def result(name: str, value: float) -> MetricResult:
    """A metric of the suite's, with its facts and no interval."""
    facts = metric_facts(name).model_copy(update={"label": _LABELS.get(name, name)})
    return MetricResult(**facts.model_dump(), estimate=Estimate(value=value))


_LABELS = {"fd_judge": "fd_judge_2000"}
