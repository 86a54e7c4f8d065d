"""What a search leaves: chosen settings, its trials as a table, a picture, and settings files for `vdu-bench run`."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from vdu_bench.errors import UserError
from vdu_bench.files import write_atomically
from vdu_bench.plain_json import parsed
from vdu_bench.tasks.tuning import TuningCost
from vdu_bench.tuning.judging import Judged
from vdu_bench.tuning.space import plain_space
from vdu_bench.tuning.tune import Found

ALL = "settings.yaml"
"""The file with the settings of all methods that were tuned on a task."""


def journal_file(out: Path, task: str, method: str) -> Path:
    """Where the journal of a search is."""
    return out / task / f"{method}.journal"


def write_found(found: Found, out: Path) -> list[Path]:
    """Write ``OUT/TASK/METHOD`` as .json, .csv, .png and, where something is chosen, .yaml; and `ALL` beside them.

    Returns:
        The files, the one with all methods last.
    """
    from vdu_bench.tuning.plot import draw_trials

    folder = out / found.task.name
    plain = json.dumps(plain_found(found), indent=1, allow_nan=False) + "\n"
    written = [
        write_atomically(folder / f"{found.method}.json", plain.encode()),
        write_atomically(folder / f"{found.method}.csv", trials_csv(found).encode()),
        *draw_trials(found, folder / found.method),
    ]
    if found.chosen is not None:
        text = settings_yaml([plain_found(found)])
        written.append(write_atomically(folder / f"{found.method}.yaml", text.encode()))
    return [*written, write_all(folder)]


def write_all(folder: Path) -> Path:
    """Make `ALL` of the chosen settings that are in a folder; returns it."""
    try:
        found = [parsed(file.read_bytes()) for file in sorted(folder.glob("*.json"))]
        text = settings_yaml([one for one in found if one["chosen"] is not None])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder} has a .json file that no search wrote; move it away") from error
    return write_atomically(folder / ALL, text.encode())


def settings_yaml(found: Iterable[dict[str, Any]]) -> str:
    """A settings file, from what `plain_found` gave: the settings, and that they are tuned and what that took."""
    found = list(found)
    content: dict[str, Any] = {one["method"]: one["chosen"]["settings"] for one in found}
    content["task"] = {
        "settings_from": {one["method"]: "tuned" for one in found},
        "tuning_cost": {one["method"]: one["cost"] for one in found},
    }
    tasks = ", ".join(dict.fromkeys(one["task"] for one in found)) or "nothing"
    head = f"# Tuned on {tasks} by vdu-bench tune; for vdu-bench run --settings.\n"
    return head + yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def plain_found(found: Found) -> dict[str, Any]:
    """All of it but the trials, in plain data; a number that is not known is None."""
    chosen = found.chosen
    return {
        "task": found.task.name,
        "method": found.method,
        "objective": found.objective,
        "distance": found.distance,
        "limits": found.task.limits,
        "tuning": {**found.task.tuning.model_dump(mode="json"), "trials": len(found.trials)},
        "search": plain_space(found.space),
        "settings of the task": found.task.method_settings.get(found.method, {}),
        "cost": TuningCost(trials=len(found.trials), evaluations=found.evaluations).model_dump(),
        "remark": found.remark,
        "chosen": None
        if chosen is None
        else {
            "trial": chosen.trial.number,
            "settings": chosen.trial.settings,
            "within_limits": chosen.kept,
            "objective": _number(chosen.objective),
            "distance": _number(chosen.distance),
        },
        "finalists": [
            {
                "trial": one.trial.number,
                "within_limits": one.kept,
                "objective": _number(one.objective),
                "distance": _number(one.distance),
                "beyond": _number(one.beyond),
            }
            for one in found.finalists
        ],
    }


def trials_csv(found: Found) -> str:
    """A row for each trial, and for each run of a finalist; a cell is empty where a number is not known.

    `beyond` is 0 within all limits, else as `Judged.beyond`; `score` is what the sampler was told of a trial.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    axes = [found.objective, *([found.distance] if found.distance else [])]
    writer.writerow(["trial", "seed", *found.space, "status", *axes, "beyond", "evaluations", "score", "reason", "is"])
    finals = {one.trial.number: one for one in found.finalists}

    def row(number: int, seed: int, settings: dict[str, Any], judged: Judged, score: str, role: str) -> None:
        values = [judged.objective, *([judged.distance] if found.distance else []), judged.beyond]
        given = [value if isinstance(value, str) else json.dumps(value) for value in map(settings.get, found.space)]
        numbers = ["" if not math.isfinite(value) else f"{value:.10g}" for value in values]
        writer.writerow([number, seed, *given, judged.status, *numbers, judged.evaluations, score, judged.reason, role])

    for trial in found.trials:
        score = f"{trial.judged.score(found.better):.10g}"
        row(trial.number, found.task.tuning.seed, trial.settings, trial.judged, score, "trial")
    for number, one in finals.items():
        role = "chosen" if one is found.chosen else "finalist"
        for seed, judged in one.runs:
            row(number, seed, one.trial.settings, judged, "", role)
    return text.getvalue()


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
