"""Synthetic records: the six methods of two digit tasks, with three seeds, random but seeded."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable

import numpy as np
import pytest
from numpy.typing import NDArray

from vdu_bench.measured import Estimate, MetricResult
from vdu_bench.metrics.catalog import metric_facts
from vdu_bench.records import Ledger, Protocol, Record, Role, Seeds, Status, Timings
from vdu_bench.sample_grid import GridColumn, GridRow, SampleGrid

LABELS = {"fd_judge": "fd_judge_2000"}

# pul, forget rate, fd, junk, balance, seconds, evaluations, images
TRUTH: dict[str, tuple[float, ...]] = {
    "original": (0.0, 10.1, 16.2, 0.6, 0.0, 0.0, 0, 0),
    "retrain": (99.2, 0.1, 14.8, 0.5, 0.021, 241.3, 204_800, 1_260),
    "vdu": (72.4, 2.8, 19.7, 3.4, 0.084, 2.6, 7_680, 142),
    "esd": (81.5, 1.9, 47.9, 8.8, 0.173, 9.1, 38_400, 142),
    "finetune": (11.8, 8.9, 15.3, 0.7, 0.034, 5.2, 12_800, 1_260),
    "gradient_ascent": (96.3, 0.4, 412.0, 71.2, 0.412, 1.9, 5_120, 142),
}


def protocol() -> Protocol:
    return Protocol(
        version=1,
        scale="embedded",
        sampler={"name": "dpmsolver++", "steps": 20, "guidance_scale": 1.0, "batch_size": 250},
        samples=2000,
        dtype="float32",
        extractor="digits_judge",
        extractor_digest="ab" * 32,
        reference="1,255 held-out digits without the forget class",
        judge="digits_judge",
        judge_digest="ab" * 32,
        confusion=[[90, 1], [2, 88]],
        classes=["0", "1"],
    )


def record(
    method: str = "vdu", seed: int = 0, task: str = "digits_1", status: Status = "ok", role: Role | None = None
) -> Record:
    """One cell; the numbers scatter around the method's truth with the seed."""
    rng = np.random.default_rng(zlib.crc32(f"{task}/{method}/{seed}".encode()))
    pul, rate, distance, junk, balance, seconds, evaluations, images = TRUTH.get(method, TRUTH["vdu"])
    moved = 1 + (method != "original") * rng.normal(0, 0.03)
    values = {
        "pul": min(100.0, pul * moved),
        "pul_range": min(100.0, pul * moved),
        "concept_rate": rate * rng.normal(1, 0.03),
        "fd_judge": distance * rng.normal(1, 0.04),
        "junk_rate": junk * rng.normal(1, 0.08),
        "class_shift": balance * rng.normal(1, 0.1),
        "unlearn_seconds": seconds * rng.normal(1, 0.05),
        "nfe_forward": evaluations,
        "nfe_backward": evaluations // 2,
        "unlearn_peak_memory": 312 + rng.normal(0, 4),
        "sampling_throughput": 423 + rng.normal(0, 9),
        "training_images": images,
    }
    made = Record(
        task=task,
        forget=task.removeprefix("digits_"),
        method="named",
        role=role or ("reference" if method in ("original", "retrain") else "contestant"),
        regime="full",
        settings={"steps": 60},
        seeds=Seeds(train=0, unlearn=seed, sample=seed),
        protocol=protocol() if status != "failed" else None,
        ledger=Ledger(forget_images=int(images)),
        timings=Timings(),
        environment={},
        stages={"samples": f"{zlib.crc32(method.encode()):x}-{seed}"},
        status=status,
        reason="" if status == "ok" else "the loss is not finite at step 7",
        metrics={name: _result(name, value) for name, value in values.items()} if status == "ok" else {},
    )
    # No file has a name with such characters as tests of escapes want, and none is read.
    made.method = method
    return made


def _result(name: str, value: float) -> MetricResult:
    facts = metric_facts(name).model_copy(update={"label": LABELS.get(name, name)})
    spread = {"%": 2.2, "": 0.06 * value}.get(facts.unit)
    estimate = (
        Estimate(value=value, n=1, method="one run: no interval")
        if spread is None
        else Estimate(value=value, low=value - spread, high=min(value + spread, 100.0), n=2000, method="bootstrap")
    )
    return MetricResult(**facts.model_dump(), estimate=estimate)


def all_records(tasks: Iterable[str] = ("digits_1", "digits_8"), seeds: Iterable[int] = (0, 1, 2)) -> list[Record]:
    return [record(method, seed, task) for task in tasks for method in TRUTH for seed in seeds]


def images(count: int = 16, side: int = 8, channels: int = 0) -> NDArray[np.uint8]:
    shape = (count, side, side, channels) if channels else (count, side, side)
    return np.random.default_rng(count).integers(0, 256, shape, dtype=np.uint8)


def grid(names: Iterable[str], count: int = 5, side: int = 8, channels: int = 0, prompt: str = "") -> SampleGrid:
    """The same noise for all; the original shows the concept in the first two, the others in the second one."""
    columns = tuple(GridColumn(index, index < 2, prompt) for index in range(count))
    rows = {}
    for name in names:
        shows = tuple(index < 2 if name == "original" else index == 1 for index in range(count))
        junk = tuple(index == 2 for index in range(count))
        words = tuple("1" if shown else "junk" if bad else "7" for shown, bad in zip(shows, junk, strict=True))
        rows[name] = GridRow(images(count, side, channels), shows, junk, words)
    return SampleGrid(columns, rows)


@pytest.fixture(scope="session")
def make_grid() -> Callable[..., SampleGrid]:
    return grid


@pytest.fixture(scope="session")
def make_record() -> Callable[..., Record]:
    return record


@pytest.fixture(scope="session")
def make_records() -> Callable[..., list[Record]]:
    return all_records


@pytest.fixture(scope="session")
def make_images() -> Callable[..., NDArray[np.uint8]]:
    return images
