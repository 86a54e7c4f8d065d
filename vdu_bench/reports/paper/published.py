"""Numbers from papers, to stand beside measured ones. Needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, FiniteFloat, ValidationError, model_validator

from vdu_bench.errors import UserError, flat
from vdu_bench.measured import Schema
from vdu_bench.tasks.yaml_text import load_yaml
from vdu_bench.wrong_values import in_words


class PublishedNumber(Schema):
    """One number as its paper gives it."""

    task: str
    """The task of this suite that comes closest; its data, model, judge and sampler need not be the paper's."""
    metric: str
    """The metric's name in this suite."""
    value: FiniteFloat
    """In `unit`."""
    unit: str
    """``%``, or empty for a plain number."""
    method: str = Field(min_length=1)
    """Whose number it is, or, where the source does not say, what it does say."""
    also: tuple[str, ...] = ()
    """Tasks of a smaller scale that forget the same of the same data, which it may stand beside too."""
    source: str = ""
    """Where in the world it was found; the publication's own source if empty."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that it may stand beside, the closest first."""
        return (self.task, *self.also)


class Publication(Schema):
    """A paper's numbers, one file each."""

    paper: str = Field(min_length=1)
    """An address that lasts: ``arXiv:2510.04058``, or a DOI."""
    title: str = Field(min_length=1)
    source: str = Field(min_length=1)
    """Where its numbers were found."""
    numbers: list[PublishedNumber] = Field(min_length=1)

    def beside(self, task: str, metric: str) -> list[PublishedNumber]:
        """Its numbers that may stand beside a task's metric."""
        return [number for number in self.numbers if number.metric == metric and task in number.tasks]

    @model_validator(mode="before")
    @classmethod
    def _own_source(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("numbers"), list):
            numbers = [
                {**number, "source": number.get("source") or data.get("source", "")}
                if isinstance(number, dict)
                else number
                for number in data["numbers"]
            ]
            return {**data, "numbers": numbers}
        return data

    @model_validator(mode="after")
    def _each_once(self) -> Publication:
        keys = [(task, number.metric, number.method) for number in self.numbers for task in number.tasks]
        if twice := [key for key in keys if keys.count(key) > 1]:
            raise ValueError(f"{' / '.join(twice[0])} is given twice")
        return self


def read_publication(file: Path) -> Publication:
    """One file. Raises UserError, naming it and the key, for anything that is no publication of this schema."""
    try:
        return Publication.model_validate(load_yaml(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{file} is not YAML: {flat(error)}") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the file"
        raise UserError(f"{file} is not a file of published numbers: {key}: {in_words(first)}") from error


def read_published(folder: Path) -> list[Publication]:
    """All publications of a folder (``*.yaml``), by file name. Raises UserError where there are none."""
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise UserError(f"no published numbers in {folder}")
    return [read_publication(file) for file in files]


def published_folder() -> Path:
    """Where this suite's own published numbers lie: in the installed package, or in ``results/`` of a checkout."""
    package = Path(__file__).parents[2]
    installed = package / "published"
    return installed if installed.is_dir() else package.parent / "results" / "published"
