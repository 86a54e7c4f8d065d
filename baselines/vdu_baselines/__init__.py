"""Baseline unlearning methods, registered through the same entry points as a third party's."""
