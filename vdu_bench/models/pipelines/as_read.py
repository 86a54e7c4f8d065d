"""A network's files in a folder of their own, so that a library reads those that a digest is over, and no others.

diffusers and transformers look for more than was asked: an index of shards before the whole file, an adapter beside
it, a file that the configuration names. What they find that way no digest covers. Without torch.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vdu_bench.errors import UserError
from vdu_bench.plain_json import parsed

ELSEWHERE = {
    "transformers_weights": "it names another file of weights",
    "quantization_config": "its weights are not the numbers that they are computed with",
    "_attn_implementation": "it may name code on the Hugging Face hub",
    "_attn_implementation_internal": "it may name code on the Hugging Face hub",
    "attn_implementation": "it may name code on the Hugging Face hub",
}
"""Keys of a configuration by which the libraries read or run something else, and why they are refused."""


@contextmanager
def only_these(config: Path, weights: Sequence[Path], source: str | Path) -> Iterator[Path]:
    """A folder that nobody else writes to, with a network's configuration and its files of weights alone.

    The configuration is copied as it was when it was checked; weights are links, or copies where there are no links.

    Args:
        config: the configuration; the folder has none where it is not there.
        weights: the files that are digested.
        source: how the user called the pipeline, for messages.

    Raises:
        UserError: the configuration has one of the keys of `ELSEWHERE`.
        ValueError: it is no JSON.
    """
    # Windows removes no file that is mapped, as weights may be for as long as the network is there.
    with tempfile.TemporaryDirectory(prefix="vdu-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if config.is_file():
            content = config.read_bytes()
            _check_config(content, f"{source}: {config.parent.name}/{config.name}")
            (folder / config.name).write_bytes(content)
        for file in weights:
            _link(file, folder / file.name)
        yield folder


def _check_config(content: bytes, what: str) -> None:
    """Raise UserError for a configuration, or one inside it, that has the library read or run something else."""
    try:
        waiting: list[Any] = [parsed(content)]
    except ValueError as error:
        # Whoever asks for the network says which one it is.
        raise ValueError(f"config.json is no JSON: {error}") from error
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            waiting += value.values()
            for key, why in ELSEWHERE.items():
                if value.get(key) is not None:
                    raise UserError(f"{what} has {key}, which is not taken: {why}; take the key out")


def _link(file: Path, place: Path) -> None:
    target = file.resolve()
    try:
        os.symlink(target, place)
    # Windows lets few users make links.
    except OSError:
        shutil.copyfile(target, place)
