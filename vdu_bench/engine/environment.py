"""Where a record was made."""

from __future__ import annotations

import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import vdu_bench

PACKAGES = (
    "torch",
    "torchvision",
    "diffusers",
    "torch-fidelity",
    "numpy",
    "scipy",
    "scikit-learn",
    "safetensors",
    "timm",
)


def describe_environment(device: str) -> dict[str, Any]:
    """Versions, device, processor, threads, and the commit when the package runs from a git checkout."""
    import torch

    facts: dict[str, Any] = {
        "vdu_bench": vdu_bench.__version__,
        "python": platform.python_version(),
        "platform": platform.system(),
        "machine": platform.machine(),
        "packages": {name: _version(name) for name in PACKAGES},
        "device": device,
        "threads": torch.get_num_threads(),
    }
    if device.startswith("cuda"):
        facts["device_name"] = torch.cuda.get_device_name(device)
    return facts | git_state()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


@cache
def git_state(folder: Path = Path(vdu_bench.__file__).parent) -> dict[str, Any]:
    """The commit of a checkout, and whether it has changes.

    Asked once in a process: what is committed while it runs is not the code that it runs.
    """

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False)
        except FileNotFoundError:
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    # An installed copy inside somebody else's repository must not be given that repository's commit.
    if git("ls-files", "__init__.py") != "__init__.py":
        return {"git_commit": None, "git_dirty": None}
    return {"git_commit": git("rev-parse", "HEAD"), "git_dirty": bool(git("status", "--porcelain", "--", str(folder)))}
