"""Prompts for images of one's own, put together from the names of their attributes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

GIVEN = ("a picture of something", "an image of something")
JUDGED = ("a picture", "an image")


def own_prompts(names: Sequence[str], forget: str) -> dict[str, Any]:
    """What a task file says under ``prompts``, for at least two attributes, of which `forget` is one.

    An attribute is put into words as its name: "a picture with long hair" asks for ``long_hair``.
    """
    words = {name: name.replace("_", " ").replace("-", " ").lower() for name in names}
    others = [name for name in names if name != forget]
    pairs = list(pairwise(others))[:3]

    def asked(subjects: Sequence[str], number: int, *shown: str) -> str:
        return f"{subjects[number % len(subjects)]} with {' and '.join(words[name] for name in shown)}"

    return {
        "captions": {"subjects": [*GIVEN, *JUDGED], "phrases": {name: [word] for name, word in words.items()}},
        "judged_subjects": list(JUDGED),
        "forget": [
            *(asked([subject], 0, forget) for subject in JUDGED),
            *(asked(JUDGED, number, forget, other) for number, other in enumerate(others[:4])),
        ],
        "retain": {
            **{subject: [] for subject in JUDGED},
            **{asked(JUDGED, number, other): [other] for number, other in enumerate(others[:6])},
            **{asked(JUDGED, number, *pair): list(pair) for number, pair in enumerate(pairs)},
        },
        "concept": [asked([subject], 0, forget) for subject in GIVEN],
        "anchor": GIVEN[0],
        "preserve": [asked(GIVEN, number, other) for number, other in enumerate(others[:6])],
        "tuning": [asked(GIVEN, number, forget, other) for number, other in enumerate(others[:4])],
        "tuning_retain": {
            GIVEN[1]: [],
            **{asked(GIVEN, number, *pair): list(pair) for number, pair in enumerate(pairs)},
        },
    }
