"""Unlearning methods: the base classes, the data they may draw, the references, and VDU itself."""
