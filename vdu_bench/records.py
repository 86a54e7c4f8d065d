"""The result schema: one record for each cell (task x method x settings x seeds).

Records are JSON, versioned, and all that tables, plots and the regression gate ever read.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from vdu_bench.bounded import read_regular
from vdu_bench.collecting import uncollected
from vdu_bench.contradictions import contradictions, overdrawn
from vdu_bench.errors import UserError, flat
from vdu_bench.measured import AtOwnCount, Matrix, MetricResult, Number, Outcomes, Schema
from vdu_bench.packed import PACKED, pack_of, unpack
from vdu_bench.plain_json import is_suspect, read_json
from vdu_bench.record_files import record_files, whose
from vdu_bench.records_old import upgraded
from vdu_bench.variants import IN_FILES, PART_OF_FILES, file_name, row_name, variant_name

SCHEMA_VERSION = 4

Status = Literal["ok", "diverged", "failed"]
Role = Literal["reference", "contestant", "external"]
TUNING = ("trials", "evaluations")
"""What is told of a search for settings (`Record.tuning_cost`)."""
SettingsFrom = Literal["", "default", "task", "tuned", "published", "command"]


Name = Annotated[str, Field(pattern=PART_OF_FILES)]
"""A name that becomes a part of file names; records come from anywhere."""


class Seeds(Schema):
    """The three seeds of a cell."""

    train: int
    """Initial weights, batches and noise of the base model; of the retrained model, in its own row."""
    unlearn: int | None
    """The method's own draws; None, not known, of a model that was unlearned elsewhere."""
    sample: int
    """Initial noise of the judged samples."""


class Protocol(Schema):
    """How the numbers were measured: two records compare only where these agree."""

    version: int
    """The task's protocol version."""
    scale: str
    """``embedded``, ``small`` or ``full``; no table mixes them."""
    sampler: dict[str, Any]
    """Scheduler, steps, guidance, batch size; this last is no part of what is compared, unless fresh noise is drawn."""
    samples: int
    """Images a cell; of a text-to-image model for each of the two sets of prompts."""
    dtype: str
    """Arithmetic of the denoiser while sampling: ``float32`` proper, ``tf32``, ``bfloat16``, ``float16``."""
    extractor: str
    """Whose features the Frechet distance is taken in."""
    extractor_digest: str
    """sha256 of the extractor's weights."""
    reference: str
    """What real images the Frechet distance is taken to, and how many."""
    judge: str
    """The judge's name."""
    judge_digest: str
    """sha256 of the judge's weights."""
    confusion: list[list[int]]
    """Held-out real images. Classes: rows are truth, columns the judge's answer, in the order of `classes`. Attributes:
    in each row true negatives, false positives, false negatives, true positives."""
    classes: list[str]
    """The names of the confusion matrix' rows."""
    second_judge: str = ""
    """The name of the judge of another family; empty where the task names none, and in records of protocol 1."""
    second_judge_digest: str = ""
    """sha256 of its weights."""
    second_confusion: list[list[int]] = Field(default_factory=list)
    """Its own confusion matrix, as `confusion`."""
    data_fingerprint: str = ""
    """sha256 over the real images, their labels and the class names; empty in records from before it was kept."""
    prompts: dict[str, Any] = Field(default_factory=dict)
    """The sets of prompts and the words of captions; empty for an unconditional model."""
    clip: str = ""
    """Whose cosine the CLIP score is: model, weights, precision; empty where the task names none."""
    clip_digest: str = ""
    """sha256 of its weights."""
    inception: str = ""
    """torch-fidelity's name of the network that an FID is taken in; empty where the task asks for none."""
    inception_digest: str = ""
    """sha256 of its file of weights."""
    pairs: int = 0
    """How many counterfactual pairs were redrawn."""
    limits: dict[str, float] = Field(default_factory=dict)
    """The task's quality limit, by `MetricFacts.limit`; empty in records of protocol 1."""


class Ledger(Schema):
    """What the method saw: the data access that the leaderboard shows."""

    forget_images: int = 0
    """Distinct forget-set images drawn."""
    retain_images: int = 0
    """Distinct retained images drawn."""
    posterior: bool = False
    """Whether the posterior over the base's weights was used."""
    prompts: bool = False
    """Whether the prompts that methods are given were used."""
    replayed: int = 0
    """Images drawn from the frozen base, each counted: they are no training images."""

    @property
    def images(self) -> int:
        """All distinct training images drawn."""
        return self.forget_images + self.retain_images


class Timings(Schema):
    """Wall times and evaluations. They differ from run to run; nothing else in a record may.

    Of a model that was unlearned elsewhere, what unlearning took is not known: evaluations are None, the rest is NaN.
    """

    unlearn_seconds: Number = math.nan
    """The method's own time, without loading, sampling and measuring; of an external checkpoint as its user states."""
    nfe_forward: int | None = 0
    """Denoiser forward evaluations while unlearning, one for each image."""
    nfe_backward: int | None = 0
    """Denoiser backward evaluations while unlearning."""
    unlearn_peak_mib: Number = math.nan
    """Peak memory while unlearning: allocated on a GPU, resident on a CPU."""
    sample_seconds: Number = math.nan
    """Time for sampling all images."""


class Record(Schema):
    """One cell's result."""

    schema_version: int = SCHEMA_VERSION
    """Of this schema; records of an earlier one are made into it when they are read."""
    task: Name
    """Task name."""
    family: Name | Literal[""] = ""
    """The tasks that share data, model and judge; empty in records from before it was kept."""
    forget: str
    """The concept that was to be forgotten."""
    forget_images: int | None = None
    """How many of the forget set a method could draw from, as the task limits it; None for all of them."""
    forget_set: int | None = None
    """How many training images show the concept; None in records from before it was kept, and of failed cells."""
    method: Name
    """Method name."""
    role: Role
    """``reference`` rows (original, retrain, real) frame the table; ``external`` models were unlearned elsewhere."""
    regime: str
    """Which data the method was allowed; ``unknown`` of an external checkpoint."""
    settings: dict[str, Any]
    """Every setting of the method, defaults included; of an external checkpoint its name and its files' sha256."""
    settings_changed: dict[str, Any] = Field(default_factory=dict)
    """By dotted name, the settings that differ from the method's defaults, whoever gave them."""
    settings_from: SettingsFrom = ""
    """Where the settings are from: ``default``, the method's own; ``task``, ``tuned`` and ``published``, as the task
    says of those that it gives, or a settings file that ``vdu-bench tune`` wrote; ``command``, something was set by who
    ran it. Empty where it is not known: of external checkpoints and of records from before it was kept."""
    tuning_cost: dict[str, int] = Field(default_factory=dict)
    """What the search for tuned settings took: ``trials``, and in all of them, finalists' runs included, the denoiser's
    forward ``evaluations`` while unlearning. Empty of other settings, and where the task does not say."""
    task_changes: dict[str, Any] = Field(default_factory=dict)
    """By dotted name, what a command changed of the task; `forget_images`, which has a field of its own, apart."""
    method_changes: dict[str, Any] = Field(default_factory=dict)
    """By name, what a command gave the method otherwise than the task does; a `regime` other than full among it."""
    called: Name | Literal[""] = ""
    """What a command called the variant, in place of `method_changes`; empty where it gave no name."""
    seeds: Seeds
    """What was drawn from."""
    protocol: Protocol | None
    """None when the cell failed before anything was measured."""
    ledger: Ledger | None
    """None, not known, of an external checkpoint and of real images."""
    timings: Timings
    """What it took."""
    evaluations_vary: bool = False
    """Whether the seed decides how many evaluations the method takes, as it says itself; the gate then asks the seeds
    how far they scatter. False in records from before it was kept."""
    environment: dict[str, Any]
    """Package versions, device, git commit and dirty flag."""
    stages: dict[str, Name]
    """The address of each stage that the cell was made of; ``retrain`` where the judged model is that. Of real images
    no ``unlearned``."""
    digests: dict[str, str] = Field(default_factory=dict)
    """What the models hold that numbers rest on, a sha256 over their files' sha256: ``base``; and ``retrain``, that
    never knew the concept, where the cell is that model or (not told in records of schemas 1 to 3) is compared with it.
    ``another_retrain`` is what the retrained model's own row is compared with. ``posterior`` is that over the base's
    weights, where the method asks for one: of snapshots likewise, else a sha256 of what the task says of it. The last
    two are not told in older records. Empty in records of schema 1."""
    status: Status
    """``diverged`` is a result: of numbers that are not finite; ``failed`` is an error."""
    reason: str = ""
    """Why the status is not ``ok``."""
    probes: dict[str, dict[str, int]] = Field(default_factory=dict)
    """By probe, what it was given and what it took: distinct real images, the denoiser's evaluations; empty in records
    of schema 1."""
    probe_settings: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """By probe, all its settings, and of the counterfactual pairs how far they are noised; empty in records of schemas
    1 to 3."""
    metrics: dict[Name, MetricResult]
    """By metric name; empty when the status is not ``ok``."""
    at_own_count: dict[str, AtOwnCount] = Field(default_factory=dict)
    """Of the row of real images, by metric name: what does not compare with the samples' numbers, which are more."""
    outcomes: dict[str, Outcomes] = Field(default_factory=dict)
    """By what the metrics count (`MetricFacts.counts`)."""
    matrices: dict[Name, Matrix] = Field(default_factory=dict)
    """By metric name, the tables that stand behind a number."""
    warnings: list[str] = Field(default_factory=list)
    """What a reader of the numbers has to know: a judge that errs more than its task allows."""

    @property
    def variant(self) -> str:
        """The task's name, with ``-forgetN`` where it was limited to N images, and with what else was changed."""
        return variant_name(self.task, self.forget_images, self.task_changes)

    @property
    def setup(self) -> str:
        """The variant without its limit on forget images: what differs in that alone is a sweep."""
        return variant_name(self.task, None, self.task_changes)

    @property
    def row(self) -> str:
        """The method's name with what was changed of its settings, ``vdu[gamma=0.3]``, or what that is called."""
        return row_name(self.method, self.method_changes, self.called)

    @property
    def cell_name(self) -> str:
        """``variant/method/seed``, with what was changed of either, as used in file names and messages."""
        return f"{self.variant}/{file_name(self.method, self.method_changes, self.called)}/seed{self.seeds.sample}"

    @property
    def order(self) -> tuple[str, float, str, str, int]:
        """Sorts records by task, forget images (all of them last), what else was changed, row and seed."""
        limit = math.inf if self.forget_images is None else self.forget_images
        return self.task, limit, self.variant, self.row, self.seeds.sample

    def to_json(self) -> str:
        """Indented JSON that ends with a newline."""
        return self.model_dump_json(indent=1) + "\n"


def read_record(file: Path) -> Record:
    """One record, of this schema or an older one; of a packed file by the name that `records_by_file` gives it.

    Raises UserError, naming file and key, for anything else, and for a record that contradicts itself.
    """
    if (place := pack_of(file)) is not None and place.is_file():
        found = _packed(place)
        if file not in found:
            raise UserError(
                f"{place} has no record {file.relative_to(place)}; it has {', '.join(_names(place, found))}"
            )
        return found[file]
    try:
        content = read_regular(file)
        if not is_suspect(content):
            with suppress(ValidationError):
                # Nearly all are of this schema, and from text to record is faster without plain data in between.
                record = Record.model_validate_json(content)
                if record.schema_version == SCHEMA_VERSION:
                    return _sound(record, str(file))
        plain = read_json(content)
    except OSError as error:
        instead = _packed_instead(file) if isinstance(error, FileNotFoundError) else ""
        raise UserError(f"cannot read {file}: {error.strerror}" + f"; {instead}" * bool(instead)) from error
    except ValueError as error:
        if file.name == PACKED:
            raise UserError(f"{file} is no record, but many: {_packed_instead(file)}") from error
        raise UserError(f"{file} is not a record of schema {SCHEMA_VERSION}: not JSON: {error}") from error
    return _record(plain, str(file))


def _packed_instead(file: Path) -> str:
    """How to name a record, told where a packed file was named, or a missing file beside one; else empty."""
    place = (
        file if file.name == PACKED else next((one / PACKED for one in file.parents if (one / PACKED).is_file()), None)
    )
    return "" if place is None else f"name one of the records in {place}, such as {next(iter(_packed(place)))}"


def _record(plain: Any, place: str) -> Record:
    """The record of a JSON of this schema or an older one. Raises UserError, naming the place and the key."""
    version = plain.get("schema_version") if isinstance(plain, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise UserError(
            f"{place} is of schema {version}, and this version of the suite reads up to {SCHEMA_VERSION}: update it"
        )
    try:
        if isinstance(version, int) and 1 <= version < SCHEMA_VERSION:
            plain = upgraded(plain, version)
        return _sound(Record.model_validate(plain), place)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the file"
        why = IN_FILES if first["type"] == "string_pattern_mismatch" else first["msg"]
        raise UserError(f"{place} is not a record of schema {SCHEMA_VERSION}: {flat(key)}: {why}") from error


def _sound(record: Record, place: str) -> Record:
    """The record itself. Raises UserError, naming the place, where it contradicts itself."""
    timings, ledger = record.timings, record.ledger
    counted = {
        "training_images": None if ledger is None else ledger.images,
        "nfe_forward": timings.nfe_forward,
        "nfe_backward": timings.nfe_backward,
        "unlearn_seconds": timings.unlearn_seconds,
        "unlearn_peak_memory": timings.unlearn_peak_mib,
    }
    found = contradictions(record.metrics, record.outcomes, counted)
    if ledger is not None and record.role == "contestant":
        found = chain(found, overdrawn(record.regime, record.forget_images, ledger.forget_images, ledger.retain_images))
    if (wrong := next(found, None)) is not None:
        raise UserError(
            f"{place}, {record.cell_name}, contradicts itself: {wrong}; it was edited or is broken: take it from where "
            "it came from, or run the cell again"
        )
    return record


def read_records(*folders: Path) -> list[Record]:
    """All records of some folders, in their `Record.order`. Raises UserError as `records_by_file`."""
    found: dict[Path, Record] = {}
    for folder in folders:
        found |= records_by_file(folder)
    return sorted(_one_each(found).values(), key=lambda record: record.order)


def records_by_file(folder: Path, without: Path | None = None) -> dict[Path, Record]:
    """All records of a folder (`record_files`), by file.

    A record of a packed file goes by the name of that file with the cell's behind it, as if it were a folder.

    Args:
        folder: what to search.
        without: a folder whose records are left out: the reference often lies among the results that it judges.

    Raises:
        UserError: naming file and key, for a file that is not a record; for two files, or two lines of a packed one,
            with the same cell, unless they are equal; and where there are no records.
    """
    if folder.is_file():
        raise UserError(f"{folder} is a file: name its folder, {whose(folder)}")
    if not folder.is_dir():
        raise UserError(
            f"{folder} is not a folder of records; `vdu-bench run --out {shlex.quote(str(folder))} ...` makes one"
        )
    files = record_files(folder)
    if without is not None:
        files = [file for file in files if not file.resolve().is_relative_to(without.resolve())]
    if not files:
        raise UserError(f"no records under {folder}; `vdu-bench run --out {shlex.quote(str(folder))} ...` makes some")
    found: dict[Path, Record] = {}
    with uncollected():
        for file in files:
            if file.name != PACKED:
                found[file] = read_record(file)
                continue
            found |= _packed(file)
        return _one_each(found)


def _packed(place: Path) -> dict[Path, Record]:
    found: dict[Path, Record] = {}
    for number, plain in enumerate(unpack(place), 1):
        record = _record(plain, f"{place}, line {number}")
        first = found.setdefault(place / f"{record.cell_name}.json", record)
        if first is not record and first.to_json() != record.to_json():
            raise UserError(f"{place}, line {number} is a second record of {record.cell_name}: keep one of the two")
    return found


def _names(place: Path, found: Iterable[Path], most: int = 3) -> list[str]:
    names = [str(file.relative_to(place)) for file in found]
    return names[:most] + [f"{len(names) - most} more"] * (len(names) > most)


def _one_each(records: dict[Path, Record]) -> dict[Path, Record]:
    """The records without copies. Raises UserError for two of one cell that differ."""
    kept: dict[Path, Record] = {}
    places: dict[str, Path] = {}
    for file, record in records.items():
        other = places.setdefault(record.cell_name, file)
        if other == file:
            kept[file] = record
        elif record.to_json() != kept[other].to_json():
            raise UserError(
                f"{other} and {file} are records of the same cell, {record.cell_name}: name the folder of one of them"
            )
    return kept
