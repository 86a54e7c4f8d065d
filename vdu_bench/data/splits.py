"""A data set as the protocol uses it: what models learn from, and what judges are calibrated on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from vdu_bench.data.counterfactuals import CounterfactualPairs
from vdu_bench.data.image_set import ImageSet
from vdu_bench.errors import UserError, did_you_mean


@dataclass(frozen=True)
class DataSplits:
    """A data set as the protocol uses it: models and judges learn from `train`, judges are calibrated on `held_out`.

    Attributes:
        train, held_out: the images.
        titles: words for the concepts whose names are codes.
        pairs: by attribute, images that differ in it alone and are in neither split, for data that have some.
    """

    train: ImageSet
    held_out: ImageSet
    titles: Mapping[str, str] = field(default_factory=dict)
    pairs: Mapping[str, CounterfactualPairs] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.train.names != self.held_out.names:
            raise ValueError(
                f"both splits must have the same concepts in the same order, not {', '.join(self.train.names)} and "
                f"{', '.join(self.held_out.names)}"
            )
        shapes = [tuple(part.images.shape[1:]) for part in (self.train, self.held_out)]
        if shapes[0] != shapes[1]:
            raise ValueError(f"both splits must have images of one size, not {list(shapes[0])} and {list(shapes[1])}")

    def digest(self) -> str:
        """sha256 over both splits."""
        return hashlib.sha256((self.train.digest() + self.held_out.digest()).encode()).hexdigest()

    def only(self, names: Sequence[str]) -> DataSplits:
        """The images that show one of `names`, which are the concepts then. Raises UserError for one there is not."""
        for name in names:
            if name not in self.train.names:
                raise UserError(f"the data have no {name!r} to keep{self.instead_of(name)}")
        columns = [self.train.names.index(name) for name in names]

        def kept(images: ImageSet) -> ImageSet:
            concepts = images.concepts[:, columns]
            shown = concepts.any(1)
            return ImageSet(images.images[shown], concepts[shown], tuple(names))

        titles = {name: title for name, title in self.titles.items() if name in names}
        return DataSplits(kept(self.train), kept(self.held_out), titles, self.pairs)

    def instead_of(self, wrong: str) -> str:
        """The tail of an error message about a concept that the data do not have: those that may have been meant."""
        meant = [name for name, title in self.titles.items() if wrong.lower() in title.lower()]
        if meant:
            return f"; did you mean {' or '.join(f'{name!r} ({self.titles[name]})' for name in meant[:3])}?"
        return did_you_mean(wrong, self.train.names)
