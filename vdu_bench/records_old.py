"""Records of schemas 1 to 3, made into those of schema 4.

Schema 1 says of a metric its label, unit and direction, and of outcomes the bits alone. What schema 2 added is known:
the facts of the metrics that there were, and how many samples each kind of outcome counts. Schema 3 calls evaluations
by the field's word; metrics keep the names that they had, since those of another protocol are other metrics. Schema 4
says which metrics are of the same images or prompts in every seed; what else it adds, older records do not know.
"""

from __future__ import annotations

from typing import Any

Plain = dict[str, Any]

FACTS: dict[str, Plain] = {
    "pul": {
        "group": "forgetting",
        "headline": True,
        "rank": 1,
        "axis": "forgetting",
        "title": "PUL",
        "gate": "against_original",
        "tolerance": "2",
        "counts": "forget",
    },
    "pul_corrected": {"group": "forgetting", "rank": 2, "gate": "never"},
    "forget_rate": {
        "group": "forgetting",
        "headline": True,
        "rank": 3,
        "gate": "sampled",
        "tolerance": "1",
        "counts": "forget",
        "covered_by": "pul",
    },
    "retain_accuracy": {"group": "quality", "headline": True, "rank": 1, "gate": "scatter"},
    "interference": {"group": "quality", "rank": 2, "gate": "scatter"},
    "fd_judge": {"group": "quality", "headline": True, "rank": 3, "axis": "distance", "gate": "scatter"},
    "fid_inception": {"group": "quality", "headline": True, "rank": 4, "axis": "distance", "gate": "scatter"},
    "junk_rate": {
        "group": "quality",
        "headline": True,
        "rank": 5,
        "gate": "sampled",
        "tolerance": "2",
        "counts": "junk",
    },
    "retained_balance": {"group": "quality", "headline": True, "rank": 6, "gate": "scatter", "tolerance": "0.02"},
    "clip_score": {"group": "quality", "gate": "scatter"},
    "clip_change": {"group": "quality", "gate": "scatter"},
    "pair_drift": {"group": "quality", "probe": "pairs", "gate": "scatter"},
    "pair_forget": {"group": "robustness", "probe": "pairs", "gate": "scatter"},
    "unlearn_seconds": {"group": "cost", "probe": "", "headline": True, "rank": 1, "gate": "timed"},
    "unlearn_forward": {"group": "cost", "probe": "", "rank": 2, "gate": "counted", "tolerance": "0"},
    "unlearn_backward": {"group": "cost", "probe": "", "rank": 3, "gate": "counted", "tolerance": "0"},
    "unlearn_peak_memory": {"group": "cost", "probe": "", "rank": 4, "gate": "timed"},
    "sampling_throughput": {"group": "cost", "rank": 5, "gate": "timed"},
    "training_images": {
        "group": "cost",
        "probe": "",
        "headline": True,
        "rank": 6,
        "gate": "counted",
        "tolerance": "0",
    },
}
"""By name, what the metrics of schema 1 are about and how the gate treated them."""

SAME_UNITS: dict[str, Plain] = {
    "mia_auc": {"same_units": True, "scale": "chance"},
    "clip_score": {"same_units": True},
    "clip_change": {"same_units": True},
    "pair_drift": {"same_units": True},
}
"""By name, the metrics of schemas 1 to 3 that are of the same images or prompts in every seed."""

_TIMINGS = {"unlearn_forward": "nfe_forward", "unlearn_backward": "nfe_backward"}

OTHERS: Plain = {"group": "quality", "gate": "scatter"}
"""How a metric of somebody else's was treated."""


def upgraded(plain: Plain, version: int) -> Plain:
    """A record of schema 1 to 3, as read from JSON, made into one of schema 4. Leaves what is malformed as it is."""
    new = _with_facts(plain) if version == 1 else dict(plain)
    timings = new.get("timings")
    if isinstance(timings, dict):
        new["timings"] = {_TIMINGS.get(name, name): value for name, value in timings.items()}
    metrics = new.get("metrics")
    if isinstance(metrics, dict):
        new["metrics"] = {
            name: {**result, **SAME_UNITS.get(name, {})} if isinstance(result, dict) else result
            for name, result in metrics.items()
        }
    return {**new, "schema_version": 4}


def _with_facts(plain: Plain) -> Plain:
    metrics, outcomes = plain.get("metrics"), plain.get("outcomes")
    new = dict(plain)
    if isinstance(metrics, dict):
        new["metrics"] = {
            name: {**FACTS.get(name, OTHERS), **result} if isinstance(result, dict) else result
            for name, result in metrics.items()
        }
    if isinstance(outcomes, dict):
        new["outcomes"] = {name: {"n": _samples(plain, name), "bits": bits} for name, bits in outcomes.items()}
    return new


def _samples(plain: Plain, outcome: str) -> Any:
    """How many samples an outcome counts: junk, those of both sets of prompts where there are two."""
    protocol = plain.get("protocol")
    if not isinstance(protocol, dict) or not isinstance(samples := protocol.get("samples"), int):
        return None
    return samples * (2 if outcome == "junk" and protocol.get("prompts") else 1)
