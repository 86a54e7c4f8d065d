"""The confidence level of every interval here."""

LEVEL = 0.95
"""An `Estimate` has no other."""
TAIL = (1.0 - LEVEL) / 2.0
"""The probability left out on each side of a two-sided interval."""
