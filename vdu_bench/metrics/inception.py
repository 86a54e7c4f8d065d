"""torch-fidelity's Inception, and its weights: from a file, or fetched once."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import torch
from torch import Tensor
from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

from vdu_bench.errors import UserError, in_short
from vdu_bench.fetching import may_fetch, not_fetched

EXTRACTOR = "inception-v3-compat"
FEATURES = 2048
CLASSES = 1008
OF_TORCHVISION = 1000
RGB = 3
MEND = (
    f"get the 91 MB of {URL_INCEPTION_V3} (Apache 2.0) where there is a network, and name the file by --set "
    "task.inception.file=FILE; or measure without it, by --set task.inception=null"
)


@dataclass(frozen=True)
class Inception:
    """The network that an FID is taken in.

    Attributes:
        weights: torch-fidelity's file of them.
        device: where it runs.
        state: the tensors that were read from it, and nothing else.
        sha256: of the file's content that they were read from.
    """

    weights: Path
    device: torch.device | str
    state: Mapping[str, Tensor] = field(repr=False, compare=False)
    sha256: str

    @classmethod
    def find(cls, file: str | None, device: torch.device | str) -> Inception:
        """With the weights in `file`, or with those that torch-fidelity publishes, from torch's cache or the network.

        Raises:
            UserError: there is no such file, it cannot be fetched, or it holds more than tensors.
        """
        if file is not None and not Path(file).is_file():
            raise UserError(f"the Inception weights {file} are not there: {MEND}")
        weights = _fetched() if file is None else Path(file)
        try:
            # Read once: another process might put something else there between a check and a use.
            content = weights.read_bytes()
            state = torch.load(BytesIO(content), weights_only=True)
        except Exception as error:  # whatever torch makes of a damaged or a hostile file
            raise UserError(f"{weights} cannot be read as tensors alone ({in_short(error)}): {MEND}") from error
        last = state.get("fc.weight") if isinstance(state, dict) else None
        if last is None:
            raise UserError(f"{weights} are not the weights of torch-fidelity's Inception: {MEND}")
        if tuple(last.shape) != (CLASSES, FEATURES):
            whose = "torchvision's" if len(last) == OF_TORCHVISION else "another"
            raise UserError(
                f"{weights} are {whose} Inception, with {len(last)} classes for the {CLASSES} of torch-fidelity's, in "
                f"whose features an FID is taken: {MEND}"
            )
        return cls(weights, device, state, hashlib.sha256(content).hexdigest())

    def digest(self) -> str:
        """sha256 of the file of weights."""
        return self.sha256

    @contextmanager
    def checked(self) -> Iterator[Path]:
        """A file of the tensors that were checked, in a folder of this process's own.

        For torch-fidelity, which runs whatever is in the file that it is given.
        """
        with tempfile.TemporaryDirectory(prefix="vdu-bench-") as folder:
            file = Path(folder) / "inception.pth"
            torch.save(dict(self.state), file)
            yield file

    def as_input(self, images: Tensor) -> Tensor:
        """uint8 ``[N, 3, H, W]``: grey images in three equal channels."""
        return images.expand(-1, RGB, -1, -1) if images.shape[1] == 1 else images


def _fetched() -> Path:
    place = Path(torch.hub.get_dir()) / "checkpoints" / URL_INCEPTION_V3.rpartition("/")[2]
    if not place.is_file():
        if not may_fetch():
            raise not_fetched("Inception (91 MB)", URL_INCEPTION_V3)
        # What stands before the suffix begins the file's sha256.
        prefix = place.stem.rpartition("-")[2]
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(URL_INCEPTION_V3, str(place), hash_prefix=prefix)
        except Exception as error:  # of half a dozen unrelated kinds, and the mend is the same for all
            raise UserError(f"Inception's weights cannot be fetched ({in_short(error)}): {MEND}") from error
    return place
