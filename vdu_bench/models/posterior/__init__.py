"""Posteriors over a model's weights, and where they are from."""
