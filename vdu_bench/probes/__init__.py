"""Probes: ways of looking at a model. Sampling it is one; an attack is one."""
