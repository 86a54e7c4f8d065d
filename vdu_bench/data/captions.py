"""Captions: what an image shows, in words, by its concepts."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vdu_bench.data.specs import CaptionSpec
from vdu_bench.errors import UserError, did_you_mean


class Captions:
    """Puts concepts into words, in one way or, for training, in any of them.

    Args:
        spec: the words.
        names: the K concept names of the images, in column order.

    Raises:
        UserError: there are words for a concept that the images do not have.
    """

    def __init__(self, spec: CaptionSpec, names: Sequence[str]) -> None:
        for name in spec.phrases:
            if name not in names:
                raise UserError(
                    f"there are phrases for {name!r}, which the data do not have{did_you_mean(name, names)}"
                )
        self._spec = spec
        self._columns = {name: names.index(name) for name in spec.phrases}

    def plain(self, concepts: Tensor) -> list[str]:
        """For each row of bool ``[N, K]`` the first subject with the first phrases, in the order they are listed in.

        Such as "a portrait of a person with eyeglasses, bangs and a beard".
        """
        spec = self._spec
        return [
            spec.caption(spec.subjects[0], [spec.phrases[name][0] for name in shown]) for shown in self._shown(concepts)
        ]

    def drawn(self, concepts: Tensor, generator: torch.Generator) -> list[str]:
        """For each row of bool ``[N, K]`` any subject with any phrases in any order, by a CPU generator."""
        captions = []
        for shown in self._shown(concepts):
            subject = _any(self._spec.subjects, generator)
            order = torch.randperm(len(shown), generator=generator).tolist()
            captions.append(
                self._spec.caption(subject, [_any(self._spec.phrases[shown[place]], generator) for place in order])
            )
        return captions

    def _shown(self, concepts: Tensor) -> list[list[str]]:
        return [[name for name, column in self._columns.items() if row[column]] for row in concepts.tolist()]


def _any(choices: Sequence[str], generator: torch.Generator) -> str:
    return choices[int(torch.randint(len(choices), (1,), generator=generator))]


def words_of(spec: CaptionSpec) -> list[str]:
    """All different words and punctuation marks that captions are made of, sorted."""
    texts = [*spec.subjects, *(phrase for phrases in spec.phrases.values() for phrase in phrases), f"{spec.link} and ,"]
    return sorted({word for text in texts for word in text.lower().split()})
