"""A colour and a marker for each method, decided by its name: the same in every figure and on the page."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

HUES = ("#0072b2", "#2f9bd8", "#c58a00", "#d55e00", "#009e73", "#8c564b", "#c86fa2")
"""Blue, sky, amber, vermilion, green, brown and pink: after Okabe and Ito, each with a contrast of 3 to 1 or more on
white and on the page's dark ground. Amber beside vermilion is the hardest pair for the colour-blind: markers differ
there. In this order, so that hues three places apart, whose markers may be the same, are told by everybody."""

MARKERS = ("o", "s", "D", "^", "v", "P", "X", "<", ">", "p")
"""As matplotlib calls them. References have others."""

_SUITE = (
    "vdu",
    "vdu_contrast",
    "finetune",
    "esd",
    "gradient_ascent",
    "salun",
    "siss",
    "erasediff",
    "selective_amnesia",
    "concept_ablation",
    "uce",
    "rece",
    "spm",
    "forget_me_not",
    "neggrad_plus",
    "retrack",
    "perturb",
    "adv_unlearn",
)
"""The suite's methods: each keeps its look for good, so a new one goes to the end."""


@dataclass(frozen=True)
class MethodStyle:
    """How a method is drawn."""

    color: str
    """On a light ground, as ``#rrggbb``."""
    dark: str
    """On a dark ground; differs for references alone, which are black and grey."""
    marker: str
    """As matplotlib calls it."""


_REFERENCES = {
    "original": MethodStyle("#000000", "#ffffff", "*"),
    "retrain": MethodStyle("#6e6e6e", "#a8a8a8", "H"),
    "real": MethodStyle("#8a8a8a", "#8a8a8a", "d"),
}
LIGHT_COLORS = (*HUES, *(look.color for look in _REFERENCES.values()))
"""All colours that a method may have on a light ground."""
_SLOTS = len(HUES) * len(MARKERS)


def method_styles(rows: Iterable[str]) -> dict[str, MethodStyle]:
    """A look for each row of a table, no two the same for up to 70 contestants.

    The suite's methods and the references have theirs whatever stands beside them. A method from elsewhere gets one by
    its name, another only where a row already has it. What differs from a method in its settings (``vdu[gamma=0.3]``)
    keeps the method's colour, with another marker.

    Args:
        rows: names as in `Record.row`, in any order.
    """
    rows = sorted(set(rows))
    taken: set[int] = set()
    slots: dict[str, int] = {}
    # Methods before their variants, so that a variant never takes a method's own look.
    for row in sorted(rows, key=lambda row: ("[" in row, row)):
        if row not in _REFERENCES:
            slots[row] = _slot(row, taken)
            taken.add(slots[row])
    return {row: _REFERENCES.get(row) or _style(slots[row]) for row in rows}


def _slot(row: str, taken: set[int]) -> int:
    method, _, change = row.partition("[")
    if row in _SUITE:
        return _SUITE.index(row)
    own = _SUITE.index(method) if method in _SUITE else _digest(method) % _SLOTS
    if change:
        # Slots that are as many apart as there are hues have the same hue.
        order = [(own + len(HUES) * (1 + _digest(row) + step)) % _SLOTS for step in range(len(MARKERS))]
        order += range(_SLOTS)
    else:
        order = [(own + step) % _SLOTS for step in range(_SLOTS)]
    reserved = taken | set(range(len(_SUITE)))
    # With more rows than looks, two of them look alike.
    return next((slot for slot in order if slot not in reserved), order[0])


def _style(slot: int) -> MethodStyle:
    hue = HUES[slot % len(HUES)]
    return MethodStyle(hue, hue, MARKERS[slot % len(MARKERS)])


def _digest(name: str) -> int:
    # Python's own hash is another one in every process.
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6])
