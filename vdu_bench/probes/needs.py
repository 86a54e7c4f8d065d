"""What a probe may ask for beside the model. Plain data, without torch."""

from __future__ import annotations

from typing import Literal

ProbeNeed = Literal["pairs", "rephrased", "forget_images", "retain_images", "held_out_images"]
"""``pairs``: a task whose data have no counterfactual pairs of the concept is not probed. ``rephrased``: a task whose
prompts have no lists of other words is not probed. ``forget_images`` and ``retain_images`` are training images;
``held_out_images`` show the concept, and no model learns from them. Images are counted."""
