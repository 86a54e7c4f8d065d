"""What a probe may ask for beside the model. Plain data, without torch."""

from __future__ import annotations

from typing import Literal

ProbeNeed = Literal["pairs", "forget_images", "retain_images"]
"""``pairs``: a task whose data have no counterfactual pairs of the concept is not probed. Images are counted."""
