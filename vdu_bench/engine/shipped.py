"""The artifacts that ship in the wheel."""

from __future__ import annotations

import json
from pathlib import Path

import vdu_bench.assets
from vdu_bench.engine.store import MANIFEST

ASSETS = Path(vdu_bench.assets.__path__[0])


def shipped_artifacts(root: Path = ASSETS) -> dict[str, Path]:
    """Artifact folders (``FAMILY/NAME/``) by hash."""
    found = {}
    for manifest in sorted(root.glob(f"*/*/{MANIFEST}")):
        found[json.loads(manifest.read_text())["hash"]] = manifest.parent
    return found
