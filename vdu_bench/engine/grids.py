"""Samples of each method from the same noise, with the judge's word, for the sample grid. Needs no torch."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vdu_bench.engine.store import MANIFEST, Store
from vdu_bench.plain_json import parsed
from vdu_bench.records import Record
from vdu_bench.sample_grid import GridColumn, GridRow, SampleGrid
from vdu_bench.spec import digest_of

IMAGES = "images.safetensors"
READINGS = "readings.safetensors"
COLUMNS = 12

_Place = tuple[str, int]
"""What a probe calls some images (``forget``, ``retain``), and the number of one of them."""


def first_samples(
    records: Sequence[Record], store: Store, say: Callable[[str], None] = lambda _: None
) -> dict[str, SampleGrid]:
    """By variant, `COLUMNS` columns: the original shows the concept in one half, and does not in the other.

    Each half has the first samples that are so, or as many as there are. Of a text-to-image model the first are samples
    of the forget prompts, the others of the retain prompts. All are of one sample seed, the first one of the original.

    Args:
        records: of any number of tasks.
        store: with the samples and what the judge read in them.
        say: called with a warning for each variant of which the store lacks samples that the records tell of.
    """
    by_variant: dict[str, list[Record]] = {}
    for record in records:
        # Those without an unlearned model are real images, which are not made from noise.
        if record.status == "ok" and "samples" in record.stages and "unlearned" in record.stages:
            by_variant.setdefault(record.variant, []).append(record)
    readings = _readings_of(store) if by_variant else {}
    grids = {}
    for variant, group in by_variant.items():
        kept = {record.row: found for record in _one_seed(group) if (found := _kept(record, store, readings))}
        lacking = list(dict.fromkeys(record.row for record in group if record.row not in kept))
        if "original" not in kept:
            say(
                f"warning: {variant}: no sample grid: the store {store.root} has no samples of the original; name the "
                "store of the run by --store"
            )
            continue
        if lacking:
            say(f"warning: {variant}: the sample grid lacks {', '.join(lacking)}: not in the store {store.root}")
        grids[variant] = _grid(kept)
    return grids


def samples_at(store: Store, address: str, indices: Sequence[int]) -> NDArray[np.uint8] | None:
    """Some samples of a stage: uint8 ``[n, H, W]`` (grey) or ``[n, H, W, 3]``; None where the store does not have them.

    Args:
        store: where.
        address: of the stage, `Record.stages`.
        indices: which samples, from 0; there may be fewer, and those beyond are left out.
    """
    file = _samples_file(store, address)
    if not file.exists():
        return None
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="numpy") as archive:
            stored = archive.get_slice("forget")
            if not _are_images(stored):
                return None
            length = stored.get_shape()[0]
            # One by one, since a few out of thousands are asked for.
            images = np.stack([stored[index] for index in indices if index < length])
    except (OSError, ValueError, SafetensorError):
        # A damaged file is for the store to make again.
        return None
    return images[:, 0] if images.shape[1] == 1 else images.transpose(0, 2, 3, 1)


def samples_digest(records: Sequence[Record], store: Store) -> str:
    """A digest of what the sample grids are drawn from: those samples of the records that a store has."""
    addresses = [record.stages.get("samples", "") for record in records]
    return json.dumps([address * _samples_file(store, address).exists() for address in addresses])


def _samples_file(store: Store, address: str) -> Path:
    return store.root / "images" / address[:32] / IMAGES


@dataclass(frozen=True)
class _Kept:
    """What the store has of a record's samples."""

    record: Record
    images: Path
    shown: Mapping[str, NDArray[np.bool_]]
    """By what the images are called, ``[N, K]``: which concepts the judge sees."""
    junk: Mapping[str, NDArray[np.bool_]]
    """``[N]``."""


def _one_seed(group: Sequence[Record]) -> list[Record]:
    """The records of the original's first seed: other seeds are other noise."""
    seeds = sorted(record.seeds.sample for record in group if record.method == "original")
    return [record for record in group if record.seeds.sample in seeds[:1]]


def _readings_of(store: Store) -> dict[str, list[Path]]:
    """By the digest of the images, where the store has what a judge read in them."""
    found: dict[str, list[Path]] = {}
    for manifest in sorted((store.root / "readings").glob(f"*/{MANIFEST}")):
        with suppress(OSError, ValueError, KeyError, TypeError):
            spec = parsed(manifest.read_bytes())["spec"]
            found.setdefault(spec["images"], []).append(manifest.parent)
    return found


def _kept(record: Record, store: Store, readings: Mapping[str, Sequence[Path]]) -> _Kept | None:
    """None where samples or readings are not in the store. Of several readings those that fit the outcomes."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    folder = store.root / "images" / record.stages["samples"][:32]
    if "forget" not in record.outcomes or record.protocol is None or record.forget not in record.protocol.classes:
        return None
    concept = record.protocol.classes.index(record.forget)
    with suppress(OSError, ValueError, LookupError, TypeError, SafetensorError):
        digest = digest_of(parsed((folder / MANIFEST).read_bytes())["files"])
        for place in readings.get(digest, ()):
            read = load_file(place / READINGS)
            if np.array_equal(read["forget/shown"][:, concept], record.outcomes["forget"].flags):
                shown, junk = (
                    {name.split("/")[0]: flags for name, flags in read.items() if name.endswith(f"/{what}")}
                    for what in ("shown", "junk")
                )
                if _fit(folder / IMAGES, shown, junk, len(record.protocol.classes)):
                    return _Kept(record, folder / IMAGES, shown, junk)
    return None


def _are_images(stored: Any) -> bool:
    """Whether an array that was saved is uint8 ``[N, C, H, W]``, grey or in colour."""
    shape = stored.get_shape()
    return stored.get_dtype() == "U8" and len(shape) == 4 and shape[1] in (1, 3) and min(shape[2:]) > 0


def _fit(
    file: Path, shown: Mapping[str, NDArray[np.bool_]], junk: Mapping[str, NDArray[np.bool_]], classes: int
) -> bool:
    """Whether samples and readings are what the suite writes, and one for one; else both count as not there."""
    from safetensors import safe_open

    with safe_open(file, framework="numpy") as archive:
        for name, flags in shown.items():
            images = archive.get_slice(name)
            n = images.get_shape()[0]
            if not _are_images(images) or flags.shape != (n, classes) or junk[name].shape != (n,):
                return False
    return True


def _grid(kept: Mapping[str, _Kept]) -> SampleGrid:
    original = kept["original"]
    shows = {name: shown[:, _concept(original.record)] for name, shown in original.shown.items()}
    others = "retain" if "retain" in shows else "forget"
    places: list[_Place] = [("forget", int(index)) for index in np.flatnonzero(shows["forget"])[: COLUMNS // 2]]
    places += [(others, int(index)) for index in np.flatnonzero(~shows[others])[: COLUMNS - COLUMNS // 2]]
    columns = [
        GridColumn(index, bool(shows[name][index]), _prompt(original.record, name, index)) for name, index in places
    ]
    return SampleGrid(tuple(columns), {row: _row(found, places) for row, found in kept.items()})


def _concept(record: Record) -> int:
    return record.protocol.classes.index(record.forget) if record.protocol is not None else -1


def _prompt(record: Record, name: str, index: int) -> str:
    """Sets of prompts are gone through in turn."""
    prompts = list(record.protocol.prompts.get(name, ())) if record.protocol is not None else []
    return prompts[index % len(prompts)] if prompts else ""


def _row(kept: _Kept, places: Iterable[_Place]) -> GridRow:
    from safetensors import safe_open

    record, places = kept.record, list(places)
    with safe_open(kept.images, framework="numpy") as archive:
        images: NDArray[Any] = np.concatenate(
            [archive.get_slice(name)[index : index + 1] for name, index in places], axis=0
        )
    shows = tuple(bool(kept.shown[name][index, _concept(record)]) for name, index in places)
    junk = tuple(bool(kept.junk[name][index]) for name, index in places)
    words = tuple(_word(record, kept.shown[name][index], bool(kept.junk[name][index])) for name, index in places)
    return GridRow(images[:, 0] if images.shape[1] == 1 else images.transpose(0, 2, 3, 1), shows, junk, words)


def _word(record: Record, shown: NDArray[np.bool_], junk: bool) -> str:
    """The concept comes before junk: that is how it is counted."""
    if record.protocol is None or shown[_concept(record)]:
        return record.forget
    if junk:
        return "junk"
    # Attributes have prompts; of these the one that was to go is asked for.
    if record.protocol.prompts:
        return f"no {record.forget}"
    return record.protocol.classes[int(shown.argmax())] if shown.any() else "none"
