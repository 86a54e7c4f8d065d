"""What a probe was given, and what it took. Plain data, without torch."""

from __future__ import annotations

from vdu_bench.spec import Spec


class ProbeLedger(Spec):
    """The prober's own data and evaluations, apart from the method's."""

    forget_images: int = 0
    """Distinct real images of what is to be forgotten that it drew."""
    retain_images: int = 0
    """Distinct other real images that it drew."""
    held_out_images: int = 0
    """Distinct held-out images of what is to be forgotten that it drew."""
    forward: int = 0
    """Denoiser forward evaluations, one for each image."""
    backward: int = 0
    """Denoiser backward evaluations."""
