"""Unlearning methods: the base classes, the data they may draw, and the suite's own three."""
