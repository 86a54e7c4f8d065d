"""What benchmarks/gpu.py found, as the tables of docs/gpu.md.

python benchmarks/gpu_tables.py results/gpu/gpu.json {smoke,rates,memory,mnist}
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tabulate import tabulate


def smoke(parts: Mapping[str, Any]) -> str:
    """Of each method: outcomes that differ from the CPU's, the distance on both, and seconds."""
    rows = []
    for method, found in parts["digits_1"]["result"]["cells"].items():
        outcomes = found["outcomes_that_differ"]
        differ, whole = (sum(one[key] for one in outcomes.values()) for key in ("differ", "of"))
        there, here = found["cpu_and_here"]["fd_judge"]
        rows.append(
            [
                method,
                f"{differ} of {whole:,}",
                "-" if here is None else f"{there:.3f}, {here:.3f}",
                _seconds(found, "unlearn_seconds", method),
                _seconds(found, "sample_seconds", method),
            ]
        )
    heads = [
        "method",
        "outcomes that differ",
        "distance: CPU, card",
        "unlearning (s): CPU, card",
        "sampling (s): CPU, card",
    ]
    return _table(rows, heads)


def rates(parts: Mapping[str, Any]) -> str:
    """Images a second beside diffusers' own loops."""
    rows = []
    for part, found in parts.items():
        if part == "a_step_of_vdu":
            continue
        task, _, precision = part.partition("__")
        for way in ("sampling", "training"):
            one = found["result"][way]
            ours, theirs = one["ours_images_per_second"], one["diffusers_images_per_second"]
            rows.append(
                [task, precision, way, one["batch"], one["steps"], f"{ours:,.0f}", f"{theirs:,.0f}", one["ratio"]]
            )
    heads = ["network of", "precision", "what", "batch", "steps", "images a second", "diffusers'", "ratio"]
    return _table(rows, heads, floatfmt=".2f")


def memory(parts: Mapping[str, Any]) -> str:
    """GiB of two steps at 512x512, beside the count of tensors."""
    rows = []
    for method, part in parts.items():
        found = part["result"]
        expected = found.get("computed_gib")
        rows.append(
            [
                method,
                found["batch"],
                f"{found['peak_gib']:.1f}",
                "-" if expected is None else f"{expected:.1f}",
                f"{found['reserved_gib']:.1f}",
                "yes" if found["24_gb_hold_it"] else "no",
            ]
        )
    return _table(rows, ["method", "images a step", "peak (GiB)", "computed", "reserved", "24 GB hold it"])


def mnist(parts: Mapping[str, Any]) -> str:
    """Of each model that was trained: its seconds, images a second and loss at the end; of a judge, its accuracy."""
    rows = []
    for name, found in parts["export"]["result"].items():
        if "accuracy" in found:
            rows.append([name, "-", "-", "-", f"{100 * found['accuracy']:.1f} %"])
        elif "seconds" in found:
            rate, loss = found["images_per_second"], found["last_loss"]
            rows.append([name, f"{found['seconds']:.0f}", f"{rate:,.0f}", f"{loss:.4f}", "-"])
    return _table(rows, ["model", "seconds", "images a second", "last loss", "accuracy"])


def _seconds(found: Mapping[str, Any], key: str, method: str) -> str:
    """Of both machines; nothing for what was read from the store and not made."""
    there, here = found[f"cpu_{key}"], found[key]
    if not here or (key == "unlearn_seconds" and method == "retrain"):
        return "-"
    return f"{there:.1f}, {here:.1f}"


def _table(rows: list[list[Any]], heads: list[str], **options: Any) -> str:
    right = ["left"] + ["right"] * (len(heads) - 1)
    return tabulate(rows, heads, "github", disable_numparse=not options, colalign=right, **options)


TABLES = {"smoke": smoke, "rates": rates, "memory": memory, "mnist": mnist}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("phase", choices=TABLES)
    given = parser.parse_args()
    print(TABLES[given.phase](json.loads(given.file.read_text(encoding="utf-8"))["phases"][given.phase]))


if __name__ == "__main__":
    main()
