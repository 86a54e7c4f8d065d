"""The benchmarks are scripts: their folder is where they find each other."""

from __future__ import annotations

import sys
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "benchmarks"
# Behind all others, since it has a conftest of its own.
sys.path.append(str(FOLDER))
