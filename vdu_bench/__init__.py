"""vdu-bench: evaluation and benchmarking of machine unlearning in diffusion models."""

__version__ = "0.1.0"
