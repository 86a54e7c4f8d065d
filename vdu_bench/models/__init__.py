"""Diffusion models behind one interface, their training and sampling, and the posterior over their weights."""
