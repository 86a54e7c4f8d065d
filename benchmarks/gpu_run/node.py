"""The machine: card, driver, versions."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
from typing import Any

import torch

LIBRARIES = ("vdu-bench", "torch", "diffusers", "transformers", "timm", "torchvision", "numpy")


def describe(device: str) -> dict[str, Any]:
    """What figures are stated with."""
    found: dict[str, Any] = {
        "device": device,
        "card": platform.processor() or platform.machine(),
        "driver": "",
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in LIBRARIES},
    }
    if torch.device(device).type == "cuda":
        card = torch.cuda.get_device_properties(device)
        found |= {"card": card.name, "memory_gib": round(card.total_memory / 2**30, 1), "driver": _driver()}
        found["versions"] |= {"cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}
    return found


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _driver() -> str:
    """As nvidia-smi tells it; empty where there is none."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ""
    query = [tool, "--query-gpu=driver_version", "--format=csv,noheader"]
    told = subprocess.run(query, capture_output=True, text=True, check=False).stdout
    return told.splitlines()[0].strip() if told.strip() else ""
