"""What the gate would say of made-up results: numbers without any record, with rates and scatter as measured.

"Without a change" can mean three things beyond the same bits, from the narrowest to the widest:

- ``last bits``: other hardware or libraries. Models and noise are the same but for rounding, and some samples flip.
- ``other noise``: the same models, sampled from other initial noise.
- ``drawn anew``: other noise, and every unlearning run drew other batches: each method's own numbers scatter.

Rates and scatter are those of three seeds of digits_1 and of faces_hats. Gradient ascent is chaotic on both, and on
faces_hats it destroys the model with one seed of three.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vdu_bench.reports.gate.tolerances import Tolerance
from vdu_bench.reports.gate.verdicts import ALPHA
from vdu_bench.stats.holm import holm
from vdu_bench.stats.losses import Losses, p_values, summarise
from vdu_bench.stats.ratio_change import ratio_change

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Change = Literal["last bits", "other noise", "drawn anew"]
Summary = tuple[Floats, Floats, Floats | None]

FLIPS = 0.05
"""Which share of the samples becomes another draw where the last bits differ."""

LAST_BITS = 0.02
"""Which share of a metric's scatter between seeds is left where the last bits differ."""

OUT, GONE, JUNK, SHOWN = range(4)
"""What becomes of a sample: the original did not show the concept, the method does not, makes junk of it, or does."""


@dataclass(frozen=True)
class Truth:
    """A method's expected numbers, each with the deviation between unlearning runs.

    Attributes:
        left: of the noises that gave the concept, the share that still does or gives junk: what `pul_strict` counts.
            None for the original.
        spoilt: the part of it that is junk.
        shares: of metrics that are shares of samples, by name.
        scatter: of other metrics, by name; relative to the number itself where the tolerance is.
        collapses: how often a run destroys the model: nearly all that it makes is junk, its distance is threefold.
    """

    left: tuple[float, float] | None
    spoilt: tuple[float, float] = (0.0, 0.0)
    shares: dict[str, tuple[float, float]] = field(default_factory=dict)
    scatter: dict[str, float] = field(default_factory=dict)
    collapses: float = 0.0


@dataclass(frozen=True)
class Setting:
    """A kind of task.

    Attributes:
        methods: by name.
        base: how often the original makes the concept, where it could.
        samples: of a cell, by what is counted; PUL by ``pul``.
        seeds: how many.
        tasks: how many of it are gated at once.
    """

    methods: dict[str, Truth]
    base: float
    samples: dict[str, int]
    seeds: int
    tasks: int


TOLERANCES = {
    "pul_strict": "2",
    "pul": "2",
    "pul_given": "2",
    "redraw": "5",
    "junk_rate": "2",
    "forget_junk": "2",
    "copies": "2",
    "class_shift": "0.02",
    "kid": "0.01",
    "interference": "1",
    **dict.fromkeys(("fd_judge", "precision", "recall", "retain_accuracy"), "10%"),
}
"""The metrics that are tested, by the name that they have in records."""

_DIGITS = {"kid": 0.006, "precision": 0.02, "recall": 0.02}
DIGITS = Setting(
    {
        "original": Truth(None, shares={"junk_rate": (0.030, 0.0)}, scatter={"fd_judge": 0.09, **_DIGITS}),
        "retrain": Truth(
            *((0.080, 0.014), (0.073, 0.012), {"junk_rate": (0.030, 0.001)}),
            {"fd_judge": 0.30, "class_shift": 0.005, "redraw": 1.0, **_DIGITS},
        ),
        "vdu": Truth(
            *((0.279, 0.053), (0.062, 0.028), {"junk_rate": (0.034, 0.010)}),
            {"fd_judge": 0.24, "class_shift": 0.013, "redraw": 4.0, **_DIGITS},
        ),
        "esd": Truth(
            *((0.205, 0.040), (0.023, 0.010), {"junk_rate": (0.020, 0.0)}),
            {"fd_judge": 0.011, "class_shift": 0.008, "redraw": 3.0, **_DIGITS},
        ),
        "finetune": Truth(
            *((0.332, 0.024), (0.060, 0.006), {"junk_rate": (0.031, 0.007)}),
            {"fd_judge": 0.26, "class_shift": 0.032, "redraw": 1.0, **_DIGITS},
        ),
        "gradient_ascent": Truth(
            *((0.315, 0.134), (0.110, 0.080), {"junk_rate": (0.069, 0.057)}),
            {"fd_judge": 0.56, "class_shift": 0.011, "redraw": 9.0, **_DIGITS, "kid": 0.05},
        ),
    },
    base=0.09,
    samples={"pul": 2000, "junk_rate": 2000, "copies": 2000},
    seeds=5,
    tasks=2,
)

_PORTRAITS = {"kid": 0.010, "precision": 0.03, "recall": 0.03, "retain_accuracy": 0.007}
PORTRAITS = Setting(
    {
        "original": Truth(
            None,
            shares={"junk_rate": (0.05, 0.0), "forget_junk": (0.045, 0.0)},
            scatter={"fd_judge": 0.014, **_PORTRAITS},
        ),
        "retrain": Truth(
            *((0.031, 0.003), (0.029, 0.004), {"junk_rate": (0.05, 0.003), "forget_junk": (0.035, 0.004)}),
            {**_PORTRAITS, "fd_judge": 0.009, "interference": 0.15, "redraw": 2.9},
        ),
        "vdu": Truth(
            *((0.681, 0.072), (0.405, 0.150), {"junk_rate": (0.10, 0.03), "forget_junk": (0.487, 0.12)}),
            {**_PORTRAITS, "fd_judge": 0.079, "interference": 0.23, "redraw": 7.4, "retain_accuracy": 0.020},
        ),
        "esd": Truth(
            *((0.434, 0.115), (0.128, 0.007), {"junk_rate": (0.06, 0.01), "forget_junk": (0.165, 0.016)}),
            {**_PORTRAITS, "fd_judge": 0.020, "interference": 0.13, "redraw": 2.4},
        ),
        "finetune": Truth(
            *((0.995, 0.004), (0.006, 0.003), {"junk_rate": (0.05, 0.005), "forget_junk": (0.040, 0.004)}),
            {**_PORTRAITS, "fd_judge": 0.006, "interference": 0.02, "redraw": 0.3},
        ),
        "gradient_ascent": Truth(
            *((0.982, 0.007), (0.140, 0.090), {"junk_rate": (0.25, 0.10), "forget_junk": (0.316, 0.17)}),
            {**_PORTRAITS, "fd_judge": 0.040, "interference": 0.34, "redraw": 8.8, "retain_accuracy": 0.023},
            collapses=1 / 3,
        ),
    },
    base=0.97,
    samples={"pul": 400, "pul_given": 200, "junk_rate": 400, "forget_junk": 400, "copies": 800},
    seeds=3,
    tasks=3,
)  # fmt: skip


def failures(
    settings: Sequence[Setting],
    change: Change,
    repeats: int,
    planted: Mapping[str, float] | None = None,
    without: Sequence[str] = (),
    alone: bool = False,
    only: str = "",
) -> dict[str, Bools]:
    """By ``metric/kind/task/method``, bool ``[repeats]``: what the gate calls worse.

    Args:
        settings: the kinds of tasks that are gated at once.
        change: what differs between reference and new records.
        repeats: how often they are drawn.
        planted: losses of VDU in each kind's first task. ``pul``: the share of the noises that gave the concept which
            give it back. Another metric without samples: in its unit, or relative to it where its tolerance is.
        without: metrics that are left out.
        alone: whether what has no samples is left out, as with one seed, where the tolerance alone decides on it.
        only: the one method that is not the same to the bit; empty for all of them.
    """
    rng = np.random.default_rng(0)
    pools: dict[tuple[str, int], list[Tested]] = {}
    for kind, setting in enumerate(settings):
        for task in range(setting.tasks):
            for method, truth in setting.methods.items():
                if only not in ("", method):
                    continue
                loss = (planted or {}) if (task, method) == (0, "vdu") else {}
                for metric, summary, allowed in _cell(rng, setting, truth, change, repeats, loss):
                    if metric not in without and not (alone and summary[2] is None):
                        name = f"{metric}/{kind}/{task}/{method}"
                        pools.setdefault((metric, kind), []).append(Tested(name, summary, allowed, setting.seeds))
    found = np.concatenate([_p_values(pool) for pool in pools.values()], axis=-1)
    rejected = np.stack([holm(row) for row in found]) < ALPHA
    return dict(zip([one.name for pool in pools.values() for one in pool], rejected.T, strict=True))


class Tested(NamedTuple):
    """A number of the gate's: ``[repeats]`` losses, summarised, and what is tolerated."""

    name: str
    summary: Summary
    allowed: Floats
    seeds: int


def _p_values(pool: Sequence[Tested]) -> Floats:
    """Of one metric, ``[repeats, cells]``."""
    mean, scatter = (np.stack([one.summary[part] for one in pool], axis=-1) for part in (0, 1))
    known = [one.summary[2] for one in pool if one.summary[2] is not None]
    seeds = np.array([one.seeds for one in pool])
    losses = Losses(mean, scatter, np.stack(known, axis=-1) if known else None, seeds)
    return p_values(losses, np.stack([one.allowed for one in pool], axis=-1))


def _cell(
    rng: np.random.Generator, setting: Setting, truth: Truth, change: Change, repeats: int, loss: Mapping[str, float]
) -> Iterator[tuple[str, Summary, Floats]]:
    """Each metric's losses over the seeds, and the loss that is tolerated, on one scale: ``[repeats]``."""
    shape = (repeats, setting.seeds)
    sides = [rng.random(shape) < truth.collapses for _ in range(2)]
    collapsed = sides if change == "drawn anew" else [sides[0], sides[0]]

    def rates(truth: tuple[float, float], when_collapsed: float) -> list[Floats]:
        deviates = [rng.standard_normal(shape) for _ in range(2)]
        deviates = deviates if change == "drawn anew" else [deviates[0], deviates[0]]
        drawn = [np.clip(truth[0] + truth[1] * deviate, 0.0005, 0.9995) for deviate in deviates]
        return [np.where(gone, when_collapsed, rate) for gone, rate in zip(collapsed, drawn, strict=True)]

    if truth.left is not None:
        left = rates(truth.left, 0.99)
        spoilt = [np.minimum(*both) for both in zip(rates(truth.spoilt, 0.90), left, strict=True)]
        shown = [kept - junk for kept, junk in zip(left, spoilt, strict=True)]
        for metric in ("pul", "pul_given"):
            if metric in setting.samples:
                counts = _table(rng, setting.base, shown, spoilt, change, loss.get("pul", 0.0), setting.samples[metric])
                yield metric, _summary(counts, (SHOWN,)), _allowed(metric, repeats)
                if metric == "pul":
                    yield "pul_strict", _summary(counts, (SHOWN, JUNK)), _allowed("pul_strict", repeats)
    for metric, share in {**truth.shares, "copies": (0.01, 0.002)}.items():
        hits = rates(share, 0.95 if metric != "copies" else 0.0005)
        nothing = [np.zeros(shape)] * 2
        counts = _table(rng, 1.0, hits, nothing, change, 0.0, setting.samples[metric])
        yield metric, _summary(counts, (SHOWN,)), _allowed(metric, repeats)
    for metric, deviation in truth.scatter.items():
        tolerance = Tolerance.parse(TOLERANCES[metric])
        deviates = [rng.standard_normal(shape) for _ in range(2)]
        deviates = [LAST_BITS * deviate for deviate in deviates] if change == "last bits" else deviates
        if not tolerance.relative:
            losses = loss.get(metric, 0.0) + deviation * (deviates[1] - deviates[0])
            if metric == "interference":
                # A model that is destroyed shows none of what it is asked for.
                losses = losses + 10.0 * (1.0 * collapsed[1] - collapsed[0])
            yield metric, summarise(losses), _allowed(metric, repeats)
            continue
        factors = [np.where(gone, 3.0, 1.0) if metric == "fd_judge" else 1.0 for gone in collapsed]
        old, new = (np.exp(deviation * deviate) * by for deviate, by in zip(deviates, factors, strict=True))
        new = new * (1.0 + loss.get(metric, 0.0))
        scale = (old + new).mean(axis=1) / 2  # as GatedMetric.scale
        yield metric, summarise((new - old) / scale[:, None]), tolerance.amount / 100 * old.mean(axis=1) / scale


def _allowed(metric: str, repeats: int) -> Floats:
    return np.full(repeats, Tolerance.parse(TOLERANCES[metric]).amount)


def _summary(counts: NDArray[np.int64], hits: Sequence[int]) -> Summary:
    """Of a ratio of hits to what was in the base: `counts` are ``[repeats, seeds, 4, 4]``, as `_table` gives them."""
    joint = np.zeros((*counts.shape[:2], 2, 2, 2, 2))
    for old in range(4):
        for new in range(4):
            joint[..., int(old in hits), int(old != OUT), int(new in hits), int(new != OUT)] += counts[..., old, new]
    change, variance = ratio_change(joint, counts.shape[1])
    return summarise(100 * change, 100**2 * variance)


def _table(
    rng: np.random.Generator,
    base: float,
    shown: Sequence[Floats],
    spoilt: Sequence[Floats],
    change: Change,
    loss: float,
    samples: int,
) -> NDArray[np.int64]:
    """How many samples became what, before and after: int ``[repeats, seeds, 4, 4]``.

    A planted loss takes from what was gone, as far as that goes.
    """
    old, new = (
        np.stack([np.full_like(kept, 1 - base), base * (1 - kept - junk), base * junk, base * kept], axis=-1)
        for kept, junk in zip(shown, spoilt, strict=True)
    )
    move = np.zeros((*old.shape, 4)) + np.eye(4)
    with np.errstate(divide="ignore", invalid="ignore"):
        back = np.nan_to_num(np.minimum(base * loss / new[..., GONE], 1.0))
    move[..., GONE, GONE], move[..., GONE, SHOWN] = 1 - back, back
    after = np.einsum("...k,...kl->...l", new, move)
    apart = old[..., :, None] * after[..., None, :]
    if change == "last bits":
        # The base is the same bits: what flips is what the method makes of it.
        inside = after[..., 1:] / after[..., 1:].sum(-1, keepdims=True)
        redrawn = np.zeros_like(move)
        redrawn[..., OUT, OUT] = 1.0
        redrawn[..., 1:, 1:] = inside[..., None, :]
        apart = old[..., :, None] * ((1 - FLIPS) * move + FLIPS * redrawn)
    flat = np.clip(apart.reshape(*apart.shape[:-2], 16), 0.0, None)
    flat /= flat.sum(-1, keepdims=True)
    return rng.multinomial(samples, flat).reshape(apart.shape)


def rate(found: dict[str, Bools]) -> float:
    """How often anything at all was called worse, percent."""
    return 100 * float(np.mean(np.any(list(found.values()), axis=0)))


def with_(setting: Setting, **changes: int) -> Setting:
    """The setting with another number of seeds or tasks."""
    return replace(setting, **changes)
