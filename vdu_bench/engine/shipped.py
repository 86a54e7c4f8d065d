"""The artifacts that ship in the wheel."""

from __future__ import annotations

import json
from pathlib import Path

import vdu_bench.assets
from vdu_bench.engine.store import MANIFEST
from vdu_bench.writing import is_partial

ASSETS = Path(vdu_bench.assets.__path__[0])


def shipped_artifacts() -> dict[str, Path]:
    """Artifact folders (``FAMILY/NAME/``) by address."""
    return {json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["hash"]: folder for folder in exported(ASSETS)}


def exported(root: Path) -> list[Path]:
    """The artifact folders below one that ``prepare --export`` wrote."""
    found = [manifest.parent for manifest in sorted(root.glob(f"*/*/{MANIFEST}"))]
    return [folder for folder in found if not is_partial(folder)]
