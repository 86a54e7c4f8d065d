"""What a GPU shows of the suite, in an hour or less: from a smoke test to MNIST at full scale.

    python benchmarks/gpu.py --minutes 30 --out DIR --data-dir DATA [--phases smoke,rates,memory,mnist,cells]

It needs no network. The same command goes on where it was: what is done is read back from DIR. It stops by itself:
a part begins only if the time that is left is enough for it, by what earlier ones took. `DIR/gpu.json` says what was
found, and what was not run and why; `DIR/archives` has models and records in pieces under 15 MB, packed as each phase
ends, so that they can be brought away before the next. docs/gpu.md says what to pack, and what each phase answers.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import torch
from gpu_run import inception
from gpu_run.archives import pack
from gpu_run.cells import run_cells
from gpu_run.course import RESULT, Course
from gpu_run.memory import run_memory
from gpu_run.mnist import run_mnist
from gpu_run.node import describe
from gpu_run.rates import run_rates
from gpu_run.sizes import FULL, MINIATURE, Sizes
from gpu_run.smoke import run_smoke

from vdu_bench.engine.device import set_device
from vdu_bench.engine.memory import release
from vdu_bench.errors import UserError

PHASES = {"smoke": 3.0, "rates": 2.5, "memory": 2.5, "mnist": 60.0, "cells": 60.0}
"""Minutes at most, while phases after it wait; a phase that is the last of those asked for has all that is left, and
mnist too: without its models nothing comes after it."""
ENDING = 40.0
"""Seconds that are kept for what still runs to end, and for the last archives."""
PACKED = {"smoke": "smoke", "mnist": "models", "cells": "records_*"}
"""The folders that a phase leaves, where it leaves any."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, required=True, help="how long it may take, archives included")
    parser.add_argument("--out", type=Path, required=True, help="where everything is kept")
    parser.add_argument("--phases", default=",".join(PHASES), help="several with commas between; all unless given")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--data-dir", type=Path, help="its folder mnist has the four idx files")
    parser.add_argument(
        "--cpu-records", type=Path, action="append", help="records of the CPU to compare with; results/reference"
    )
    parser.add_argument("--inception", type=Path, help="torch-fidelity's weights of Inception; without them no u-FID")
    parser.add_argument("--at-once", type=int, help="processes that share the card, of trainings and of cells; 3")
    parser.add_argument("--compile", action="store_true", help="the models of MNIST are trained with torch.compile")
    parser.add_argument("--cuda-graphs", action="store_true", help="that, and their kernels are recorded")
    parser.add_argument("--miniature", action="store_true", help="everything tiny: whether the script works")
    given = parser.parse_args()
    try:
        course = _run(given)
    except UserError as error:
        print(f"gpu.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ngpu.py: stopped; the same command goes on from here", file=sys.stderr)
        return 130
    return 1 if course.failed else 0


def _run(given: argparse.Namespace) -> Course:
    phases = given.phases.split(",")
    if unknown := [name for name in phases if name not in PHASES]:
        raise UserError(f"--phases: there is no {unknown[0]!r}; known are {', '.join(PHASES)}")
    if not given.minutes > 0:
        raise UserError(f"--minutes {given.minutes}: give more than 0")
    device, out = set_device(given.device), given.out.absolute()
    facts = {**describe(device), "miniature": given.miniature}
    _require_same(out / RESULT, facts)
    facts |= {"at": datetime.now(UTC).isoformat(timespec="seconds"), "minutes": given.minutes, "asked": phases}
    seconds = max(60 * given.minutes - ENDING, 0)
    course = Course(out, seconds, facts, lambda line: print(line, file=sys.stderr, flush=True))
    sizes, store = _sizes(given), out / "store"
    data_dir = given.data_dir.absolute() if given.data_dir else None
    # A worker computes metrics on the CPU, and has one thread for them unless it is told otherwise.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, torch.get_num_threads() // sizes.at_once)))
    inception.place(given.inception, out / "torch")
    course.write()
    for name in PHASES:
        if name not in phases:
            course.not_run[name] = "not asked for"
            continue
        last = name == [one for one in PHASES if one in phases][-1]
        # A miniature is timed by nobody, and a machine that is busy with other things must not make it fail.
        with course.phase(name, seconds if last or given.miniature else 60 * PHASES[name]):
            if name == "smoke":
                run_smoke(course, sizes, device, store, given.cpu_records or [])
            elif name == "rates":
                run_rates(course, sizes, device, store)
            elif name == "memory":
                run_memory(course, sizes, device, store)
            elif data_dir is None:
                course.leave("it needs --data-dir, with the four files of MNIST in its folder mnist")
            elif name == "mnist":
                run_mnist(course, sizes, device, store, data_dir)
            else:
                run_cells(course, sizes, device, store, data_dir)
        # After the block, whose error holds what broke: processes that come next share the card with this one.
        release(device)
        if name in PACKED:
            for folder in sorted(out.glob(PACKED[name])):
                course.archives[folder.name] = pack(folder, out / "archives" / f"{folder.name}.tar.gz")
        course.write()
    print(out / RESULT)
    return course


def _sizes(given: argparse.Namespace) -> Sizes:
    """How large everything is. Raises UserError."""
    sizes = MINIATURE if given.miniature else FULL
    if given.at_once is not None:
        if given.at_once < 1:
            raise UserError(f"--at-once {given.at_once}: give 1 or more")
        sizes = replace(sizes, at_once=given.at_once)
    if given.compile or given.cuda_graphs:
        sizes = replace(sizes, mnist_compute={"compile": True, "cuda_graphs": given.cuda_graphs})
    return sizes


def _require_same(file: Path, facts: dict[str, object]) -> None:
    """Raise UserError where the folder has what another card gave, or another size."""
    if not file.exists():
        return
    before = json.loads(file.read_text(encoding="utf-8"))
    for key in ("card", "miniature", "versions"):
        if before.get(key) != facts[key]:
            raise UserError(f"{file} is of {key} {before.get(key)}, and here it is {facts[key]}: name another --out")


if __name__ == "__main__":
    sys.exit(main())
